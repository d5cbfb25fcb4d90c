//! Mail: Mailgun's signature, SendGrid's signed reports and its posted mails, all through the adapter.

use crate::{Vector, Verdict};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, Method};
use serde_json::{Value, json};
use warmline_channels::email::{Account, EmailAdapter, sign};
use warmline_channels::{Adapter, Refusal, Request};
use warmline_model::{Content, Inbound, Timestamp};

const POSTMARK: &str = "Postmark is not among the providers of this channel";
const TOKEN: &str = "vectors-address-token";

pub(crate) fn check(vector: &Vector) -> Verdict {
    match (vector.kind(), vector.algorithm()) {
        ("signature", "mailgun_hmac") => mailgun(vector),
        ("signature", "sendgrid_ecdsa") => ecdsa(vector),
        ("parse", "multipart_form") => inbound(vector),
        ("parse", "json_message") => Verdict::NotApplicable(POSTMARK),
        other => panic!("{}: {other:?}", vector.id()),
    }
}

fn account(settings: &Value, secret: (&str, &str)) -> Account {
    EmailAdapter.account(&settings.clone().into(), &[(secret.0.to_owned(), secret.1.to_owned())].into()).ok().unwrap()
}

fn ask(
    account: &Account,
    rest: &str,
    headers: &[(&'static str, &str)],
    body: &[u8],
    now: Timestamp,
) -> Result<Vec<Inbound>, Refusal> {
    let headers: HeaderMap = headers.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().unwrap())).collect();
    let request = Request { method: &Method::POST, rest, query: "", headers: &headers, body };
    EmailAdapter.parse(account, &EmailAdapter.verify(account, &request, now)?).map(|parsed| parsed.messages)
}

/// The reports of the samples are also read: person, event and key.
fn mailgun(vector: &Vector) -> Verdict {
    let (key, timestamp, token) = (vector.input("signing_key"), vector.input("timestamp"), vector.input("token"));
    assert_eq!(sign::mailgun(key, timestamp, token), vector.expected()["signature"].as_str().unwrap());

    let account = account(&json!({ "provider": "mailgun" }), ("signing_key", key));
    let now = Timestamp::from_secs(timestamp.parse().unwrap());
    let send = |body: &str, now| ask(&account, "", &[("content-type", "application/json")], body.as_bytes(), now);
    let body = vector.input("body");
    let report = &serde_json::from_str::<Value>(body).unwrap()["event-data"];
    let found = send(body, now).unwrap();
    match report["recipient"].as_str() {
        Some(recipient) => {
            let Content::Event { event, .. } = &found[0].content else { panic!("{}", vector.id()) };
            assert_eq!((found.len(), event.as_str()), (1, report["event"].as_str().unwrap()));
            assert_eq!(
                (crate::told_id(&found[0]), found[0].sender.open_id.as_str()),
                (report["id"].as_str().unwrap(), recipient)
            );
        }
        None => assert_eq!(found, Vec::new(), "{}", vector.id()),
    }
    assert_eq!(send(&body.replacen(token, "another", 1), now), Err(Refusal::SignatureWrong));
    assert_eq!(send(body, now.plus_millis(301_000)), Err(Refusal::Stale(-301)));
    Verdict::Passed
}

fn ecdsa(vector: &Vector) -> Verdict {
    let settings = json!({ "provider": "sendgrid", "event_public_key": vector.input("public_key_b64") });
    let account = account(&settings, ("address_token", TOKEN));
    let (timestamp, body) = (vector.input("timestamp"), vector.input("body"));
    let headers = [
        ("x-twilio-email-event-webhook-signature", vector.input("signature_b64")),
        ("x-twilio-email-event-webhook-timestamp", timestamp),
    ];
    let now = Timestamp::from_secs(timestamp.parse().unwrap());
    let result = ask(&account, "", &headers, body.as_bytes(), now);
    if vector.expected()["valid"] == false {
        assert_eq!(result, Err(Refusal::SignatureWrong), "{}", vector.id());
        return Verdict::Passed;
    }
    let found = result.unwrap();
    assert_eq!(crate::told_id(&found[0]), "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA");
    assert_eq!((found[0].sender.open_id.as_str(), found[0].at.secs()), ("hello@world.com", 1_600_112_492));
    assert!(matches!(&found[0].content, Content::Event { event, .. } if event == "dropped"));
    assert_eq!(ask(&account, "", &headers, b"[]", now), Err(Refusal::SignatureWrong));
    Verdict::Passed
}

/// SendGrid's own samples. They have no Message-Id, so the key is a digest, which is the same each time.
fn inbound(vector: &Vector) -> Verdict {
    let account = account(&json!({ "provider": "sendgrid" }), ("address_token", TOKEN));
    let body = STANDARD.decode(vector.input("body_b64")).unwrap();
    let rest = format!("/{TOKEN}");
    let headers = [("content-type", vector.input("content_type"))];
    let now = Timestamp::from_secs(1_700_000_000);
    let found = ask(&account, &rest, &headers, &body, now).unwrap();
    assert_eq!(found, ask(&account, &rest, &headers, &body, now).unwrap());

    let (subject, to, date, file) = match vector.id() {
        "sendgrid-inbound-default_data" => ("Testing non-raw", "inbound@inbound.example.com", 1_470_877_813, None),
        "sendgrid-inbound-raw_data" => ("Testing with Request.bin", "inbound@inbound.inbound.com", 1_470_865_461, None),
        "sendgrid-inbound-raw_data_with_attachments" => {
            ("Raw Payload", "inbound@inbound.inbound.com", 1_471_294_041, Some("SendGrid.jpg"))
        }
        other => panic!("{other}: a mail that this test does not know"),
    };
    let Content::Event { event, data, .. } = &found[0].content else { panic!("{}", vector.id()) };
    assert_eq!((event.as_str(), &data["subject"]), ("subject", &json!(subject)));
    assert_eq!(found[1].content, Content::text("Hello Twilio SendGrid!"));
    assert!(found[1].key.starts_with("mail-") && found[0].key == format!("{}#subject", found[1].key));
    for inbound in &found {
        assert_eq!(inbound.sender.open_id, "test@example.com");
        assert_eq!(inbound.sender.name.as_deref(), Some("Example User"));
        assert_eq!((inbound.at.secs(), &inbound.reply_to.as_ref().unwrap()["to"]), (date, &json!(to)));
    }
    match (file, found.get(2).map(|inbound| &inbound.content)) {
        (None, None) => {}
        (Some(name), Some(Content::File { media })) => {
            assert_eq!((media.name.as_deref(), media.format.as_deref()), (Some(name), Some("image/jpeg")));
            assert!(media.size.is_some_and(|size| size > 1_000));
        }
        other => panic!("{}: {other:?}", vector.id()),
    }
    Verdict::Passed
}
