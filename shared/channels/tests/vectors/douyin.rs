//! 抖音: envelopes with the 32-byte prefix and the platform's own samples of messages and events, through the adapter. No public
//! vector exists for X-Douyin-Signature: the samples are signed here.

use crate::{Vector, Verdict};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use warmline_channels::digest::hmac_sha256;
use warmline_channels::douyin::{Account, DouyinAdapter, sign};
use warmline_channels::wx_crypto::{AesKey, decrypt_bare, encrypt};
use warmline_channels::xml::Document;
use warmline_channels::{Adapter, Request, Secrets, Verified};
use warmline_model::{Content, Inbound, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_409_659_813);
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

pub(crate) fn check(vector: &Vector) -> Verdict {
    match (vector.kind(), vector.algorithm()) {
        ("decrypt", "wx_aes_decrypt") => envelope(vector),
        ("decrypt", "douyin_mobile_aes") => telephone(vector),
        ("sign_outgoing", "tiktokshop_hmac_sha256") => tiktok_shop(vector),
        ("parse", _) if vector.id().starts_with("miniapp-") => miniapp(vector),
        ("parse", _) => event(vector),
        other => panic!("{}: {other:?}", vector.id()),
    }
}

fn app(app_id: &str, token: &str, key: &str) -> Account {
    let secrets = [("token", token), ("encoding_aes_key", key)].map(|(k, v)| (k.to_owned(), v.to_owned()));
    DouyinAdapter.account(&json!({ "kind": "miniapp", "app_id": app_id }).into(), &secrets.into()).ok().unwrap()
}

fn post(account: &Account, headers: &HeaderMap, body: &[u8]) -> Verified {
    let request = Request { method: &Method::POST, rest: "", query: "", headers, body };
    assert_eq!(DouyinAdapter.handshake(account, &request, NOW), Ok(None));
    DouyinAdapter.verify(account, &request, NOW).unwrap_or_else(|e| panic!("{e}"))
}

/// JSON as it is, and XML as the fields of its root.
fn meaning(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Document::read(text.as_bytes()).unwrap().root().to_json())
}

fn envelope(vector: &Vector) -> Verdict {
    let account = app(vector.input("app_id"), vector.input("token"), vector.input("encoding_aes_key"));
    let verified = post(&account, &HeaderMap::new(), vector.input("body").as_bytes());
    let plain = std::str::from_utf8(verified.body()).unwrap();
    let expected = meaning(vector.expected()["semantic_equal"].as_str().unwrap());
    assert_eq!(meaning(plain), expected, "{}", vector.id());
    let inbound = DouyinAdapter.parse(&account, &verified).unwrap().messages.remove(0);
    if expected["MsgType"] == "Ticket" {
        // A credential of service providers: its arrival is stored, the credential itself is not.
        assert_eq!(inbound.sender.open_id, "platform");
        assert_eq!(inbound.content, Content::Event { event: "push".into(), key: None, data: Value::Null });
    } else {
        assert_eq!((inbound.sender.open_id.as_str(), inbound.at.secs()), ("openid", 1_577_364_225));
        assert_eq!(inbound.content, Content::text("text content"));
    }
    Verdict::Passed
}

/// A user's telephone number: AES-256-CBC under the client secret, with its first half as the IV. The same code opens it.
fn telephone(vector: &Vector) -> Verdict {
    let key = AesKey::decode(STANDARD.encode(vector.input("client_secret")).trim_end_matches('=')).unwrap();
    let plain = decrypt_bare(&key, STANDARD.decode(vector.input("ciphertext_b64")).unwrap()).unwrap();
    assert_eq!(String::from_utf8(plain).unwrap(), vector.expected()["plaintext"].as_str().unwrap());
    Verdict::Passed
}

/// TikTok Shop is no channel of Warmline; its signature is the HMAC that 抖店 uses, around a path and sorted parameters.
fn tiktok_shop(vector: &Vector) -> Verdict {
    let secret = vector.input("app_secret");
    let query = vector.inputs()["query"].as_object().unwrap();
    let mut names: Vec<_> = query.keys().collect();
    names.sort();
    let pairs: String = names.iter().map(|name| format!("{name}{}", query[*name].as_str().unwrap())).collect();
    let parts = [secret, vector.input("path"), &pairs, vector.input("body"), secret];
    let made = hmac_sha256(secret.as_bytes(), &parts.map(str::as_bytes));
    assert_eq!(hex::encode(made), vector.expected()["sign"].as_str().unwrap());
    Verdict::Passed
}

