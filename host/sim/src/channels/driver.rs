//! Drives an adapter and its simulator against each other, natively, for the tests of the simulators.

use super::{Act, Answer, Arrival, Endpoint, Request, Simulated, Trouble};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use warmline_channels::{Adapter, ApiRequest, ApiResponse, Call, Outbound, Outcome, Refusal, Rendered, Request as Webhook};
use warmline_model::{Content, Inbound, Timestamp};

const API: &str = "http://127.0.0.1:9009";
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// What each trouble means for the outbox.
pub(super) struct Expected {
    pub(super) token_refused: Outcome,
    pub(super) window_closed: Outcome,
    pub(super) rate_limited: Outcome,
    pub(super) signature_refused: Outcome,
}

/// An adapter with its simulated platform.
pub(super) struct Driven<'a, A: Adapter> {
    adapter: &'a A,
    platform: &'a dyn Simulated,
    account: A::Account,
}

/// The call as the platform receives it.
pub(super) fn received(call: &ApiRequest) -> Request {
    let url: http::Uri = call.url.parse().unwrap();
    let mut headers: Vec<_> = call.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
    headers.push(("host".to_owned(), url.authority().unwrap().to_string()));
    Request {
        method: call.method.to_string(),
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        headers,
        body: call.body.clone(),
    }
}

impl<'a, A: Adapter> Driven<'a, A> {
    pub(super) fn new(adapter: &'a A, platform: &'a dyn Simulated) -> Self {
        let account = platform.account(API);
        let secrets = account.secrets.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let account = adapter.account(&account.settings, &secrets).unwrap_or_else(|e| panic!("{e}"));
        Self { adapter, platform, account }
    }

    fn act(&self, number: u64, text: &str) -> Request {
        let act = Act { customer: 7, number, at: NOW.secs(), text, nonce: [7; 16] };
        match self.platform.arrival(&act) {
            Arrival::Webhook(request) => request,
            Arrival::Kept { .. } => panic!("a webhook was expected"),
        }
    }

    /// Brings a webhook in: verified, parsed, and acknowledged as the platform wants it.
    pub(super) fn bring(&self, request: &Request) -> Result<Vec<Inbound>, Refusal> {
        let method: Method = request.method.parse().unwrap();
        let headers: HeaderMap = request
            .headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect();
        let (rest, query, body) = (request.path.as_str(), request.query.as_str(), request.body.as_slice());
        let webhook = Webhook { method: &method, rest, query, headers: &headers, body };
        assert_eq!(self.adapter.handshake(&self.account, &webhook, NOW)?, None);
        let verified = self.adapter.verify(&self.account, &webhook, NOW)?;
        let messages = self.adapter.parse(&self.account, &verified)?;
        let answer = self.adapter.acknowledge(&self.account, &verified);
        assert!(self.platform.acknowledged(answer.status, &answer.body));
        Ok(messages)
    }

    fn answer(&self, answer: &Answer) -> Outcome {
        self.adapter.read_answer(&ApiResponse { status: answer.status, body: &answer.body })
    }

    /// From the customer's message to the reply, and every trouble on the way.
    pub(super) fn whole_way(&self, text: &str, expected: &Expected) -> Vec<Inbound> {
        let first = self.act(1, text);
        let messages = self.bring(&first).unwrap();
        let last = messages.last().unwrap();
        assert_eq!((&last.content, &last.sender.open_id), (&Content::text(text), &self.platform.open_id(7)));
        assert_eq!(self.bring(&self.act(1, text)).unwrap(), messages, "the same act told twice");
        assert_ne!(self.bring(&self.act(2, text)).unwrap().last().unwrap().key, last.key);

        let refused = Request { path: format!("{}x", first.path), headers: Vec::new(), ..first };
        assert!(self.bring(&refused).is_err(), "nothing is taken without its proof");

        let content = Content::text("好的，马上为您处理 & more=yes 😀");
        let call = Call { token: Some("token"), now: NOW, nonce: &[9; 16] };
        let reply_to = last.reply_to.as_ref();
        let reply = Outbound { to: &last.sender.open_id, id: "msg_1", content: &content, at: NOW, reply_to };
        let Ok(Rendered::Call(call)) = self.adapter.render(&self.account, &reply, &call) else { panic!("no call") };
        assert!(call.url.starts_with(API));
        let call = received(&call);
        assert_eq!(self.platform.endpoint(&call), Some(Endpoint::Send));
        let sent = self.platform.check(Endpoint::Send, &call, "token").unwrap().unwrap();
        assert_eq!((sent.to.as_str(), sent.text.as_str()), (last.sender.open_id.as_str(), content.words().unwrap()));
        let kept: &[(u64, Value)] = &[];
        assert_eq!(self.answer(&self.platform.answer(Endpoint::Send, &call, "token", kept)), Outcome::Sent);

        let unsigned = Request { headers: Vec::new(), ..call };
        assert_eq!(self.platform.check(Endpoint::Send, &unsigned, "token"), Err(Trouble::SignatureRefused));
        for (trouble, outcome) in [
            (Trouble::TokenRefused, &expected.token_refused),
            (Trouble::WindowClosed, &expected.window_closed),
            (Trouble::RateLimited, &expected.rate_limited),
            (Trouble::SignatureRefused, &expected.signature_refused),
        ] {
            assert_eq!(&self.answer(&self.platform.refuse(Endpoint::Send, trouble)), outcome, "{trouble:?}");
        }
        assert_eq!(self.answer(&Answer { status: 500, body: Vec::new() }), Outcome::Retry("platform_unavailable"));
        messages
    }
}
