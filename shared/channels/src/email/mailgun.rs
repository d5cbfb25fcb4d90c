//! Mailgun: mails that a route forwards or stores, and the reports of its webhooks.

use super::account::{Account, is_address};
use super::form::Form;
use super::header::{Headers, address};
use super::mail::{Mail, report};
use super::mime::{MAX_FILES, Raw};
use super::sendgrid::posted;
use super::verify::{CONTENT_TYPE, REPORTS};
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{Parsed, Refusal, Verified};
use serde_json::Value;
use warmline_model::{Inbound, Media, Timestamp};

pub(super) fn parse(account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
    if body.context(REPORTS).is_some() {
        return reports(body).map(Into::into);
    }
    let form = Form::read(body.context(CONTENT_TYPE).unwrap_or_default(), body.body())?;
    let text = |name: &str| form.text(name).filter(|text| !text.trim().is_empty());
    let mail = match form.raw("body-mime").map(Raw::read) {
        Some(raw) => Mail::from(raw),
        None => {
            let pairs = form.raw("message-headers").and_then(|raw| json::read_lenient(raw, json::MAX_BYTES).ok());
            let headers = Headers::of_pairs(&pairs.unwrap_or_default());
            let (plain, html) = (text("body-plain"), text("body-html"));
            let mail = Mail { headers, text: plain, html, cut: form.is_cut("body-html"), ..posted(&form) };
            match stored(&form) {
                Some(files) => Mail { files, ..mail },
                None => mail,
            }
        }
    };
    let from = text("from").as_deref().and_then(address).or_else(|| text("sender").as_deref().and_then(address));
    let to = text("recipient").as_deref().and_then(address).map(|(address, _)| address);
    let subject = text("subject").or_else(|| mail.headers.get("subject").map(str::to_owned));
    let envelope = form.text("sender");
    Ok(Mail { from, envelope, to, subject, ..mail }.messages(account, body.body(), body.time()))
}

/// Attachments that Mailgun keeps for a while (`store()`), with their addresses.
fn stored(form: &Form<'_>) -> Option<Vec<Media>> {
    let Value::Array(items) = json::read_lenient(form.raw("attachments")?, json::MAX_BYTES).ok()? else { return None };
    let text = |item: &Value, name: &str| item[name].as_str().filter(|t| !t.is_empty()).map(str::to_owned);
    let media = items.iter().take(MAX_FILES).map(|item| Media {
        url: text(item, "url"),
        name: text(item, "name"),
        format: text(item, "content-type"),
        size: item["size"].as_u64(),
        ..Media::default()
    });
    Some(media.collect())
}

