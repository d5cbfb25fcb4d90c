//! Reads a push: the events of orders and after-sales.
//!
//! The platform names no buyer in these messages, only the order. Each order is therefore a contact of its own, and the
//! order's events are its timeline. Desks merge contacts if they know more. Names and addresses of receivers are in the
//! data, and are sealed like customers' messages.

use super::account::Account;
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{Fault, Parsed, Refusal, Verified};
use crate::values::{TOO_MUCH, fitting, id, instant, nested, whole};
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Sender, Timestamp};

/// The contact of events that name no order.
const PLATFORM: &str = "platform";

/// The tags that the platform's published samples name. Other tags are stored under their number.
const TAGS: &[(i64, &str)] = &[
    (100, "doudian_trade_tradecreate"),
    (106, "doudian_trade_tradecanceled"),
    (108, "doudian_trade_tradepartlysellership"),
    (109, "doudian_trade_tradeamountchanged"),
    (110, "doudian_trade_tradepaid"),
    (111, "doudian_trade_tradeaddresschangeapplied"),
    (112, "doudian_trade_tradeappointment"),
    (113, "doudian_trade_tradememomodify"),
    (200, "doudian_refund_refundcreated"),
    (201, "doudian_refund_refundagreed"),
    (202, "doudian_refund_returnapplyagreed"),
    (203, "doudian_refund_buyerreturngoods"),
    (204, "doudian_refund_refundrefused"),
    (205, "doudian_refund_returnapplyrefused"),
    (206, "doudian_refund_refundsuccess"),
    (207, "doudian_refund_refundclosed"),
    (208, "doudian_refund_refundmodified"),
    (209, "doudian_refund_expirationchange"),
    (211, "doudian_refund_exchangecomfirmed"),
    (212, "doudian_refund_arbitrateapplied"),
    (216, "doudian_refund_arbitrateaudited"),
    (217, "doudian_refund_arbitrateserviceintervene"),
    (218, "doudian_refund_arbitratediscussupload"),
];

/// The fields that may hold an event's time. The first that is present counts.
const TIMES: &[&str] = &[
    "update_time",
    "modify_time",
    "pay_time",
    "cancel_time",
    "success_time",
    "close_time",
    "refuse_time",
    "agree_time",
    "return_time",
    "apply_time",
    "create_time",
];

pub(super) fn parse(account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
    let list = json::list(body.body(), json::MAX_BYTES, &[])?;
    if !list.is_there() {
        return Err(Refusal::Malformed(Fault::NotList));
    }
    let came = body.time();
    let fits = fitting(list.values(), "data");
    let read = list.read(|number, item| match item {
        _ if fits.get(number) == Some(&false) => Err(TOO_MUCH),
        Value::Object(item) => event(account, &item, came),
        _ => Err(Refusal::Malformed(Fault::NotObject)),
    });
    Ok(read.into())
}

