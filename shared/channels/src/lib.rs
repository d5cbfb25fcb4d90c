//! Channel protocols, one module per platform. Each verifies raw bytes, parses into [`warmline_model::Inbound`], renders
//! replies and reads the platform's answers. Pure: no I/O, no clock, no randomness of its own.
//!
//! * [`kit`]: the definition of an adapter; `capabilities`: the manifest of a channel; `undeliverable`: the reasons why
//!   something cannot be sent or fetched; [`registry`]: the adapters by channel; [`manifest`]: the capabilities, for readers;
//!   [`keys`]: the identity of a message;
//! * [`app`], [`miniprogram`], [`webchat`], [`wechat`], …: the adapters, one module a channel, each with its account, its
//!   verifier, its parser and its renderer;
//! * [`wx`]: the common ground of WeChat's own channels; [`wx_crypto`]: signatures and the encrypted envelope of its whole
//!   family; `echo`: its signed queries and its check of an address, which other platforms use too;
//! * [`sorted_sign`]: signatures over sorted parameters; `orders`: the common ground of the marketplaces' messages;
//! * [`aliyun`], [`twilio`]: the signatures of these two, which several channels use;
//! * `timed_signature`, `secret_address`: our own contracts' signature; webhooks without a signature; `signed_time`: the
//!   times that signatures cover;
//! * `bearer`, `client_message`, [`hs256`]: the tokens and the message of our own clients; [`grip`]: the protocol of a
//!   gateway that holds their sockets;
//! * `cut`: a long text in parts; `caller`: callers in the forms of telephone systems;
//! * [`xml`], [`json`]: bounded readers for platforms' texts;
//! * `requests`, `answers`: requests to the platforms' APIs, and the parts of their answers before any code;
//! * `values`, `civil`: ids, numbers and times in the platforms' forms;
//! * `sign` in each channel, with the feature `testkit`: signed requests in its platform's form, for tests and simulators;
//! * [`digest`]: keyed digests, comparison in constant time;
//! * [`account_settings`]: an account's settings in two parts, the router's and the adapter's; `settings`: the checks on the
//!   adapter's part; [`names`]: the right name for an unknown one; [`advice`]: what to check when webhooks are refused.

pub mod account_settings;
pub mod advice;
pub mod alipay;
pub mod aliyun;
mod answers;
pub mod app;
mod bearer;
mod caller;
mod capabilities;
mod civil;
mod client_message;
mod cut;
pub mod digest;
pub mod doudian;
pub mod douyin;
mod echo;
pub mod email;
pub mod grip;
pub mod hs256;
pub mod jd;
pub mod json;
pub mod keys;
pub mod kit;
pub mod kuaishou;
pub mod manifest;
pub mod miniprogram;
pub mod names;
mod orders;
pub mod phone;
pub mod pinduoduo;
mod refusal;
pub mod registry;
mod requests;
mod secret_address;
mod settings;
mod signed_time;
pub mod sms;
pub mod sorted_sign;
pub mod taobao;
mod timed_signature;
pub mod twilio;
mod undeliverable;
mod values;
pub mod webchat;
pub mod wechat;
pub mod wecom;
pub mod weibo;
pub mod wx;
pub mod wx_crypto;
pub mod xiaohongshu;
pub mod xml;

pub use kit::*;
