//! Reads a shop's push: the events of orders, after-sales and goods. The platform names no buyer, so each order is a
//! contact of its own. An event has no id. Its key is a digest over tag, shop and data, which are the same for each retry.
//! The data holds the time of the change, so a later change is another event.

use super::account::{Account, Face};
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{Fault, Parsed, Refusal, Verified};
use crate::values::{MAX_ID, TOO_MUCH, filled, fitting, id, instant, nested};
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Sender, Timestamp};

/// The contact of events that name no order.
pub(super) const PLATFORM: &str = "platform";

/// The fields that may hold an event's time. The first that is present counts.
const TIMES: &[&str] = &["updateTime", "eventTime", "subscribeTime", "createTime"];

pub(super) fn parse(account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
    let list = json::list(body.body(), json::MAX_BYTES, &[])?.or_one();
    if !list.is_there() {
        return Err(Refusal::Malformed(Fault::NotList));
    }
    let fits = fitting(list.values(), "data");
    let read = list.read(|number, item| match item {
        _ if fits.get(number) == Some(&false) => Err(TOO_MUCH),
        Value::Object(item) => event(account, &item, body.time()),
        _ => Err(Refusal::Malformed(Fault::NotObject)),
    });
    Ok(read.into())
}

fn event(account: &Account, item: &Map<String, Value>, came: Timestamp) -> Result<Option<Inbound>, Refusal> {
    let tag = filled(item, "msgTag").filter(|tag| tag.len() <= MAX_ID).ok_or(Refusal::Field("msgTag"))?;
    let data = nested(item.get("data"), "data")?;
    let seller = id(item.get("sellerId")).unwrap_or_default();
    if let Face::Shop { seller_id: Some(ours), .. } = &account.face
        && *ours != seller
    {
        return Ok(None);
    }
    let order = id(data.get("orderId")).or_else(|| id(data.get("packageId"))).or_else(|| id(data.get("supplyOrderId")));
    let at = TIMES.iter().find_map(|name| instant(data.get(*name))).unwrap_or(came);
    let key = opaque_key("event", &[tag, &seller, &Value::Object(data.clone()).to_string()]);
    let open_id = order.clone().unwrap_or_else(|| PLATFORM.to_owned());
    let of =
        order.or_else(|| id(data.get("returnsId"))).or_else(|| id(data.get("itemId"))).or_else(|| id(data.get("skuId")));
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    let content = Content::Event { event: tag.to_lowercase(), key: of, data };
    Ok(Some(Inbound {
        earlier_key: None,
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

    fn read(seller: Option<&str>, body: &str) -> Result<Vec<Inbound>, Refusal> {
        parsed(seller, body).map(|parsed| parsed.messages)
    }

    fn parsed(seller: Option<&str>, body: &str) -> Result<Parsed, Refusal> {
        let secrets = [("app_secret".to_owned(), "s".to_owned())].into();
        let settings = json!({ "app_id": "a", "push_path": "/x", "seller_id": seller });
        let account = Account::read(&settings, &secrets).ok().unwrap();
        parse(&account, &Verified::new(body.as_bytes().to_vec()).with_time(Timestamp::from_secs(5)))
    }

    /// The data comes from the examples of the platform's message documents.
    #[test]
    fn orders_after_sales_and_goods() {
        let order = json!({ "orderId": "P768291112062421411", "orderStatus": 9, "updateTime": 1_752_812_659_421_i64 });
        let refund = json!({ "returnsId": "R62", "orderId": "P76", "refundFee": 0.1, "updateTime": 1_752_812_658_321_i64 });
        let item = json!({ "itemId": "687a", "buyable": false });
        let body = Value::from(vec![
            sign::event("msg_fulfillment_status_change", "s1", &order),
            sign::event("msg_after_sale_create", "s1", &refund),
            sign::event("msg_sku_buyable", "s1", &item),
        ]);
        let messages = read(None, &body.to_string()).unwrap();
        let [first, second, third] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!((first.sender.open_id.as_str(), first.at.millis()), ("P768291112062421411", 1_752_812_659_421));
        let content = Content::Event {
            event: "msg_fulfillment_status_change".into(),
            key: Some("P768291112062421411".into()),
            data: order,
        };
        assert_eq!(first.content, content);
        assert_eq!(second.sender.open_id, "P76");
        assert_eq!((third.sender.open_id.as_str(), third.at.millis()), (PLATFORM, 5000));
        assert!(matches!(&third.content, Content::Event { key: Some(of), .. } if of == "687a"));
        assert!(first.key.starts_with("event-") && first.key != second.key);
        assert_eq!(read(None, &body.to_string()).unwrap(), messages);
    }

    #[test]
    fn other_shops_and_what_must_be_there() {
        let of = |seller: &str| Value::from(vec![sign::event("msg_x", seller, &json!({ "orderId": "P" }))]).to_string();
        assert_eq!(read(Some("s1"), &of("s1")).unwrap().len(), 1);
        assert_eq!(read(Some("s1"), &of("s2")), Ok(Vec::new()));
        assert_eq!(read(None, r#"{"msgTag":"msg_x","data":{"orderId":"P"}}"#).unwrap().len(), 1);
        assert_eq!(read(None, "1"), Err(Refusal::Malformed(Fault::NotList)));
        let odd = read(None, r#"[{"msgTag":"x","data":"not json"}]"#).unwrap().remove(0);
        assert!(matches!(odd.content, Content::Event { data, .. } if data == json!({ "data": "not json" })));
    }

    #[test]
    fn w0_an_event_that_cannot_be_read_costs_the_others_nothing() {
        let good = sign::event("msg_x", "s1", &json!({ "orderId": "P" })).to_string();
        for (bad, reason) in
            [("1", "not_an_object"), ("{}", "msgTag"), (r#"{"msgTag":7}"#, "msgTag"), (r#"{"msgTag":nil}"#, "not_json")]
        {
            let found = parsed(None, &format!("[{good},{bad}]")).unwrap();
            assert_eq!((found.messages.len(), found.odd.len()), (1, 1), "{bad}");
            assert_eq!((found.odd[0].reason, &found.odd[0].raw[..]), (reason, bad.as_bytes()), "{bad}");
        }
        let found = read(None, r#"[{"msgTag":"x","data":"{\"a\":\"\\ud83d\"}"},{"msgTag":"x","data":"\u0000"}]"#).unwrap();
        assert!(matches!(&found[0].content, Content::Event { data, .. } if data["a"] == "\u{FFFD}"));
        assert!(matches!(&found[1].content, Content::Event { data, .. } if data["data"] == "\u{FFFD}"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(body in ".{0,80}", text in "\\[\\{.{0,60}", data in ".{0,60}") {
            let _ = read(None, &body);
            let _ = read(None, &text);
            let _ = read(None, &json!([{ "msgTag": data, "data": data }]).to_string());
        }
    }
}
