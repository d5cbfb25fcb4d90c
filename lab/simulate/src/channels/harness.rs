//! Drives an adapter and its simulated platform against each other, without a network between them, for the tests of both.
//! Each must accept what the other makes.

use super::{Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use warmline_channels::{
    Adapter, ApiRequest, ApiResponse, Asked, Call, Outbound, Outcome, Page, Pull, Refusal, Rendered, Reply, Token,
    Undeliverable, Verified,
};
use warmline_model::{Content, Inbound, Media, Timestamp};

/// The address of the platform's API.
const API: &str = "http://127.0.0.1:9";

/// The time of the tests.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// The access token that the platform accepts.
pub(super) const TOKEN: &str = "token-1";

/// An act of customer 7. Two acts with one number are the same.
pub(super) fn act(number: u64, text: &str) -> Act<'_> {
    Act { customer: 7, number, at: NOW.secs(), text, nonce: [u8::try_from(number % 251).unwrap(); 16] }
}

/// The context of a call.
pub(super) fn call(token: Option<&str>) -> Call<'_> {
    Call { token, now: NOW, nonce: &[9; 16] }
}

/// The result of a webhook.
pub(super) struct Taken {
    pub(super) verified: Verified,
    pub(super) messages: Vec<Inbound>,
    pub(super) reply: Reply,
}

/// Both sides, and the account between them.
pub(super) struct Driver<'a, A: Adapter> {
    adapter: &'a A,
    platform: &'a dyn Simulated,
    pub(super) account: A::Account,
}

impl<'a, A: Adapter> Driver<'a, A> {
    pub(super) fn new(adapter: &'a A, platform: &'a dyn Simulated) -> Self {
        let account = platform.account(API);
        Self::with_account(adapter, platform, &account.settings, account.secrets)
    }

