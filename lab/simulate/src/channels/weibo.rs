//! Weibo 粉丝服务, simulated.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::weibo::sign;
use warmline_model::Timestamp;

const SECRET: &str = "simulated0weibo0app0secret000000";
const TOKEN: &str = "2.00simulatedTOKEN";
/// The brand's user id.
pub(super) const BRAND: i64 = 1_902_538_057;
const REPLY: &str = "/2/messages/reply.json";
const MEDIA: &str = "/2/mss/msget";

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weibo;

fn uid(customer: u64) -> i64 {
    2_000_000_000 + i64::try_from(customer).unwrap_or(0)
}

/// A webhook with this body. The signature does not cover it.
pub(super) fn sealed(body: &[u8], at: i64) -> Request {
    Request {
        method: "POST".into(),
        query: sign::query(SECRET, &at.to_string(), "n0nce"),
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_vec(),
        ..Request::default()
    }
}

impl Simulated for Weibo {
    fn channel(&self) -> &'static str {
        "weibo"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "sim".into(),
            settings: json!({ "uid": BRAND.to_string(), "api_base": api_base, "media_base": api_base }),
            secrets: vec![("app_secret", SECRET.into()), ("access_token", TOKEN.into())],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        uid(customer).to_string()
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        // Messages have no id. Only sender, second and words tell two acts apart, so the number is added.
        let data = json!({ "simulated": act.number });
        let body = sign::message(uid(act.customer), BRAND, Timestamp::from_secs(act.at), "text", act.text, &data);
        let nonce: String = act.nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        Arrival::Webhook(Request {
            query: sign::query(SECRET, &act.at.to_string(), &nonce),
            ..sealed(body.as_bytes(), act.at)
        })
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        let passive = || serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer["result"] == true);
        status == 200 && (body.is_empty() || passive())
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", REPLY) => Some(Endpoint::Send),
            ("GET", MEDIA) => Some(Endpoint::Media),
            _ => None,
        }
    }

    fn check(&self, endpoint: Endpoint, call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        if call.param("access_token").as_deref() != Some(TOKEN) {
            return Err(Trouble::TokenRefused);
        }
        if endpoint != Endpoint::Send {
            return Ok(None);
        }
        let field = |name: &str| form_urlencoded::parse(&call.body).find(|(n, _)| n == name).map(|(_, v)| v.into_owned());
        let data: Value = field("data").and_then(|data| serde_json::from_str(&data).ok()).unwrap_or_default();
        let text = data["text"].as_str().unwrap_or_default().to_owned();
        match (field("type").as_deref(), field("receiver_id")) {
            (Some("text" | "position"), Some(to)) => Ok(Some(Sent { to, text })),
            _ => Err(Trouble::SignatureRefused),
        }
    }

    fn answer(&self, endpoint: Endpoint, _call: &Request, _token: &str, _kept: &[(u64, Value)]) -> Answer {
        match endpoint {
            Endpoint::Media => Answer::new(200, b"\xff\xd8\xff\xe0simulated".to_vec()),
            _ => Answer::json(&json!({ "result": true, "sender_id": BRAND })),
        }
    }

    fn refuse(&self, _endpoint: Endpoint, trouble: Trouble) -> Answer {
        let (status, code, error) = match trouble {
            Trouble::TokenRefused => (403, 21_332, "invalid_access_token"),
            Trouble::WindowClosed => (400, 26_403, "message can not be replied"),
            Trouble::RateLimited => (403, 10_023, "User requests out of rate limit!"),
            Trouble::SignatureRefused => (400, 10_017, "Parameter value invalid"),
        };
        Answer::new(status, json!({ "request": REPLY, "error_code": code, "error": error }).to_string().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW, act};
    use super::*;
    use warmline_channels::weibo::WeiboAdapter;
    use warmline_channels::{Outcome, Refusal};
    use warmline_model::Content;

    #[test]
    fn a_talk() {
        let driver = Driver::new(&WeiboAdapter, &Weibo);
        let hello = Request {
            method: "GET".into(),
            query: format!("{}&echostr=123", sign::query(SECRET, &NOW.secs().to_string(), "n")),
            ..Request::default()
        };
        assert_eq!(driver.greeted(&hello).unwrap().body, b"123");

        let arrival = driver.pushed(&act(42, "在吗？"));
        let messages = driver.messages(&arrival).unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!((&messages[0].content, messages[0].at), (&Content::text("在吗？"), NOW));
        assert_eq!(messages[0].sender.open_id, Weibo.open_id(7));
        let forged = Request { query: arrival.query.replace("signature=", "signature=0"), ..arrival };
        assert_eq!(driver.messages(&forged), Err(Refusal::SignatureWrong));

        // The token is the operator's, so there is none to fetch.
        let troubles = [
            (Trouble::TokenRefused, Outcome::Permanent("credentials_refused")),
            (Trouble::WindowClosed, Outcome::Permanent("reply_window_closed")),
            (Trouble::RateLimited, Outcome::Retry("rate_limited")),
            (Trouble::SignatureRefused, Outcome::Permanent("platform_refused")),
        ];
        let call = driver.answer(&messages[0], &troubles);
        let forged = Request { query: "access_token=other".into(), ..call };
        assert_eq!(Weibo.check(Endpoint::Send, &forged, ""), Err(Trouble::TokenRefused));
        driver.media("1");
    }
}
