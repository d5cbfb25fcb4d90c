//! Channel protocols, one module per platform. Each verifies raw bytes, parses into [`warmline_model::Inbound`], renders
//! replies and reads the platform's answers. Pure: no I/O, no clock, no randomness of its own.
//!
//! * [`kit`]: what an adapter is; [`registry`]: the adapters by channel;
//! * [`wechat`], [`app`], [`webchat`]: the adapters, each with its account, its verifier, its parser and its renderer;
//! * [`wx_crypto`]: signatures and the encrypted envelope that the WeChat family shares;
//! * [`hs256`]: the JSON web tokens of the app and of web chat;
//! * [`xml`], [`json`]: bounded readers for what platforms send;
//! * `bearer`, `client_message`, `client_signature`: the token, the message and the signature of our own clients (app, web
//!   chat, bridges);
//! * [`digest`]: keyed digests, comparison in constant time;
//! * [`weibo`], [`alipay`]: Weibo 粉丝服务, Alipay 生活号;
//! * [`taobao`], [`jd`], [`pinduoduo`]: marketplaces' orders; `orders`: what the marketplaces' messages share;
//! * [`sorted_sign`]: signatures over sorted parameters;
//! * `answer`, `civil`: what an HTTP status says; dates as Chinese platforms write them;
//! * `settings`: the checks on an account's settings.

pub mod alipay;
mod answer;
pub mod app;
mod bearer;
mod civil;
mod client_message;
mod client_signature;
pub mod digest;
pub mod hs256;
pub mod jd;
pub mod json;
pub mod kit;
mod orders;
pub mod pinduoduo;
pub mod registry;
mod settings;
pub mod sorted_sign;
pub mod taobao;
pub mod webchat;
pub mod wechat;
pub mod weibo;
pub mod wx_crypto;
pub mod xml;

pub use kit::*;
