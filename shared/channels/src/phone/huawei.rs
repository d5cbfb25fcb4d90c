//! Huawei Cloud AICC (documents "回调接口说明" cec_07_0079, "释放事件回调接口" cec_07_0080): JSON that holds `timestamp`, `nonce` and
//! `signature` = base64(SHA-256(`appSecret_timestamp_nonce_` ‖ the other fields, sorted, as `a=1,b=2`, without blanks)).
//!
//! The form leaves blanks out and puts no marks around values. An attacker who can read a callback can therefore send it
//! again until its time is over, with other blanks in it, or with a field's end moved into the next. The callbacks hold
//! ids, numbers and times only. Transcripts with words should use our own contract's signature.

use super::contract;
use crate::caller;
use crate::digest::{opaque_key, same};
use crate::json;
use crate::kit::{Refusal, Verified};
use crate::signed_time;
use crate::values::text;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use warmline_model::{Content, Inbound, Timestamp};

/// The fields that the signature does not cover.
const OWN: [&str; 3] = ["timestamp", "nonce", "signature"];

/// The signature over an object's fields.
pub(super) fn signature(app_secret: &str, timestamp: &str, nonce: &str, fields: &Map<String, Value>) -> String {
    let mut text = format!("{app_secret}_{timestamp}_{nonce}_");
    let sorted = written(fields.iter().filter(|(name, _)| !OWN.contains(&name.as_str())));
    text.extend(sorted.chars().filter(|c| *c != ' '));
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// Fields in the form of Java's sorted map.
fn written<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let mut pairs: Vec<(&String, String)> = fields.map(|(name, value)| (name, plain(value))).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(",")),
        Value::Object(map) => format!("{{{}}}", written(map.iter())),
        other => other.to_string(),
    }
}

/// Checks the signature in a body, and then the time, which it returns.
pub(super) fn check(app_secret: &str, body: &[u8], now: Timestamp, max_age_secs: i64) -> Result<Timestamp, Refusal> {
    let fields = json::read_object(body, json::MAX_BYTES)?;
    let own = |name: &str| text(&fields, name).ok_or(Refusal::SignatureMissing);
    let (timestamp, nonce, given) = (own("timestamp")?, own("nonce")?, own("signature")?);
    if !same(signature(app_secret, &timestamp, &nonce, &fields).as_bytes(), given.as_bytes()) {
        return Err(Refusal::SignatureWrong);
    }
    // The document's sample has milliseconds. Its text says only "timestamp".
    let signed_at = signed_time::seconds_or_millis(&timestamp)?;
    signed_time::check(signed_at, now, max_age_secs)?;
    Ok(signed_at)
}

