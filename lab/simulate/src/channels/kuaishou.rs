//! 快手, simulated: each customer has one order of a mini program, an act is a notice of it; the app's token.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::kuaishou::sign;

const APP_ID: &str = "ks000000000000000000";
const APP_SECRET: &str = "kuaishou-simulated";

/// The simulated platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kuaishou;

/// A push with this body. The platform signs no time.
pub(super) fn sealed(body: &[u8], _at: i64) -> Request {
    let headers =
        vec![("content-type".into(), "application/json".into()), ("kwaisign".into(), sign::kwaisign(APP_SECRET, body))];
    Request { method: "POST".into(), headers, body: body.to_vec(), ..Request::default() }
}

impl Simulated for Kuaishou {
    fn channel(&self) -> &'static str {
        "kuaishou"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "kuaishou".into(),
            settings: json!({ "app_id": APP_ID, "api_base": api_base }),
            secrets: vec![("app_secret", APP_SECRET.into())],
        }
    }

    /// The order's number: payment notices name no buyer.
    fn open_id(&self, customer: u64) -> String {
        format!("ks-order-{customer:08}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let data = json!({
            "channel": "WECHAT",
            "out_order_no": self.open_id(act.customer),
            "attach": act.text,
            "status": "SUCCESS",
            "order_amount": 100,
        });
        let (id, at) = (format!("ks-{}", act.number), act.at.saturating_mul(1000));
        let body =
            if act.wants_refund() { sign::refund(APP_ID, &id, at, &data) } else { sign::payment(APP_ID, &id, at, &data) };
        Arrival::Webhook(sealed(body.as_bytes(), act.at))
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        status == 200 && answer["result"] == 1 && answer["message_id"].is_string()
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        (call.method == "POST" && call.path == "/oauth2/access_token").then_some(Endpoint::Token)
    }

    fn check(&self, _: Endpoint, call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        let form: Vec<(String, String)> = form_urlencoded::parse(&call.body).into_owned().collect();
        let is = |name: &str, value: &str| form.iter().any(|(n, v)| n == name && v == value);
        let good = is("app_id", APP_ID) && is("app_secret", APP_SECRET) && is("grant_type", "client_credentials");
        if good { Ok(None) } else { Err(Trouble::SignatureRefused) }
    }

    fn answer(&self, _: Endpoint, _: &Request, token: &str, _: &[(u64, Value)]) -> Answer {
        Answer::json(&json!({ "result": 1, "access_token": token, "expires_in": 172_800, "token_type": "bearer" }))
    }

    fn refuse(&self, _: Endpoint, trouble: Trouble) -> Answer {
        let code = match trouble {
            Trouble::TokenRefused => 100_200_108,
            Trouble::RateLimited => 400_002,
            Trouble::SignatureRefused => 100_200_101,
            Trouble::WindowClosed => 100_200_100,
        };
        Answer::json(&json!({ "result": code, "error": "refused" }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW};
    use super::*;
    use warmline_channels::Outcome;
    use warmline_channels::kuaishou::KuaishouAdapter;
    use warmline_model::Content;

    #[test]
    fn the_adapter_and_the_platform_understand_each_other() {
        let driver = Driver::new(&KuaishouAdapter, &Kuaishou);
        let event = driver.arrive("两件");
        assert_eq!((event.sender.open_id.clone(), event.at), (Kuaishou.open_id(7), NOW));
        assert!(matches!(&event.content, Content::Event { event, key: Some(order), data }
            if event == "payment" && *order == Kuaishou.open_id(7) && data["attach"] == "两件"));
        driver.fetch_token();
        assert_eq!(driver.refused(Trouble::TokenRefused), Outcome::RefreshToken);
        assert_eq!(driver.refused(Trouble::RateLimited), Outcome::Retry("rate_limited"));
        assert_eq!(driver.refused(Trouble::SignatureRefused), Outcome::Permanent("credentials_refused"));
    }

    #[test]
    fn nobody_can_be_written_to() {
        Driver::new(&KuaishouAdapter, &Kuaishou).refuses_chat();
    }
}
