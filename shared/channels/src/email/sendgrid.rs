//! SendGrid: mails as the Inbound Parse webhook posts them, parsed or raw, and the event webhook's reports.

use super::account::is_address;
use super::form::{Form, decode};
use super::mail::{Mail, report};
use super::mime::{Headers, MAX_FILES, Raw, address};
use super::verify::{CONTENT_TYPE, REPORTS};
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{Refusal, Verified};
use serde_json::Value;
use warmline_model::{Inbound, Media, Timestamp};

pub(super) fn parse(body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    if body.context(REPORTS).is_some() {
        return reports(body);
    }
    let form = Form::read(body.context(CONTENT_TYPE).unwrap_or_default(), body.body())?;
    let charsets = form.charsets();
    let text = |name: &str| {
        let charset = charsets.get(name).map_or("utf-8", String::as_str);
        form.raw(name).map(|raw| decode(raw, charset)).filter(|text| !text.trim().is_empty())
    };
    let raw = form.raw("email").map(Raw::read).transpose()?;
    let (mail, files) = match raw {
        Some(raw) => (Mail { headers: raw.headers, text: raw.text, html: raw.html, ..Mail::default() }, raw.files),
        None => {
            let headers = form.raw("headers").map(Headers::read).unwrap_or_default();
            (Mail { headers, text: text("text"), html: text("html"), ..Mail::default() }, files(&form))
        }
    };
    let envelope = form.raw("envelope").and_then(|raw| json::read(raw, 64 * 1024).ok()).unwrap_or_default();
    let from = text("from").as_deref().and_then(address);
    let from = from.or_else(|| mail.headers.get("from").and_then(address));
    let from = from.or_else(|| envelope["from"].as_str().and_then(address));
    let to = envelope["to"][0].as_str().and_then(address).or_else(|| text("to").as_deref().and_then(address));
    let subject = text("subject").or_else(|| mail.headers.get("subject").map(str::to_owned));
    Mail { from, to: to.map(|(address, _)| address), subject, files, ..mail }.messages(body.time())
}

fn files(form: &Form) -> Vec<Media> {
    let media = form.files().take(MAX_FILES).map(|part| Media {
        name: part.file.clone().filter(|name| !name.is_empty() && !name.contains('\0')),
        size: u64::try_from(part.body.len()).ok(),
        format: Some(part.kind.clone()),
        ..Media::default()
    });
    media.collect()
}

