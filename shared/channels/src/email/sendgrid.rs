//! SendGrid: mails from the Inbound Parse webhook, parsed or raw, and the event webhook's reports.

use super::account::{Account, is_address};
use super::charset::{decode, decode_html};
use super::form::{Form, Part};
use super::header::{Headers, address};
use super::mail::{Mail, report};
use super::mime::{MAX_FILES, Raw};
use super::report::Report;
use super::verify::{CONTENT_TYPE, REPORTS};
use crate::digest::opaque_key;
use crate::json;
use crate::kit::{Fault, Parsed, Refusal, Verified};
use serde_json::Value;
use warmline_model::{Inbound, Media, Timestamp};

pub(super) fn parse(account: &Account, body: &Verified) -> Result<Parsed, Refusal> {
    if body.context(REPORTS).is_some() {
        return reports(body);
    }
    let form = Form::read(body.context(CONTENT_TYPE).unwrap_or_default(), body.body())?;
    let charsets = form.charsets();
    let text = |name: &str| {
        let charset = charsets.get(name).map_or("utf-8", String::as_str);
        form.raw(name).map(|raw| decode(raw, charset)).filter(|text| !text.trim().is_empty())
    };
    let mail = match form.raw("email").map(Raw::read) {
        Some(raw) => Mail::from(raw),
        None => {
            let headers = form.raw("headers").map(Headers::read).unwrap_or_default();
            let charset = charsets.get("html").map_or("", String::as_str);
            let html = form.raw("html").map(|raw| decode_html(raw, charset)).filter(|html| !html.trim().is_empty());
            Mail { headers, text: text("text"), html, cut: form.is_cut("html"), ..posted(&form) }
        }
    };
    let envelope = form.raw("envelope").and_then(|raw| json::read_lenient(raw, 64 * 1024).ok()).unwrap_or_default();
    let from = text("from").as_deref().and_then(address).or_else(|| envelope["from"].as_str().and_then(address));
    let to = envelope["to"][0].as_str().and_then(address).or_else(|| text("to").as_deref().and_then(address));
    let subject = text("subject").or_else(|| mail.headers.get("subject").map(str::to_owned));
    let envelope = envelope["from"].as_str().map(str::to_owned);
    let mail = Mail { from, envelope, to: to.map(|(address, _)| address), subject, ..mail };
    Ok(mail.messages(account, body.body(), body.time()))
}

/// The files of a mail that the provider took apart: attachments by name and size, and the reports of mail servers.
pub(super) fn posted(form: &Form<'_>) -> Mail {
    let mut mail = Mail::default();
    for Part { kind, file, body, size, .. } in form.files() {
        let name = file.clone().map(|name| name.replace('\0', "")).filter(|name| !name.is_empty());
        let media = Media { name, size: Some(*size), format: Some(kind.clone()), ..Media::default() };
        let report = Report::of_part(kind, body);
        let files = if report.is_some() { &mut mail.reported } else { &mut mail.files };
        if files.len() < MAX_FILES {
            files.push(media);
        }
        mail.report = match (mail.report.take(), report) {
            (Some(one), Some(two)) => Some(one.with(two)),
            (one, two) => one.or(two),
        };
    }
    mail
}

fn reports(body: &Verified) -> Result<Parsed, Refusal> {
    let list = json::list(body.body(), json::MAX_BYTES, &[])?;
    if !list.is_there() {
        return Err(Refusal::Malformed(Fault::NotList));
    }
    Ok(list.read(|_, item| one(item, body.time()).map(Some)).into())
}

fn one(mut item: Value, came_at: Timestamp) -> Result<Inbound, Refusal> {
    let address = item["email"].as_str().map(str::to_lowercase).filter(|a| is_address(a));
    let address = address.ok_or(Refusal::Field("email"))?;
    let event = item["event"].as_str().filter(|e| (1..=64).contains(&e.len())).unwrap_or("unknown").to_owned();
    let at = item["timestamp"].as_i64().map_or(came_at, Timestamp::from_secs);
    let (key, earlier_key) = match item["sg_event_id"].as_str().filter(|id| (1..=128).contains(&id.len())) {
        Some(id) => (opaque_key("event", &[&address, &event, id]), Some(id.to_owned())),
        None => (opaque_key("event", &[&item.to_string()]), None),
    };
    let Value::Object(mut fields) = std::mem::take(&mut item) else { return Err(Refusal::Field("email")) };
    fields.remove("email");
    let id = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    // Data that was sent with the mail comes back among its fields.
    let (ours, theirs) = (id("message"), id("sg_message_id"));
    let ids = (ours.as_deref(), theirs.as_deref());
    Ok(Inbound { earlier_key, ..report(key, &address, at, &event, ids, fields) })
}

