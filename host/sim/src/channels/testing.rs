//! Drives an adapter and its simulator against each other, without a network between them.

use super::{Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use warmline_channels::{
    Adapter, ApiRequest, ApiResponse, Call, Outbound, Outcome, Rendered, Request as Webhook, Token, Verified,
};
use warmline_model::{Content, Inbound, Timestamp};

const API: &str = "http://127.0.0.1:9";
const NOW: i64 = 1_700_000_000;

/// Both sides, and the account between them.
pub(super) struct Driver<'a, A: Adapter> {
    platform: &'a dyn Simulated,
    adapter: &'a A,
    pub(super) account: A::Account,
}

impl<'a, A: Adapter> Driver<'a, A> {
    pub(super) fn new(platform: &'a dyn Simulated, adapter: &'a A) -> Self {
        assert_eq!(platform.channel(), adapter.capabilities().channel);
        let account = platform.account(API);
        let secrets = account.secrets.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let account = adapter.account(&account.settings, &secrets).unwrap_or_else(|e| panic!("{e}"));
        Self { platform, adapter, account }
    }

    /// How an act arrives.
    pub(super) fn act(&self, customer: u64, number: u64, text: &str) -> Arrival {
        self.platform.arrival(&Act { customer, number, at: NOW, text, nonce: [9; 16] })
    }

    /// What the adapter reads in an act that arrives as a webhook.
    pub(super) fn arrive(&self, customer: u64, number: u64, text: &str) -> (Verified, Vec<Inbound>) {
        let Arrival::Webhook(request) = self.act(customer, number, text) else { panic!("no webhook") };
        self.receive(&request)
    }

    /// A webhook through the adapter.
    pub(super) fn receive(&self, request: &Request) -> (Verified, Vec<Inbound>) {
        let (method, headers) = parts(request);
        let webhook =
            Webhook { method: &method, rest: &request.path, query: &request.query, headers: &headers, body: &request.body };
        let now = Timestamp::from_secs(NOW);
        assert!(self.adapter.handshake(&self.account, &webhook, now).unwrap().is_none());
        let verified = self.adapter.verify(&self.account, &webhook, now).unwrap();
        let messages = self.adapter.parse(&self.account, &verified).unwrap();
        (verified, messages)
    }

    pub(super) fn call<T>(&self, token: Option<&str>, render: impl FnOnce(&Call<'_>) -> T) -> T {
        render(&Call { token, now: Timestamp::from_secs(NOW), nonce: &[7; 16] })
    }

    /// A reply to a message, checked by a platform whose access token is `T`.
    pub(super) fn reply(&self, to: &Inbound, content: &Content, token: Option<&str>) -> Result<Sent, Outcome> {
        let reply = Outbound {
            to: &to.sender.open_id,
            id: "018f0000-0000-7000-8000-000000000001",
            content,
            at: Timestamp::from_secs(NOW),
            reply_to: to.reply_to.as_ref(),
        };
        let Rendered::Call(call) = self.call(token, |call| self.adapter.render(&self.account, &reply, call)).unwrap() else {
            panic!("held")
        };
        let call = api_request(&call);
        assert_eq!(self.platform.endpoint(&call), Some(Endpoint::Send));
        let (sent, answer) = match self.platform.check(Endpoint::Send, &call, "T") {
            Ok(sent) => (sent, self.platform.answer(Endpoint::Send, &call, "T", &[])),
            Err(trouble) => (None, self.platform.refuse(Endpoint::Send, trouble)),
        };
        match self.adapter.read_answer(&response(&answer)) {
            Outcome::Sent => Ok(sent.unwrap()),
            outcome => Err(outcome),
        }
    }

    /// What a refused reply means to the adapter.
    pub(super) fn refused(&self, trouble: Trouble) -> Outcome {
        self.adapter.read_answer(&response(&self.platform.refuse(Endpoint::Send, trouble)))
    }

    /// Fetches an access token.
    pub(super) fn token(&self, present: &str) -> Result<Token, Outcome> {
        let request = self.call(None, |call| self.adapter.token_request(&self.account, false, call)).unwrap();
        let call = api_request(&request);
        assert_eq!(self.platform.endpoint(&call), Some(Endpoint::Token));
        assert_eq!(self.platform.check(Endpoint::Token, &call, present), Ok(None));
        self.read_token(&self.platform.answer(Endpoint::Token, &call, present, &[]))
    }

    pub(super) fn read_token(&self, answer: &Answer) -> Result<Token, Outcome> {
        self.adapter.read_token(&response(answer))
    }
}

pub(super) fn response(answer: &Answer) -> ApiResponse<'_> {
    ApiResponse { status: answer.status, body: &answer.body }
}

fn parts(request: &Request) -> (Method, HeaderMap) {
    let header =
        |(name, value): &(String, String)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
    (request.method.parse().unwrap(), request.headers.iter().map(header).collect())
}

/// A rendered call as it reaches the platform.
pub(super) fn api_request(call: &ApiRequest) -> Request {
    let rest = call.url.strip_prefix(API).unwrap_or_else(|| panic!("a call to another host"));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    Request {
        method: call.method.to_string(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: call.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect(),
        body: call.body.clone(),
    }
}
