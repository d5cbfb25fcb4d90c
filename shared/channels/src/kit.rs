//! The definition of an adapter: one trait, and the types that pass through it.
//!
//! The order is fixed by the types. A [`Request`] is untrusted; only [`Adapter::verify`] turns it into a [`Verified`], and
//! [`Adapter::parse`] accepts nothing else. In the other direction, a reply is rendered into an [`ApiRequest`] and the
//! platform's [`ApiResponse`] is read into an [`Outcome`]. No function here does I/O or asks for the time.

pub use crate::account_settings::ChannelSettings;
pub use crate::answers::retry_after;
pub use crate::capabilities::{Capabilities, Carries, Overlong, TextUnit};
pub use crate::refusal::{Fault, Refusal};
pub use crate::undeliverable::Undeliverable;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
pub use warmline_model::Window;
use warmline_model::{Content, Inbound, Media, Sender, Timestamp};

/// The secrets of an account, by name.
pub type Secrets = BTreeMap<String, String>;

/// A webhook as it arrived. Nothing in it is trusted.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a http::Method,
    /// The path below `/channels/<channel>/<account>`: empty, or beginning with `/`.
    pub rest: &'a str,
    /// The query string, still encoded, without `?`.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a http::HeaderMap,
    /// The raw body. Signatures are computed over exactly these bytes.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// The first query parameter of that name, decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(k, _)| k == name).map(|(_, v)| v.into_owned())
    }

    /// Whether it is for the webhook's own address and nothing below it.
    pub(crate) fn at_root(&self) -> bool {
        matches!(self.rest, "" | "/")
    }

    /// A header as text; `None` if it is not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A body whose origin was proved. Only this crate's verifiers make one.
pub struct Verified {
    body: Vec<u8>,
    /// Facts about its arrival that later steps need (whether it was encrypted, whose token it carried).
    context: BTreeMap<&'static str, String>,
}

/// In a [`Verified`]'s context: its time, in milliseconds.
const TIME: &str = "time";

impl Verified {
    pub(crate) fn new(body: Vec<u8>) -> Self {
        Self { body, context: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.context.insert(name, value.into());
        self
    }

    pub(crate) fn context(&self, name: &str) -> Option<&str> {
        self.context.get(name).map(String::as_str)
    }

    /// Adds the time of its signature or, if that is unknown, of its arrival: for messages that name no time of their own.
    pub(crate) fn with_time(self, at: Timestamp) -> Self {
        self.with(TIME, at.millis().to_string())
    }

    /// The time of the signature or of the arrival.
    pub(crate) fn time(&self) -> Timestamp {
        Timestamp::from_millis(self.context(TIME).and_then(|ms| ms.parse().ok()).unwrap_or_default())
    }

    /// The plaintext body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// An HTTP answer to the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Media type.
    pub content_type: &'static str,
    /// Body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A 200 with a text body.
    pub fn text(body: impl Into<String>) -> Self {
        Self { status: 200, content_type: "text/plain; charset=utf-8", body: body.into().into_bytes() }
    }

    /// A 200 with a JSON body.
    pub fn json(body: &Value) -> Self {
        Self { status: 200, content_type: "application/json", body: body.to_string().into_bytes() }
    }
}

/// A message to a customer, ready to be rendered. `to` always comes from the conversation's own identity, so that a reply
/// cannot reach another person.
#[derive(Clone, Debug)]
pub struct Outbound<'a> {
    /// The customer's open id on this account.
    pub to: &'a str,
    /// The message's id. It is the platform's idempotency key if the platform has one.
    pub id: &'a str,
    /// The content of the message.
    pub content: &'a Content,
    /// The time at which it was written.
    pub at: Timestamp,
    /// The place for replies that the customer's newest message named ([`Inbound::reply_to`]).
    pub reply_to: Option<&'a Value>,
}

/// The inputs that sign a call to a platform, besides the account's own secrets.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The access token, on platforms that have them.
    pub token: Option<&'a str>,
    /// The present time.
    pub now: Timestamp,
    /// Fresh randomness.
    pub nonce: &'a [u8; 16],
}

