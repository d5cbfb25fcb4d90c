//! Drives an adapter and a simulated platform against each other, for the tests of both: what one sends, the other reads.

use super::{Account, Act, Answer, Arrival, Request, Simulated};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use warmline_channels::{
    Adapter, ApiRequest, ApiResponse, Call, Outbound, Outcome, Page, Pull, Refusal, Rendered, Reply, Secrets,
};
use warmline_model::{Content, Inbound, Timestamp};

/// When it all happens.
pub(crate) const NOW: i64 = 1_700_000_000;

/// Something that customer 7 does.
pub(crate) fn act(text: &str) -> Act<'_> {
    Act { customer: 7, number: 42, at: NOW, text, nonce: [5; 16] }
}

/// The platform's account, read by the adapter.
pub(crate) fn account<A: Adapter>(adapter: &A, platform: &dyn Simulated) -> A::Account {
    let Account { settings, secrets, .. } = platform.account("http://127.0.0.1:9");
    let secrets: Secrets = secrets.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    adapter.account(&settings, &secrets).expect("the simulated account is one")
}

/// A webhook through the adapter: the messages in it and the acknowledgement, or the answer to a handshake.
pub(crate) fn webhook<A: Adapter>(
    adapter: &A,
    account: &A::Account,
    webhook: &Request,
) -> Result<(Vec<Inbound>, Reply), Refusal> {
    let mut headers = HeaderMap::new();
    for (name, value) in &webhook.headers {
        headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    let method = Method::try_from(webhook.method.as_str()).unwrap();
    let request = warmline_channels::Request {
        method: &method,
        rest: &webhook.path,
        query: &webhook.query,
        headers: &headers,
        body: &webhook.body,
    };
    let now = Timestamp::from_secs(NOW);
    if let Some(reply) = adapter.handshake(account, &request, now)? {
        return Ok((Vec::new(), reply));
    }
    let verified = adapter.verify(account, &request, now)?;
    let messages = adapter.parse(account, &verified)?;
    Ok((messages, adapter.acknowledge(account, &verified)))
}

/// The webhook of an act.
pub(crate) fn pushed(platform: &dyn Simulated, act: &Act<'_>) -> Request {
    match platform.arrival(act) {
        Arrival::Webhook(request) => request,
        Arrival::Kept { .. } => panic!("{} keeps its messages", platform.channel()),
    }
}

/// The message of an act that the platform keeps.
pub(crate) fn kept(platform: &dyn Simulated, act: &Act<'_>) -> Value {
    match platform.arrival(act) {
        Arrival::Kept { item, hint: None } => item,
        _ => panic!("{} does not keep its messages silently", platform.channel()),
    }
}

/// An API call as the platform receives it.
pub(crate) fn received(call: &ApiRequest) -> Request {
    let uri: http::Uri = call.url.parse().unwrap();
    Request {
        method: call.method.to_string(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: call.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        body: call.body.clone(),
    }
}

/// What calls are signed with.
pub(crate) fn call() -> Call<'static> {
    Call { token: None, now: Timestamp::from_secs(NOW), nonce: &[9; 16] }
}

/// A rendered reply to a customer.
pub(crate) fn rendered<A: Adapter>(
    adapter: &A,
    account: &A::Account,
    to: &str,
    content: &Content,
) -> Result<Request, &'static str> {
    let at = Timestamp::from_secs(NOW);
    let reply = Outbound { to, id: "msg_1", content, at, reply_to: None };
    match adapter.render(account, &reply, &call())? {
        Rendered::Call(request) => Ok(received(&request)),
        Rendered::Held => panic!("held"),
    }
}

/// What the adapter makes of an answer.
pub(crate) fn outcome<A: Adapter>(adapter: &A, answer: &Answer) -> Outcome {
    adapter.read_answer(&ApiResponse { status: answer.status, body: &answer.body })
}

/// The request for a page, as the platform receives it.
pub(crate) fn asked<A: Adapter>(adapter: &A, account: &A::Account, source: &str, cursor: Option<&str>) -> Request {
    received(&puller(adapter).request(account, source, cursor, &call()).unwrap())
}

/// What the adapter makes of a page.
pub(crate) fn page<A: Adapter>(adapter: &A, account: &A::Account, source: &str, answer: &Answer) -> Result<Page, Outcome> {
    puller(adapter).read(account, source, &ApiResponse { status: answer.status, body: &answer.body })
}

/// How the adapter fetches.
pub(crate) fn puller<A: Adapter>(adapter: &A) -> &dyn Pull<Account = A::Account> {
    adapter.pull().expect("the adapter fetches")
}
