//! Our own contract: segments of speech and events of a call.

use crate::caller::{self, Caller};
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{Fault, Parsed, Refusal, Verified};
use crate::values::is_id;
use serde_json::{Map, Value};
use warmline_model::{Content, Identifier, IdentifierKind, Inbound, Sender, Timestamp};

/// The longest segment, in characters: some minutes of speech.
const MAX_TEXT: usize = 8_000;

/// An agent's segment, as an event.
pub(super) const AGENT_SAID: &str = "agent_said";

pub(super) fn parse(body: &Verified) -> Result<Parsed, Refusal> {
    let list = json::list(body.body(), json::MAX_BYTES, &[])?;
    let object = |item| match item {
        Value::Object(item) => read(item, body.time()),
        _ => Err(Refusal::Malformed(Fault::NotObject)),
    };
    if !list.is_there() {
        return Ok(object(list.outer)?.map(Parsed::from).unwrap_or_default());
    }
    Ok(list.read(|_, item| object(item)).into())
}

/// Reads one object; `None` for a partial segment.
pub(super) fn read(mut item: Map<String, Value>, at: Timestamp) -> Result<Option<Inbound>, Refusal> {
    let call = id(item.remove("call_id").as_ref(), "call_id")?;
    let seq = id(item.remove("seq").as_ref(), "seq")?;
    let caller = caller::read_value(item.remove("caller").as_ref());
    // The content distinguishes messages, and not the name of the caller.
    let key = opaque_key("call", &[&call, &seq, &Value::Object(item.clone()).to_string()]);
    // An extension is a name, as a number or as a text.
    if let Some(agent @ Value::Number(_)) = item.get_mut("agent") {
        *agent = Value::String(agent.to_string());
    }
    let content = if let Some(event) = item.remove("event") {
        let event = event.as_str().filter(|e| !e.is_empty() && e.len() <= 64).ok_or(Refusal::Field("event"))?;
        let data = if item.is_empty() { Value::Null } else { Value::Object(item) };
        Content::Event { event: event.to_lowercase(), key: Some(call.clone()), data }
    } else if item.contains_key("text") {
        match item.get("final").and_then(Value::as_bool).ok_or(Refusal::Field("final"))? {
            false => return Ok(None),
            true => segment(item)?,
        }
    } else {
        Content::Unknown { raw_kind: "call".to_owned(), raw: Value::Object(item) }
    };
    Ok(Some(Inbound {
        earlier_key: Some(format!("{call}-{seq}")),
        key,
        sender: sender(call, caller),
        at,
        content,
        reply_to: None,
    }))
}

fn segment(item: Map<String, Value>) -> Result<Content, Refusal> {
    let text = item.get("text").and_then(Value::as_str).ok_or(Refusal::Field("text"))?;
    if text.chars().count() > MAX_TEXT {
        return Err(Refusal::TooLong);
    }
    match item.get("speaker").and_then(Value::as_str) {
        Some("customer") => Ok(Content::text(text)),
        Some("agent") => Ok(Content::Event { event: AGENT_SAID.to_owned(), key: None, data: Value::Object(item) }),
        _ => Err(Refusal::Field("speaker")),
    }
}

/// The person on a call. The call is the address. The number identifies the person across calls.
pub(super) fn sender(call: String, caller: Caller) -> Sender {
    // The network vouches for the number, as far as that is possible at all.
    let phone = |value| Identifier { kind: IdentifierKind::Phone, value, verified: true };
    Sender {
        open_id: call,
        name: caller.name,
        identifiers: caller.number.map(phone).into_iter().collect(),
        ..Sender::default()
    }
}

