//! Pinduoduo's PMC, simulated, with the bridge that posts its frames.

use super::{Account, Act, Answer, Arrival, Endpoint, Request, Sent, Simulated, Trouble};
use serde_json::{Value, json};
use warmline_channels::pinduoduo::sign;
use warmline_channels::sorted_sign::read_form;
use warmline_model::Timestamp;

const CLIENT: &str = "simulated0pdd0client";
const SECRET: &str = "simulated0pdd0client0secret00000";
const BRIDGE: &str = "simulated-bridge-secret-0123456789";
pub(super) const MALL: u64 = 171_504_183;

/// The platform.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pinduoduo;

/// The frame in which PMC reports an act.
pub fn frame(act: &Act<'_>) -> String {
    let mut content = json!({ "mall_id": MALL, "tid": order(act.customer), "title": act.text });
    let kind = if act.wants_refund() {
        content["refund_id"] = act.number.into();
        content["refund_fee"] = 1990.into();
        "pdd_refund_RefundCreated"
    } else {
        "pdd_trade_TradeConfirmed"
    };
    sign::frame(act.number, Timestamp::from_secs(act.at), kind, MALL, &content)
}

fn order(number: u64) -> String {
    format!("231115-{number:015}")
}

/// The bridge's post of this body.
pub(super) fn sealed(body: &[u8], at: i64) -> Request {
    let signed = sign::headers(BRIDGE, at, body).map(|(name, value)| (name.to_owned(), value));
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    headers.extend(signed);
    Request { method: "POST".into(), headers, body: body.to_vec(), ..Request::default() }
}

impl Simulated for Pinduoduo {
    fn channel(&self) -> &'static str {
        "pinduoduo"
    }

    fn account(&self, api_base: &str) -> Account {
        Account {
            id: "sim".into(),
            settings: json!({ "client_id": CLIENT, "mall_id": MALL.to_string(), "api_base": api_base }),
            secrets: vec![("bridge_secret", BRIDGE.into()), ("client_secret", SECRET.into())],
        }
    }

    /// Messages name no buyer, only the order. Here each customer has one.
    fn open_id(&self, customer: u64) -> String {
        format!("order:{}", order(customer))
    }

    fn arrival(&self, act: &Act<'_>) -> Arrival {
        Arrival::Webhook(sealed(frame(act).as_bytes(), act.at))
    }

    fn acknowledged(&self, status: u16, body: &[u8]) -> bool {
        status == 200 && serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer["accepted"] == true)
    }

    fn endpoint(&self, call: &Request) -> Option<Endpoint> {
        ((call.method.as_str(), call.path.as_str()) == ("POST", "/api/router")).then_some(Endpoint::Send)
    }

    /// Any signed call is checked. None of them sends a message to a customer.
    fn check(&self, _endpoint: Endpoint, call: &Request, _token: &str) -> Result<Option<Sent>, Trouble> {
        let params = read_form(&call.body);
        let value = |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let good = value("client_id") == Some(CLIENT) && value("sign") == Some(sign::signature(SECRET, &params).as_str());
        if good { Ok(None) } else { Err(Trouble::SignatureRefused) }
    }

    fn answer(&self, _endpoint: Endpoint, _call: &Request, _token: &str, _kept: &[(u64, Value)]) -> Answer {
        Answer::json(&json!({ "open_api_response": { "request_id": "x" } }))
    }

    fn refuse(&self, _endpoint: Endpoint, trouble: Trouble) -> Answer {
        let (code, text) = match trouble {
            Trouble::TokenRefused => (10_019, "access_token已过期"),
            Trouble::RateLimited => (70_031, "调用过于频繁，请调整调用频率"),
            Trouble::SignatureRefused => (20_004, "签名sign校验失败"),
            Trouble::WindowClosed => (10_000, "参数错误"),
        };
        Answer::json(&json!({ "error_response": { "error_code": code, "error_msg": text, "sub_code": code.to_string() } }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::{Driver, NOW, act};
    use super::*;
    use warmline_channels::pinduoduo::PinduoduoAdapter;
    use warmline_channels::{Outcome, Refusal};
    use warmline_model::Content;

    #[test]
    fn frames_come_by_the_bridge() {
        let driver = Driver::new(&PinduoduoAdapter, &Pinduoduo);
        let arrival = driver.pushed(&act(42, "一件商品"));
        let messages = driver.messages(&arrival).unwrap();
        let [message] = messages.as_slice() else { panic!("one message") };
        assert_eq!((message.earlier_key.as_deref(), message.at), (Some("42"), NOW));
        assert_eq!(message.sender.open_id, Pinduoduo.open_id(7));
        let Content::Event { event, key, data } = &message.content else { panic!("an event") };
        assert_eq!((event.as_str(), key.clone()), ("pdd_trade_tradeconfirmed", Some(order(7))));
        assert_eq!(data["title"], "一件商品");

        let forged = Request { body: arrival.body.iter().copied().chain([b' ']).collect(), ..arrival.clone() };
        assert_eq!(driver.messages(&forged), Err(Refusal::SignatureWrong));
        let bare = Request { headers: Vec::new(), ..arrival };
        assert_eq!(driver.messages(&bare), Err(Refusal::SignatureMissing));
        driver.refuses_chat();
    }

    #[test]
    fn calls_are_checked() {
        let mut params =
            vec![("client_id".to_owned(), CLIENT.to_owned()), ("type".to_owned(), "pdd.mall.info.get".to_owned())];
        params.push(("sign".to_owned(), sign::signature(SECRET, &params)));
        let body = format!("client_id={CLIENT}&type=pdd.mall.info.get&sign={}", params[2].1).into_bytes();
        let call = Request { method: "POST".into(), path: "/api/router".into(), body, ..Request::default() };
        let endpoint = Pinduoduo.endpoint(&call).unwrap();
        assert_eq!(Pinduoduo.check(endpoint, &call, ""), Ok(None));
        let driver = Driver::new(&PinduoduoAdapter, &Pinduoduo);
        assert_eq!(driver.outcome(&Pinduoduo.answer(endpoint, &call, "", &[])), Outcome::Sent);
        let forged = Request { body: [&call.body[..], b"&page=2"].concat(), ..call };
        assert_eq!(Pinduoduo.check(endpoint, &forged, ""), Err(Trouble::SignatureRefused));
    }

    #[test]
    fn troubles() {
        let driver = Driver::new(&PinduoduoAdapter, &Pinduoduo);
        assert_eq!(driver.refused(Trouble::TokenRefused), Outcome::Permanent("credentials_refused"));
        assert_eq!(driver.refused(Trouble::SignatureRefused), Outcome::Permanent("credentials_refused"));
        assert_eq!(driver.refused(Trouble::RateLimited), Outcome::Retry("rate_limited"));
        assert_eq!(driver.refused(Trouble::WindowClosed), Outcome::Permanent("platform_refused"));
    }
}
