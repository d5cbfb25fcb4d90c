//! The platforms, simulated: what a customer's message looks like when the platform passes it on, and how the platform's API
//! answers. One module per channel says what is particular to it; `stand` serves them all.

pub mod alipay;
pub mod doudian;
pub mod douyin;
#[cfg(test)]
mod drive;
pub mod email;
pub mod jd;
pub mod kuaishou;
pub mod miniprogram;
pub mod phone;
pub mod phone_providers;
pub mod pinduoduo;
mod rules;
pub mod sms;
pub mod stand;
pub mod taobao;
pub mod ways;
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
    /// Of a webhook: the path below `/channels/<channel>/<account>`. Of an API call: the whole path.
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

    /// The body as JSON; null where it is none.
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

/// Something that a customer does on the platform.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// Which customer.
    pub customer: u64,
    /// A number of its own: two acts with one number are the same act, told twice.
    pub number: u64,
    /// When, in seconds since 1970.
    pub at: i64,
    /// What is written; on platforms without chat, what stands in the order's title.
    pub text: &'a str,
    /// Fresh randomness.
    pub nonce: [u8; 16],
}

impl Act<'_> {
    /// Whether it is about money back, where an act is about an order: every eighth customer's is.
    pub const fn wants_refund(&self) -> bool {
        self.customer % 8 == 5
    }
}

/// How an act reaches Warmline.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// As a webhook.
    Webhook(Request),
    /// The platform keeps it until it is asked, and says by a webhook that there is something, where it does.
    Kept {
        /// The message as it stands in the answer.
        item: Value,
        /// The webhook that says so.
        hint: Option<Request>,
    },
}

/// What an API call is for.
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

/// A message that the API was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Whom for: the open id.
    pub to: String,
    /// What it says; empty where it is no text.
    pub text: String,
}

/// What the platform says instead of yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The access token is not valid (any more).
    TokenRefused,
    /// The customer wrote too long ago.
    WindowClosed,
    /// Too many calls; later it will work.
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

/// The platforms of further providers, by name, for channels whose accounts choose theirs.
pub fn further() -> Vec<(&'static str, Box<dyn Simulated>)> {
    vec![
        ("email by Mailgun", Box::new(email::Mailgun)),
        ("phone by Huawei", Box::new(phone_providers::Provider::Huawei)),
        ("phone by Twilio", Box::new(phone_providers::Provider::Twilio)),
        ("sms by Twilio", Box::new(sms::Twilio)),
    ]
}

/// A simulated platform. All state is with whoever serves it.
pub trait Simulated: Send + Sync {
    /// The channel's id.
    fn channel(&self) -> &'static str;

    /// The account, with the API at this address (`http://127.0.0.1:…`, no slash at the end).
    fn account(&self, api_base: &str) -> Account;

    /// The customer's id as replies are addressed to it.
    fn open_id(&self, customer: u64) -> String;

    /// How an act reaches Warmline: signed as the platform signs it.
    fn arrival(&self, act: &Act<'_>) -> Arrival;

    /// Whether the answer to a webhook is the platform's form of "received".
    fn acknowledged(&self, status: u16, body: &[u8]) -> bool;

    /// What an API call is for; none where the platform has no such path. One that is never called has none, and needs nothing of
    /// what follows.
    fn endpoint(&self, _call: &Request) -> Option<Endpoint> {
        None
    }

    /// Checks a call as the platform does (signature, token `token`, fields) and reads the message of a [`Endpoint::Send`].
    ///
    /// # Errors
    /// What the platform would say.
    fn check(&self, _endpoint: Endpoint, _call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        Ok(None)
    }

    /// The answer to a good call. `token` is the present access token; `kept` holds the kept messages that are not confirmed,
    /// each with its position.
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

    /// How long an access token is valid, in seconds.
    fn token_secs(&self) -> u64 {
        7200
    }

    /// Whether a call for a token wants another one in the place of the one that is valid.
    fn renews(&self, _call: &Request) -> bool {
        false
    }

    /// The answer with an error code of the platform's own, where it has such.
    fn error(&self, _code: i64) -> Answer {
        Answer::new(404, Vec::new())
    }

    /// The answer to a call that is refused.
    fn refuse(&self, _endpoint: Endpoint, _trouble: Trouble) -> Answer {
        Answer::new(404, Vec::new())
    }
}