    /// Makes a driver with another account than the platform's usual one. `api_base` must be [`API`].
    pub(super) fn with_account(
        adapter: &'a A,
        platform: &'a dyn Simulated,
        settings: &Value,
        secrets: Vec<(&'static str, String)>,
    ) -> Self {
        assert_eq!(platform.channel(), adapter.capabilities().channel);
        let secrets = secrets.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let account = adapter.account(&settings.clone().into(), &secrets).unwrap_or_else(|e| panic!("{e}"));
        Self { adapter, platform, account }
    }

    /// The webhook of an act.
    pub(super) fn pushed(&self, act: &Act<'_>) -> Request {
        match self.platform.arrival(act) {
            Arrival::Webhook(request) => request,
            Arrival::Kept { .. } => panic!("{} keeps its messages", self.platform.channel()),
        }
    }

    /// The message of an act that the platform keeps without a webhook.
    pub(super) fn kept(&self, act: &Act<'_>) -> Value {
        match self.platform.arrival(act) {
            Arrival::Kept { item, hint: None } => item,
            _ => panic!("{} does not keep its messages silently", self.platform.channel()),
        }
    }

    fn webhook<T>(&self, webhook: &Request, take: impl FnOnce(&warmline_channels::Request<'_>) -> T) -> T {
        let method: Method = webhook.method.parse().unwrap();
        let header =
            |(name, value): &(String, String)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
        let headers: HeaderMap = webhook.headers.iter().map(header).collect();
        take(&warmline_channels::Request {
            method: &method,
            rest: &webhook.path,
            query: &webhook.query,
            headers: &headers,
            body: &webhook.body,
        })
    }

    /// The answer to a check of the address.
    pub(super) fn greeted(&self, webhook: &Request) -> Result<Reply, Refusal> {
        let reply = self.webhook(webhook, |request| self.adapter.handshake(&self.account, request, NOW))?;
        Ok(reply.unwrap_or_else(|| panic!("{}: not taken for a handshake", self.platform.channel())))
    }

    /// Takes a webhook through verifier, parser and acknowledgement.
    pub(super) fn taken(&self, webhook: &Request) -> Result<Taken, Refusal> {
        self.webhook(webhook, |request| {
            let greeted = self.adapter.handshake(&self.account, request, NOW)?;
            assert_eq!(greeted, None, "{}: taken for a handshake", self.platform.channel());
            let verified = self.adapter.verify(&self.account, request, NOW)?;
            let messages = self.adapter.parse(&self.account, &verified)?.messages;
            let reply = self.adapter.acknowledge(&self.account, &verified);
            Ok(Taken { verified, messages, reply })
        })
    }

    /// The messages of a webhook. The platform must accept its acknowledgement.
    pub(super) fn messages(&self, webhook: &Request) -> Result<Vec<Inbound>, Refusal> {
        let Taken { messages, reply, .. } = self.taken(webhook)?;
        assert!(self.platform.acknowledged(reply.status, &reply.body), "{}: not acknowledged", self.platform.channel());
        Ok(messages)
    }

    /// One act's only message, if the body is signed. Sent twice, it has one key. Another act's message has another key,
    /// and a changed body is refused.
    pub(super) fn arrive(&self, text: &str) -> Inbound {
        self.arrive_unless(text, |webhook| {
            let middle = webhook.body.len() / 2;
            webhook.body[middle] ^= 1;
        })
    }

    /// The same for platforms whose signature covers something else than the body. `change` is the change that must be
    /// noticed.
    pub(super) fn arrive_unless(&self, text: &str, change: impl Fn(&mut Request)) -> Inbound {
        let mut messages = self.all_arrive_unless(text, change);
        assert_eq!(messages.len(), 1, "{}", self.platform.channel());
        messages.remove(0)
    }

    /// The same if an act makes several messages. The last one is the customer's own.
    pub(super) fn all_arrive_unless(&self, text: &str, change: impl Fn(&mut Request)) -> Vec<Inbound> {
        let take = |number: u64| {
            let webhook = self.pushed(&act(number, text));
            let mut changed = webhook.clone();
            change(&mut changed);
            assert!(self.messages(&changed).is_err(), "{}: a changed webhook is taken", self.platform.channel());
            self.messages(&webhook).unwrap_or_else(|e| panic!("{}: {e}", self.platform.channel()))
        };
        let (first, again, other) = (take(1), take(1), take(2));
        assert_eq!(first, again, "the same act told twice");
        let last = first.last().unwrap();
        assert_ne!(last.key, other.last().unwrap().key);
        assert_eq!(last.sender.open_id, self.platform.open_id(7));
        first
    }

    /// A reply as the platform receives it.
    pub(super) fn rendered(
        &self,
        to: &str,
        reply_to: Option<&Value>,
        content: &Content,
        token: Option<&str>,
    ) -> Result<Request, Undeliverable> {
        let reply = Outbound { to, id: "018f0000-0000-7000-8000-000000000001", content, at: NOW, reply_to };
        match self.adapter.render(&self.account, &reply, &call(token))? {
            Rendered::Call(call) => Ok(received(&call)),
            Rendered::Held => panic!("held"),
        }
    }

    /// Checks that the platform offers no chat: nobody can be written to.
    pub(super) fn refuses_chat(&self) {
        let reply = self.rendered("x", None, &Content::text("x"), Some(TOKEN));
        assert_eq!(reply.err(), Some(Undeliverable::ChatNotOffered));
    }

    /// A reply to a message as the platform receives it.
    pub(super) fn reply_call(&self, to: &Inbound, content: &Content, token: Option<&str>) -> Request {
        let call = self.rendered(&to.sender.open_id, to.reply_to.as_ref(), content, token).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(self.platform.endpoint(&call), Some(Endpoint::Send));
        call
    }

    /// Replies to a message. Returns what the platform read, or the meaning of its refusal.
    pub(super) fn reply(&self, to: &Inbound, content: &Content, token: Option<&str>) -> Result<Sent, Outcome> {
        let call = self.reply_call(to, content, token);
        let (sent, answer) = match self.platform.check(Endpoint::Send, &call, TOKEN) {
            Ok(sent) => (sent, self.platform.answer(Endpoint::Send, &call, TOKEN, &[])),
            Err(trouble) => (None, self.platform.refuse(Endpoint::Send, trouble)),
        };
        match self.outcome(&answer) {
            Outcome::Sent => Ok(sent.unwrap()),
            outcome => Err(outcome),
        }
    }

    /// Replies to a message of customer 7 and reads every possible answer of the platform. Returns the call.
    pub(super) fn answer(&self, to: &Inbound, troubles: &[(Trouble, Outcome)]) -> Request {
        let text = "好的，马上为您处理 & more=yes 😀";
        let sent = Sent { to: self.platform.open_id(7), text: text.into() };
        assert_eq!(self.reply(to, &Content::text(text), Some(TOKEN)), Ok(sent));
        for (trouble, outcome) in troubles {
            assert_eq!(self.refused(*trouble), *outcome, "{trouble:?}");
        }
        let broken = self.outcome(&Answer::new(500, Vec::new()));
        assert_eq!(broken, Outcome::Retry("platform_unavailable"));
        self.reply_call(to, &Content::text(text), Some(TOKEN))
    }

    /// The whole way from a customer's message to the reply, for platforms without access tokens whose signature or
    /// credentials are outside the body.
    pub(super) fn whole_way(&self, text: &str, troubles: &[(Trouble, Outcome)]) -> Vec<Inbound> {
        let messages = self.all_arrive_unless(text, |webhook| {
            webhook.path.push('x');
            webhook.headers.clear();
        });
        let last = messages.last().unwrap();
        assert_eq!(last.content, Content::text(text));
        let unsigned = Request { headers: Vec::new(), ..self.answer(last, troubles) };
        assert_eq!(self.platform.check(Endpoint::Send, &unsigned, TOKEN), Err(Trouble::SignatureRefused));
        messages
    }

    /// The adapter's reading of an answer.
    pub(super) fn outcome(&self, answer: &Answer) -> Outcome {
        self.adapter.read_answer(&response(answer))
    }

    /// The adapter's reading of a refused reply.
    pub(super) fn refused(&self, trouble: Trouble) -> Outcome {
        self.outcome(&self.platform.refuse(Endpoint::Send, trouble))
    }

    /// Fetches an access token. Wrong credentials are refused for good, and a limit passes.
    pub(super) fn fetch_token(&self) -> Token {
        let call = self.adapter.token_request(&self.account, false, &call(None)).unwrap();
        let call = received(&call);
        assert_eq!(self.platform.endpoint(&call), Some(Endpoint::Token));
        assert_eq!(self.platform.check(Endpoint::Token, &call, TOKEN), Ok(None));
        let read = |answer: Answer| self.adapter.read_token(&response(&answer));
        let refused = |trouble| read(self.platform.refuse(Endpoint::Token, trouble)).err();
        assert_eq!(refused(Trouble::SignatureRefused), Some(Outcome::Permanent("credentials_refused")));
        assert_eq!(refused(Trouble::RateLimited), Some(Outcome::Retry("rate_limited")));
        let token = read(self.platform.answer(Endpoint::Token, &call, TOKEN, &[])).ok().unwrap();
        assert_eq!((token.value.as_str(), token.expires_in > 60), (TOKEN, true));
        token
    }

    /// Asks for a medium's bytes.
    pub(super) fn media(&self, id: &str) {
        let media = Media { id: Some(id.into()), ..Media::default() };
        let call = self.adapter.media(&self.account, &media, &call(Some(TOKEN))).unwrap();
        let call = received(&call);
        assert_eq!(self.platform.endpoint(&call), Some(Endpoint::Media));
        assert_eq!(self.platform.check(Endpoint::Media, &call, TOKEN), Ok(None));
    }

    /// The adapter's puller.
    pub(super) fn puller(&self) -> &dyn Pull<Account = A::Account> {
        self.adapter.pull().expect("the adapter fetches")
    }

    /// The request for a page, as the platform receives it.
    pub(super) fn asked(&self, source: &str, cursor: Option<&str>, token: Option<&str>) -> Request {
        let call = self.puller().request(&self.account, source, cursor, &call(token)).unwrap();
        let call = received(&call);
        assert_eq!(self.platform.endpoint(&call), Some(Endpoint::Pull));
        call
    }

    /// The adapter's reading of a page.
    pub(super) fn page(&self, source: &str, answer: &Answer) -> Result<Page, Outcome> {
        self.page_after(source, None, answer)
    }

    fn page_after(&self, source: &str, cursor: Option<&str>, answer: &Answer) -> Result<Page, Outcome> {
        self.puller().read(&self.account, &Asked { source, cursor, now: NOW }, &response(answer))
    }

    /// Fetches a page of the messages that the platform keeps.
    pub(super) fn fetch(
        &self,
        source: &str,
        cursor: Option<&str>,
        kept: &[(u64, Value)],
        token: Option<&str>,
    ) -> Result<Page, Outcome> {
        let call = self.asked(source, cursor, token);
        let answer = match self.platform.check(Endpoint::Pull, &call, TOKEN) {
            Ok(sent) => {
                assert_eq!(sent, None);
                self.platform.answer(Endpoint::Pull, &call, TOKEN, kept)
            }
            Err(trouble) => self.platform.refuse(Endpoint::Pull, trouble),
        };
        self.page_after(source, cursor, &answer)
    }

    /// Confirms a page, as the platform receives it.
    pub(super) fn confirmed(&self, source: &str, receipts: &[String]) -> Request {
        let call = self.puller().confirm(&self.account, source, receipts, &call(None)).unwrap();
        let call = received(&call);
        assert_eq!(self.platform.endpoint(&call), Some(Endpoint::Confirm));
        assert_eq!(self.platform.check(Endpoint::Confirm, &call, TOKEN), Ok(None));
        assert_eq!(self.outcome(&self.platform.answer(Endpoint::Confirm, &call, TOKEN, &[])), Outcome::Sent);
        call
    }
}

fn response(answer: &Answer) -> ApiResponse<'_> {
    ApiResponse { status: answer.status, body: &answer.body }
}

/// A call as it reaches the platform. It must go to no other host.
fn received(call: &ApiRequest) -> Request {
    let rest = call.url.strip_prefix(API).unwrap_or_else(|| panic!("a call to another host"));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let url: http::Uri = call.url.parse().unwrap();
    assert_eq!((url.path(), url.query().unwrap_or_default()), (path, query));
    let mut headers: Vec<_> = call.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    headers.push(("host".to_owned(), url.authority().unwrap().to_string()));
    Request {
        method: call.method.to_string(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: call.body.clone(),
    }
}