#[cfg(test)]
mod tests {
    use super::super::{EmailAdapter, sign};
    use super::*;
    use crate::kit::Adapter;
    use proptest::prelude::*;
    use serde_json::json;
    use warmline_model::Content;

    fn account() -> Account {
        let secrets = [("address_token".into(), "0123456789abcdef".into())].into();
        EmailAdapter.account(&json!({ "provider": "sendgrid" }).into(), &secrets).ok().unwrap()
    }

    fn whole(fields: &[(&str, &[u8])], files: &[(&str, &str, &[u8])]) -> Result<Parsed, Refusal> {
        let (kind, body) = sign::multipart(fields, files);
        let verified = Verified::new(body).with(CONTENT_TYPE, kind).with_time(Timestamp::from_secs(1_700_000_000));
        parse(&account(), &verified)
    }

    fn reported(body: &str) -> Result<Parsed, Refusal> {
        let body = Verified::new(body.as_bytes().to_vec()).with_time(Timestamp::from_secs(7));
        parse(&account(), &body.with(REPORTS, "1"))
    }

    fn read(fields: &[(&str, &[u8])], files: &[(&str, &str, &[u8])]) -> Result<Vec<Inbound>, Refusal> {
        whole(fields, files).map(|parsed| parsed.messages)
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
            assert_eq!((&found[0].content, found[0].earlier_key.as_deref()), (&Content::text(text), Some("1@x")), "{label}");
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
        let nobody = whole(&[("text", b"x")], &[]).unwrap();
        assert_eq!((nobody.messages.len(), nobody.odd[0].reason), (0, "sender_missing"));
    }

    #[test]
    fn raw_mails() {
        let mail = "Message-ID: <1@x>\r\nFrom: =?UTF-8?B?546L?= <w@x>\r\nSubject: s\r\n\r\n你好".as_bytes();
        let found = read(&[("email", mail)], &[]).unwrap();
        assert_eq!((&found[1].content, found[1].sender.name.as_deref()), (&Content::text("你好"), Some("王")));
    }

    #[test]
    fn event_reports() {
        let read = |body: Value| reported(&body.to_string()).map(|parsed| parsed.messages);
        let found = read(json!([
            { "email": "W@x", "event": "Bounce", "timestamp": 1_600_112_492, "sg_event_id": "e1", "sg_message_id": "m1", "reason": "550" },
            { "email": "w@x" },
        ]))
        .unwrap();
        assert_eq!(
            (found[0].earlier_key.as_deref(), found[0].sender.open_id.as_str(), found[0].at.secs()),
            (Some("e1"), "w@x", 1_600_112_492)
        );
        let Content::Event { event, key, data } = &found[0].content else { panic!() };
        assert_eq!((event.as_str(), key.as_deref(), &data["reason"]), ("bounce", Some("m1"), &json!("550")));
        assert_eq!(data.get("email"), None);
        assert!(found[1].key.starts_with("event-"));
        assert_eq!(read(json!({})), Err(Refusal::Malformed(Fault::NotList)));
    }

    #[test]
    fn w8_a_report_makes_no_customer_and_names_our_message() {
        let ours = "msg_018f00000000700080000000000000ab";
        let of = |who: &str, message: Value| {
            let report =
                json!([{ "email": who, "event": "bounce", "sg_event_id": "e", "sg_message_id": "s1", "message": message }]);
            let one = reported(&report.to_string()).unwrap().messages.remove(0);
            assert!(one.sender.only_known);
            let Content::Event { key, data, .. } = one.content else { panic!() };
            assert_eq!(data["recipient"], one.sender.open_id.as_str());
            (one.sender.open_id, key.unwrap())
        };
        // A recipient of a copy, the customer of a form, and a recipient of the account's newsletter.
        assert_eq!(of("boss@y", json!(ours)), ("boss@y".to_owned(), ours.to_owned()));
        assert_eq!(of("w@x", json!(ours)), ("w@x".to_owned(), ours.to_owned()));
        for other in [Value::Null, json!("spring"), json!(7), json!("msg_018F"), json!({})] {
            assert_eq!(of("reader@z", other), ("reader@z".to_owned(), "s1".to_owned()));
        }
    }

