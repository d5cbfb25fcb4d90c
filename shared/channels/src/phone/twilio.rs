//! Twilio's callbacks about a call: its status, its recordings, its real-time transcription.

use super::contract::{AGENT_SAID, sender};
use crate::caller;
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{Refusal, Verified};
use crate::twilio::Params;
use serde_json::{Value, json};
use warmline_model::{Content, Inbound};

/// The fields that name the people and the call.
const COMMON: &[&str] = &["CallSid", "ParentCallSid", "From", "To", "Caller", "Called", "ApiVersion"];

pub(super) fn parse(body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    let params = Params::read(body)?;
    let leg = params.id("CallSid")?;
    // The leg to an agent belongs to the customer's call.
    let call = if params.get("ParentCallSid").is_some() { params.id("ParentCallSid")? } else { leg };
    let customer = match params.get("Direction") {
        _ if call != leg => None,
        Some(direction) if direction.starts_with("outbound") => params.get("To"),
        _ => params.get("From"),
    };
    let Some((earlier, content)) = read(&params, leg)? else { return Ok(Vec::new()) };
    // A leg can be in one state twice. If the platform numbers its reports, the number distinguishes them.
    let key = opaque_key("call", &[call, &earlier, params.get("SequenceNumber").unwrap_or_default(), words(&content)]);
    let sender = sender(call.to_owned(), customer.map(caller::read).unwrap_or_default());
    Ok(vec![Inbound { earlier_key: Some(earlier), key, sender, at: body.time(), content, reply_to: None }])
}

/// The spoken words, of either side.
fn words(content: &Content) -> &str {
    match content {
        Content::Event { data, .. } => data["text"].as_str().unwrap_or_default(),
        other => other.words().unwrap_or_default(),
    }
}