pub(super) fn parse(body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    let mut fields = json::read_object(body.body(), json::MAX_BYTES)?;
    for name in OWN {
        fields.remove(name);
    }
    if fields.contains_key("call_id") {
        return Ok(contract::read(fields, body.time())?.into_iter().collect());
    }
    let call = contract::id(fields.remove("callSerialNo").as_ref(), "callSerialNo")?;
    // AICC calls the customer: the number called is the customer's.
    let customer = caller::read_value(fields.remove("called").as_ref());
    let named = fields.get("eventType").or(fields.get("event")).and_then(Value::as_str).filter(|e| e.len() <= 64);
    let released = fields.contains_key("releaseTime") || fields.contains_key("releaseReason");
    let event = match named {
        Some(event) if !event.is_empty() => event.to_lowercase(),
        _ if released => "release".to_owned(),
        _ => {
            let raw = Value::Object(fields);
            let key = opaque_key("call", &[&call, &raw.to_string()]);
            let content = Content::Unknown { raw_kind: "callback".to_owned(), raw };
            return Ok(vec![Inbound {
                earlier_key: None,
                key,
                sender: contract::sender(call, customer),
                at: body.time(),
                content,
                reply_to: None,
            }]);
        }
    };
    let data = Value::Object(fields);
    let (key, earlier) = (opaque_key("call", &[&call, &event, &data.to_string()]), format!("{call}-{event}"));
    let content = Content::Event { event, key: Some(call.clone()), data };
    Ok(vec![Inbound {
        earlier_key: Some(earlier),
        key,
        sender: contract::sender(call, customer),
        at: body.time(),
        content,
        reply_to: None,
    }])
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use crate::kit::Fault;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn ask(body: &Value, now: Timestamp) -> Result<Timestamp, Refusal> {
        check("secret", body.to_string().as_bytes(), now, 300)
    }

    /// Self-generated: the document gives the form but no worked example. The text that is hashed is the document's.
    #[test]
    fn the_signed_text_is_the_documents() {
        let fields = json!({ "b": "2", "a": 1 });
        let expected = STANDARD.encode(Sha256::digest(b"secret_1700000000000_n_a=1,b=2"));
        assert_eq!(signature("secret", "1700000000000", "n", fields.as_object().unwrap()), expected);
        let fields = json!({ "a": "x y", "l": [1, "b"], "o": { "k": null }, "t": true, "nonce": "left out" });
        let expected = STANDARD.encode(Sha256::digest(b"secret_1_n_a=xy,l=[1,b],o={k=null},t=true"));
        assert_eq!(signature("secret", "1", "n", fields.as_object().unwrap()), expected);
    }

    #[test]
    fn signature_and_time() {
        let good = sign::huawei("secret", NOW.millis(), "n", json!({ "callSerialNo": "1" }));
        assert_eq!(ask(&good, NOW), Ok(NOW));
        assert_eq!(ask(&good, NOW.plus_millis(301_000)), Err(Refusal::Stale(-301)));
        let seconds = sign::huawei("secret", NOW.secs(), "n", json!({ "callSerialNo": "1" }));
        assert_eq!(ask(&seconds, NOW), Ok(NOW));
        let mut other = good.clone();
        other["callSerialNo"] = json!("2");
        assert_eq!(ask(&other, NOW), Err(Refusal::SignatureWrong));
        for name in OWN {
            let mut less = good.clone();
            less.as_object_mut().unwrap().remove(name);
            assert_eq!(ask(&less, NOW), Err(Refusal::SignatureMissing), "{name}");
        }
        assert_eq!(ask(&json!([]), NOW), Err(Refusal::Malformed(Fault::NotObject)));
        assert_eq!(check("secret", b"\xff", NOW, 300), Err(json::Error::Syntax.into()));
    }

    fn read(fields: Value) -> Result<Vec<Inbound>, Refusal> {
        let body = sign::huawei("secret", NOW.millis(), "n", fields);
        parse(&Verified::new(body.to_string().into_bytes()).with_time(NOW))
    }

    #[test]
    fn hang_ups() {
        let found = read(json!({
            "callSerialNo": "1645074606-1", "called": "18612345678", "callerPresent": "0755",
            "releaseTime": "2022/02/17,13:10:06:836", "releaseReason": "0", "recordfile": "Y:/1/0/1.wav",
        }))
        .unwrap();
        assert_eq!(
            (found[0].earlier_key.as_deref(), found[0].sender.open_id.as_str()),
            (Some("1645074606-1-release"), "1645074606-1")
        );
        assert_eq!(found[0].sender.name.as_deref(), Some("18612345678"));
        let Content::Event { event, data, .. } = &found[0].content else { panic!() };
        assert_eq!((event.as_str(), &data["recordfile"]), ("release", &json!("Y:/1/0/1.wav")));
        assert_eq!(data.get("signature"), None);
    }

    #[test]
    fn segments_and_what_is_not_known() {
        let found = read(sign::segment("c1", 4, "customer", "我要退货", true)).unwrap();
        assert_eq!((&found[0].content, found[0].earlier_key.as_deref()), (&Content::text("我要退货"), Some("c1-4")));
        assert_eq!(read(sign::segment("c1", 4, "customer", "我要", false)), Ok(Vec::new()));
        let odd = read(json!({ "callSerialNo": "1", "mood": "good" })).unwrap();
        assert_eq!(odd[0].content.kind(), "unknown");
        let named = read(json!({ "callSerialNo": "1", "eventType": "Alerting" })).unwrap();
        assert_eq!(named[0].earlier_key.as_deref(), Some("1-alerting"));
        let called = read(json!({ "callSerialNo": "1", "called": 18_612_345_678_u64, "releaseReason": 0 })).unwrap();
        assert_eq!(called[0].sender.identifiers[0].value, "18612345678");
        assert_eq!(read(json!({ "called": "1" })), Err(Refusal::Field("callSerialNo")));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, name in ".*", value in ".*") {
            let _ = parse(&Verified::new(bytes.clone()));
            let _ = check("secret", &bytes, NOW, 300);
            let _ = read(json!({ "callSerialNo": "1", name: value }));
        }
    }
}