/// A request to the platform's API.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiRequest {
    /// Method.
    pub method: http::Method,
    /// Full URL. It may carry an access token: never log it.
    pub url: String,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// The platform's answer.
#[derive(Clone, Debug)]
pub struct ApiResponse<'a> {
    /// Status.
    pub status: u16,
    /// Body, capped by the caller.
    pub body: &'a [u8],
}

/// The way in which a reply leaves.
pub enum Rendered {
    /// By this request to the platform.
    Call(ApiRequest),
    /// The customer's own client fetches or streams it from Warmline: storing it was sending it.
    Held,
}

/// The meaning of a platform's answer for the outbox. Reasons are stable codes that an agent's desk translates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The platform accepted the message.
    Sent,
    /// The access token is not valid (any more): fetch a new one and try again at once.
    RefreshToken,
    /// It may work later.
    Retry(&'static str),
    /// Waiting will not help. The agent is told the reason.
    Permanent(&'static str),
}

/// The reason of an unreadable answer.
pub const UNREADABLE: &str = "answer_unreadable";
/// The reason of an answer by a gateway that did not wait for the platform's answer.
pub const GATEWAY_TIMEOUT: &str = "gateway_timeout";
/// The reason of an answer that reports a failure on the platform's side.
pub const PLATFORM_UNAVAILABLE: &str = "platform_unavailable";

impl From<Undeliverable> for Outcome {
    /// Waiting does not help: the agent is told why.
    fn from(why: Undeliverable) -> Self {
        Self::Permanent(why.code())
    }
}

impl Outcome {
    /// Whether the platform may have carried out the request, because its answer does not say.
    pub fn leaves_doubt(&self) -> bool {
        matches!(self, Self::Retry(UNREADABLE | GATEWAY_TIMEOUT))
    }
}

/// A fetched access token.
#[derive(Clone)]
pub struct Token {
    /// The token.
    pub value: String,
    /// The seconds for which it is valid.
    pub expires_in: i64,
}

/// The reason why settings or secrets do not fit this channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{field}: {problem}")]
pub struct AccountError {
    /// The setting or secret.
    pub field: String,
    /// The fault and the right form. It never contains the value.
    pub problem: String,
    /// For an unknown name, the known names.
    #[serde(skip)]
    pub(crate) known: Option<KnownNames>,
}

/// The names that an account's settings and secrets may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownNames {
    /// Whether the unknown name is a secret's, or a setting's.
    pub(crate) secret: bool,
    pub(crate) settings: Vec<&'static str>,
    pub(crate) secrets: Vec<&'static str>,
}

impl AccountError {
    /// A new error.
    pub fn new(field: &str, problem: &str) -> Self {
        Self { field: field.to_owned(), problem: problem.to_owned(), known: None }
    }
}

/// One platform. Implementations are values without state: they know only the account and the request.
pub trait Adapter {
    /// The account's settings and secrets, parsed.
    type Account;

    /// The capabilities of the channel, with its name.
    fn capabilities(&self) -> Capabilities;

    /// The seconds for which a reply that the platform does not accept is tried, if the channel has no [`Window`].
    fn patience_secs(&self) -> i64 {
        24 * 3600
    }

    /// Parses and checks an account's settings and secrets.
    ///
    /// # Errors
    /// A field is missing or wrong. The error names it.
    fn account(&self, settings: &ChannelSettings, secrets: &Secrets) -> Result<Self::Account, AccountError>;

    /// Whether calls on an account with these settings name who is rung. The router then reads the setting `extensions`;
    /// elsewhere nobody knows that name.
    fn names_who_is_rung(&self, _settings: &Value) -> bool {
        false
    }

    /// Whether the account needs the secrets that the system derives ([`crate::registry::derive_secrets`]).
    fn wants_derived_secrets(&self) -> bool {
        false
    }