fn event(account: &Account, item: &Map<String, Value>, came: Timestamp) -> Result<Option<Inbound>, Refusal> {
    let tag = whole(item.get("tag")).ok_or(Refusal::Field("tag"))?;
    let data = nested(item.get("data"), "data")?;
    let order = id(data.get("p_id")).filter(|order| order != "0");
    // The probe holds a date and no order.
    if tag == 0 && order.is_none() {
        return Ok(None);
    }
    let shop = id(data.get("shop_id"));
    if let (Some(ours), Some(theirs)) = (&account.shop_id, &shop)
        && ours != theirs
    {
        return Ok(None);
    }
    let message_id = id(item.get("msg_id")).or_else(|| id(item.get("msgId")));
    let at = TIMES.iter().find_map(|name| instant(data.get(*name))).unwrap_or(came);
    let name = TAGS.iter().find(|(known, _)| *known == tag).map(|(_, name)| (*name).to_owned());
    let event = name.unwrap_or_else(|| format!("doudian_tag_{tag}"));
    let whole = Value::Object(data.clone()).to_string();
    let key = match &message_id {
        Some(id) => opaque_key("event", &[&event, id, &whole]),
        None => opaque_key("event", &[&event, &whole]),
    };
    let open_id = order.clone().unwrap_or_else(|| PLATFORM.to_owned());
    let of = order.or_else(|| id(data.get("aftersale_id"))).or_else(|| id(data.get("product_id")));
    let content = Content::Event { event, key: of, data: Value::Object(data) };
    Ok(Some(Inbound {
        earlier_key: message_id,
        key,
        sender: Sender { open_id, ..Sender::default() },
        at,
        content,
        reply_to: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn account(shop: Option<&str>) -> Account {
        let secrets = [("app_secret".to_owned(), "s".to_owned())].into();
        Account::read(&json!({ "app_key": "1", "shop_id": shop }), &secrets).ok().unwrap()
    }

    fn parsed(shop: Option<&str>, body: &str) -> Result<Parsed, Refusal> {
        parse(&account(shop), &Verified::new(body.as_bytes().to_vec()).with_time(Timestamp::from_secs(5)))
    }

    fn read(shop: Option<&str>, body: &str) -> Result<Vec<Inbound>, Refusal> {
        parsed(shop, body).map(|parsed| parsed.messages)
    }

    fn push(events: &[Value]) -> String {
        Value::from(events.to_vec()).to_string()
    }

    #[test]
    fn several_events_in_one_push() {
        let paid = json!({ "p_id": 4_705_288_465_508_532_862_u64, "s_ids": [1], "shop_id": 95250, "pay_time": 1_618_990_587, "pay_amount": 2990 });
        let refund = json!({ "p_id": "4705", "aftersale_id": "A1", "apply_time": 1_618_990_600 });
        // For some apps the data is a text.
        let refund = Value::String(refund.to_string());
        let messages = read(None, &push(&[sign::event(110, "m1", &paid), sign::event(200, "m2", &refund)])).unwrap();
        let [first, second] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!((first.earlier_key.as_deref(), first.at), (Some("m1"), Timestamp::from_secs(1_618_990_587)));
        assert_eq!(first.sender.open_id, "4705288465508532862");
        let content =
            Content::Event { event: "doudian_trade_tradepaid".into(), key: Some("4705288465508532862".into()), data: paid };
        assert_eq!(first.content, content);
        assert!(matches!(&second.content, Content::Event { event, key: Some(order), data }
            if event == "doudian_refund_refundcreated" && order == "4705" && data["aftersale_id"] == "A1"));
    }

    #[test]
    fn the_probe_and_other_shops_yield_nothing() {
        assert_eq!(read(None, &sign::probe()), Ok(Vec::new()));
        let of = |shop: i64| push(&[sign::event(100, "m", &json!({ "p_id": 1, "shop_id": shop }))]);
        assert_eq!(read(Some("95250"), &of(95250)).unwrap().len(), 1);
        assert_eq!(read(Some("95250"), &of(1)), Ok(Vec::new()));
        assert_eq!(read(None, "[]"), Ok(Vec::new()));
    }

    #[test]
    fn unknown_tags_and_missing_fields() {
        let one = |item: Value| read(None, &push(&[item])).unwrap().remove(0);
        let unknown = one(json!({ "tag": 999, "msgId": "m", "data": { "p_id": "5", "x": 1 } }));
        assert!(matches!(unknown.content, Content::Event { event, .. } if event == "doudian_tag_999"));
        assert_eq!((unknown.earlier_key.as_deref(), unknown.at.millis()), (Some("m"), 5000));
        let product = one(json!({ "tag": 400, "data": { "product_id": 7 } }));
        assert_eq!(product.sender.open_id, PLATFORM);
        assert!(product.key.starts_with("event-"));
        assert!(matches!(product.content, Content::Event { key: Some(of), .. } if of == "7"));
        assert_eq!(read(None, "{}"), Err(Refusal::Malformed(Fault::NotList)));
    }

    #[test]
    fn w0_an_event_that_cannot_be_read_costs_the_others_nothing() {
        let good = sign::event(110, "m1", &json!({ "p_id": 1 })).to_string();
        let long = json!({ "tag": 1, "msg_id": "x", "data": format!("[{}]", " ".repeat(300_000)) }).to_string();
        for (bad, reason) in [
            ("1", "not_an_object"),
            ("{}", "tag"),
            (r#"{"tag":"x"}"#, "tag"),
            (r#"{"tag":1e999}"#, "not_json"),
            (&long, "too_long"),
        ] {
            let found = parsed(None, &format!("[{good},{bad},{good}]")).unwrap();
            assert_eq!((found.messages.len(), found.odd.len()), (2, 1), "{bad:.40}");
            assert_eq!((found.odd[0].reason, &found.odd[0].raw[..]), (reason, bad.as_bytes()), "{bad:.40}");
        }
        for mended in [r#"[{"tag":1,"data":"{\"a\":\"\\u0000\"}"}]"#, r#"[{"tag":1,"data":"{\"a\":\"\\ud800\"}"}]"#] {
            let Content::Event { data, .. } = read(None, mended).unwrap().remove(0).content else { panic!() };
            assert_eq!(data, json!({ "a": "\u{FFFD}" }));
        }
    }

    #[test]
    fn w1_one_msg_id_of_two_orders_is_two_events() {
        let key = |order: i64| read(None, &push(&[sign::event(110, "m", &json!({ "p_id": order }))])).unwrap().remove(0).key;
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(body: Vec<u8>, text in "\\[\\{.{0,60}", data in ".{0,60}", tag: i64) {
            let _ = parse(&account(None), &Verified::new(body));
            let _ = read(None, &text);
            let _ = read(None, &json!([{ "tag": tag, "data": data }]).to_string());
        }
    }
}
