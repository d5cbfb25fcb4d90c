//! Reads an event. Its person is `data.open_id` if there is one (authorisations), otherwise the order (payments), otherwise
//! the platform itself.

use super::account::Account;
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{Refusal, Verified};
use crate::values::{MAX_ID, filled, id, instant, nested};
use serde_json::{Map, Value};
use warmline_model::{Content, Inbound, Sender};

/// The contact of events that name nobody.
const PLATFORM: &str = "platform";

fn fields(body: &Verified) -> Result<Map<String, Value>, Refusal> {
    json::read_object(body.body(), json::MAX_BYTES)
}

/// The event's id, under the names in the platform's documents and mini programs.
fn id_of(fields: &Map<String, Value>) -> Option<String> {
    ["message_id", "messageId", "msgId", "taskId"].iter().find_map(|name| id(fields.get(*name)))
}

pub(super) fn message_id(body: &Verified) -> Option<String> {
    id_of(&fields(body).ok()?)
}

pub(super) fn parse(account: &Account, body: &Verified) -> Result<Inbound, Refusal> {
    let fields = fields(body)?;
    if let (Some(ours), Some(theirs)) = (&account.app_id, filled(&fields, "app_id"))
        && ours != theirs
    {
        return Err(Refusal::WrongRecipient);
    }
    let name = filled(&fields, "event").or(filled(&fields, "biz_type")).filter(|name| name.len() <= MAX_ID);
    let event = name.ok_or(Refusal::Field("event"))?.to_lowercase();
    let data = nested(fields.get("data"), "data")?;
    let order = id(data.get("out_order_no")).or_else(|| id(data.get("ks_order_no")));
    let open_id = id(data.get("open_id")).or_else(|| order.clone()).unwrap_or_else(|| PLATFORM.to_owned());
    let (earlier_key, whole) = (id_of(&fields), Value::Object(data.clone()).to_string());
    let key = match &earlier_key {
        Some(id) => opaque_key("event", &[&event, id, &whole]),
        None => {
            let time = fields.get("timestamp").map(Value::to_string).unwrap_or_default();
            opaque_key("event", &[&event, &time, &whole])
        }
    };
    let at = instant(fields.get("timestamp")).unwrap_or(body.time());
    let data = if data.is_empty() { Value::Null } else { Value::Object(data) };
    let sender = Sender { open_id, ..Sender::default() };
    Ok(Inbound { earlier_key, key, sender, at, content: Content::Event { event, key: order, data }, reply_to: None })
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::kit::Fault;
    use proptest::prelude::*;
    use serde_json::json;
    use warmline_model::Timestamp;

    fn read(app_id: Option<&str>, body: &str) -> Result<Inbound, Refusal> {
        let secrets = [("app_secret".to_owned(), "s".to_owned())].into();
        let account = Account::read(&json!({ "app_id": app_id }), &secrets).ok().unwrap();
        parse(&account, &Verified::new(body.as_bytes().to_vec()).with_time(Timestamp::from_secs(5)))
    }

    /// The sample of 《授权事件》.
    #[test]
    fn an_authorisation() {
        let data = json!({ "open_id": "f198e20b0c24ac9014bf5724d9d5c043", "scope": ["user_info"], "is_new": true });
        let event = read(Some("KS123123"), &sign::event("KS123123", "AUTHORIZE", "ChFv", 1_622_518_497_536, &data)).unwrap();
        assert_eq!((event.earlier_key.as_deref(), event.at), (Some("ChFv"), Timestamp::from_millis(1_622_518_497_536)));
        assert_eq!(event.sender.open_id, "f198e20b0c24ac9014bf5724d9d5c043");
        assert_eq!(event.content, Content::Event { event: "authorize".into(), key: None, data });
        let body = Verified::new(sign::event("KS", "X", "m", 1, &Value::Null).into_bytes());
        assert_eq!(message_id(&body).as_deref(), Some("m"));
    }

    #[test]
    fn a_payment() {
        let data = json!({ "out_order_no": "o1", "ks_order_no": "k1", "status": "SUCCESS", "order_amount": 100 });
        let event = read(None, &sign::payment("ks1", "m1", 1_622_518_497_536, &data)).unwrap();
        assert_eq!(event.sender.open_id, "o1");
        assert_eq!(event.content, Content::Event { event: "payment".into(), key: Some("o1".into()), data });
    }

    #[test]
    fn other_events_and_what_must_be_there() {
        let live = read(None, r#"{"event":"LIVE_INTERACTION_DATA","taskId":7,"data":"{\"room_code\":\"r\"}"}"#).unwrap();
        assert_eq!(
            (live.earlier_key.as_deref(), live.sender.open_id.as_str(), live.at.millis()),
            (Some("7"), PLATFORM, 5000)
        );
        assert!(matches!(live.content, Content::Event { data, .. } if data["room_code"] == "r"));
        let bare = read(None, r#"{"event":"TEST"}"#).unwrap();
        assert!(bare.key.starts_with("event-"));
        assert_eq!(bare.content, Content::Event { event: "test".into(), key: None, data: Value::Null });
        assert_eq!(read(Some("ks2"), r#"{"app_id":"ks1","event":"TEST"}"#), Err(Refusal::WrongRecipient));
        assert_eq!(read(None, "{}"), Err(Refusal::Field("event")));
        assert_eq!(read(None, "[]"), Err(Refusal::Malformed(Fault::NotObject)));
        for odd in [r#"{"event":"a\u0000"}"#, r#"{"event":"a\ud800"}"#] {
            let event = read(None, odd).unwrap().content;
            assert!(matches!(event, Content::Event { event, .. } if event == "a\u{FFFD}"), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(body: Vec<u8>, text in "\\{.{0,80}", data in ".{0,60}") {
            let body = Verified::new(body);
            let _ = message_id(&body);
            let _ = read(None, &text);
            let _ = read(None, &json!({ "event": data, "data": data }).to_string());
        }
    }
}