    /// The settings and secrets that verify webhooks, in the words of a sentence, for people who look for a fault.
    fn proof(&self) -> &'static str {
        "the account's secrets"
    }

    /// Whether the secret `address_token` in their address proves the account's webhooks.
    fn has_secret_address(&self, _account: &Self::Account) -> bool {
        false
    }

    /// Whether anybody may write without proving their identity, so that strangers have to be limited.
    fn anonymous(&self) -> bool {
        false
    }

    /// The settings and secrets that are optional, but without which no reply, or not every kind of reply, leaves by this
    /// account.
    fn missing_for_sending(&self, _account: &Self::Account) -> Vec<&'static str> {
        Vec::new()
    }

    /// Answers the platform's own check of the webhook's address, if the platform has one and the request is it.
    ///
    /// # Errors
    /// The request is such a check and its signature is wrong.
    fn handshake(
        &self,
        _account: &Self::Account,
        _request: &Request<'_>,
        _now: Timestamp,
    ) -> Result<Option<Reply>, Refusal> {
        Ok(None)
    }

    /// Proves that the request comes from the platform (or the customer's signed client) and decrypts it.
    ///
    /// # Errors
    /// The request has no valid proof, or cannot be decrypted.
    fn verify(&self, account: &Self::Account, request: &Request<'_>, now: Timestamp) -> Result<Verified, Refusal>;

    /// Reads the messages in a verified body. The intake calls [`Adapter::receive`]. Unknown kinds become
    /// [`Content::Unknown`]. An unreadable item among several becomes [`Odd`] and costs the others nothing.
    ///
    /// # Errors
    /// The body as a whole does not follow the protocol.
    fn parse(&self, account: &Self::Account, body: &Verified) -> Result<Parsed, Refusal>;

    /// Whether the senders are the brand's own clients, which correct a refused message. A platform never does.
    fn own_clients(&self) -> bool {
        false
    }

    /// [`Adapter::parse`] for the intake. A body with a platform's proof is not refused because it is unreadable: its retry
    /// would read the same, and then it would be lost. The whole body becomes an [`Odd`] item instead.
    ///
    /// # Errors
    /// The body is for another recipient, or one of the brand's own clients sent something that is not a message.
    fn receive(&self, account: &Self::Account, body: &Verified) -> Result<Parsed, Refusal> {
        match self.parse(account, body) {
            Err(refusal @ (Refusal::Malformed(_) | Refusal::Field(_) | Refusal::TooLong)) if !self.own_clients() => {
                Ok(Parsed { messages: Vec::new(), odd: vec![Odd::new(refusal, body.body())] })
            }
            other => other,
        }
    }

    /// The platform's own form of "received".
    fn acknowledge(&self, account: &Self::Account, body: &Verified) -> Reply;

    /// Whether the account wants a reply in the webhook's answer, if one is ready in time.
    fn wants_passive(&self, _account: &Self::Account) -> bool {
        false
    }

    /// A reply as the webhook's answer, if the platform and the content allow it. `nonce` is fresh randomness.
    fn passive(
        &self,
        _account: &Self::Account,
        _body: &Verified,
        _reply: &Outbound<'_>,
        _now: Timestamp,
        _nonce: &[u8; 16],
    ) -> Option<Reply> {
        None
    }

    /// The request that fetches an access token, for platforms that have them. `force` asks for another token than the
    /// present one.
    fn token_request(&self, _account: &Self::Account, _force: bool, _call: &Call<'_>) -> Option<ApiRequest> {
        None
    }

    /// Reads the answer to [`Adapter::token_request`].
    ///
    /// # Errors
    /// There is no token. The error is `Retry` or `Permanent`, with the reason.
    fn read_token(&self, _answer: &ApiResponse<'_>) -> Result<Token, Outcome> {
        Err(Outcome::Permanent("no_token_api"))
    }

    /// Renders a reply.
    ///
    /// # Errors
    /// This content cannot be sent on this channel, or by this account.
    fn render(&self, account: &Self::Account, reply: &Outbound<'_>, call: &Call<'_>) -> Result<Rendered, Undeliverable>;

    /// Whether [`Adapter::render`] will accept a reply, at any time. It is asked before a reply is stored, so that nothing is
    /// accepted that the channel cannot carry. It renders the reply with a stand-in for the token, and drops it. Missing
    /// settings of the account ([`Undeliverable::is_of_account`]) are no fault of the reply: it leaves once the account is
    /// completed.
    ///
    /// # Errors
    /// The reply would be refused.
    fn check(&self, account: &Self::Account, reply: &Outbound<'_>) -> Result<(), Undeliverable> {
        let call = Call { token: Some("checked"), now: reply.at, nonce: &[0; 16] };
        match self.render(account, reply, &call) {
            Err(why) if why.is_of_account() => Ok(()),
            rendered => rendered.map(drop),
        }
    }

    /// Renders an automatic message (greetings, notices, a bot's answers). It carries the platform's mark for that, if
    /// there is one, so that other machines do not answer.
    ///
    /// # Errors
    /// The errors of [`Adapter::render`].
    fn render_automatic(
        &self,
        account: &Self::Account,
        reply: &Outbound<'_>,
        call: &Call<'_>,
    ) -> Result<Rendered, Undeliverable> {
        self.render(account, reply, call)
    }

    /// Takes in a webhook's body as it arrives.
    fn gather(&self, _content_type: &str) -> Box<dyn Gather> {
        Box::new(Whole(Vec::new()))
    }

    /// Reads the platform's answer to a rendered reply. An unreadable answer is `Retry` with the reason [`UNREADABLE`]: the
    /// platform may have accepted the reply, so it is repeated only a few times.
    fn read_answer(&self, answer: &ApiResponse<'_>) -> Outcome;

    /// The fetching of messages, for platforms that keep them until they are asked.
    fn pull(&self) -> Option<&dyn Pull<Account = Self::Account>> {
        None
    }

    /// The request that fetches a medium's bytes.
    ///
    /// # Errors
    /// The channel has no media, or this one names nothing that could be fetched.
    fn media(&self, _account: &Self::Account, _media: &Media, _call: &Call<'_>) -> Result<ApiRequest, Undeliverable> {
        Err(Undeliverable::MediaNotSupported)
    }
}

/// A body on its way in. A channel need not keep the parts of a large body that it does not read. The rest reads the same.
pub trait Gather {
    /// The longest accepted body, in bytes.
    fn limit(&self) -> usize;

    /// Takes the next bytes.
    fn push(&mut self, chunk: &[u8]);

    /// Returns everything that was kept.
    fn finish(self: Box<Self>) -> Vec<u8>;
}

/// A body that is kept whole.
pub struct Whole(pub Vec<u8>);

impl Gather for Whole {
    fn limit(&self) -> usize {
        crate::json::MAX_BYTES
    }

    fn push(&mut self, chunk: &[u8]) {
        self.0.extend_from_slice(chunk);
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        self.0
    }
}

/// A platform that keeps messages until it is asked for them. Fetched messages go through the same inbox as webhooks, in
/// one transaction with the cursor, and are confirmed only then. A message that is fetched twice is stored once.
pub trait Pull {
    /// The adapter's account.
    type Account;

    /// The sources that are asked regularly, whether or not a webhook came.
    fn polled(&self, _account: &Self::Account) -> Vec<String> {
        Vec::new()
    }

    /// The sources that hold something new, according to a verified webhook.
    fn hinted(&self, _account: &Self::Account, _body: &Verified) -> Vec<Hint> {
        Vec::new()
    }

    /// The request for the next page of a source. The cursor is the last page's; `None` at first.
    ///
    /// # Errors
    /// The account cannot ask.
    fn request(
        &self,
        account: &Self::Account,
        source: &str,
        cursor: Option<&str>,
        call: &Call<'_>,
    ) -> Result<ApiRequest, Undeliverable>;

    /// The same request with the token that a fresh hint brought. Platforms without such tokens have no use for it.
    ///
    /// # Errors
    /// The errors of [`Pull::request`].
    fn request_hinted(
        &self,
        account: &Self::Account,
        source: &str,
        cursor: Option<&str>,
        _token: &str,
        call: &Call<'_>,
    ) -> Result<ApiRequest, Undeliverable> {
        self.request(account, source, cursor, call)
    }

    /// Reads a page.
    ///
    /// # Errors
    /// There is no page. The error says what to do, as for a reply (it is never `Sent`).
    fn read(&self, account: &Self::Account, asked: &Asked<'_>, answer: &ApiResponse<'_>) -> Result<Page, Outcome>;

    /// The request that tells the platform which messages were stored, if it wants to know.
    fn confirm(
        &self,
        _account: &Self::Account,
        _source: &str,
        _receipts: &[String],
        _call: &Call<'_>,
    ) -> Option<ApiRequest> {
        None
    }
}

/// An event before a message, which names the menu item that the message answers. The key is the item's.
pub(crate) const MENU_ANSWER: &str = "menu_answer";
/// An event before a message, which names its subject (an article, the quoted message). The key is the subject's id.
pub(crate) const MESSAGE_CONTEXT: &str = "message_context";

/// The parameters with which a page was asked for: those of [`Pull::request`].
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The source.
    pub source: &'a str,
    /// The last page's cursor.
    pub cursor: Option<&'a str>,
    /// The time of the request.
    pub now: Timestamp,
}

