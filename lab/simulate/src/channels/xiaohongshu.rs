//! 小红书, simulated: each customer has one order of a shop, and an act is an event of it. The mini program's token is served
//! too.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::xiaohongshu::sign;

const APP_ID: &str = "4e3d199262be4950a350";
const APP_SECRET: &str = "xiaohongshu-simulated";
const SELLER: &str = "seller-simulated";
const ACCOUNT: &str = "xiaohongshu";
const TAGS: [&str; 3] = ["msg_fulfillment_status_change", "msg_fulfillment_seller_remark_change", "msg_after_sale_create"];

/// The simulated platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Xiaohongshu;

fn push_path() -> String {
    format!("/channels/xiaohongshu/{ACCOUNT}")
}

/// A shop's push with this body. The signature does not cover it.
pub(super) fn sealed(body: &[u8], at: i64) -> Request {
    let timestamp = at.to_string();
    let headers = vec![
        ("content-type".into(), "application/json".into()),
        ("app-key".into(), APP_ID.into()),
        ("sign".into(), sign::push_sign(&push_path(), &[], APP_ID, &timestamp, APP_SECRET)),
        ("timestamp".into(), timestamp),
    ];
    Request { method: "POST".into(), headers, body: body.to_vec(), ..Request::default() }
}

impl Simulated for Xiaohongshu {
    fn channel(&self) -> &'static str {
        "xiaohongshu"
    }

    fn account(&self, api_base: &str) -> Account {
        let push_path = push_path();
        Account {
            id: ACCOUNT.into(),
            settings: json!({ "app_id": APP_ID, "push_path": push_path, "seller_id": SELLER, "api_base": api_base }),
            secrets: vec![("app_secret", APP_SECRET.into())],
        }
    }

    /// The order's number: the platform names no buyer.
    fn open_id(&self, customer: u64) -> String {
        format!("P{customer:018}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let tag = TAGS[usize::try_from(act.number % 3).unwrap_or(0)];
        // Two acts in one second differ by their number, like the platform's times by their milliseconds.
        let millis = i64::try_from(act.number % 1000).unwrap_or(0);
        let data = json!({
            "orderId": self.open_id(act.customer),
            "sellerRemarkContent": act.text,
            "updateTime": act.at.saturating_mul(1000).saturating_add(millis),
            "sequence": act.number,
        });
        let body = Value::from(vec![sign::event(tag, SELLER, &data)]).to_string();
        Arrival::Webhook(sealed(body.as_bytes(), act.at))
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        status == 200 && answer["success"] == true && answer["error_code"] == 0
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        (call.method == "POST" && call.path == "/api/rmp/token").then_some(Endpoint::Token)
    }

    fn check(&self, _: Endpoint, call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        let good = call.json() == json!({ "appid": APP_ID, "secret": APP_SECRET });
        if good { Ok(None) } else { Err(Trouble::SignatureRefused) }
    }

    fn answer(&self, _: Endpoint, _: &Request, token: &str, _: &[(u64, Value)]) -> Answer {
        let data = json!({ "access_token": token, "expire_in": 7200 });
        Answer::json(&json!({ "data": data, "success": true, "msg": "成功", "code": 0 }))
    }

    fn refuse(&self, _: Endpoint, trouble: Trouble) -> Answer {
        match trouble {
            Trouble::RateLimited => Answer::new(429, Vec::new()),
            _ => Answer::json(&json!({ "success": false, "msg": "refused", "code": -1 })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW, call};
    use super::*;
    use warmline_channels::Adapter;
    use warmline_channels::xiaohongshu::XiaohongshuAdapter;
    use warmline_model::Content;

    #[test]
    fn the_adapter_and_the_platform_understand_each_other() {
        let event = Driver::new(&XiaohongshuAdapter, &Xiaohongshu).arrive_unless("备注", |webhook| {
            for (name, value) in &mut webhook.headers {
                if name == "timestamp" {
                    *value = (NOW.secs() + 1).to_string();
                }
            }
        });
        assert_eq!((event.sender.open_id.clone(), event.at.secs()), (Xiaohongshu.open_id(7), NOW.secs()));
        assert!(matches!(&event.content, Content::Event { event, key: Some(order), data }
            if event == TAGS[1] && *order == Xiaohongshu.open_id(7) && data["sellerRemarkContent"] == "备注"));
    }

    #[test]
    fn nobody_can_be_written_to() {
        let driver = Driver::new(&XiaohongshuAdapter, &Xiaohongshu);
        driver.refuses_chat();
        assert!(XiaohongshuAdapter.token_request(&driver.account, false, &call(Some("t"))).is_none());
    }

    #[test]
    fn a_mini_programs_token() {
        let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
        let secrets = [("token", "tok"), ("encoding_aes_key", key), ("app_secret", APP_SECRET)];
        let secrets = secrets.map(|(name, value)| (name, value.to_owned())).to_vec();
        let settings = json!({ "kind": "miniprogram", "app_id": APP_ID, "api_base": "http://127.0.0.1:9" });
        Driver::with_account(&XiaohongshuAdapter, &Xiaohongshu, &settings, secrets).fetch_token();
    }
}