/// An id as text; numbers as they are written.
pub(super) fn id(value: Option<&Value>, name: &'static str) -> Result<String, Refusal> {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(Refusal::Field(name)),
    };
    if is_id(&text, 128) { Ok(text) } else { Err(Refusal::Field(name)) }
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn parsed(body: &str) -> Result<Parsed, Refusal> {
        parse(&Verified::new(body.as_bytes().to_vec()).with_time(Timestamp::from_secs(7)))
    }

    fn all(body: &Value) -> Result<Vec<Inbound>, Refusal> {
        parsed(&body.to_string()).map(|parsed| parsed.messages)
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
        let keys: Vec<_> = found.iter().filter_map(|i| i.earlier_key.as_deref()).collect();
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
    fn w21_the_caller_is_the_number_in_a_sip_address() {
        let who = |caller: &str| all(&sign::event("c1", 1, "ring", caller)).unwrap().remove(0).sender;
        let sip = who("sip:13800138000@10.0.0.1:5060");
        assert_eq!((sip.name.as_deref(), sip.identifiers[0].value.as_str()), (Some("13800138000"), "13800138000"));
        assert_eq!(sip.open_id, "c1");
        let named = who("\"王小姐\" <sip:13800138000@10.0.0.1>;tag=1");
        assert_eq!((named.name.as_deref(), named.identifiers.len()), (Some("王小姐"), 1));
        let mut ring = sign::event("c1", 1, "ring", "");
        (ring["caller"], ring["agent"]) = (json!(13_800_138_000_u64), json!(8001));
        let ring = all(&ring).unwrap().remove(0);
        assert_eq!(ring.sender.identifiers[0].value, "13800138000");
        assert!(matches!(ring.content, Content::Event { data, .. } if data["agent"] == "8001"));
        let nobody = who("sip:anonymous@anonymous.invalid");
        assert_eq!((nobody.name, nobody.identifiers), (None, Vec::new()));
    }

    #[test]
    fn one_object_and_what_is_not_known() {
        assert_eq!(all(&sign::segment("c1", 1, "customer", "x", false)), Ok(Vec::new()));
        let odd = all(&json!({ "call_id": 7, "seq": "a", "pitch": 3 })).unwrap();
        assert_eq!((odd[0].earlier_key.as_deref(), odd[0].content.kind()), (Some("7-a"), "unknown"));
    }

    #[test]
    fn refusals() {
        let refused = |body: Value| all(&body).err();
        assert_eq!(refused(json!("x")), Some(Refusal::Malformed(Fault::NotObject)));
        assert_eq!(refused(json!({ "seq": 1 })), Some(Refusal::Field("call_id")));
        assert_eq!(refused(json!({ "call_id": "a b", "seq": 1 })), Some(Refusal::Field("call_id")));
        assert_eq!(refused(json!({ "call_id": "c" })), Some(Refusal::Field("seq")));
        assert_eq!(refused(json!({ "call_id": "c", "seq": 1, "event": "" })), Some(Refusal::Field("event")));
        assert_eq!(refused(json!({ "call_id": "c", "seq": 1, "text": "x" })), Some(Refusal::Field("final")));
        assert_eq!(refused(sign::segment("c", 1, "dog", "x", true)), Some(Refusal::Field("speaker")));
        assert_eq!(refused(sign::segment("c", 1, "customer", &"好".repeat(8_001), true)), Some(Refusal::TooLong));
        let nul = all(&sign::segment("c", 1, "customer", "a\0", true)).unwrap();
        assert_eq!(nul[0].content, Content::text("a\u{FFFD}"));
    }

    #[test]
    fn f4_a_large_batch_comes_whole_and_one_that_is_too_large_is_refused() {
        let many = |count: u64| Value::from_iter((0..count).map(|n| sign::segment("c", n, "customer", "我要退货", true)));
        let keys: std::collections::BTreeSet<_> = all(&many(4_096)).unwrap().into_iter().map(|found| found.key).collect();
        assert_eq!((all(&many(257)).unwrap().len(), keys.len()), (257, 4_096));
        assert_eq!(all(&many(4_097)), Err(Refusal::TooMany));
    }

    #[test]
    fn w0_a_segment_that_cannot_be_read_costs_the_others_nothing() {
        let good = sign::segment("c", 1, "customer", "我要退货", true).to_string();
        for (bad, reason) in [
            ("1", "not_an_object"),
            (r#"{"seq":1}"#, "call_id"),
            (r#"{"call_id":"c","seq":2,"text":"x","final":true,"speaker":"dog"}"#, "speaker"),
            (r#"{"call_id":"c","seq":2,"text":,"final":true}"#, "not_json"),
        ] {
            let found = parsed(&format!("[{bad},{good}]")).unwrap();
            assert_eq!((found.messages.len(), found.odd.len()), (1, 1), "{bad}");
            assert_eq!((found.odd[0].reason, &found.odd[0].raw[..]), (reason, bad.as_bytes()), "{bad}");
        }
        let half = r#"{"call_id":"c","seq":2,"text":"x\ud83d","final":true,"speaker":"customer"}"#;
        assert_eq!(parsed(half).unwrap().messages[0].content, Content::text("x\u{FFFD}"));
    }

    #[test]
    fn w1_a_number_that_comes_again_with_other_words_is_another_segment() {
        let key = |call: &str, text: &str| all(&sign::segment(call, 1, "customer", text, true)).unwrap().remove(0).key;
        assert_eq!(key("c", "a"), key("c", "a"));
        assert_ne!(key("c", "a"), key("c", "b"));
        assert_ne!(key("c", "a"), key("d", "a"));
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
