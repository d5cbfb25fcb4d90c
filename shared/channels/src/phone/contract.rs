//! Our own contract: segments of speech and events of a call.

use crate::json;
use crate::kit::{Refusal, Verified};
use crate::values::is_id;
use serde_json::{Map, Value};
use warmline_model::{Content, Identifier, IdentifierKind, Inbound, Sender, Timestamp};

/// The longest segment, in characters: some minutes of speech.
const MAX_TEXT: usize = 8_000;
/// The most objects in one body.
const MAX_ITEMS: usize = 256;

/// An agent's segment, as an event.
pub(super) const AGENT_SAID: &str = "agent_said";

pub(super) fn parse(body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    let items = match json::read(body.body(), json::MAX_BYTES)? {
        Value::Array(items) if items.len() <= MAX_ITEMS => items,
        Value::Array(_) => return Err(Refusal::Malformed("too many segments")),
        item => vec![item],
    };
    let read = items.into_iter().map(|item| match item {
        Value::Object(item) => read(item, body.time()),
        _ => Err(Refusal::Malformed("not a JSON object")),
    });
    // A partial segment is nothing yet.
    read.filter_map(Result::transpose).collect()
}

/// One object; none for a partial segment.
pub(super) fn read(mut item: Map<String, Value>, at: Timestamp) -> Result<Option<Inbound>, Refusal> {
    let call = id(item.remove("call_id").as_ref(), "call_id")?;
    let seq = id(item.remove("seq").as_ref(), "seq")?;
    let caller = item.remove("caller").and_then(|c| c.as_str().and_then(number));
    let content = if let Some(event) = item.remove("event") {
        let event = event.as_str().filter(|e| !e.is_empty() && e.len() <= 64).ok_or(Refusal::Malformed("event"))?;
        let data = if item.is_empty() { Value::Null } else { Value::Object(item) };
        Content::Event { event: event.to_lowercase(), key: Some(call.clone()), data }
    } else if item.contains_key("text") {
        match item.get("final").and_then(Value::as_bool).ok_or(Refusal::Malformed("final"))? {
            false => return Ok(None),
            true => segment(item)?,
        }
    } else {
        Content::Unknown { raw_kind: "call".to_owned(), raw: Value::Object(item) }
    };
    Ok(Some(Inbound { key: format!("{call}-{seq}"), sender: sender(call, caller), at, content, reply_to: None }))
}

fn segment(item: Map<String, Value>) -> Result<Content, Refusal> {
    let text = item.get("text").and_then(Value::as_str).ok_or(Refusal::Malformed("text"))?;
    if text.chars().count() > MAX_TEXT {
        return Err(Refusal::TooLong);
    }
    match item.get("speaker").and_then(Value::as_str) {
        Some("customer") => Ok(Content::text(text)),
        Some("agent") => Ok(Content::Event { event: AGENT_SAID.to_owned(), key: None, data: Value::Object(item) }),
        _ => Err(Refusal::Malformed("speaker")),
    }
}

/// Who is on a call. The call is the address; the number is the person's, across calls.
pub(super) fn sender(call: String, number: Option<String>) -> Sender {
    // The network says whose number it is, as far as it can be known at all.
    let identifiers =
        number.iter().map(|n| Identifier { kind: IdentifierKind::Phone, value: n.clone(), verified: true }).collect();
    Sender { open_id: call, name: number, identifiers, ..Sender::default() }
}

/// A telephone number, or whatever a telephone system takes for one.
pub(super) fn number(text: &str) -> Option<String> {
    let text = text.trim();
    is_id(text, 64).then(|| text.to_owned())
}

