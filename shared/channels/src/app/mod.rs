//! The brand's own app, by its SDK: signed JSON.
//!
//! `POST` to the account's address (or `/messages` below it) with
//! * `Authorization: Bearer <JWT>`, HS256 under `jwt_secret`, issued by the brand's own server to a member who is logged in:
//!   `sub` (the member's id), `exp`, and optionally `name`, `tags`, `nbf`, and `phone_number`,
//!   `email` with `phone_number_verified`, `email_verified`, and `device_id`;
//! * `X-Warmline-Timestamp`: seconds since 1970, at most `max_age_secs` from now;
//! * `X-Warmline-Signature`: lower-case hexadecimal HMAC-SHA256 under `body_secret` over `<timestamp>.<raw body>`;
//! * the body `{"id": "<client message id>", "text": "…"}` or `{"id": …, "content": {…}}`.
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `max_age_secs` | how far the signed timestamp may be from now | 300 |
//!
//! | secret | meaning |
//! |---|---|
//! | `jwt_secret` | required, at least 16 characters |
//! | `body_secret` | required, at least 16 characters |
//!
//! Over a WebSocket the same message is a frame `{"type": "message", "timestamp": "…", "signature": "…", "body": "…"}`. Its
//! `body` is the text that would be posted, signed in the same way.
//!
//! Replies are held: the app streams or fetches them ([`identify`] finds the member). `sign` makes signed requests.

mod account;
#[cfg(any(test, feature = "testkit"))]
pub mod sign;
mod verify;

pub use account::Account;
pub use verify::identify;

use crate::client_message;
use crate::kit::{
    AccountError, Adapter, ApiResponse, Call, Capabilities, ChannelSettings, ClientAdapter, Outbound, Outcome, Parsed,
    Refusal, Rendered, Reply, Request, Secrets, Undeliverable, Verified,
};
use warmline_model::{Sender, Timestamp};

const CAPABILITIES: Capabilities = client_message::capabilities("app", "自有应用", "The brand's app");

/// The adapter for the brand's own app.
#[derive(Clone, Copy, Debug, Default)]
pub struct AppAdapter;

impl Adapter for AppAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the secrets `jwt_secret` (the member's token) and `body_secret` (the message)"
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify(account, request, now)
    }

    fn own_clients(&self) -> bool {
        true
    }

    fn parse(&self, _: &Account, body: &Verified) -> Result<Parsed, Refusal> {
        client_message::inbound(body).map(Into::into)
    }

    fn acknowledge(&self, _: &Account, _: &Verified) -> Reply {
        client_message::accepted()
    }

    fn render(&self, _: &Account, reply: &Outbound<'_>, _: &Call<'_>) -> Result<Rendered, Undeliverable> {
        client_message::check_reply(&CAPABILITIES, reply.content).map(|()| Rendered::Held)
    }

    /// The app's API is never called, so there is no answer to read.
    fn read_answer(&self, _: &ApiResponse<'_>) -> Outcome {
        Outcome::Permanent("no_api")
    }
}

impl ClientAdapter for AppAdapter {
    fn identify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Sender, Refusal> {
        verify::identify(account, request, now)
    }

    fn verify_frame(&self, account: &Account, sender: &Sender, frame: &[u8], now: Timestamp) -> Result<Verified, Refusal> {
        verify::verify_frame(account, sender, frame, now)
    }
}
