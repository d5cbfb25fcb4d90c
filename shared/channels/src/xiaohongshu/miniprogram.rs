//! Reads a mini program's push. Words are a text; an event or an order is an event; everything else is kept as it came. The
//! platform documents its pushes one by one and spells their fields in several ways, so all the usual spellings are read.

use super::shop::PLATFORM;
use crate::digest::opaque_key;
use crate::json;
use crate::keys;
use crate::kit::{Refusal, Verified};
use crate::values::{MAX_ID, filled, id, instant, words};
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Sender};

const PERSON: &[&str] = &["FromUserName", "open_id", "openid", "openId", "OpenId", "user_id", "userId"];
const ORDER: &[&str] = &["out_order_id", "order_id", "orderId", "OrderId"];
const EVENT: &[&str] = &["Event", "event", "msg_type", "msgType", "type"];
const MESSAGE: &[&str] = &["MsgId", "msg_id", "msgId", "message_id"];
const TIME: &[&str] = &["CreateTime", "create_time", "createTime", "timestamp"];

fn first(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| id(fields.get(*name)))
}

pub(super) fn parse(body: &Verified) -> Result<Inbound, Refusal> {
    let fields = json::read_object(body.body(), json::MAX_BYTES)?;
    let order = first(&fields, ORDER);
    let person = first(&fields, PERSON);
    let at = TIME.iter().find_map(|name| instant(fields.get(*name))).unwrap_or_else(|| body.time());
    let kind = filled(&fields, "MsgType").filter(|kind| kind.len() <= MAX_ID);
    let event = first(&fields, EVENT);
    let whole = Value::Object(fields.clone());
    let content = match (kind, event) {
        (Some("text"), _) if let Some(text) = words(fields.get("Content")) => Content::text(text),
        (None | Some("event"), Some(event)) => {
            Content::Event { event: event.to_lowercase(), key: order.clone(), data: whole.clone() }
        }
        (Some(kind), _) => Content::Unknown { raw_kind: kind.to_owned(), raw: whole.clone() },
        (None, None) => Content::Unknown { raw_kind: "push".to_owned(), raw: whole.clone() },
    };
    let open_id = person.or(order).unwrap_or_else(|| PLATFORM.to_owned());
    let (key, earlier_key) = match first(&fields, MESSAGE) {
        // Besides an id, a time may be that of delivery.
        Some(id) => (keys::of_moving("message", &[&open_id, &id], &content, TIME), Some(id)),
        None => (opaque_key("push", &[&open_id, &whole.to_string()]), None),
    };
    Ok(Inbound { earlier_key, key, sender: Sender { open_id, ..Sender::default() }, at, content, reply_to: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::Fault;
    use proptest::prelude::*;
    use serde_json::json;
    use warmline_model::Timestamp;

    fn read(body: &str) -> Result<Inbound, Refusal> {
        parse(&Verified::new(body.as_bytes().to_vec()).with_time(Timestamp::from_secs(5)))
    }

    #[test]
    fn texts_events_and_the_rest() {
        let text =
            json!({ "FromUserName": "u1", "CreateTime": 1_700_000_000, "MsgType": "text", "Content": "在吗", "MsgId": 7 });
        let text = read(&text.to_string()).unwrap();
        assert_eq!(
            (text.earlier_key.as_deref(), text.sender.open_id.as_str(), text.at.secs()),
            (Some("7"), "u1", 1_700_000_000)
        );
        assert_eq!(text.content, Content::text("在吗"));
        let order = read(&json!({ "msg_type": "ORDER_PAID", "open_id": "u1", "order_id": "P1" }).to_string()).unwrap();
        assert!(order.key.starts_with("push-") && order.at.millis() == 5000);
        assert!(matches!(order.content, Content::Event { event, key: Some(of), .. } if event == "order_paid" && of == "P1"));
        let audit = read(r#"{"MsgType":"event","Event":"weapp_audit_success"}"#).unwrap();
        assert_eq!(audit.sender.open_id, PLATFORM);
        assert!(matches!(audit.content, Content::Event { event, .. } if event == "weapp_audit_success"));
        let image = read(r#"{"FromUserName":"u1","MsgType":"image","PicUrl":"x"}"#).unwrap();
        assert!(matches!(image.content, Content::Unknown { raw_kind, raw } if raw_kind == "image" && raw["PicUrl"] == "x"));
        assert!(matches!(read("{}").unwrap().content, Content::Unknown { raw_kind, .. } if raw_kind == "push"));
        assert_eq!(read("[]"), Err(Refusal::Malformed(Fault::NotObject)));
        for odd in [r#"{"a":"\u0000"}"#, r#"{"a":"\ud800"}"#] {
            let content = read(odd).unwrap().content;
            assert!(matches!(content, Content::Unknown { raw, .. } if raw["a"] == "\u{FFFD}"), "{odd}");
        }
    }

    #[test]
    fn w1_one_id_of_several_pushes_tells_them_by_what_they_say() {
        let key = |more: Value| {
            let mut push = json!({ "FromUserName": "u1", "MsgId": 7 });
            push.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read(&push.to_string()).unwrap().key
        };
        for (one, other) in [
            (json!({ "MsgType": "image", "PicUrl": "a" }), json!({ "MsgType": "image", "PicUrl": "b" })),
            (
                json!({ "MsgType": "event", "Event": "paid", "amount": 1 }),
                json!({ "MsgType": "event", "Event": "paid", "amount": 2 }),
            ),
            (json!({ "MsgType": "text", "Content": "a" }), json!({ "MsgType": "text", "Content": "b" })),
        ] {
            assert_ne!(key(one.clone()), key(other), "{one}");
            let again = |time: i64| {
                let mut push = one.clone();
                push["CreateTime"] = json!(time);
                key(push)
            };
            assert_eq!(again(1_700_000_000), again(1_700_000_009), "{one}, delivered again");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_texts_do_not_panic(body in ".{0,80}", text in "\\{.{0,80}", said in "[^\\x00]{0,60}") {
            let _ = read(&body);
            let _ = read(&text);
            let message = json!({ "FromUserName": "u1", "MsgType": "text", "Content": said }).to_string();
            prop_assert_eq!(read(&message).unwrap().content, Content::text(said));
        }
    }
}
