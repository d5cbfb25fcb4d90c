//! Channel protocols, one module per platform. Each verifies raw bytes, parses into [`warmline_model::Inbound`], renders
//! replies and reads the platform's answers. Pure: no I/O, no clock, no randomness of its own.
//!
//! * [`kit`]: what an adapter is; [`registry`]: the adapters by channel;
//! * [`wechat`], [`app`], [`webchat`]: the adapters, each with its account, its verifier, its parser and its renderer;
//! * [`sms`]: the adapter for text messages, by Aliyun or Twilio;
//! * [`phone`]: the adapter for calls, by our own contract, Huawei AICC or Twilio;
//! * [`email`]: the adapter for mail, by SendGrid or Mailgun;
//! * [`aliyun`], [`twilio`]: the signatures of these two; `secret_address`: webhooks that nobody signs;
//!   `timed_signature`: the signature of our own contracts; `outward`: calls to an API;
//! * [`wx_crypto`]: signatures and the encrypted envelope that the WeChat family shares;
//! * [`hs256`]: the JSON web tokens of the app and of web chat;
//! * [`xml`], [`json`]: bounded readers for what platforms send;
//! * `bearer`, `client_message`: the token and the message that our own clients (app, web chat) send;
//! * [`digest`]: keyed digests, comparison in constant time;
//! * `settings`: the checks on an account's settings.

pub mod aliyun;
pub mod app;
mod bearer;
mod client_message;
pub mod digest;
pub mod email;
pub mod hs256;
pub mod json;
pub mod kit;
mod outward;
pub mod phone;
pub mod registry;
mod secret_address;
mod settings;
pub mod sms;
mod timed_signature;
pub mod twilio;
pub mod webchat;
pub mod wechat;
pub mod wx_crypto;
pub mod xml;

pub use kit::*;
