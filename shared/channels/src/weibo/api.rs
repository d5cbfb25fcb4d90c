//! Replies, by 客服消息 (`/2/messages/reply.json`) or in the webhook's answer; the meaning of the platform's error codes;
//! media.

use super::CAPABILITIES;
use super::account::Account;
use crate::answers;
use crate::json;
use crate::kit::{ApiRequest, ApiResponse, Outbound, Outcome, Rendered, Reply, Undeliverable, Verified};
use crate::requests::{encoded, get, post_form};
use serde::Deserialize;
use serde_json::{Value, json};
use warmline_model::{Content, Media};

/// `type` and `data` of a reply.
fn words(content: &Content) -> Result<(&'static str, String), Undeliverable> {
    CAPABILITIES.check(content)?;
    match content {
        Content::Text { text, .. } => Ok(("text", json!({ "text": text }).to_string())),
        Content::Location { latitude, longitude, .. } => {
            let data = json!({ "longitude": longitude.to_string(), "latitude": latitude.to_string() });
            Ok(("position", data.to_string()))
        }
        _ => Err(Undeliverable::KindNotSupported),
    }
}

fn percent_encoded(text: &str) -> String {
    // A plus of the text is `%2B` by now, so each remaining one is a space.
    encoded(text).replace('+', "%20")
}

pub(super) fn render(account: &Account, reply: &Outbound<'_>) -> Result<Rendered, Undeliverable> {
    let (kind, data) = words(reply.content)?;
    let token = account.access_token.as_deref().ok_or(Undeliverable::CredentialsMissing)?;
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("type", kind)
        .append_pair("data", &data)
        .append_pair("receiver_id", reply.to)
        .append_pair("save_sender_box", "1")
        .finish();
    let url = format!("{}/2/messages/reply.json?access_token={}", account.api_base, percent_encoded(token));
    Ok(Rendered::Call(post_form(url, body)))
}

/// A reply as the webhook's answer. It goes only to the sender of this very webhook.
pub(super) fn passive(body: &Verified, reply: &Outbound<'_>) -> Option<Reply> {
    let (kind, data) = words(reply.content).ok()?;
    let webhook = json::read_lenient(body.body(), json::MAX_BYTES).ok()?;
    let (customer, us) = (webhook.get("sender_id")?, webhook.get("receiver_id")?);
    let same = match customer {
        Value::String(id) => id == reply.to,
        Value::Number(id) => id.to_string() == reply.to,
        _ => false,
    };
    if !same {
        return None;
    }
    let answer =
        json!({ "result": true, "receiver_id": customer, "sender_id": us, "type": kind, "data": percent_encoded(&data) });
    Some(Reply::json(&answer))
}

#[derive(Deserialize)]
struct SendAnswer {
    result: Option<bool>,
    error_code: Option<Code>,
}

/// Error codes come as numbers and, in the documents' own sample, as texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Number(i64),
    Text(String),
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    // The platform refuses with 400 and 403 and a code, which tells more than the status.
    let read = json::read_as::<SendAnswer>(answer.body, json::MAX_BYTES).ok();
    let code = match read.as_ref().and_then(|read| read.error_code.as_ref()) {
        Some(Code::Number(code)) => Some(*code),
        Some(Code::Text(code)) => code.parse().ok(),
        None => None,
    };
    if let Some(outcome) = code.and_then(meaning) {
        return outcome;
    }
    if let Err(outcome) = answers::check_status(answer.status) {
        return if code.is_some() && outcome == Outcome::Permanent("http_refused") {
            Outcome::Permanent("platform_refused")
        } else {
            outcome
        };
    }
    match (code, read.and_then(|read| read.result)) {
        (Some(_), _) | (None, Some(false)) => Outcome::Permanent("platform_refused"),
        (None, Some(true)) => Outcome::Sent,
        (None, None) => Outcome::Retry("answer_unreadable"),
    }
}

/// The meaning by the document Error code. For 26403 (answered already, or too late), it comes from public integrations.
fn meaning(code: i64) -> Option<Outcome> {
    Some(match code {
        10001 | 10002 | 10003 | 10009 | 10010 | 10011 => Outcome::Retry("platform_busy"),
        10022 | 10023 | 10024 | 20016 => Outcome::Retry("rate_limited"),
        10004 => Outcome::Permanent("ip_not_allowed"),
        10005 | 10014 => Outcome::Permanent("api_not_authorized"),
        10006 | 21301 | 21314..=21319 | 21327 | 21332 => Outcome::Permanent("credentials_refused"),
        10013 | 20003 => Outcome::Permanent("recipient_unknown"),
        20301 => Outcome::Permanent("recipient_not_following"),
        20012 | 20013 => Outcome::Permanent("text_too_long"),
        20018 | 20020 | 20021 | 20302 => Outcome::Permanent("content_refused"),
        26403 => Outcome::Permanent("reply_window_closed"),
        _ => return None,
    })
}

