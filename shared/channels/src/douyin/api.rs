//! Replies, and the meaning of the platform's codes.
//!
//! * `POST /im/send/msg/?open_id=` with the header `access-token` (《发送私信消息》): `msg_type` 1 text, 2 picture by `media_id`, 3
//!   one of the operator's own films by `item_id`.
//! * Mini apps: `POST /api/apps/message/custom/send?access_token=`.
//!
//! Codes: 《状态码排查工具》 (2800100x, 21x, 219x), and the tables of the calls themselves. Integrators report that 28003070 is the
//! customer's quota and 28003080/28003081 the closed window; the public table does not list them.

use super::CAPABILITIES;
use super::account::{Account, Face};
use super::im::{CONVERSATION, MESSAGE, OPERATOR};
use super::token::token_request;
use crate::answers;
use crate::kit::{ApiRequest, ApiResponse, Outbound, Outcome, Rendered, Undeliverable};
use crate::requests::{encoded, get, post_json};
use crate::values::whole;
use serde_json::{Value, json};
use warmline_model::{Content, Media};

/// The hosts on which the platform keeps pictures, besides the API itself.
const MEDIA_HOSTS: &[&str] = &[".douyinpic.com", ".byteimg.com", ".bytemastatic.com"];

/// The codes of an answer: the old form's (`errcode`, `err_no`) and the new one's (`data.error_code`, `extra.error_code`).
/// `None` if there is no code at all; otherwise the first that is not 0.
pub(super) fn code(answer: &Value) -> Option<i64> {
    let places = [
        answer.get("err_no"),
        answer.get("errcode"),
        answer.pointer("/extra/error_code"),
        answer.pointer("/data/error_code"),
    ];
    let codes: Vec<i64> = places.into_iter().filter_map(whole).collect();
    codes.iter().copied().find(|&code| code != 0).or(codes.first().copied())
}

pub(super) fn render(account: &Account, reply: &Outbound<'_>, token: Option<&str>) -> Result<Rendered, Undeliverable> {
    CAPABILITIES.check(reply.content)?;
    let token = || {
        token.ok_or(if token_request(account).is_some() {
            Undeliverable::TokenMissing
        } else {
            Undeliverable::CredentialsMissing
        })
    };
    let base = &account.api_base;
    match &account.face {
        Face::Im(_) => {
            let content = private_message(reply.content)?;
            let part = |name: &str| reply.reply_to.and_then(|to| to.get(name)).and_then(Value::as_str);
            let (Some(operator), Some(message), Some(conversation)) = (part(OPERATOR), part(MESSAGE), part(CONVERSATION))
            else {
                return Err(Undeliverable::ReplyContextMissing);
            };
            let body = json!({
                "scene": "im_reply_msg",
                "to_user_id": reply.to,
                "conversation_id": conversation,
                "msg_id": message,
                "content": content,
            });
            let mut call = post_json(format!("{base}/im/send/msg/?open_id={}", encoded(operator)), body.to_string());
            call.headers.push(("access-token", token()?.to_owned()));
            Ok(Rendered::Call(call))
        }
        Face::Miniapp(_) => {
            let body = match reply.content {
                Content::Text { text, .. } => json!({ "open_id": reply.to, "msg_type": "text", "content": text }),
                Content::Image { media } => {
                    let url = media.url.as_deref().filter(|url| !url.is_empty()).ok_or(Undeliverable::MediaUrlMissing)?;
                    json!({ "open_id": reply.to, "msg_type": "image", "pic_url": url })
                }
                _ => return Err(Undeliverable::KindNotSupported),
            };
            let url = format!("{base}/api/apps/message/custom/send?access_token={}", encoded(token()?));
            Ok(Rendered::Call(post_json(url, body.to_string())))
        }
    }
}

fn private_message(content: &Content) -> Result<Value, Undeliverable> {
    let id = |media: &Media| media.id.clone().filter(|id| !id.is_empty()).ok_or(Undeliverable::MediaIdMissing);
    Ok(match content {
        Content::Text { text, .. } => json!({ "msg_type": 1, "text": { "text": text } }),
        Content::Image { media } => json!({ "msg_type": 2, "image": { "media_id": id(media)? } }),
        Content::Video { media } => json!({ "msg_type": 3, "video": { "item_id": id(media)? } }),
        _ => return Err(Undeliverable::KindNotSupported),
    })
}

pub(super) fn read_answer(answer: &ApiResponse<'_>) -> Outcome {
    let body = match answers::read_json(answer) {
        Ok(body) => body,
        Err(outcome) => return outcome,
    };
    match code(&body) {
        None => Outcome::Retry("answer_unreadable"),
        Some(code) => meaning(code),
    }
}

