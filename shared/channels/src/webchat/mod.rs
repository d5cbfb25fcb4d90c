//! Chat on the brand's web pages, for visitors who are not logged in.
//!
//! A visitor's page asks for a session ([`start_session`]) and gets a token: an HS256 JWT with `sub` (the visitor), `aud`
//! (this account) and `exp` (30 days). It posts `{"id", "text"}` or `{"id", "content"}` to the account's address (or
//! `/messages` below it) with `Authorization: Bearer <token>`. Replies are held: the page streams or fetches them
//! ([`identify`] finds the visitor).
//!
//! | setting | meaning | default |
//! |---|---|---|
//! | `origins` | pages that may use the account: a list of origins (`https://www.example.com`), or `["*"]` | `[]`: only pages of the same host |
//!
//! | secret | meaning |
//! |---|---|
//! | `session_key` | 64 hexadecimal digits: the key of the session tokens. The caller derives it; the brand does not choose it |
//! | `session_audience` | `webchat/<account>`, by the caller: a token of one account is not valid on another |
//!
//! Tokens travel in a header and never in a cookie, so another site's page cannot post in a visitor's name; the origin check
//! keeps other sites from offering the chat as their own.

mod account;
mod origin;
mod session;

pub use account::Account;
pub use origin::{allow_origin, check_origin};
pub use session::{SESSION_SECS, identify, start_session};

use crate::client_message;
use crate::kit::{
    AccountError, Adapter, ApiResponse, Call, Capabilities, ChannelSettings, ClientAdapter, Outbound, Outcome, Parsed,
    Refusal, Rendered, Reply, Request, Secrets, Session, Undeliverable, Verified,
};
use warmline_model::{Sender, Timestamp};

const CAPABILITIES: Capabilities = client_message::capabilities("webchat", "网页客服", "Web chat");

/// The adapter for web chat.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebchatAdapter;

impl Adapter for WebchatAdapter {
    type Account = Account;

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Account, AccountError> {
        Account::read(settings, secrets)
    }

    fn proof(&self) -> &'static str {
        "the visitor's session"
    }

    fn anonymous(&self) -> bool {
        true
    }

    fn wants_derived_secrets(&self) -> bool {
        true
    }

    fn verify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        session::verify(account, request, now)
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

    /// No API is called, so there is no answer to read.
    fn read_answer(&self, _: &ApiResponse<'_>) -> Outcome {
        Outcome::Permanent("no_api")
    }
}

impl ClientAdapter for WebchatAdapter {
    fn identify(&self, account: &Account, request: &Request<'_>, now: Timestamp) -> Result<Sender, Refusal> {
        session::identify(account, request, now)
    }

    /// The session was verified when the socket was opened, and each page has a socket of its own.
    fn verify_frame(&self, _: &Account, sender: &Sender, frame: &[u8], now: Timestamp) -> Result<Verified, Refusal> {
        client_message::verified(frame, sender, now)
    }

    fn start_session(
        &self,
        account: &Account,
        request: &Request<'_>,
        random: &[u8; 16],
        now: Timestamp,
    ) -> Result<Session, Refusal> {
        origin::check_origin(account, request)?;
        let (token, visitor) = session::start_session(account, random, now);
        Ok(Session { token, visitor })
    }

    fn allows_origin(&self, account: &Account, origin: &str) -> bool {
        origin::allow_origin(account, origin)
    }
}
