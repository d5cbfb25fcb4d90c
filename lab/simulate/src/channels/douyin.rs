//! 抖音, simulated: private messages to an operator's account, with `content` an object and a text by turns, as on the
//! platform; client tokens; `/im/send/msg/`.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::douyin::sign;

pub(super) const CLIENT_KEY: &str = "awsimulated";
const CLIENT_SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(super) const OPERATOR: &str = "operator-simulated";

/// The simulated platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Douyin;

/// A webhook with this body. The platform signs no time.
pub(super) fn sealed(body: &[u8], _at: i64) -> Request {
    let headers = vec![
        ("content-type".into(), "application/json".into()),
        ("x-douyin-signature".into(), sign::signature(CLIENT_SECRET, body)),
    ];
    Request { method: "POST".into(), headers, body: body.to_vec(), ..Request::default() }
}

impl Simulated for Douyin {
    fn channel(&self) -> &'static str {
        "douyin"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "douyin".into(),
            settings: json!({ "client_key": CLIENT_KEY, "api_base": api_base }),
            secrets: vec![("client_secret", CLIENT_SECRET.into())],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("_000customer-{customer:08}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let from = self.open_id(act.customer);
        let message = format!("@message-{:012}==", act.number);
        let as_text = act.number.is_multiple_of(2);
        let body = sign::text(CLIENT_KEY, &from, OPERATOR, &message, act.at.saturating_mul(1000), act.text, as_text);
        let mut webhook = sealed(body.as_bytes(), act.at);
        webhook.headers.push(("msg-id".into(), format!("header-{}", act.number)));
        Arrival::Webhook(webhook)
    }

    fn acknowledged(&self, status: u16, _body: &[u8]) -> bool {
        status == 200
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/oauth/client_token/") => Some(Endpoint::Token),
            ("POST", "/im/send/msg/") => Some(Endpoint::Send),
            _ => None,
        }
    }

    fn check(&self, endpoint: Endpoint, call: &Request, token: &str) -> Result<Option<Sent>, Trouble> {
        let body = call.json();
        match endpoint {
            Endpoint::Token => {
                let wanted = json!({
                    "client_key": CLIENT_KEY,
                    "client_secret": CLIENT_SECRET,
                    "grant_type": "client_credential",
                });
                if body == wanted { Ok(None) } else { Err(Trouble::SignatureRefused) }
            }
            _ if call.header("access-token") != Some(token) => Err(Trouble::TokenRefused),
            _ => {
                let ours = call.param("open_id").as_deref() == Some(OPERATOR);
                // The conversation and the message must belong to a message that this customer sent.
                let conversation =
                    body["conversation_id"].as_str() == body["to_user_id"].as_str().map(of_customer).as_deref();
                let message = body["msg_id"].as_str().is_some_and(|id| id.starts_with("@message-"));
                if !ours || !conversation || !message || body["scene"] != "im_reply_msg" {
                    return Err(Trouble::WindowClosed);
                }
                let text = body["content"]["text"]["text"].as_str().unwrap_or_default();
                Ok(body["to_user_id"].as_str().map(|to| Sent { to: to.to_owned(), text: text.to_owned() }))
            }
        }
    }

    fn answer(&self, endpoint: Endpoint, _call: &Request, token: &str, _kept: &[(u64, Value)]) -> Answer {
        Answer::json(&match endpoint {
            Endpoint::Token => json!({
                "data": { "access_token": token, "description": "", "error_code": 0, "expires_in": 7200 },
                "message": "success",
            }),
            _ => said(0),
        })
    }

    fn refuse(&self, endpoint: Endpoint, trouble: Trouble) -> Answer {
        Answer::json(&match (endpoint, trouble) {
            (Endpoint::Token, Trouble::RateLimited) => said(10_020),
            (Endpoint::Token, _) => said(10_013),
            (_, Trouble::TokenRefused) => said(2_190_008),
            (_, Trouble::WindowClosed) => said(28_003_080),
            (_, Trouble::RateLimited) => said(28_003_018),
            (_, Trouble::SignatureRefused) => said(28_001_015),
        })
    }
}

fn of_customer(open_id: &str) -> String {
    format!("@conversation-{open_id}")
}

fn said(code: i64) -> Value {
    json!({
        "extra": { "error_code": code, "description": "", "sub_error_code": 0, "sub_description": "", "logid": "0" },
        "data": { "error_code": code, "description": "" },
    })
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW, TOKEN};
    use super::*;
    use warmline_channels::Outcome;
    use warmline_channels::douyin::DouyinAdapter;
    use warmline_model::Content;

    #[test]
    fn the_adapter_and_the_platform_understand_each_other() {
        let driver = Driver::new(&DouyinAdapter, &Douyin);
        let message = driver.arrive("在吗");
        assert_eq!(
            (message.sender.open_id.as_str(), message.content.clone()),
            ("_000customer-00000007", Content::text("在吗"))
        );
        assert_eq!(message.at, NOW);
        driver.fetch_token();
        let troubles = [
            (Trouble::TokenRefused, Outcome::RefreshToken),
            (Trouble::WindowClosed, Outcome::Permanent("reply_window_closed")),
            (Trouble::RateLimited, Outcome::Retry("rate_limited")),
            (Trouble::SignatureRefused, Outcome::Permanent("api_not_authorized")),
        ];
        driver.answer(&message, &troubles);
        let old = driver.reply_call(&message, &Content::text("在的"), Some("token-0"));
        assert_eq!(Douyin.check(Endpoint::Send, &old, TOKEN), Err(Trouble::TokenRefused));
    }

    #[test]
    fn the_address_is_checked() {
        let body = sign::challenge(12345);
        let headers = vec![("x-douyin-signature".into(), sign::signature(CLIENT_SECRET, body.as_bytes()))];
        let webhook = Request { method: "POST".into(), headers, body: body.into_bytes(), ..Request::default() };
        let reply = Driver::new(&DouyinAdapter, &Douyin).greeted(&webhook).unwrap();
        assert_eq!(reply.body, br#"{"challenge":12345}"#);
    }
}