fn meaning(code: i64) -> Outcome {
    match code {
        0 => Outcome::Sent,
        10_008 | 11_016 | 40_002 | 2_190_002 | 2_190_008 | 28_001_003 | 28_001_008 => Outcome::RefreshToken,
        -1 | 2_100_004 | 28_001_005 | 28_001_006 => Outcome::Retry("platform_busy"),
        // The first two mean that the app's own daily quota is used up. It is renewed tomorrow.
        2_190_001 | 28_003_017 | 28_003_018 | 28_001_052 => Outcome::Retry("rate_limited"),
        28_003_070 => Outcome::Permanent("reply_quota_used"),
        28_003_080 | 28_003_081 => Outcome::Permanent("reply_window_closed"),
        28_003_082 | 28_001_045 | 28_001_046 => Outcome::Permanent("recipient_unknown"),
        28_001_038 => Outcome::Permanent("content_refused"),
        28_001_016 | 28_001_019 | 28_001_056 | 28_029_004 => Outcome::Permanent("account_blocked"),
        2_100_007 | 2_190_004 | 28_001_012 | 28_001_014 | 28_001_015 | 28_001_018 | 28_001_042 => {
            Outcome::Permanent("api_not_authorized")
        }
        _ => Outcome::Permanent("platform_refused"),
    }
}

