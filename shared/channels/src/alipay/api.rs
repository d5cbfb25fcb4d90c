//! Replies by `alipay.open.public.message.custom.send`, pictures by `alipay.mobile.public.multimedia.download`, and the
//! meaning of the platform's codes.

use super::CAPABILITIES;
use super::account::Account;
use super::form::signed_text;
use crate::answers;
use crate::civil;
use crate::json;
use crate::kit::{ApiRequest, ApiResponse, Outbound, Outcome, Rendered, Undeliverable};
use crate::requests::{get, post_utf8_form};
use crate::sorted_sign::form;
use crate::values::text;
use crate::wx::page::Page;
use serde_json::{Value, json};
use warmline_model::{Content, Media, Timestamp};

/// The parameters of a call, signed.
fn call(account: &Account, method: &str, content: &Value, now: Timestamp) -> Result<Vec<(String, String)>, Undeliverable> {
    let params = [
        ("app_id", account.app_id.clone()),
        ("biz_content", content.to_string()),
        ("charset", "utf-8".to_owned()),
        ("format", "JSON".to_owned()),
        ("method", method.to_owned()),
        ("sign_type", "RSA2".to_owned()),
        ("timestamp", civil::beijing(now)),
        ("version", "1.0".to_owned()),
    ];
    let text = signed_text(params.iter().map(|(name, value)| (*name, value.as_bytes())), &[]);
    let sign = account.key.sign(&text).ok_or(Undeliverable::KeyUnusable)?;
    let mut params = params.map(|(name, value)| (name.to_owned(), value)).to_vec();
    params.push(("sign".to_owned(), sign));
    Ok(params)
}

/// A reply in the platform's form.
pub(super) fn content(reply: &Outbound<'_>) -> Result<Value, Undeliverable> {
    CAPABILITIES.check(reply.content)?;
    // `chat`: the message appears in the talk with the account, not on its page.
    Ok(match reply.content {
        Content::Text { text, .. } => {
            json!({ "to_user_id": reply.to, "msg_type": "text", "text": { "content": text }, "chat": "1" })
        }
        Content::Link { url, .. } if Page::read(url).is_some() => return Err(Undeliverable::CardNotSupported),
        Content::Link { title, description, url } => {
            let article = json!({ "title": title, "desc": description.as_deref().unwrap_or(title), "url": url });
            json!({ "to_user_id": reply.to, "msg_type": "image-text", "articles": [article], "chat": "1" })
        }
        _ => return Err(Undeliverable::KindNotSupported),
    })
}

pub(super) fn render(account: &Account, reply: &Outbound<'_>, now: Timestamp) -> Result<Rendered, Undeliverable> {
    let params = call(account, "alipay.open.public.message.custom.send", &content(reply)?, now)?;
    // The charset is in the address too, since the gateway reads the form with it.
    Ok(Rendered::Call(post_utf8_form(format!("{}/gateway.do?charset=utf-8", account.api_base), form(&params))))
}

