//! 抖店, simulated: each customer has one order, an act is an event of it, and tokens are fetched by a signed call.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::doudian::sign;

const APP_KEY: &str = "6839996111111111111";
const APP_SECRET: &str = "doudian-simulated-secret";
const SHOP: &str = "95250";
/// Paid, shipped in part, memo changed, refund requested.
const TAGS: [u32; 4] = [110, 108, 113, 200];

/// The simulated platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Doudian;

/// A push with this body. The platform signs no time.
pub(super) fn sealed(body: &[u8], _at: i64) -> Request {
    let headers = vec![
        ("content-type".into(), "application/json".into()),
        ("app-id".into(), APP_KEY.into()),
        ("event-sign".into(), sign::event_sign(APP_KEY, APP_SECRET, body)),
    ];
    Request { method: "POST".into(), headers, body: body.to_vec(), ..Request::default() }
}

impl Simulated for Doudian {
    fn channel(&self) -> &'static str {
        "doudian"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "doudian".into(),
            settings: json!({ "app_key": APP_KEY, "shop_id": SHOP, "api_base": api_base }),
            secrets: vec![("app_secret", APP_SECRET.into())],
        }
    }

    /// The order's number: the platform names no buyer.
    fn open_id(&self, customer: u64) -> String {
        format!("47052884{customer:011}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let tag = TAGS[usize::try_from(act.number % 4).unwrap_or(0)];
        let order = self.open_id(act.customer);
        let data = json!({ "p_id": order, "shop_id": 95250, "update_time": act.at, "remark": act.text });
        let body = Value::from(vec![sign::event(tag, &format!("{}::{}:{}", act.number, act.at, order), &data)]).to_string();
        Arrival::Webhook(sealed(body.as_bytes(), act.at))
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        status == 200 && serde_json::from_slice::<Value>(body).is_ok_and(|b| b["code"] == 0)
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        (call.method == "POST" && call.path == "/token/create").then_some(Endpoint::Token)
    }

    fn check(&self, _: Endpoint, call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        let param = |name: &str| call.param(name).unwrap_or_default();
        let body = std::str::from_utf8(&call.body).unwrap_or_default();
        let (method, timestamp) = (param("method"), param("timestamp"));
        let good = sign::call_sign(APP_KEY, APP_SECRET, &method, body, &timestamp, &param("v"));
        let named = param("app_key") == APP_KEY && param("sign_method") == "hmac-sha256";
        let self_used = call.json()["grant_type"] == "authorization_self" && call.json()["shop_id"] == SHOP;
        let path = method.replace('.', "/") == call.path.trim_start_matches('/');
        if good == param("sign") && named && self_used && path { Ok(None) } else { Err(Trouble::SignatureRefused) }
    }

    fn answer(&self, _: Endpoint, _: &Request, token: &str, _: &[(u64, Value)]) -> Answer {
        let data = json!({ "access_token": token, "expires_in": 604_800, "refresh_token": "r", "shop_id": 95250 });
        Answer::json(&json!({ "code": 10000, "msg": "success", "sub_code": "", "sub_msg": "", "data": data }))
    }

    fn refuse(&self, _: Endpoint, trouble: Trouble) -> Answer {
        let (code, sub_code) = match trouble {
            Trouble::TokenRefused => (40_003, "isv.access-token-expired"),
            Trouble::RateLimited => (60_000, ""),
            Trouble::SignatureRefused => (40_003, "isv.signature-invalid"),
            Trouble::WindowClosed => (40_004, ""),
        };
        Answer::json(&json!({ "code": code, "msg": "refused", "sub_code": sub_code, "sub_msg": "" }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW};
    use super::*;
    use warmline_channels::Outcome;
    use warmline_channels::doudian::DoudianAdapter;
    use warmline_model::Content;

    #[test]
    fn the_adapter_and_the_platform_understand_each_other() {
        let driver = Driver::new(&DoudianAdapter, &Doudian);
        let event = driver.arrive("两件");
        assert_eq!((event.sender.open_id.clone(), event.at), (Doudian.open_id(7), NOW));
        assert!(matches!(&event.content, Content::Event { event, key: Some(order), data }
            if event == "doudian_trade_tradepartlysellership" && *order == Doudian.open_id(7) && data["remark"] == "两件"));
        driver.fetch_token();
        assert_eq!(driver.refused(Trouble::TokenRefused), Outcome::RefreshToken);
        assert_eq!(driver.refused(Trouble::RateLimited), Outcome::Retry("rate_limited"));
        assert_eq!(driver.refused(Trouble::SignatureRefused), Outcome::Permanent("credentials_refused"));
    }

    #[test]
    fn a_probe_is_acknowledged_and_nobody_can_be_written_to() {
        let driver = Driver::new(&DoudianAdapter, &Doudian);
        let body = sign::probe();
        let headers = vec![("event-sign".into(), sign::event_sign(APP_KEY, APP_SECRET, body.as_bytes()))];
        let probe = Request { method: "POST".into(), headers, body: body.into_bytes(), ..Request::default() };
        assert_eq!(driver.messages(&probe), Ok(Vec::new()));
        driver.refuses_chat();
    }
}