/// A webhook's announcement that a source holds something new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// The source.
    pub source: String,
    /// The token that the platform wants when it is asked because of this hint ([`HINT_FRESH_MS`]).
    pub token: Option<String>,
}

/// The time for which a hint's token is valid: WeCom's for ten minutes.
pub const HINT_FRESH_MS: i64 = 600_000;

/// The content of a verified body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The messages in it.
    pub messages: Vec<Inbound>,
    /// Items that could not be read.
    pub odd: Vec<Odd>,
}

impl From<Vec<Inbound>> for Parsed {
    fn from(messages: Vec<Inbound>) -> Self {
        Self { messages, odd: Vec::new() }
    }
}

impl From<Inbound> for Parsed {
    fn from(message: Inbound) -> Self {
        vec![message].into()
    }
}

/// An item of a batch or page that cannot be read as a message. It is stored as it came, sealed, and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// Its fault, as a stable code.
    pub reason: &'static str,
    /// Its bytes.
    pub raw: Vec<u8>,
}

impl Odd {
    pub(crate) fn new(refusal: Refusal, raw: &[u8]) -> Self {
        Self { reason: refusal.reason(), raw: raw.to_vec() }
    }
}

impl From<(Vec<Inbound>, Vec<Odd>)> for Parsed {
    fn from((messages, odd): (Vec<Inbound>, Vec<Odd>)) -> Self {
        Self { messages, odd }
    }
}

