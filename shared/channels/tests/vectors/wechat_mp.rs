//! WeChat official accounts: signatures, envelopes, messages and events, replies.

use crate::{Vector, Verdict};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use warmline_channels::wechat::{Article, Outgoing};
use warmline_channels::wx_crypto::{
    AesKey, OpenError, Padding, WECHAT_PREFIX, decrypt, decrypt_bare, encrypt, encrypt_bare, signature_matches, sorted_sha1,
};
use warmline_channels::xml::Document;
use warmline_model::Timestamp;

#[path = "wechat_mp_parse.rs"]
mod parse;
pub(crate) use parse::asserts;

const NO_CONTENT: &str = "Warmline's replies have no such content";
const NO_BUSINESS: &str = "conversations by business id and the typing state are not used";

pub(crate) fn check(vector: &Vector) -> Verdict {
    match (vector.kind(), vector.algorithm()) {
        ("signature", _) => signature(vector),
        ("encrypt", "wx_aes_encrypt") => {
            let prefix = vector.input("random16").as_bytes();
            let sealed = encrypt(&key(vector), prefix, vector.input("plaintext").as_bytes(), vector.input("app_id"));
            assert_eq!(sealed, vector.expected()["ciphertext_b64"].as_str().unwrap());
            Verdict::Passed
        }
        ("decrypt", "wx_aes_decrypt") => envelope(vector),
        ("encrypt" | "decrypt", "aes_cbc_pkcs7") => bare(vector),
        ("parse", _) => parse::check(vector),
        ("format", "xml_message") => passive(vector, vector.input("body")),
        ("format", "xml_reply_ignoring_whitespace") => passive(vector, vector.expected()["xml"].as_str().unwrap()),
        ("format", "json_equal") => custom(vector),
        ("format", "json_message") => custom_sample(vector),
        other => panic!("{}: {other:?}", vector.id()),
    }
}

fn key(vector: &Vector) -> AesKey {
    AesKey::decode(vector.input("encoding_aes_key")).unwrap()
}