fn reports(body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    let Value::Array(items) = json::read(body.body(), json::MAX_BYTES)? else {
        return Err(Refusal::Malformed("not a JSON array"));
    };
    let mut found = Vec::new();
    for mut item in items {
        let address = item["email"].as_str().map(str::to_lowercase).filter(|a| is_address(a));
        let address = address.ok_or(Refusal::Malformed("email"))?;
        let event = item["event"].as_str().filter(|e| (1..=64).contains(&e.len())).unwrap_or("unknown").to_owned();
        let at = item["timestamp"].as_i64().map_or(body.time(), Timestamp::from_secs);
        let key = match item["sg_event_id"].as_str().filter(|id| (1..=128).contains(&id.len())) {
            Some(id) => id.to_owned(),
            None => opaque_key("event", &[&item.to_string()]),
        };
        let id = item["sg_message_id"].as_str().map(str::to_owned);
        if let Value::Object(fields) = &mut item {
            fields.remove("email");
        }
        found.push(report(key, &address, at, &event, id, item));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use warmline_model::Content;

    fn read(fields: &[(&str, &[u8])], files: &[(&str, &str, &[u8])]) -> Result<Vec<Inbound>, Refusal> {
        let (kind, body) = sign::multipart(fields, files);
        parse(&Verified::new(body).with(CONTENT_TYPE, kind).with_time(Timestamp::from_secs(1_700_000_000)))
    }

    #[test]
    fn parsed_mails_in_every_charset() {
        for (label, text) in [("GB18030", "我要退货𠀀"), ("gbk", "我要退货"), ("Big5", "我要退貨"), ("UTF-8", "我要退货😀")]
        {
            let encode = |t: &str| encoding_rs::Encoding::for_label(label.as_bytes()).unwrap().encode(t).0.into_owned();
            let charsets = json!({ "text": label, "from": label, "subject": label }).to_string();
            let found = read(
                &[
                    ("headers", b"Message-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\n"),
                    ("from", &encode("王 <W@x>")),
                    ("subject", &encode("Re: 退")),
                    ("text", &encode(text)),
                    ("html", b"<b>no</b>"),
                    ("envelope", br#"{"to":["service@rice.example"],"from":"bounce@x"}"#),
                    ("charsets", charsets.as_bytes()),
                ],
                &[],
            )
            .unwrap();
            assert_eq!((&found[0].content, found[0].key.as_str()), (&Content::text(text), "1@x"), "{label}");
            assert_eq!((found[0].sender.open_id.as_str(), found[0].sender.name.as_deref()), ("w@x", Some("王")));
            let to = found[0].reply_to.as_ref().unwrap();
            assert_eq!((&to["to"], &to["subject"]), (&json!("service@rice.example"), &json!("Re: 退")));
        }
    }

    #[test]
    fn html_attachments_and_the_envelope() {
        let found = read(
            &[("html", "<p>你好</p>".as_bytes()), ("envelope", br#"{"from":"a@b"}"#), ("subject", b"")],
            &[("attachment1", "退货.jpg", b"\xff\xd8\0")],
        )
        .unwrap();
        assert_eq!((&found[0].content, found[0].sender.open_id.as_str()), (&Content::text("你好"), "a@b"));
        let Content::File { media } = &found[1].content else { panic!() };
        assert_eq!((media.name.as_deref(), media.size), (Some("退货.jpg"), Some(3)));
        assert_eq!((media.id.as_ref(), media.url.as_ref()), (None, None));
        assert_eq!(read(&[("text", b"x")], &[]), Err(Refusal::Malformed("from")));
    }

    #[test]
    fn raw_mails() {
        let mail = "Message-ID: <1@x>\r\nFrom: =?UTF-8?B?546L?= <w@x>\r\nSubject: s\r\n\r\n你好".as_bytes();
        let found = read(&[("email", mail)], &[]).unwrap();
        assert_eq!((&found[1].content, found[1].sender.name.as_deref()), (&Content::text("你好"), Some("王")));
    }

    #[test]
    fn event_reports() {
        let read = |body: Value| {
            let body = Verified::new(body.to_string().into_bytes()).with_time(Timestamp::from_secs(7));
            parse(&body.with(REPORTS, "1"))
        };
        let found = read(json!([
            { "email": "W@x", "event": "Bounce", "timestamp": 1_600_112_492, "sg_event_id": "e1", "sg_message_id": "m1", "reason": "550" },
            { "email": "w@x" },
        ]))
        .unwrap();
        assert_eq!(
            (found[0].key.as_str(), found[0].sender.open_id.as_str(), found[0].at.secs()),
            ("e1", "w@x", 1_600_112_492)
        );
        let Content::Event { event, key, data } = &found[0].content else { panic!() };
        assert_eq!((event.as_str(), key.as_deref(), &data["reason"]), ("bounce", Some("m1"), &json!("550")));
        assert_eq!(data.get("email"), None);
        assert!(found[1].key.starts_with("event-"));
        assert_eq!(read(json!({})), Err(Refusal::Malformed("not a JSON array")));
        assert_eq!(read(json!([{ "event": "open" }])), Err(Refusal::Malformed("email")));
        assert_eq!(read(json!([1])), Err(Refusal::Malformed("email")));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, text in ".*", charset in "[a-z0-9-]{0,12}") {
            let _ = parse(&Verified::new(bytes.clone()).with(REPORTS, "1"));
            let _ = parse(&Verified::new(bytes.clone()).with(CONTENT_TYPE, "multipart/form-data; boundary=x"));
            let charsets = json!({ "text": charset, "from": charset }).to_string();
            let fields: [(&str, &[u8]); 5] = [("from", &bytes), ("text", &bytes), ("envelope", &bytes), ("headers", text.as_bytes()), ("charsets", charsets.as_bytes())];
            let _ = read(&fields, &[]);
            let _ = read(&[("email", text.as_bytes()), ("from", b"a@b")], &[]);
        }
    }
}
