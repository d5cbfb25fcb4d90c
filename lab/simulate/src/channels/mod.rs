//! The simulated platforms: the form in which each passes on a customer's message, and the answers of its API. One module
//! per channel holds its particulars; `stand` serves them all.

pub mod alipay;
pub mod doudian;
pub mod douyin;
pub mod email;
#[cfg(test)]
mod harness;
pub mod jd;
pub mod kuaishou;
pub mod miniprogram;
pub mod phone;
pub mod phone_providers;
pub mod pinduoduo;
pub mod platform_server;
pub mod protocols;
mod rules;
pub mod sms;
pub mod taobao;
pub mod wechat;
pub mod wecom;
pub mod weibo;
mod wx;
pub mod xiaohongshu;

pub use rules::{Behaviour, Rule};

use serde_json::Value;

/// A request, in either direction.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// For a webhook, the path below `/channels/<channel>/<account>`. For an API call, the whole path.
    pub path: String,
    /// The query, without `?`.
    pub query: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A parameter of the query, decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
    }

    /// The body as JSON; null if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The account that a simulated platform has with Warmline.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// Settings, with the API's address at the simulator.
    pub settings: Value,
    /// Secrets.
    pub secrets: Vec<(&'static str, String)>,
}

/// An act of a customer on the platform.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// The customer's number.
    pub customer: u64,
    /// The number of the act. Two acts with one number are the same act, sent twice.
    pub number: u64,
    /// The time, in seconds since 1970.
    pub at: i64,
    /// The customer's text. On platforms without chat, the order's title.
    pub text: &'a str,
    /// Fresh randomness.
    pub nonce: [u8; 16],
}

impl Act<'_> {
    /// Whether it is about a refund, for acts about an order. This holds for every eighth customer.
    pub const fn wants_refund(&self) -> bool {
        self.customer % 8 == 5
    }
}

/// The way in which an act reaches Warmline.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// As a webhook.
    Webhook(Request),
    /// The platform keeps it until it is asked. Some platforms announce it by a webhook.
    Kept {
        /// The message in the form of the answer.
        item: Value,
        /// The webhook that announces it.
        hint: Option<Request>,
    },
}

/// The purpose of an API call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// An access token.
    Token,
    /// A message to a customer.
    Send,
    /// A page of kept messages.
    Pull,
    /// Confirmation of kept messages.
    Confirm,
    /// A medium's bytes.
    Media,
}

/// A message that was sent through the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The recipient's open id.
    pub to: String,
    /// The text; empty if the message is not a text.
    pub text: String,
}

/// The platform's reason for a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The access token is not valid (any more).
    TokenRefused,
    /// The customer wrote too long ago.
    WindowClosed,
    /// There were too many calls. Later it will work.
    RateLimited,
    /// The signature or the credentials are wrong.
    SignatureRefused,
}

/// An answer of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A status and a body.
    pub const fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// A 200 with JSON.
    pub fn json(value: &Value) -> Self {
        Self::new(200, value.to_string().into_bytes()).with("content-type", "application/json")
    }
}

/// Every simulated platform.
pub fn all() -> Vec<Box<dyn Simulated>> {
    vec![
        Box::new(alipay::Alipay),
        Box::new(doudian::Doudian),
        Box::new(douyin::Douyin),
        Box::new(email::Email),
        Box::new(jd::Jd),
        Box::new(kuaishou::Kuaishou),
        Box::new(miniprogram::Miniprogram),
        Box::new(phone::Phone),
        Box::new(pinduoduo::Pinduoduo),
        Box::new(sms::Sms),
        Box::new(taobao::Taobao),
        Box::new(wechat::Wechat::default()),
        Box::new(wecom::Wecom),
        Box::new(weibo::Weibo),
        Box::new(xiaohongshu::Xiaohongshu),
    ]
}

/// The platforms of further providers, by name, for channels whose accounts choose their provider.
pub fn further() -> Vec<(&'static str, Box<dyn Simulated>)> {
    vec![
        ("email by Mailgun", Box::new(email::Mailgun)),
        ("phone by Huawei", Box::new(phone_providers::Provider::Huawei)),
        ("phone by Twilio", Box::new(phone_providers::Provider::Twilio)),
        ("sms by Twilio", Box::new(sms::Twilio)),
    ]
}

/// A simulated platform. Its server holds all state.
pub trait Simulated: Send + Sync {
    /// The channel's id.
    fn channel(&self) -> &'static str;

    /// The account, with the API at this address (`http://127.0.0.1:…`, without a slash at the end).
    fn account(&self, api_base: &str) -> Account;

    /// The customer's id, to which replies are addressed.
    fn open_id(&self, customer: u64) -> String;

    /// The arrival of an act at Warmline, signed as by the platform.
    fn arrival(&self, act: &Act<'_>) -> Arrival;

    /// Whether the answer to a webhook is the platform's form of "received".
    fn acknowledged(&self, status: u16, body: &[u8]) -> bool;

    /// The purpose of an API call; `None` if the platform has no such path. Platforms without an API return `None` and need
    /// not implement the methods below.
    fn endpoint(&self, _call: &Request) -> Option<Endpoint> {
        None
    }

    /// Checks a call like the platform (signature, token `token`, fields) and reads the message of a [`Endpoint::Send`].
    ///
    /// # Errors
    /// The platform's refusal.
    fn check(&self, _endpoint: Endpoint, _call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        Ok(None)
    }

    /// The answer to a good call. `token` is the present access token. `kept` holds the kept messages that are not
    /// confirmed, each with its position.
    fn answer(&self, _endpoint: Endpoint, _call: &Request, _token: &str, _kept: &[(u64, Value)]) -> Answer {
        Answer::new(404, Vec::new())
    }

    /// The positions of the kept messages that the answer to a [`Endpoint::Pull`] holds.
    fn given(&self, _call: &Request, _kept: &[(u64, Value)]) -> Vec<u64> {
        Vec::new()
    }

    /// The positions that a [`Endpoint::Confirm`] names.
    fn confirmed(&self, _call: &Request, _kept: &[(u64, Value)]) -> Vec<u64> {
        Vec::new()
    }

    /// The seconds for which an access token is valid.
    fn token_secs(&self) -> u64 {
        7200
    }

    /// Whether a call for a token replaces the valid one.
    fn renews(&self, _call: &Request) -> bool {
        false
    }

    /// The answer with an error code of the platform, if it has such codes.
    fn error(&self, _code: i64) -> Answer {
        Answer::new(404, Vec::new())
    }

    /// The answer to a refused call.
    fn refuse(&self, _endpoint: Endpoint, _trouble: Trouble) -> Answer {
        Answer::new(404, Vec::new())
    }
}
