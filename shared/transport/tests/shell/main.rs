//! The shell of adapters on a made-up host: what must hold whatever the platform does, and when.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod client;
mod delivery;
mod intake;
mod keyring;
mod pull;
mod socket;
mod tokens;
mod wechat;
mod world;