/// A medium with an address on one of the platform's own hosts. Other hosts are never called, because an address is a
/// stranger's input.
pub(super) fn media(account: &Account, media: &Media) -> Result<ApiRequest, Undeliverable> {
    let url = media.url.as_deref().filter(|url| !url.is_empty()).ok_or(Undeliverable::MediaOnlyInApp)?;
    let uri: http::Uri = url.parse().map_err(|_| Undeliverable::MediaHostUnknown)?;
    let platform = uri.scheme_str() == Some("https")
        && uri.authority().is_some_and(|a| !a.as_str().contains('@'))
        && uri.host().is_some_and(|host| MEDIA_HOSTS.iter().any(|known| host.ends_with(known)));
    let stand_in = url.strip_prefix(account.api_base.as_str()).is_some_and(|rest| rest.starts_with('/'));
    if !platform && !stand_in {
        return Err(Undeliverable::MediaHostUnknown);
    }
    Ok(get(url.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use warmline_model::Timestamp;

    fn im(secrets: &[(&str, &str)]) -> Account {
        let mut all = crate::kit::Secrets::from([("client_secret".to_owned(), "s3".to_owned())]);
        all.extend(secrets.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        Account::read(&json!({ "client_key": "ck", "api_base": "http://127.0.0.1:9" }), &all).ok().unwrap()
    }

    fn app() -> Account {
        let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
        let secrets = [("token", "tok"), ("encoding_aes_key", key), ("app_secret", "s4")];
        let secrets = secrets.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let settings = json!({ "kind": "miniapp", "app_id": "tt1", "api_base": "http://127.0.0.1:9" });
        Account::read(&settings, &secrets).ok().unwrap()
    }

    fn rendered(
        account: &Account,
        content: &Content,
        to: Option<&Value>,
        token: Option<&str>,
    ) -> Result<ApiRequest, Undeliverable> {
        let reply = Outbound { to: "u1", id: "msg_1", content, at: Timestamp::from_millis(0), reply_to: to };
        match render(account, &reply, token)? {
            Rendered::Call(call) => Ok(call),
            Rendered::Held => panic!("held"),
        }
    }

    fn context() -> Value {
        json!({ "conversation_id": "@c==", "msg_id": "@m==", "open_id": "s 1" })
    }

    fn body(call: &ApiRequest) -> Value {
        serde_json::from_slice(&call.body).unwrap()
    }

    #[test]
    fn a_private_message_answers_a_message() {
        let to = context();
        let call = rendered(&im(&[]), &Content::text("你好"), Some(&to), Some("clt.1")).ok().unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/im/send/msg/?open_id=s+1");
        assert!(call.headers.contains(&("access-token", "clt.1".to_owned())));
        let expected = json!({ "scene": "im_reply_msg", "to_user_id": "u1", "conversation_id": "@c==", "msg_id": "@m==",
            "content": { "msg_type": 1, "text": { "text": "你好" } } });
        assert_eq!(body(&call), expected);
        let media = || Media { id: Some("@x".into()), ..Media::default() };
        let image = rendered(&im(&[]), &Content::Image { media: media() }, Some(&to), Some("t")).ok().unwrap();
        assert_eq!(body(&image)["content"], json!({ "msg_type": 2, "image": { "media_id": "@x" } }));
        let video = rendered(&im(&[]), &Content::Video { media: media() }, Some(&to), Some("t")).ok().unwrap();
        assert_eq!(body(&video)["content"], json!({ "msg_type": 3, "video": { "item_id": "@x" } }));
    }

    #[test]
    fn what_cannot_be_sent() {
        let (to, hi) = (context(), Content::text("hi"));
        assert_eq!(rendered(&im(&[]), &hi, None, Some("t")).err(), Some(Undeliverable::ReplyContextMissing));
        assert_eq!(rendered(&im(&[]), &hi, Some(&json!({})), Some("t")).err(), Some(Undeliverable::ReplyContextMissing));
        assert_eq!(rendered(&im(&[]), &hi, Some(&to), None).err(), Some(Undeliverable::TokenMissing));
        let secrets = [("client_secret".to_owned(), "s3".to_owned())].into();
        let bare = Account::read(&Value::Null, &secrets).ok().unwrap();
        assert_eq!(rendered(&bare, &hi, Some(&to), None).err(), Some(Undeliverable::CredentialsMissing));
        let none = Content::Image { media: Media::default() };
        assert_eq!(rendered(&im(&[]), &none, Some(&to), Some("t")).err(), Some(Undeliverable::MediaIdMissing));
        assert_eq!(rendered(&app(), &none, None, Some("t")).err(), Some(Undeliverable::MediaUrlMissing));
        assert_eq!(
            rendered(&app(), &Content::Video { media: Media::default() }, None, Some("t")).err(),
            Some(Undeliverable::KindNotSupported)
        );
        assert_eq!(
            rendered(&im(&[]), &Content::text("好".repeat(1001)), Some(&to), Some("t")).err(),
            Some(Undeliverable::TextTooLong)
        );
        let note = Content::Note { text: "n".into() };
        assert_eq!(rendered(&im(&[]), &note, Some(&to), Some("t")).err(), Some(Undeliverable::KindNotSupported));
    }

    #[test]
    fn a_mini_apps_reply() {
        let call = rendered(&app(), &Content::text("hi"), None, Some("a b")).ok().unwrap();
        assert_eq!(call.url, "http://127.0.0.1:9/api/apps/message/custom/send?access_token=a+b");
        assert_eq!(body(&call), json!({ "open_id": "u1", "msg_type": "text", "content": "hi" }));
        let media = Media { url: Some("https://x/1.jpg".into()), ..Media::default() };
        let call = rendered(&app(), &Content::Image { media }, None, Some("t")).ok().unwrap();
        assert_eq!(body(&call), json!({ "open_id": "u1", "msg_type": "image", "pic_url": "https://x/1.jpg" }));
    }

    #[test]
    fn answers() {
        let sent = |status, body: &str| read_answer(&ApiResponse { status, body: body.as_bytes() });
        let code = |code: i64| {
            let (new, old) =
                (json!({ "extra": { "error_code": code }, "data": { "error_code": code } }), json!({ "err_no": code }));
            let outcome = sent(200, &new.to_string());
            assert_eq!(sent(200, &old.to_string()), outcome);
            outcome
        };
        assert_eq!(code(0), Outcome::Sent);
        for refused in [10_008, 2_190_002, 2_190_008, 28_001_003, 28_001_008] {
            assert_eq!(code(refused), Outcome::RefreshToken);
        }
        assert_eq!(code(28_001_005), Outcome::Retry("platform_busy"));
        assert_eq!(code(28_003_018), Outcome::Retry("rate_limited"));
        assert_eq!(code(28_003_070), Outcome::Permanent("reply_quota_used"));
        assert_eq!(code(28_003_080), Outcome::Permanent("reply_window_closed"));
        assert_eq!(code(28_001_018), Outcome::Permanent("api_not_authorized"));
        assert_eq!(code(28_001_016), Outcome::Permanent("account_blocked"));
        assert_eq!(code(28_001_045), Outcome::Permanent("recipient_unknown"));
        assert_eq!(code(28_001_038), Outcome::Permanent("content_refused"));
        assert_eq!(code(28_001_007), Outcome::Permanent("platform_refused"));
        // One field says success and the other failure. It counts as a failure.
        assert_eq!(
            sent(200, r#"{"data":{"error_code":0},"extra":{"error_code":28001018}}"#),
            Outcome::Permanent("api_not_authorized")
        );
        assert_eq!(sent(200, "<html>"), Outcome::Retry("answer_unreadable"));
        assert_eq!(sent(200, "{}"), Outcome::Retry("answer_unreadable"));
        assert_eq!(sent(500, r#"{"err_no":0}"#), Outcome::Retry("platform_unavailable"));
        assert_eq!(sent(403, ""), Outcome::Permanent("http_refused"));
    }

    #[test]
    fn media_only_from_the_platforms_hosts() {
        let get = |url: &str| media(&app(), &Media { url: Some(url.to_owned()), ..Media::default() }).map(|call| call.url);
        let good = "https://lf6-sign.bytemastatic.com/a?x-signature=1";
        assert_eq!(get(good).as_deref(), Ok(good));
        assert_eq!(get("http://127.0.0.1:9/pic").as_deref(), Ok("http://127.0.0.1:9/pic"));
        for bad in [
            "https://bytemastatic.com.evil.com/a",
            "http://p3.douyinpic.com/a",
            "https://u@p3.douyinpic.com/",
            "x y",
            "http://127.0.0.1:99/",
            "https://evildouyinpic.com/",
        ] {
            assert_eq!(get(bad), Err(Undeliverable::MediaHostUnknown), "{bad}");
        }
        assert_eq!(media(&app(), &Media::default()).err(), Some(Undeliverable::MediaOnlyInApp));
    }

    proptest! {
        #[test]
        fn no_answer_panics(status: u16, body: Vec<u8>, text in "\\{.{0,60}") {
            for body in [&body[..], text.as_bytes()] {
                let answer = ApiResponse { status, body };
                read_answer(&answer);
                let _ = super::super::token::read_token(&answer);
            }
        }
    }
}