fn signature(vector: &Vector) -> Verdict {
    let expected = vector.expected();
    let signature = expected["signature"].as_str().or(expected["msg_signature"].as_str()).unwrap();
    let input = |name| vector.input(name);
    let mut parts: Vec<&str> = match vector.algorithm() {
        "wx_sha1" => vec![input("token"), input("timestamp"), input("nonce")],
        "wx_msg_sha1" => vec![input("token"), input("timestamp"), input("nonce"), input("encrypt")],
        _ => vector.inputs()["parts"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect(),
    };
    if vector.algorithm() == "sorted_amp_sha1" {
        assert_eq!(sorted_sha1(&mut parts, "&"), signature.as_bytes());
    } else {
        assert_eq!(signature_matches(signature, &mut parts), expected["valid"].as_bool().unwrap_or(true), "{}", vector.id());
    }
    Verdict::Passed
}

fn envelope(vector: &Vector) -> Verdict {
    let input = |name| vector.input(name);
    let mut parts = [input("token"), input("timestamp"), input("nonce"), input("encrypt")];
    assert!(signature_matches(input("msg_signature"), &mut parts), "{}", vector.id());
    let opened = decrypt(&key(vector), WECHAT_PREFIX, input("encrypt"), input("app_id"));
    let expected = vector.expected();
    if expected["valid"] == false {
        assert_eq!(opened, Err(OpenError::WrongReceiver));
    } else if let Some(plain) = expected["plaintext"].as_str() {
        assert_eq!(String::from_utf8(opened.unwrap()).unwrap(), plain);
    } else {
        let opened = opened.unwrap();
        let document = Document::read(&opened).unwrap();
        for (name, value) in expected["fields"].as_object().unwrap() {
            assert_eq!(document.text(name), value.as_str(), "{}: {name}", vector.id());
        }
    }
    Verdict::Passed
}

/// 微信对话开放平台: AES-256-CBC without an envelope, padded to 16. Key and IV are as in the envelope, so the same code opens it.
fn bare(vector: &Vector) -> Verdict {
    let key = AesKey::decode(vector.input("key_b64").trim_end_matches('=')).unwrap();
    let expected = vector.expected();
    if let Some(sealed) = expected["ciphertext_b64"].as_str() {
        let made = encrypt_bare(&key, vector.input("plaintext").into(), Padding::Block16);
        assert_eq!(STANDARD.encode(made), sealed);
    } else {
        let plain = decrypt_bare(&key, STANDARD.decode(vector.input("ciphertext_b64")).unwrap()).unwrap();
        assert_eq!(String::from_utf8(plain).unwrap(), expected["plaintext"].as_str().unwrap());
    }
    Verdict::Passed
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

fn video<'a>(id: &'a str, thumb: Option<&'a str>, title: &'a str, description: &'a str) -> Outgoing<'a> {
    Outgoing::Video { media_id: id, thumb_media_id: thumb, title: Some(title), description: Some(description) }
}

fn article<'a>(title: &'a str, description: &'a str, picture: &'a str, url: &'a str) -> Article<'a> {
    Article { title, description: Some(description), url, picture: Some(picture) }
}

/// Passive replies: the whole document, without white space.
fn passive(vector: &Vector, expected: &str) -> Verdict {
    let (to, from) = if matches!(vector.id(), "wxjava-reply-image" | "wxjava-reply-text" | "wxjava-reply-voice") {
        ("to", "from")
    } else {
        ("toUser", "fromUser")
    };
    let news = article("title", "description", "picUrl", "url");
    let (reply, seconds) = match vector.id() {
        "skit-MpReply-ImageMessageReply.xml" => (Outgoing::Image("media_id"), 12_345_678),
        "skit-MpReply-VoiceMessageReply.xml" => (Outgoing::Voice("media_id"), 12_345_678),
        "skit-MpReply-TextMessageReply.xml" => (Outgoing::Text("你好"), 12_345_678),
        "skit-MpReply-VideoMessageReply.xml" => (video("media_id", None, "title", "description"), 12_345_678),
        "skit-MpReply-NewsMessageReply.xml" => {
            (Outgoing::News(vec![article("title1", "description1", "picurl", "url")]), 12_345_678)
        }
        "wxjava-reply-image" => (Outgoing::Image("ddfefesfsdfef"), 1122),
        "wxjava-reply-voice" => (Outgoing::Voice("ddfefesfsdfef"), 1122),
        "wxjava-reply-text" => (Outgoing::Text("content"), 1122),
        "wxjava-reply-video" => (video("media_id", None, "title", "ddfff"), 1122),
        "wxjava-reply-news" => (Outgoing::News(vec![news.clone(), news]), 1122),
        "skit-MpReply-MusicMessageReply.xml"
        | "wxjava-reply-music"
        | "skit-MpReply-TransferCustomerServiceReply.xml"
        | "wxjava-reply-transferkefu" => return Verdict::NotApplicable(NO_CONTENT),
        other => panic!("{other}: a reply that this test does not know"),
    };
    let xml = reply.to_xml(to, from, Timestamp::from_secs(seconds));
    assert_eq!(squeezed(&xml), squeezed(expected), "{}", vector.id());
    Verdict::Passed
}

/// Bodies of the customer-service API.
fn custom(vector: &Vector) -> Verdict {
    let news = article("Happy Day", "Is Really A Happy Day", "PIC_URL", "URL");
    let reply = match vector.id().trim_start_matches("wxjava-kefu-") {
        "TextReply" | "TextBuild" => Outgoing::Text("sfsfdsdf"),
        "ImageReply" | "ImageBuild" => Outgoing::Image("MEDIA_ID"),
        "VoiceReply" | "VoiceBuild" => Outgoing::Voice("MEDIA_ID"),
        "VideoReply" | "VideoBuild" => video("MEDIA_ID", Some("MEDIA_ID"), "TITLE", "DESCRIPTION"),
        "NewsReply" | "NewsBuild" => Outgoing::News(vec![news.clone(), news]),
        "MusicReply" | "MusicBuild" | "MiniProgramPageBuild" | "MsgMenuBuild" | "MpNewsArticleBuilder" => {
            return Verdict::NotApplicable(NO_CONTENT);
        }
        other => panic!("{other}: a message that this test does not know"),
    };
    let made: serde_json::Value = serde_json::from_slice(&reply.to_json("OPENID")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(vector.expected()["json"].as_str().unwrap()).unwrap();
    assert_eq!(made, expected, "{}", vector.id());
    Verdict::Passed
}

/// The document's sample holds one body of every kind. Bodies of the kinds that we send must equal ours.
fn custom_sample(vector: &Vector) -> Verdict {
    if vector.id() != "skit-CgibinMessageCustomSendRequest" {
        return Verdict::NotApplicable(NO_BUSINESS);
    }
    let sample: serde_json::Value = serde_json::from_str(vector.input("body")).unwrap();
    let news = Outgoing::News(vec![article("Happy Day", "Is Really A Happy Day", "PIC_URL", "URL")]);
    for (kind, reply) in [
        ("text", Outgoing::Text("Hello World")),
        ("image", Outgoing::Image("MEDIA_ID")),
        ("voice", Outgoing::Voice("MEDIA_ID")),
        ("video", video("MEDIA_ID", Some("MEDIA_ID"), "TITLE", "DESCRIPTION")),
        ("news", news),
    ] {
        let made: serde_json::Value = serde_json::from_slice(&reply.to_json("OPENID")).unwrap();
        assert_eq!((&made["touser"], &made["msgtype"], &made[kind]), (&sample["touser"], &kind.into(), &sample[kind]));
    }
    Verdict::Passed
}
