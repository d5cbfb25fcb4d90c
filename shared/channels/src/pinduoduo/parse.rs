//! Reads a PMC frame.

use super::account::Account;
use crate::digest::opaque_key;
use crate::json;
use crate::kit::Refusal;
use crate::orders::{about, happened, id};
use crate::values::{text, whole};
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Timestamp};

pub(super) fn frame(account: &Account, body: &[u8]) -> Result<Vec<Inbound>, Refusal> {
    let frame = json::read_object(body, json::MAX_BYTES)?;
    match text(&frame, "commandType").as_deref() {
        Some("Common") => {}
        // The bridge shows that it is alive.
        Some(_) => return Ok(Vec::new()),
        None if frame.is_empty() => return Ok(Vec::new()),
        None => return Err(Refusal::Field("commandType")),
    }
    let frame_id = id(&frame, &["id"]).ok_or(Refusal::Field("id"))?;
    let at = ["time", "sendTime"].iter().find_map(|name| whole(frame.get(*name))).filter(|ms| *ms >= 0);
    let at = Timestamp::from_millis(at.ok_or(Refusal::Field("time"))?);
    let Some(Value::Object(message)) = frame.get("message") else { return Err(Refusal::Field("message")) };
    let mall = id(message, &["mallID", "mall_id"]);
    if account.mall_id.is_some() && account.mall_id != mall {
        return Err(Refusal::WrongRecipient);
    }
    let kind = id(message, &["type"]).ok_or(Refusal::Field("type"))?;
    let fields = match message.get("content") {
        Some(Value::Object(fields)) => Some(fields.clone()),
        Some(Value::String(content)) => match json::read_lenient(content.as_bytes(), json::MAX_BYTES) {
            Ok(Value::Object(fields)) => Some(fields),
            _ => None,
        },
        _ => None,
    };
    // The time of sending differs in each repeat.
    let said = message.get("content").map(Value::to_string).unwrap_or_default();
    let key = opaque_key("pmc", &[&frame_id, mall.as_deref().unwrap_or_default(), &kind, &said]);
    let inbound = |order: Option<&str>, content| Inbound {
        earlier_key: Some(frame_id),
        key,
        sender: about(None, order, mall.as_deref()),
        at,
        content,
        reply_to: None,
    };
    Ok(vec![match fields {
        Some(fields) => {
            let order = id(&fields, &["tid", "order_sn"]);
            inbound(order.clone().as_deref(), happened(&kind, order, with_type(fields, &kind)))
        }
        None => inbound(None, Content::Unknown { raw_kind: kind.clone(), raw: Value::Object(message.clone()) }),
    }])
}

/// The platform's own spelling of the type: an event's name is stored in lower case.
fn with_type(mut fields: Map<String, Value>, kind: &str) -> Map<String, Value> {
    fields.insert("type".to_owned(), Value::from(kind));
    fields
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::kit::Fault;
    use proptest::prelude::*;
    use serde_json::json;

    const AT: Timestamp = Timestamp::from_millis(1_625_637_425_016);

    fn account(settings: &Value) -> Account {
        let secrets = [("bridge_secret".to_owned(), "bridge-secret-012345".to_owned())].into();
        Account::read(settings, &secrets).ok().unwrap()
    }

    fn read(body: &str) -> Result<Vec<Inbound>, Refusal> {
        frame(&account(&json!({ "client_id": "app", "mall_id": "171504183" })), body.as_bytes())
    }

    #[test]
    fn trades_and_refunds() {
        let content = json!({ "mall_id": 171_504_183, "refund_fee": 1990, "refund_id": 7_381_745_730u64, "operation": 1000, "tid": "210707-339507978993455" });
        let messages =
            read(&sign::frame(9_007_199_254_740_993, AT, "pdd_refund_RefundCreated", 171_504_183, &content)).unwrap();
        let [message] = messages.as_slice() else { panic!() };
        assert_eq!((message.earlier_key.as_deref(), message.at), (Some("9007199254740993"), AT));
        assert_eq!(message.sender.open_id, "order:210707-339507978993455");
        let Content::Event { event, key, data } = &message.content else { panic!() };
        assert_eq!((event.as_str(), key.as_deref()), ("pdd_refund_refundcreated", Some("210707-339507978993455")));
        assert_eq!((&data["refund_fee"], &data["type"]), (&json!(1990), &json!("pdd_refund_RefundCreated")));
    }

    #[test]
    fn frames_without_a_message() {
        assert_eq!(read(r#"{"commandType":"HeartBeat","time":1}"#), Ok(Vec::new()));
        assert_eq!(read(r#"{"commandType":"Ack","id":1}"#), Ok(Vec::new()));
        assert_eq!(read("{}"), Ok(Vec::new()));
    }

    #[test]
    fn odd_frames() {
        let good = sign::frame(1, AT, "pdd_goods_GoodsUpdate", 171_504_183, &json!({ "goods_id": 1 }));
        assert_eq!(read(&good).unwrap()[0].sender.open_id, "shop:171504183");
        assert_eq!(read(&good.replace("\"id\":1", "\"id\":null")), Err(Refusal::Field("id")));
        assert_eq!(read(&good.replace("ime\":", "imes\":")), Err(Refusal::Field("time")));
        assert_eq!(read(&good.replace("\"type\"", "\"kind\"")), Err(Refusal::Field("type")));
        assert_eq!(read(&good.replace("\"message\"", "\"massage\"")), Err(Refusal::Field("message")));
        assert_eq!(read(&good.replace("171504183", "2")), Err(Refusal::WrongRecipient));
        let unknown = read(&good.replace("{\\\"goods_id\\\":1}", "later")).unwrap();
        assert!(matches!(&unknown[0].content, Content::Unknown { raw_kind, .. } if raw_kind == "pdd_goods_GoodsUpdate"));
        assert!(matches!(read("{"), Err(Refusal::Malformed(_))));
        assert_eq!(read("[]"), Err(Refusal::Malformed(Fault::NotObject)));
        assert_eq!(read("{}"), Ok(Vec::new()));
        assert_eq!(read(r#"{"a":"\u0000\ud800"}"#), Err(Refusal::Field("commandType")));
        assert_eq!(read(&good.replace(&AT.millis().to_string(), &format!("\"{}\"", AT.millis()))).unwrap()[0].at, AT);
    }

    #[test]
    fn w1_a_repeat_has_the_same_key_and_another_order_another() {
        let frame = |tid: &str| sign::frame(1, AT, "t", 171_504_183, &json!({ "tid": tid }));
        let key = |frame: &str| read(frame).unwrap().remove(0).key;
        assert_eq!(key(&frame("1").replace("sendTime\":1", "sendTime\":2")), key(&frame("1")));
        assert_ne!(key(&frame("1")), key(&frame("2")));
    }

    proptest! {
        #[test]
        fn arbitrary_frames_do_not_panic(bytes: Vec<u8>, text: String, at in 0usize..300, to: u8) {
            let account = account(&json!({ "client_id": "app" }));
            let _ = frame(&account, &bytes);
            let _ = frame(&account, format!("{{\"commandType\":\"Common\",{text}").as_bytes());
            let mut body = sign::frame(1, AT, "t", 1, &json!({ "tid": "x" })).into_bytes();
            let at = at % body.len();
            body[at] = to;
            let _ = frame(&account, &body);
        }
    }
}
