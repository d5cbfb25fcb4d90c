//! Channel protocols, one module per platform. Each verifies raw bytes, parses into [`warmline_model::Inbound`], renders
//! replies and reads the platform's answers. Pure: no I/O, no clock, no randomness of its own.
//!
//! * [`kit`]: what an adapter is; [`registry`]: the adapters by channel; [`manifest`]: what they can carry, for readers;
//! * [`app`], [`miniprogram`], [`webchat`], [`wechat`], …: the adapters, one module a channel, each with its account, its verifier,
//!   its parser and its renderer;
//! * [`wx`]: what WeChat's own channels share; [`wx_crypto`]: signatures and the encrypted envelope of its whole family;
//! * [`hs256`]: the JSON web tokens of the app and of web chat;
//! * [`xml`], [`json`]: bounded readers for what platforms send;
//! * `bearer`, `client_message`: the token and the message that our own clients (app, web chat) send;
//! * [`digest`]: keyed digests, comparison in constant time;
//! * `settings`: the checks on an account's settings;
//! * `echo`: the check of an address that WeChat invented and others took over;
//! * `calls`: requests, statuses, ids and times as the younger platforms write them.

pub mod app;
mod bearer;
mod calls;
mod client_message;
pub mod digest;
pub mod doudian;
pub mod douyin;
mod echo;
pub mod hs256;
pub mod json;
pub mod kit;
pub mod kuaishou;
pub mod manifest;
pub mod miniprogram;
pub mod registry;
mod settings;
pub mod webchat;
pub mod wechat;
pub mod wecom;
pub mod wx;
pub mod wx_crypto;
pub mod xiaohongshu;
pub mod xml;

pub use kit::*;
