//! The shell of adapters on a made-up host: the guarantees that hold whatever the platform does and whenever it does
//! it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod client;
mod delivery;
mod intake;
mod keyring;
mod pull;
mod socket;
mod tokens;
mod trips;
mod wechat;
mod world;