/// An id as text; numbers as they are written.
pub(super) fn id(value: Option<&Value>, name: &'static str) -> Result<String, Refusal> {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(Refusal::Malformed(name)),
    };
    if is_id(&text, 128) { Ok(text) } else { Err(Refusal::Malformed(name)) }
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn all(body: &Value) -> Result<Vec<Inbound>, Refusal> {
        parse(&Verified::new(body.to_string().into_bytes()).with_time(Timestamp::from_secs(7)))
    }

    #[test]
    fn a_call_from_ring_to_hangup() {
        let mut hangup = sign::event("c1", 6, "HangUp", "+86138");
        hangup["recording_url"] = json!("https://pbx.example/r/1.wav");
        let body = json!([
            sign::event("c1", 1, "ring", "+86138"),
            sign::event("c1", 2, "answer", "+86138"),
            sign::segment("c1", 3, "customer", "我要", false),
            sign::segment("c1", 4, "customer", "我要退货", true),
            sign::segment("c1", 5, "agent", "好的", true),
            hangup,
        ]);
        let found = all(&body).unwrap();
        let keys: Vec<_> = found.iter().map(|i| i.key.as_str()).collect();
        assert_eq!(keys, ["c1-1", "c1-2", "c1-4", "c1-5", "c1-6"], "the partial segment is dropped");
        assert!(found.iter().all(|i| i.sender.open_id == "c1" && i.at.secs() == 7));
        assert_eq!(found[0].sender.name.as_deref(), Some("+86138"));
        assert_eq!(found[0].content, Content::Event { event: "ring".into(), key: Some("c1".into()), data: Value::Null });
        assert_eq!(found[2].content, Content::text("我要退货"));
        let Content::Event { event, data, .. } = &found[3].content else { panic!() };
        assert_eq!((event.as_str(), &data["text"], &data["end_ms"]), (AGENT_SAID, &json!("好的"), &json!(5900)));
        let Content::Event { event, data, .. } = &found[4].content else { panic!() };
        assert_eq!((event.as_str(), &data["recording_url"]), ("hangup", &json!("https://pbx.example/r/1.wav")));
    }

    #[test]
    fn one_object_and_what_is_not_known() {
        assert_eq!(all(&sign::segment("c1", 1, "customer", "x", false)), Ok(Vec::new()));
        let odd = all(&json!({ "call_id": 7, "seq": "a", "pitch": 3 })).unwrap();
        assert_eq!((odd[0].key.as_str(), odd[0].content.kind()), ("7-a", "unknown"));
    }

    #[test]
    fn refusals() {
        let refused = |body: Value| all(&body).err();
        assert_eq!(refused(json!("x")), Some(Refusal::Malformed("not a JSON object")));
        assert_eq!(refused(json!({ "seq": 1 })), Some(Refusal::Malformed("call_id")));
        assert_eq!(refused(json!({ "call_id": "a b", "seq": 1 })), Some(Refusal::Malformed("call_id")));
        assert_eq!(refused(json!({ "call_id": "c" })), Some(Refusal::Malformed("seq")));
        assert_eq!(refused(json!({ "call_id": "c", "seq": 1, "event": "" })), Some(Refusal::Malformed("event")));
        assert_eq!(refused(json!({ "call_id": "c", "seq": 1, "text": "x" })), Some(Refusal::Malformed("final")));
        assert_eq!(refused(sign::segment("c", 1, "dog", "x", true)), Some(Refusal::Malformed("speaker")));
        assert_eq!(refused(sign::segment("c", 1, "customer", &"好".repeat(8_001), true)), Some(Refusal::TooLong));
        assert_eq!(refused(sign::segment("c", 1, "customer", "a\0", true)), Some(Refusal::Malformed("a text holds U+0000")));
        let many = vec![sign::event("c", 1, "ring", "1"); 257];
        assert_eq!(refused(Value::Array(many)), Some(Refusal::Malformed("too many segments")));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, text in ".*", seq: f64, event in ".*") {
            let _ = parse(&Verified::new(bytes));
            let _ = all(&json!({ "call_id": text, "seq": seq, "event": event }));
            let _ = all(&json!({ "call_id": "c", "seq": 1, "text": text, "final": true, "speaker": "agent" }));
        }
    }
}