pub(super) fn media(account: &Account, media: &Media) -> Result<ApiRequest, Undeliverable> {
    let id = media.id.as_deref().filter(|id| !id.is_empty()).ok_or(Undeliverable::MediaIdMissing)?;
    let token = account.access_token.as_deref().ok_or(Undeliverable::CredentialsMissing)?;
    let url =
        format!("{}/2/mss/msget?access_token={}&fid={}", account.media_base, percent_encoded(token), percent_encoded(id));
    Ok(get(url))
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;
    use proptest::prelude::*;
    use warmline_model::Timestamp;

    fn account(token: Option<&str>) -> Account {
        let mut secrets: crate::kit::Secrets = [("app_secret".to_owned(), "0123456789abcdef".to_owned())].into();
        secrets.extend(token.map(|token| ("access_token".to_owned(), token.to_owned())));
        Account::read(&json!({ "api_base": "http://127.0.0.1:9/" }), &secrets).ok().unwrap()
    }

    fn outbound<'a>(to: &'a str, content: &'a Content) -> Outbound<'a> {
        Outbound { to, id: "msg_1", content, at: Timestamp::from_millis(0), reply_to: None }
    }

    fn rendered(token: Option<&str>, content: &Content) -> Result<ApiRequest, Undeliverable> {
        match render(&account(token), &outbound("7", content))? {
            Rendered::Call(call) => Ok(call),
            Rendered::Held => panic!("held"),
        }
    }

    #[test]
    fn replies_by_the_api() {
        let call = rendered(Some("2.00a+b"), &Content::text("您好 😀&=")).ok().unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/2/messages/reply.json?access_token=2.00a%2Bb");
        let fields: std::collections::BTreeMap<_, _> = form_urlencoded::parse(&call.body).into_owned().collect();
        assert_eq!((fields["type"].as_str(), fields["receiver_id"].as_str()), ("text", "7"));
        assert_eq!(fields["data"], json!({ "text": "您好 😀&=" }).to_string());
        let place = Content::Location { latitude: 39.5, longitude: 116.25, scale: None, label: None };
        assert!(rendered(Some("t"), &place).is_ok());
        assert_eq!(rendered(None, &Content::text("x")).err(), Some(Undeliverable::CredentialsMissing));
        assert_eq!(rendered(Some("t"), &Content::text("长".repeat(300))).err(), Some(Undeliverable::TextTooLong));
        assert_eq!(
            rendered(Some("t"), &Content::Image { media: Media::default() }).err(),
            Some(Undeliverable::KindNotSupported)
        );
    }

    #[test]
    fn passive_replies_go_to_the_sender_only() {
        let webhook = || Verified::new(sign::message(7, 9, Timestamp::from_secs(0), "text", "x", &json!({})).into_bytes());
        let reply = passive(&webhook(), &outbound("7", &Content::text("纯 文本"))).unwrap();
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["receiver_id"], 7);
        assert_eq!(body["sender_id"], 9);
        assert_eq!(body["data"], "%7B%22text%22%3A%22%E7%BA%AF%20%E6%96%87%E6%9C%AC%22%7D");
        assert_eq!(passive(&webhook(), &outbound("8", &Content::text("x"))), None);
        assert_eq!(passive(&webhook(), &outbound("7", &Content::text("长".repeat(300)))), None);
    }

    #[test]
    fn answers() {
        let sent = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        let code = |code: i64| sent(400, &json!({ "request": "/2", "error_code": code, "error": "x" }).to_string());
        assert_eq!(sent(200, r#"{"result":true,"receiver_id":7}"#), Outcome::Sent);
        assert_eq!(code(10001), Outcome::Retry("platform_busy"));
        assert_eq!(code(10023), Outcome::Retry("rate_limited"));
        assert_eq!(code(21327), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(21332), Outcome::Permanent("credentials_refused"));
        assert_eq!(code(26403), Outcome::Permanent("reply_window_closed"));
        assert_eq!(code(20003), Outcome::Permanent("recipient_unknown"));
        assert_eq!(code(20021), Outcome::Permanent("content_refused"));
        assert_eq!(code(10005), Outcome::Permanent("api_not_authorized"));
        assert_eq!(code(99999), Outcome::Permanent("platform_refused"));
        assert_eq!(sent(403, r#"{"error_code":"10006"}"#), Outcome::Permanent("credentials_refused"));
        assert_eq!(sent(404, "gone"), Outcome::Permanent("http_refused"));
        assert_eq!(sent(429, ""), Outcome::Retry("rate_limited"));
        assert_eq!(sent(502, ""), Outcome::Retry("platform_unavailable"));
        assert_eq!(sent(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(sent(200, r#"{"result":false}"#), Outcome::Permanent("platform_refused"));
    }

    #[test]
    fn media_are_fetched_with_the_token() {
        let picture = Media { id: Some("821804469".into()), ..Media::default() };
        let call = media(&account(Some("t")), &picture).ok().unwrap();
        assert_eq!(call.url, "https://upload.api.weibo.com/2/mss/msget?access_token=t&fid=821804469");
        assert_eq!(media(&account(None), &picture).err(), Some(Undeliverable::CredentialsMissing));
        assert_eq!(media(&account(Some("t")), &Media::default()).err(), Some(Undeliverable::MediaIdMissing));
    }

    proptest! {
        #[test]
        fn arbitrary_answers_do_not_panic(status: u16, body: Vec<u8>) {
            prop_assert_ne!(read_answer(&ApiResponse { status, body: &body }), Outcome::Sent);
        }
    }
}