    #[test]
    fn w8_a_report_among_the_files_of_a_parsed_mail() {
        let status = b"X: y\r\n\r\nFinal-Recipient: rfc822; w@x\r\nAction: failed\r\n";
        let posted = |kind: &str, from: &str| {
            let headers = format!("Content-Type: {kind}; boundary=b\r\nFrom: {from}\r\n");
            let fields: [(&str, &[u8]); 3] =
                [("headers", headers.as_bytes()), ("text", "被退回了，我要投诉".as_bytes()), ("from", from.as_bytes())];
            let (form, body) = sign::multipart(&fields, &[("attachment1", "details.txt", status)]);
            let body = String::from_utf8(body).unwrap().replace("application/octet-stream", "message/delivery-status");
            parse(&account(), &Verified::new(body.into_bytes()).with(CONTENT_TYPE, form)).unwrap().messages
        };
        let found = posted("multipart/mixed", "w@x");
        assert_eq!((found.len(), found[0].content.words()), (2, Some("被退回了，我要投诉")));
        assert!(matches!(&found[1].content, Content::File { media } if media.name.as_deref() == Some("details.txt")));
        for found in [posted("multipart/report", "a@mx"), posted("multipart/mixed", "mailer-daemon@mx")] {
            let [Inbound { content: Content::Event { event, .. }, sender, .. }] = &found[..] else { panic!("{found:?}") };
            assert_eq!((event.as_str(), sender.open_id.as_str()), ("bounce", "w@x"));
        }
    }

    #[test]
    fn w10_a_wrong_charset_of_a_field_and_a_documents_own() {
        let fields: [(&str, &[u8]); 3] =
            [("from", b"a@b"), ("text", "我要投诉".as_bytes()), ("charsets", br#"{"text":"gb2312","html":"iso-8859-1"}"#)];
        assert_eq!(read(&fields, &[]).unwrap()[0].content, Content::text("我要投诉"));
        let html = b"<meta charset=big5><p>\xa7\x41\xa6\x6e</p>";
        assert_eq!(read(&[("from", b"a@b"), ("html", html)], &[]).unwrap()[0].content, Content::text("你好"));
    }

    #[test]
    fn f1_a_report_that_cannot_be_read_costs_the_others_nothing() {
        let good = |id: &str| format!(r#"{{"email":"w@x.cn","event":"delivered","timestamp":9,"sg_event_id":"{id}"}}"#);
        for (bad, reason) in [
            (r#"{"email":"not-an-address","event":"dropped","timestamp":9,"sg_event_id":"e2"}"#, "email"),
            (r#"{"event":"open"}"#, "email"),
            ("1", "email"),
            (r#"{"email":"w@x.cn","event":}"#, "not_json"),
        ] {
            let found = reported(&format!("[{},{bad},{}]", good("e1"), good("e3"))).unwrap();
            let ids: Vec<_> = found.messages.iter().filter_map(|m| m.earlier_key.as_deref()).collect();
            assert_eq!(ids, ["e1", "e3"], "{bad}");
            assert_eq!((found.odd.len(), found.odd[0].reason, &found.odd[0].raw[..]), (1, reason, bad.as_bytes()), "{bad}");
        }
        let half = reported(r#"[{"email":"w@x.cn","event":"bounce","reason":"550 \ud83d"}]"#).unwrap();
        assert!(matches!(&half.messages[0].content, Content::Event { data, .. } if data["reason"] == "550 \u{FFFD}"));
    }

    #[test]
    fn a_thousand_reports_are_one_batch() {
        let report = |n: usize| {
            format!(r#"{{"email":"w@x.cn","event":"open","timestamp":{n},"sg_event_id":"{n}","a":1,"b":2,"c":3}}"#)
        };
        let batch = (0..1_000).map(report).collect::<Vec<_>>().join(",");
        assert_eq!(reported(&format!("[{batch}]")).unwrap().messages.len(), 1_000);
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_do_not_panic(bytes: Vec<u8>, text in ".*", charset in "[a-z0-9-]{0,12}") {
            let _ = parse(&account(), &Verified::new(bytes.clone()).with(REPORTS, "1"));
            let _ = parse(&account(), &Verified::new(bytes.clone()).with(CONTENT_TYPE, "multipart/form-data; boundary=x"));
            let charsets = json!({ "text": charset, "from": charset }).to_string();
            let fields: [(&str, &[u8]); 5] = [("from", &bytes), ("text", &bytes), ("envelope", &bytes), ("headers", text.as_bytes()), ("charsets", charsets.as_bytes())];
            let _ = read(&fields, &[]);
            let _ = read(&[("email", text.as_bytes()), ("from", b"a@b")], &[]);
        }
    }
}
