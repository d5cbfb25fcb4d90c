//! Taobao's TMC, simulated: messages are kept until they are asked for and confirmed.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::sorted_sign::read_form;
use warmline_channels::taobao::sign;
use warmline_model::Timestamp;

const KEY: &str = "23000001";
const SECRET: &str = "simulated0taobao0app0secret00000";
/// The first message's id. It is too long for a floating-point number to hold exactly, like the platform's ids.
const FIRST: u64 = 7_104_300_007_405_000_000;

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taobao;

/// The oldest messages, for a call of `consume`.
fn page<'a>(call: &Request, kept: &'a [(u64, Value)]) -> &'a [(u64, Value)] {
    let quantity = param(&read_form(&call.body), "quantity").and_then(|n| n.parse().ok()).unwrap_or(100);
    kept.get(..quantity).unwrap_or(kept)
}

fn param(params: &[(String, String)], name: &str) -> Option<String> {
    params.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
}

/// Pages in the platform's form.
pub(super) fn pages(items: &[Value]) -> Vec<Vec<u8>> {
    let kept: Vec<(u64, Value)> = (0..).zip(items.iter().cloned()).collect();
    let page = |kept: &[(u64, Value)]| Taobao.answer(Endpoint::Pull, &Request::default(), "", kept).body;
    vec![page(&kept), page(&[]), Taobao.refuse(Endpoint::Pull, Trouble::TokenRefused).body]
}

impl Simulated for Taobao {
    fn channel(&self) -> &'static str {
        "taobao"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "sim".into(),
            settings: json!({ "app_key": KEY, "api_base": api_base }),
            secrets: vec![("app_secret", SECRET.into())],
        }
    }

    fn open_id(&self, customer: u64) -> String {
        format!("买家{customer}")
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        let tid = 519_847_211_000_000 + act.number;
        let mut content = json!({ "tid": tid, "oid": tid, "buyer_nick": self.open_id(act.customer),
            "seller_nick": "品牌旗舰店", "title": act.text });
        let topic = if act.wants_refund() {
            content["refund_id"] = act.number.into();
            content["refund_fee"] = "15.70".into();
            "taobao_refund_RefundCreated"
        } else {
            content["payment"] = "15.70".into();
            content["status"] = "WAIT_SELLER_SEND_GOODS".into();
            "taobao_trade_TradeBuyerPay"
        };
        let item = sign::message(FIRST + act.number, topic, Timestamp::from_secs(act.at), &content);
        Arrival::Kept { item, hint: None }
    }

    fn acknowledged(&self, _status: u16, _body: &[u8]) -> bool {
        false
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        if (call.method.as_str(), call.path.as_str()) != ("POST", "/router/rest") {
            return None;
        }
        match param(&read_form(&call.body), "method")?.as_str() {
            "taobao.tmc.messages.consume" => Some(Endpoint::Pull),
            "taobao.tmc.messages.confirm" => Some(Endpoint::Confirm),
            _ => None,
        }
    }

    fn check(&self, _endpoint: Endpoint, call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        let params = read_form(&call.body);
        let is = |name: &str, value: &str| param(&params, name).as_deref() == Some(value);
        let dated = param(&params, "timestamp").is_some_and(|time| time.len() == 19);
        let good = is("app_key", KEY) && is("v", "2.0") && is("format", "json") && dated && sign::signed(SECRET, &params);
        if good { Ok(None) } else { Err(Trouble::SignatureRefused) }
    }

    fn answer(&self, endpoint: Endpoint, call: &Request, _token: &str, kept: &[(u64, Value)]) -> Answer {
        if endpoint == Endpoint::Confirm {
            return Answer::json(&json!({ "tmc_messages_confirm_response": { "is_success": true, "request_id": "x" } }));
        }
        let items: Vec<_> = page(call, kept).iter().map(|(_, item)| item).collect();
        let messages = if items.is_empty() { json!({}) } else { json!({ "tmc_message": items }) };
        Answer::json(&json!({ "tmc_messages_consume_response": { "messages": messages, "request_id": "x" } }))
    }

    fn given(&self, call: &Request, kept: &[(u64, Value)]) -> Vec<u64> {
        page(call, kept).iter().map(|(position, _)| *position).collect()
    }

    fn confirmed(&self, call: &Request, kept: &[(u64, Value)]) -> Vec<u64> {
        let ids = param(&read_form(&call.body), "s_message_ids").unwrap_or_default();
        let ids: Vec<u64> = ids.split(',').filter_map(|id| id.parse().ok()).collect();
        let named = |item: &Value| item["id"].as_u64().is_some_and(|id| ids.contains(&id));
        kept.iter().filter(|(_, item)| named(item)).map(|(position, _)| *position).collect()
    }

    fn refuse(&self, _endpoint: Endpoint, trouble: Trouble) -> Answer {
        let (code, msg) = match trouble {
            Trouble::TokenRefused => (27, "Invalid session"),
            Trouble::RateLimited => (7, "App Call Limited"),
            Trouble::SignatureRefused => (25, "Invalid signature"),
            Trouble::WindowClosed => (41, "Invalid arguments"),
        };
        Answer::json(&json!({ "error_response": { "code": code, "msg": msg, "sub_code": "isv.x", "request_id": "x" } }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW, act};
    use super::*;
    use warmline_channels::taobao::TaobaoAdapter;
    use warmline_channels::{Outcome, Page};
    use warmline_model::Content;

    #[test]
    fn messages_are_asked_for_and_confirmed() {
        let driver = Driver::new(&TaobaoAdapter, &Taobao);
        assert_eq!(driver.puller().polled(&driver.account), ["default"]);
        let kept = [(3, driver.kept(&act(42, "一件商品")))];
        let page = driver.fetch("default", None, &kept, None).unwrap();
        let [message] = page.messages.as_slice() else { panic!("one message") };
        assert_eq!((message.sender.open_id.as_str(), message.at), ("买家7", NOW));
        assert_eq!(message.earlier_key, Some((FIRST + 42).to_string()));
        let Content::Event { event, key, data } = &message.content else { panic!("an event") };
        assert_eq!((event.as_str(), key.as_deref()), ("taobao_trade_tradebuyerpay", Some("519847211000042")));
        assert_eq!(data["title"], "一件商品");

        let confirm = driver.confirmed("default", &page.receipts);
        assert_eq!(Taobao.confirmed(&confirm, &kept), [3]);
        assert_eq!(driver.fetch("default", None, &[], None), Ok(Page::default()));

        let mut forged = driver.asked("default", None, None);
        forged.body.extend_from_slice(b"&x=1");
        assert_eq!(Taobao.check(Endpoint::Pull, &forged, ""), Err(Trouble::SignatureRefused));
        driver.refuses_chat();
    }

    #[test]
    fn troubles() {
        let driver = Driver::new(&TaobaoAdapter, &Taobao);
        let outcome = |trouble| driver.page("default", &Taobao.refuse(Endpoint::Pull, trouble)).unwrap_err();
        // No session is used, so none could be fetched again.
        assert_eq!(outcome(Trouble::TokenRefused), Outcome::Permanent("credentials_refused"));
        assert_eq!(outcome(Trouble::SignatureRefused), Outcome::Permanent("credentials_refused"));
        assert_eq!(outcome(Trouble::RateLimited), Outcome::Retry("rate_limited"));
        assert_eq!(outcome(Trouble::WindowClosed), Outcome::Permanent("platform_refused"));
    }
}
