//! Drives an adapter and its simulated platform against each other: what the one makes the other must take.

use super::{Account, Act, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use warmline_channels::{Adapter, ApiRequest, ApiResponse, Call, Outbound, Outcome, Refusal, Rendered, Reply};
use warmline_model::{Content, Inbound, Timestamp};

const BASE: &str = "http://127.0.0.1:9";
pub(super) const NOW: i64 = 1_700_000_000;
pub(super) const TOKEN: &str = "token-1";

pub(super) fn now() -> Timestamp {
    Timestamp::from_secs(NOW)
}

pub(super) fn act(number: u64, text: &str) -> Act<'_> {
    Act { customer: 7, number, at: NOW, text, nonce: [u8::try_from(number % 251).unwrap(); 16] }
}

/// The adapter's view of the simulated account.
pub(super) fn account<A: Adapter>(adapter: &A, sim: &dyn Simulated) -> A::Account {
    let Account { settings, secrets, .. } = sim.account(BASE);
    let secrets = secrets.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    adapter.account(&settings, &secrets).unwrap_or_else(|e| panic!("{e}"))
}

/// What a webhook comes to.
pub(super) enum Received {
    Greeted(Reply),
    Messages(Vec<Inbound>, Reply),
}

/// Sends a webhook through handshake, verifier, parser and acknowledgement.
pub(super) fn receive<A: Adapter>(adapter: &A, account: &A::Account, webhook: &Request) -> Result<Received, Refusal> {
    let headers: HeaderMap = webhook
        .headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let method: Method = webhook.method.parse().unwrap();
    let request = warmline_channels::Request {
        method: &method,
        rest: &webhook.path,
        query: &webhook.query,
        headers: &headers,
        body: &webhook.body,
    };
    if let Some(reply) = adapter.handshake(account, &request, now())? {
        return Ok(Received::Greeted(reply));
    }
    let verified = adapter.verify(account, &request, now())?;
    Ok(Received::Messages(adapter.parse(account, &verified)?, adapter.acknowledge(account, &verified)))
}

/// One act's message: it comes twice with one key, another act's has another, and a changed body is refused.
pub(super) fn arrive<A: Adapter>(adapter: &A, sim: &dyn Simulated, text: &str) -> Inbound {
    arrive_unless(adapter, sim, text, |webhook| {
        let middle = webhook.body.len() / 2;
        webhook.body[middle] ^= 1;
    })
}

/// The same for platforms whose signature covers something else than the body: `change` is what must not go unnoticed.
pub(super) fn arrive_unless<A: Adapter>(
    adapter: &A,
    sim: &dyn Simulated,
    text: &str,
    change: impl Fn(&mut Request),
) -> Inbound {
    let account = account(adapter, sim);
    let take = |number: u64| {
        let Arrival::Webhook(webhook) = sim.arrival(&act(number, text)) else { panic!("not a webhook") };
        let mut changed = webhook.clone();
        change(&mut changed);
        assert!(receive(adapter, &account, &changed).is_err(), "{}: a changed webhook is taken", sim.channel());
        match receive(adapter, &account, &webhook).unwrap_or_else(|e| panic!("{}: {e}", sim.channel())) {
            Received::Messages(mut messages, reply) => {
                assert!(sim.acknowledged(reply.status, &reply.body), "{}: not acknowledged", sim.channel());
                assert_eq!(messages.len(), 1, "{}", sim.channel());
                messages.remove(0)
            }
            Received::Greeted(_) => panic!("{}: taken for a handshake", sim.channel()),
        }
    };
    let (first, again, other) = (take(1), take(1), take(2));
    assert_eq!(first, again);
    assert_ne!(first.key, other.key);
    first
}

/// An API call as the platform gets it.
pub(super) fn request(call: ApiRequest) -> Request {
    let uri: http::Uri = call.url.parse().unwrap();
    Request {
        method: call.method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: call.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: call.body,
    }
}

fn call(token: Option<&str>) -> Call<'_> {
    Call { token, now: now(), nonce: &[5; 16] }
}

/// Fetches a token; wrong credentials are refused for good.
pub(super) fn fetch_token<A: Adapter>(adapter: &A, sim: &dyn Simulated) {
    let account = account(adapter, sim);
    let fetch = request(adapter.token_request(&account, false, &call(None)).unwrap());
    assert_eq!(sim.endpoint(&fetch), Some(Endpoint::Token));
    assert_eq!(sim.check(Endpoint::Token, &fetch, TOKEN), Ok(None));
    let answer = sim.answer(Endpoint::Token, &fetch, TOKEN, &[]);
    let token = adapter.read_token(&ApiResponse { status: answer.status, body: &answer.body }).ok().unwrap();
    assert_eq!((token.value.as_str(), token.expires_in > 60), (TOKEN, true));
    let refused = sim.refuse(Endpoint::Token, Trouble::SignatureRefused);
    let refused = adapter.read_token(&ApiResponse { status: refused.status, body: &refused.body });
    assert_eq!(refused.err(), Some(Outcome::Permanent("credentials_refused")));
    let busy = sim.refuse(Endpoint::Token, Trouble::RateLimited);
    let busy = adapter.read_token(&ApiResponse { status: busy.status, body: &busy.body });
    assert_eq!(busy.err(), Some(Outcome::Retry("rate_limited")));
}

/// Answers a message and reads all that the platform may say to it.
pub(super) fn answer<A: Adapter>(adapter: &A, sim: &dyn Simulated, to: &Inbound, troubles: &[(Trouble, Outcome)]) {
    let account = account(adapter, sim);
    let render = |token| {
        let content = Content::text("您好 & 欢迎");
        let reply =
            Outbound { to: &to.sender.open_id, id: "msg_1", content: &content, at: now(), reply_to: to.reply_to.as_ref() };
        match adapter.render(&account, &reply, &call(Some(token))) {
            Ok(Rendered::Call(call)) => request(call),
            Ok(Rendered::Held) => panic!("held"),
            Err(code) => panic!("{code}"),
        }
    };
    let good = render(TOKEN);
    assert_eq!(sim.endpoint(&good), Some(Endpoint::Send));
    let sent = Sent { to: sim.open_id(7), text: "您好 & 欢迎".into() };
    assert_eq!(sim.check(Endpoint::Send, &good, TOKEN), Ok(Some(sent)));
    assert_eq!(sim.check(Endpoint::Send, &render("token-0"), TOKEN), Err(Trouble::TokenRefused));
    let yes = sim.answer(Endpoint::Send, &good, TOKEN, &[]);
    assert_eq!(adapter.read_answer(&ApiResponse { status: yes.status, body: &yes.body }), Outcome::Sent);
    for (trouble, outcome) in troubles {
        let no = sim.refuse(Endpoint::Send, *trouble);
        assert_eq!(adapter.read_answer(&ApiResponse { status: no.status, body: &no.body }), *outcome, "{trouble:?}");
    }
}