pub(super) fn media(account: &Account, media: &Media, now: Timestamp) -> Result<ApiRequest, Undeliverable> {
    let id = media.id.as_deref().filter(|id| !id.is_empty()).ok_or(Undeliverable::MediaIdMissing)?;
    let params = call(account, "alipay.mobile.public.multimedia.download", &json!({ "mediaId": id }), now)?;
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&params).finish();
    let url = format!("{}/chat/multimedia.do?{query}", account.media_base);
    Ok(get(url))
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    if let Err(outcome) = answers::check_status(answer.status) {
        return outcome;
    }
    let Ok(Value::Object(map)) = json::read(answer.body, json::MAX_BYTES) else {
        return Outcome::Retry("answer_unreadable");
    };
    let Some(Value::Object(response)) = map.iter().find(|(name, _)| name.ends_with("_response")).map(|(_, value)| value)
    else {
        return Outcome::Retry("answer_unreadable");
    };
    let Some(code) = text(response, "code") else { return Outcome::Retry("answer_unreadable") };
    let reason = text(response, "sub_code").unwrap_or_default().to_lowercase();
    let says = |part: &str| reason.contains(part);
    match code.as_str() {
        "10000" => Outcome::Sent,
        _ if says("sd_over_time") => Outcome::Permanent("reply_window_closed"),
        _ if says("signature") || says("app-id") || says("auth-token") || says("invalid-key") => {
            Outcome::Permanent("credentials_refused")
        }
        _ if says("ip-white") => Outcome::Permanent("ip_not_allowed"),
        _ if says("not_follow") || says("unfollow") => Outcome::Permanent("recipient_not_following"),
        _ if says("call-limited") || says("call_limited") => Outcome::Retry("rate_limited"),
        "40005" => Outcome::Retry("rate_limited"),
        "20000" => Outcome::Retry("platform_busy"),
        "20001" => Outcome::Permanent("credentials_refused"),
        "40006" => Outcome::Permanent("api_not_authorized"),
        _ if reason.starts_with("isp.") || says("system_error") => Outcome::Retry("platform_busy"),
        _ => Outcome::Permanent("platform_refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::account::tests::account;
    use super::super::rsa2::PublicKey;
    use super::*;
    use crate::sorted_sign::read_form;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_451_620_800);

    fn value<'a>(params: &'a [(String, String)], name: &str) -> &'a str {
        params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or_default()
    }

    fn checked(params: &[(String, String)]) {
        let text = signed_text(params.iter().map(|(name, value)| (name.as_str(), value.as_bytes())), &["sign"]);
        let application = PublicKey::read(&account().key.public()).unwrap();
        assert!(application.verifies(&text, value(params, "sign")));
    }

    fn rendered(content: &Content) -> Result<ApiRequest, Undeliverable> {
        let reply = Outbound { to: "2088", id: "msg_1", content, at: NOW, reply_to: None };
        match render(&account(), &reply, NOW)? {
            Rendered::Call(call) => Ok(call),
            Rendered::Held => panic!("held"),
        }
    }

    #[test]
    fn replies() {
        let call = rendered(&Content::text("您好 😀&=+")).ok().unwrap();
        assert_eq!(call.url, "https://openapi.alipay.com/gateway.do?charset=utf-8");
        let params = read_form(&call.body);
        checked(&params);
        assert_eq!(value(&params, "timestamp"), "2016-01-01 12:00:00");
        let content: Value = serde_json::from_str(value(&params, "biz_content")).unwrap();
        assert_eq!(content["to_user_id"], "2088");
        assert_eq!(content["text"]["content"], "您好 😀&=+");
        let link = Content::Link { title: "t".into(), description: None, url: "https://x".into() };
        let params = read_form(&rendered(&link).ok().unwrap().body);
        let content: Value = serde_json::from_str(value(&params, "biz_content")).unwrap();
        assert_eq!(content["articles"][0], json!({ "title": "t", "desc": "t", "url": "https://x" }));
        assert_eq!(rendered(&Content::text("长".repeat(700))).err(), Some(Undeliverable::TextTooLong));
        assert_eq!(rendered(&Content::Image { media: Media::default() }).err(), Some(Undeliverable::KindNotSupported));
    }

    #[test]
    fn pictures() {
        let picture = Media { id: Some("L21p+/=".into()), ..Media::default() };
        let call = media(&account(), &picture, NOW).ok().unwrap();
        let (base, query) = call.url.split_once('?').unwrap();
        assert_eq!(base, "https://openfile.alipay.com/chat/multimedia.do");
        let params = read_form(query.as_bytes());
        checked(&params);
        assert_eq!(value(&params, "biz_content"), "{\"mediaId\":\"L21p+/=\"}");
        assert_eq!(media(&account(), &Media::default(), NOW).err(), Some(Undeliverable::MediaIdMissing));
    }

    #[test]
    fn answers() {
        let read = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        let code = |code: &str, sub: &str| {
            let response = json!({ "code": code, "msg": "x", "sub_code": sub });
            read(200, &json!({ "alipay_open_public_message_custom_send_response": response, "sign": "x" }).to_string())
        };
        assert_eq!(code("10000", ""), Outcome::Sent);
        assert_eq!(code("20000", "isp.unknow-error"), Outcome::Retry("platform_busy"));
        assert_eq!(code("20001", "aop.invalid-auth-token"), Outcome::Permanent("credentials_refused"));
        assert_eq!(code("40002", "isv.invalid-signature"), Outcome::Permanent("credentials_refused"));
        assert_eq!(code("40002", "isv.invalid-app-id"), Outcome::Permanent("credentials_refused"));
        assert_eq!(code("40004", "PUB.MSG_SD_OVER_TIME"), Outcome::Permanent("reply_window_closed"));
        assert_eq!(code("40004", "SYSTEM_ERROR"), Outcome::Retry("platform_busy"));
        assert_eq!(code("40005", "isv.app-call-limited"), Outcome::Retry("rate_limited"));
        assert_eq!(code("40006", "isv.insufficient-isv-permissions"), Outcome::Permanent("api_not_authorized"));
        assert_eq!(code("40004", "other"), Outcome::Permanent("platform_refused"));
        assert_eq!(read(502, ""), Outcome::Retry("platform_unavailable"));
        assert_eq!(read(429, ""), Outcome::Retry("rate_limited"));
        assert_eq!(read(404, ""), Outcome::Permanent("http_refused"));
        assert_eq!(read(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(read(200, "{}"), Outcome::Retry("answer_unreadable"));
    }

    proptest! {
        #[test]
        fn arbitrary_answers_do_not_panic(status: u16, body: Vec<u8>) {
            prop_assert_ne!(read_answer(&ApiResponse { status, body: &body }), Outcome::Sent);
        }
    }
}