fn miniapp(vector: &Vector) -> Verdict {
    let (account, key) = (app("tt1", "QDG6eK", KEY), AesKey::decode(KEY).unwrap());
    let encrypted = encrypt(&key, &[3; 32], vector.input("body").as_bytes(), "tt1");
    let body = sign::sealed("QDG6eK", &encrypted, "1409659813", "n");
    let verified = post(&account, &HeaderMap::new(), body.as_bytes());
    let inbound = DouyinAdapter.parse(&account, &verified).unwrap().messages.remove(0);
    let payload = meaning(vector.input("body"));
    assert_eq!(Some(inbound.sender.open_id.as_str()), payload["FromUserName"].as_str());
    assert_eq!(inbound.at.secs().to_string(), payload["CreateTime"].to_string().trim_matches('"'));
    match &inbound.content {
        Content::Text { text, .. } => {
            assert_eq!((payload["MsgType"].as_str(), payload["Content"].as_str()), (Some("text"), Some(text.as_str())))
        }
        Content::Image { media } => {
            assert_eq!((payload["MsgType"].as_str(), payload["PicUrl"].as_str()), (Some("image"), media.url.as_deref()))
        }
        other => panic!("{}: {other:?}", vector.id()),
    }
    assert!(inbound.key.starts_with("message-") && inbound.key.len() == 40, "{}", vector.id());
    Verdict::Passed
}

fn receive(body: &str) -> Result<Vec<Inbound>, Vec<u8>> {
    let account = DouyinAdapter
        .account(&Value::Null.into(), &Secrets::from([("client_secret".to_owned(), "s3cret".to_owned())]))
        .ok()
        .unwrap();
    let mut headers = HeaderMap::new();
    let signature = sign::signature("s3cret", body.as_bytes());
    headers.insert("x-douyin-signature", HeaderValue::from_str(&signature).unwrap());
    headers.insert("msg-id", HeaderValue::from_static("header-id"));
    let request = Request { method: &Method::POST, rest: "", query: "", headers: &headers, body: body.as_bytes() };
    if let Some(reply) = DouyinAdapter.handshake(&account, &request, NOW).unwrap() {
        return Err(reply.body);
    }
    Ok(DouyinAdapter.parse(&account, &post(&account, &headers, body.as_bytes())).unwrap().messages)
}

fn event(vector: &Vector) -> Verdict {
    let id = vector.id();
    let payload: Value = serde_json::from_str(vector.input("body")).unwrap();
    let content = match &payload["content"] {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    };
    let inbound = match receive(vector.input("body")) {
        Err(answer) => {
            assert_eq!(id, "open-Webhook-VerifyWebhookEvent");
            assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap(), json!({ "challenge": content["challenge"] }));
            return Verdict::Passed;
        }
        Ok(mut messages) => messages.remove(0),
    };
    let said = |name: &str| payload[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let sender = said("from_user_id").or(content["open_id"].as_str().map(str::to_owned)).unwrap_or("platform".into());
    assert_eq!(inbound.sender.open_id, sender, "{id}: sender");
    match content["create_time"].as_i64() {
        Some(at) if at > 9_999_999_999 => assert_eq!(inbound.at.millis(), at, "{id}: time"),
        Some(at) if at > 999_999_999 => assert_eq!(inbound.at.secs(), at, "{id}: time"),
        Some(123_123) => assert_eq!(inbound.at.secs(), 123_123, "{id}: time"),
        Some(other) => panic!("{id}: {other}"),
        None => assert_eq!(inbound.at, NOW, "{id}: time of arrival"),
    }
    let server_id = content["server_message_id"].as_str();
    match &inbound.content {
        Content::Text { text, .. } => {
            assert_eq!(payload["event"], "im_receive_msg");
            assert_eq!(Some(text.as_str()), content["text"].as_str(), "{id}: text");
            assert_eq!(Some(crate::told_id(&inbound)), server_id, "{id}: key");
            let reply_to = inbound.reply_to.as_ref().unwrap();
            assert_eq!(reply_to["conversation_id"], content["conversation_short_id"], "{id}");
            assert_eq!((&reply_to["msg_id"], &reply_to["open_id"]), (&content["server_message_id"], &payload["to_user_id"]));
        }
        Content::Event { event, data, .. } => {
            assert_eq!(Some(event.as_str()), payload["event"].as_str(), "{id}: event");
            assert!(inbound.key.starts_with("event-"), "{id}: key");
            for (name, value) in content.as_object().into_iter().flatten().filter(|(name, _)| *name != "user_infos") {
                assert_eq!(&data[name], value, "{id}: {name}");
            }
        }
        other => panic!("{id}: {other:?}"),
    }
    if let Some(people) = content["user_infos"].as_array() {
        let name = people.iter().find(|p| p["open_id"] == sender.as_str()).and_then(|p| p["nick_name"].as_str());
        assert_eq!(inbound.sender.name.as_deref(), name, "{id}: name");
    }
    Verdict::Passed
}