/// The parts of the key besides the call's ids, and the content; `None` for a partial segment.
fn read(params: &Params, leg: &str) -> Result<Option<(String, Content)>, Refusal> {
    let event = |event: &str, key: &str| Content::Event {
        event: event.to_lowercase(),
        key: Some(key.to_owned()),
        data: params.without(COMMON),
    };
    if let Some(kind) = params.get("TranscriptionEvent") {
        let (id, seq) = (params.id("TranscriptionSid")?, params.get("SequenceId").unwrap_or_default());
        let key = format!("{id}-{kind}-{seq}");
        if kind != "transcription-content" {
            return Ok(Some((key, event(kind, id))));
        }
        if params.get("Final").is_some_and(|f| f.eq_ignore_ascii_case("false")) {
            return Ok(None);
        }
        let data = params.get("TranscriptionData").ok_or(Refusal::Field("TranscriptionData"))?;
        let data = json::read_lenient(data.as_bytes(), json::MAX_BYTES)?;
        let text = data["transcript"].as_str().ok_or(Refusal::Field("TranscriptionData"))?;
        // The sound that Twilio hears on the leg is the customer's. The sound that it plays to the leg is the agent's.
        let content = match params.get("Track") {
            Some("outbound_track") => Content::Event {
                event: AGENT_SAID.to_owned(),
                key: None,
                data: json!({ "text": text, "speaker": "agent", "final": true, "at": params.get("Timestamp") }),
            },
            _ => Content::text(text),
        };
        return Ok(Some((key, content)));
    }
    if let Some(status) = params.get("RecordingStatus") {
        let id = params.id("RecordingSid")?;
        return Ok(Some((format!("{id}-{status}"), event(&format!("recording-{status}"), id))));
    }
    if let Some(said) = params.get("SpeechResult") {
        let parts =
            [leg, said, params.get("Confidence").unwrap_or_default(), params.get("SequenceNumber").unwrap_or_default()];
        return Ok(Some((opaque_key("speech", &parts), Content::text(said))));
    }
    Ok(Some(match params.get("CallStatus") {
        Some(status) => (format!("{leg}-{status}"), event(status, leg)),
        None => {
            let raw: Value = params.without(&[]);
            (opaque_key("call", &[leg, &raw.to_string()]), Content::Unknown { raw_kind: "callback".to_owned(), raw })
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use warmline_model::Timestamp;

    fn all(params: &[(&str, &str)]) -> Result<Vec<Inbound>, Refusal> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
        parse(&Verified::new(body.into_bytes()).with_time(Timestamp::from_secs(7)))
    }

    fn one(params: &[(&str, &str)]) -> Inbound {
        all(params).unwrap().pop().unwrap()
    }

    #[test]
    fn statuses() {
        let ring = one(&[
            ("CallSid", "CA1"),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", "+86138"),
            ("To", "+1"),
        ]);
        assert_eq!((ring.earlier_key.as_deref(), ring.sender.open_id.as_str()), (Some("CA1-ringing"), "CA1"));
        assert_eq!((ring.sender.name.as_deref(), ring.at.secs()), (Some("+86138"), 7));
        assert!(matches!(&ring.content, Content::Event { event, .. } if event == "ringing"));
        let out = one(&[
            ("CallSid", "CA1"),
            ("CallStatus", "completed"),
            ("Direction", "outbound-api"),
            ("From", "+1"),
            ("To", "+86138"),
        ]);
        assert_eq!(out.sender.name.as_deref(), Some("+86138"));
        let leg = one(&[("CallSid", "CA2"), ("ParentCallSid", "CA1"), ("CallStatus", "completed"), ("To", "+1")]);
        assert_eq!(
            (leg.earlier_key.as_deref(), leg.sender.open_id.as_str(), leg.sender.name.clone()),
            (Some("CA2-completed"), "CA1", None)
        );
    }

    #[test]
    fn w21_callers_who_withhold_their_number_are_nobody() {
        let from = |from: &str| {
            one(&[("CallSid", "CA1"), ("CallStatus", "ringing"), ("Direction", "inbound"), ("From", from), ("To", "+1")])
                .sender
        };
        for withheld in ["+266696687", "+86282452253", "anonymous", "Restricted"] {
            let sender = from(withheld);
            assert_eq!((sender.name, sender.identifiers), (None, Vec::new()), "{withheld}");
        }
        let sip = from("sip:+8613800138000@shop.sip.example;transport=udp");
        assert_eq!(sip.identifiers[0].value, "+8613800138000");
        assert_eq!((from("client:alice").name.as_deref(), from("client:alice").identifiers.len()), (Some("alice"), 0));
    }

    #[test]
    fn transcription() {
        let segment = |track: &str, last: &str, seq: &str| {
            all(&[
                ("CallSid", "CA1"),
                ("TranscriptionSid", "GT1"),
                ("TranscriptionEvent", "transcription-content"),
                ("SequenceId", seq),
                ("Track", track),
                ("Final", last),
                ("TranscriptionData", r#"{"transcript":"我要退货","confidence":0.98}"#),
            ])
            .unwrap()
        };
        let said = &segment("inbound_track", "true", "2")[0];
        assert_eq!(
            (&said.content, said.earlier_key.as_deref()),
            (&Content::text("我要退货"), Some("GT1-transcription-content-2"))
        );
        let agent = &segment("outbound_track", "true", "3")[0];
        assert!(
            matches!(&agent.content, Content::Event { event, data, .. } if event == AGENT_SAID && data["text"] == "我要退货")
        );
        assert_eq!(segment("inbound_track", "false", "4"), Vec::new());
        let started =
            one(&[("CallSid", "CA1"), ("TranscriptionSid", "GT1"), ("TranscriptionEvent", "transcription-started")]);
        assert!(matches!(&started.content, Content::Event { event, .. } if event == "transcription-started"));
    }

    #[test]
    fn recordings_speech_and_what_is_not_known() {
        let url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1";
        let recorded =
            one(&[("CallSid", "CA1"), ("RecordingSid", "RE1"), ("RecordingStatus", "completed"), ("RecordingUrl", url)]);
        assert_eq!(recorded.earlier_key.as_deref(), Some("RE1-completed"));
        assert!(matches!(&recorded.content, Content::Event { event, data, .. }
            if event == "recording-completed" && data["RecordingUrl"] == url));
        let said = one(&[("CallSid", "CA1"), ("CallStatus", "in-progress"), ("SpeechResult", "退货")]);
        assert_eq!(said.content, Content::text("退货"));
        assert_eq!(one(&[("CallSid", "CA1"), ("Mood", "good")]).content.kind(), "unknown");
    }

    #[test]
    fn refusals() {
        assert_eq!(all(&[("CallStatus", "ringing")]), Err(Refusal::Field("CallSid")));
        assert_eq!(all(&[("CallSid", "C A")]), Err(Refusal::Field("CallSid")));
        let segment = |data: &str| {
            let kind = ("TranscriptionEvent", "transcription-content");
            all(&[("CallSid", "CA1"), ("TranscriptionSid", "GT1"), kind, ("TranscriptionData", data)])
        };
        assert_eq!(segment(""), Err(Refusal::Field("TranscriptionData")));
        assert_eq!(segment("{}"), Err(Refusal::Field("TranscriptionData")));
        assert_eq!(segment("{"), Err(json::Error::Syntax.into()));
        assert_eq!(all(&[("CallSid", "C"), ("RecordingStatus", "x")]), Err(Refusal::Field("RecordingSid")));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, data in ".*", status in ".*") {
            let _ = parse(&Verified::new(bytes));
            let _ = all(&[("CallSid", "C"), ("CallStatus", &status), ("Direction", &data)]);
            let _ = all(&[("CallSid", "C"), ("TranscriptionSid", "G"), ("TranscriptionEvent", "transcription-content"), ("TranscriptionData", &data)]);
        }
    }
}
