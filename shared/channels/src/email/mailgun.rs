//! Mailgun: mails as a route forwards or stores them, and the reports of its webhooks.

use super::account::is_address;
use super::form::Form;
use super::mail::{Mail, report};
use super::mime::{Headers, MAX_FILES, address};
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
    let text = |name: &str| form.text(name).filter(|text| !text.trim().is_empty());
    let pairs = form.raw("message-headers").and_then(|raw| json::read(raw, json::MAX_BYTES).ok());
    let headers = Headers::of_pairs(&pairs.unwrap_or_default());
    let from = text("from").as_deref().and_then(address).or_else(|| text("sender").as_deref().and_then(address));
    let to = text("recipient").as_deref().and_then(address).map(|(address, _)| address);
    let subject = text("subject").or_else(|| headers.get("subject").map(str::to_owned));
    let files = stored(&form).unwrap_or_else(|| posted(&form));
    let mail = Mail { headers, from, to, subject, text: text("body-plain"), html: text("body-html"), files };
    mail.messages(body.time())
}

/// Attachments that Mailgun keeps for a while (`store()`): it tells their addresses.
fn stored(form: &Form) -> Option<Vec<Media>> {
    let Value::Array(items) = json::read(form.raw("attachments")?, json::MAX_BYTES).ok()? else { return None };
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

/// Attachments that came along.
fn posted(form: &Form) -> Vec<Media> {
    let media = form.files().take(MAX_FILES).map(|part| Media {
        name: part.file.clone().filter(|name| !name.is_empty() && !name.contains('\0')),
        size: u64::try_from(part.body.len()).ok(),
        format: Some(part.kind.clone()),
        ..Media::default()
    });
    media.collect()
}

fn reports(body: &Verified) -> Result<Vec<Inbound>, Refusal> {
    let mut whole = json::read(body.body(), json::MAX_BYTES)?;
    let Some(Value::Object(mut fields)) = whole.get_mut("event-data").map(Value::take) else {
        return Err(Refusal::Malformed("event-data"));
    };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    let address = text("recipient").map(str::to_lowercase).filter(|a| is_address(a));
    let event = text("event").filter(|e| e.len() <= 64).unwrap_or("unknown").to_owned();
    let key = match text("id").filter(|id| id.len() <= 128) {
        Some(id) => id.to_owned(),
        None => opaque_key("event", &[&Value::Object(fields.clone()).to_string()]),
    };
    let id = fields.get("message").and_then(|m| m["headers"]["message-id"].as_str()).map(str::to_owned);
    let at = fields.get("timestamp").and_then(millis).unwrap_or(body.time());
    // A report without an address is about nobody: it is acknowledged, since asking again would not bring one.
    let Some(address) = address else { return Ok(Vec::new()) };
    fields.remove("recipient");
    Ok(vec![report(key, &address, at, &event, id, Value::Object(fields))])
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
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use warmline_model::Content;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn read(fields: &[(&str, &str)]) -> Result<Vec<Inbound>, Refusal> {
        let body = sign::mailgun_form("k", "1", "t", fields);
        parse(&Verified::new(body.into_bytes()).with(CONTENT_TYPE, FORM).with_time(Timestamp::from_secs(1_700_000_000)))
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
        assert_eq!((found[0].key.as_str(), &found[0].content), ("1@x", &Content::text("我要退货")));
        assert_eq!((found[0].sender.open_id.as_str(), found[0].sender.name.as_deref()), ("w@x", Some("王")));
        let expected = json!({ "message_id": "1@x", "references": ["0@x", "1@x"], "subject": "Re: 退货", "to": "service@rice.example" });
        assert_eq!(found[0].reply_to, Some(expected));
        let Content::File { media } = &found[1].content else { panic!() };
        assert_eq!((media.url.as_deref(), media.size), (Some(url), Some(9)));
        let html = read(&[("sender", "a@b"), ("body-html", "<p>你好</p>")]).unwrap();
        assert_eq!(html[0].content, Content::text("你好"));
        assert_eq!(read(&[("body-plain", "x")]), Err(Refusal::Malformed("from")));
    }

    #[test]
    fn posted_files() {
        let (kind, body) = sign::multipart(&[("from", b"a@b"), ("body-plain", b"x")], &[("attachment-1", "a.pdf", b"%PDF")]);
        let found = parse(&Verified::new(body).with(CONTENT_TYPE, kind)).unwrap();
        let Content::File { media } = &found[1].content else { panic!() };
        assert_eq!((media.name.as_deref(), media.size), (Some("a.pdf"), Some(4)));
    }

    #[test]
    fn event_reports() {
        let whole = |body: Value| {
            parse(&Verified::new(body.to_string().into_bytes()).with_time(Timestamp::from_secs(7)).with(REPORTS, "1"))
        };
        let read = |event: Value| whole(sign::mailgun_report("k", "1", "t", event));
        let found = read(json!({
            "event": "Failed", "id": "e1", "timestamp": 1_521_472_262.908_181, "recipient": "W@x", "severity": "permanent",
            "message": { "headers": { "message-id": "1@x" } },
        }))
        .unwrap();
        assert_eq!((found[0].key.as_str(), found[0].at.millis()), ("e1", 1_521_472_262_908));
        let Content::Event { event, key, data } = &found[0].content else { panic!() };
        assert_eq!((event.as_str(), key.as_deref(), &data["severity"]), ("failed", Some("1@x"), &json!("permanent")));
        assert_eq!(found[0].sender.open_id, "w@x");
        assert_eq!(read(json!({ "event": "accepted" })), Ok(Vec::new()));
        for other in [json!(0), json!([]), json!({}), json!({ "event-data": 1 })] {
            assert_eq!(whole(other), Err(Refusal::Malformed("event-data")));
        }
        let bare = read(json!({ "recipient": "a@b" })).unwrap();
        assert_eq!((bare[0].at.millis(), bare[0].key.starts_with("event-")), (7000, true));
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, text in ".*", n: f64) {
            let _ = parse(&Verified::new(bytes.clone()).with(REPORTS, "1"));
            let _ = parse(&Verified::new(bytes).with(CONTENT_TYPE, FORM));
            let _ = read(&[("from", &text), ("body-plain", &text), ("message-headers", &text), ("attachments", &text)]);
            let _ = millis(&json!(n));
        }
    }
}