/// A fetched page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The messages in it.
    pub messages: Vec<Inbound>,
    /// Items that could not be read. The cursor moves past them nevertheless.
    pub odd: Vec<Odd>,
    /// The beginning of the next page, on platforms that have cursors.
    pub cursor: Option<String>,
    /// Whether there is a next page now.
    pub more: bool,
    /// The platform's ids of the messages to confirm.
    pub receipts: Vec<String>,
}

/// A customer's session with a client of ours.
pub struct Session {
    /// The bearer token that the client sends from now on.
    pub token: String,
    /// The visitor's id.
    pub visitor: String,
}

/// A channel whose customers use a client of the brand's own (app, web page). Besides sending messages, the client streams
/// or fetches the replies.
pub trait ClientAdapter: Adapter {
    /// The sender behind a client.
    ///
    /// # Errors
    /// The token is missing, wrong or has expired, or the page's origin is not allowed.
    fn identify(&self, account: &Self::Account, request: &Request<'_>, now: Timestamp) -> Result<Sender, Refusal>;

    /// Verifies a message that came over a WebSocket whose sender was [identified](Self::identify) when it was opened.
    ///
    /// # Errors
    /// The message has no valid signature of the channel, or is not a message.
    fn verify_frame(
        &self,
        account: &Self::Account,
        sender: &Sender,
        frame: &[u8],
        now: Timestamp,
    ) -> Result<Verified, Refusal>;

    /// Starts a session for an unknown visitor, on channels that have such sessions.
    ///
    /// # Errors
    /// The channel has no such sessions, or the page's origin is not allowed.
    fn start_session(
        &self,
        _account: &Self::Account,
        _request: &Request<'_>,
        _random: &[u8; 16],
        _now: Timestamp,
    ) -> Result<Session, Refusal> {
        Err(Refusal::NotFound)
    }

    /// Whether pages of that origin may read the answers (CORS).
    fn allows_origin(&self, _account: &Self::Account, _origin: &str) -> bool {
        false
    }
}