fn reports(body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    let mut whole = json::read_lenient(body.body(), json::MAX_BYTES)?;
    let Some(Value::Object(mut fields)) = whole.get_mut("event-data").map(Value::take) else {
        return Err(Refusal::Field("event-data"));
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let address = match text("recipient").map(str::to_lowercase) {
        Some(address) if !is_address(&address) => return Err(Refusal::Field("recipient")),
        address => address,
    };
    let event = text("event").filter(|e| e.len() <= 64).unwrap_or("unknown").to_owned();
    let (key, earlier_key) = match text("id").filter(|id| id.len() <= 128) {
        Some(id) => (opaque_key("event", &[address.as_deref().unwrap_or_default(), &event, id]), Some(id.to_owned())),
        None => (opaque_key("event", &[&Value::Object(fields.clone()).to_string()]), None),
    };
    let id = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    // Data that was sent with the mail as `v:message` comes back, too.
    let ours = id(fields.get("user-variables").map(|own| &own["message"]));
    let theirs = id(fields.get("message").map(|message| &message["headers"]["message-id"]));
    let at = fields.get("timestamp").and_then(millis).unwrap_or(body.time());
    // A report without an address is about nobody. It is acknowledged, since a retry would not bring an address.
    let Some(address) = address else { return Ok(Vec::new()) };
    fields.remove("recipient");
    let ids = (ours.as_deref(), theirs.as_deref());
    Ok(vec![Inbound { earlier_key, ..report(key, &address, at, &event, ids, fields) }])
}

/// Seconds with a fraction, such as `1521243339.873676`.
fn millis(value: &Value) -> Option<Timestamp> {
    let written = match value {
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let (secs, fraction) = written.split_once('.').unwrap_or((&written, ""));
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(Timestamp::from_secs(secs.parse().ok()?).plus_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::super::{EmailAdapter, sign};
    use super::*;
    use crate::kit::Adapter;
    use proptest::prelude::*;
    use serde_json::json;
    use warmline_model::Content;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn read(fields: &[(&str, &str)]) -> Result<Vec<Inbound>, Refusal> {
        whole(fields).map(|parsed| parsed.messages)
    }

    fn whole(fields: &[(&str, &str)]) -> Result<Parsed, Refusal> {
        let body = sign::mailgun_form("k", "1", "t", fields);
        let verified = Verified::new(body.into_bytes()).with(CONTENT_TYPE, FORM);
        parse(&account(), &verified.with_time(Timestamp::from_secs(1_700_000_000)))
    }

    fn account() -> Account {
        let secrets = [("signing_key".into(), "0123456789abcdef".into())].into();
        EmailAdapter.account(&json!({ "provider": "mailgun" }).into(), &secrets).ok().unwrap()
    }

    #[test]
    fn mails() {
        let headers = json!([["Message-Id", "<1@x>"], ["In-Reply-To", "<0@x>"], ["References", "<0@x>"]]).to_string();
        let url = "https://storage-us-east4.api.mailgun.net/v3/domains/d/messages/K/attachments/0";
        let attachments = json!([{ "url": url, "name": "退货.jpg", "size": 9, "content-type": "image/jpeg" }]).to_string();
        let found = read(&[
            ("from", "王 <W@x>"),
            ("sender", "bounce@x"),
            ("recipient", "service@rice.example"),
            ("subject", "Re: 退货"),
            ("body-plain", "我要退货\r\n"),
            ("body-html", "<p>no</p>"),
            ("message-headers", &headers),
            ("attachments", &attachments),
        ])
        .unwrap();
        assert_eq!((found[0].earlier_key.as_deref(), &found[0].content), (Some("1@x"), &Content::text("我要退货")));
        assert_eq!((found[0].sender.open_id.as_str(), found[0].sender.name.as_deref()), ("w@x", Some("王")));
        let expected = json!({ "message_id": "1@x", "references": ["0@x", "1@x"], "subject": "Re: 退货", "to": "service@rice.example" });
        assert_eq!(found[0].reply_to, Some(expected));
        let Content::File { media } = &found[1].content else { panic!() };
        assert_eq!((media.url.as_deref(), media.size), (Some(url), Some(9)));
        let html = read(&[("sender", "a@b"), ("body-html", "<p>你好</p>")]).unwrap();
        assert_eq!(html[0].content, Content::text("你好"));
        let nobody = whole(&[("body-plain", "x")]).unwrap();
        assert_eq!((nobody.messages.len(), nobody.odd[0].reason), (0, "sender_missing"));
        let raw =
            read(&[("recipient", "s@r"), ("body-mime", "From: a@b\r\nContent-Type: text/plain; charset=cp936\r\n\r\nx")])
                .unwrap();
        assert_eq!((&raw[0].content, raw[0].sender.open_id.as_str()), (&Content::text("x"), "a@b"));
    }

    #[test]
    fn posted_files() {
        let (kind, body) = sign::multipart(&[("from", b"a@b"), ("body-plain", b"x")], &[("attachment-1", "a.pdf", b"%PDF")]);
        let found = parse(&account(), &Verified::new(body).with(CONTENT_TYPE, kind)).unwrap().messages;
        let Content::File { media } = &found[1].content else { panic!() };
        assert_eq!((media.name.as_deref(), media.size), (Some("a.pdf"), Some(4)));
    }

    #[test]
    fn event_reports() {
        let whole = |body: Value| {
            let verified =
                Verified::new(body.to_string().into_bytes()).with_time(Timestamp::from_secs(7)).with(REPORTS, "1");
            parse(&account(), &verified).map(|parsed| parsed.messages)
        };
        let read = |event: Value| whole(sign::mailgun_report("k", "1", "t", event));
        let found = read(json!({
            "event": "Failed", "id": "e1", "timestamp": 1_521_472_262.908_181, "recipient": "W@x", "severity": "permanent",
            "message": { "headers": { "message-id": "1@x" } },
        }))
        .unwrap();
        assert_eq!((found[0].earlier_key.as_deref(), found[0].at.millis()), (Some("e1"), 1_521_472_262_908));
        let Content::Event { event, key, data } = &found[0].content else { panic!() };
        assert_eq!((event.as_str(), key.as_deref(), &data["severity"]), ("failed", Some("1@x"), &json!("permanent")));
        assert_eq!(found[0].sender.open_id, "w@x");
        assert_eq!(read(json!({ "event": "accepted" })), Ok(Vec::new()));
        for other in [json!(0), json!([]), json!({}), json!({ "event-data": 1 })] {
            assert_eq!(whole(other), Err(Refusal::Field("event-data")));
        }
        let ours = "msg_018f00000000700080000000000000ab";
        for (variables, key) in [
            (json!({ "message": ours }), ours),
            (json!({ "message": "spring" }), "1@x"),
            (json!({}), "1@x"),
            (json!([]), "1@x"),
        ] {
            let report = json!({ "event": "failed", "id": "e1", "recipient": "boss@y", "user-variables": variables,
                "message": { "headers": { "message-id": "1@x" } } });
            let one = read(report).unwrap().remove(0);
            let Content::Event { key: found, data, .. } = one.content else { panic!() };
            assert_eq!((found.as_deref(), &data["recipient"]), (Some(key), &json!("boss@y")));
            assert!(one.sender.only_known, "w8");
        }
        let bare = read(json!({ "recipient": "a@b" })).unwrap();
        assert_eq!((bare[0].at.millis(), bare[0].key.starts_with("event-")), (7000, true));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, text in ".*", n: f64) {
            let _ = parse(&account(), &Verified::new(bytes.clone()).with(REPORTS, "1"));
            let _ = parse(&account(), &Verified::new(bytes).with(CONTENT_TYPE, FORM));
            let _ = read(&[("from", &text), ("body-plain", &text), ("message-headers", &text), ("attachments", &text)]);
            let _ = millis(&json!(n));
        }
    }
}
