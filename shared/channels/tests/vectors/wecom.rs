//! WeCom: the official envelopes through the adapter, messages and events as encrypted webhooks, 微信客服's pages and replies.

use crate::{Vector, Verdict};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use warmline_channels::wecom::{Account, WecomAdapter, sign};
use warmline_channels::wx_crypto::{AesKey, encrypt, signature_matches};
use warmline_channels::{Adapter, Pull, Refusal, Request, Verified};
use warmline_model::{Content, Inbound, Timestamp};

#[path = "wecom_kf.rs"]
mod kf;

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

pub(crate) fn check(vector: &Vector) -> Verdict {
    match (vector.kind(), vector.algorithm()) {
        ("decrypt", "wx_aes_decrypt") if vector.id().ends_with("-echostr") => echo(vector),
        ("decrypt", "wx_aes_decrypt") => envelope(vector),
        ("encrypt", "wx_aes_encrypt") => sealed(vector),
        ("signature", "wx_msg_sha1") => {
            let mut parts =
                [vector.input("token"), vector.input("timestamp"), vector.input("nonce"), vector.input("encrypt")];
            let expected = vector.expected();
            let valid = signature_matches(expected["msg_signature"].as_str().unwrap(), &mut parts);
            assert_eq!(valid, expected["valid"].as_bool().unwrap());
        }
        ("parse", "xml_message") if vector.id() == "skit-work-Push-UpdateButtonReply.xml" => {
            return Verdict::NotApplicable("an answer to a webhook, of a kind that Warmline does not send");
        }
        ("parse", "xml_message") => parse(vector),
        (_, "json_message") => kf::check(vector),
        other => panic!("{}: {other:?}", vector.id()),
    }
    Verdict::Passed
}

fn account(corp_id: &str, token: &str, key: &str) -> Account {
    let secrets = [("token", token), ("encoding_aes_key", key), ("secret", "s")];
    let secrets = secrets.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    WecomAdapter.account(&json!({ "corp_id": corp_id }).into(), &secrets).ok().unwrap()
}

fn of_vector(vector: &Vector) -> (Account, Timestamp) {
    let input = |name| vector.input(name);
    let account = account(input("app_id"), input("token"), input("encoding_aes_key"));
    (account, Timestamp::from_secs(input("timestamp").parse().unwrap()))
}

fn query(vector: &Vector, extra: &[&str]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in ["msg_signature", "timestamp", "nonce"] {
        query.append_pair(name, vector.input(name));
    }
    for name in extra {
        query.append_pair(name, vector.input("encrypt"));
    }
    query.finish()
}

fn ask<T>(method: Method, query: &str, body: &str, f: impl FnOnce(&Request<'_>) -> T) -> T {
    f(&Request { method: &method, rest: "", query, headers: &HeaderMap::new(), body: body.as_bytes() })
}

/// A check of the address, by the handshake.
fn echo(vector: &Vector) {
    let (account, now) = of_vector(vector);
    let good = query(vector, &["echostr"]);
    let reply = ask(Method::GET, &good, "", |r| WecomAdapter.handshake(&account, r, now)).unwrap().unwrap();
    let plain = String::from_utf8(reply.body).unwrap();
    match vector.expected()["plaintext"].as_str() {
        Some(expected) => assert_eq!(plain, expected),
        None => assert!(plain.bytes().all(|b| b.is_ascii_digit()) && plain.len() > 9, "{plain}"),
    }
    let wrong = good.replace("nonce=", "nonce=1");
    assert_eq!(ask(Method::GET, &wrong, "", |r| WecomAdapter.handshake(&account, r, now)), Err(Refusal::SignatureWrong));
}

/// An encrypted webhook, by the adapter.
fn envelope(vector: &Vector) {
    let (account, now) = of_vector(vector);
    let made = format!("<xml><Encrypt><![CDATA[{}]]></Encrypt></xml>", vector.input("encrypt"));
    let body = vector.inputs()["body"].as_str().unwrap_or(&made);
    let verified = ask(Method::POST, &query(vector, &[]), body, |r| WecomAdapter.verify(&account, r, now)).ok().unwrap();
    let inbound = WecomAdapter.parse(&account, &verified).unwrap().messages.remove(0);
    let fields = &vector.expected()["fields"];
    let expected = |name: &str, ours: &str| assert!(fields[name].is_null() || fields[name] == ours, "{name}: {ours}");
    expected("Content", inbound.content.words().unwrap());
    expected("FromUserName", &inbound.sender.open_id);
    expected("CreateTime", &inbound.at.secs().to_string());
    expected("MsgType", inbound.content.kind());
    expected("MsgId", crate::told_id(&inbound));
    expected("AgentID", &inbound.reply_to.unwrap()["agent_id"].to_string());
}

/// An envelope made with the same randomness is the same.
fn sealed(vector: &Vector) {
    let input = |name| vector.input(name);
    let key = AesKey::decode(input("encoding_aes_key")).unwrap();
    let sealed = encrypt(&key, input("random16").as_bytes(), input("plaintext").as_bytes(), input("app_id"));
    let expected = vector.expected();
    assert_eq!(expected["ciphertext_b64"], sealed.as_str());
    let mut parts = [input("token"), input("timestamp"), input("nonce"), &sealed];
    assert!(signature_matches(expected["msg_signature"].as_str().unwrap(), &mut parts));
}

fn receive(message: &str) -> (Account, Verified) {
    let account = account("wwcorp", "test", KEY);
    let key = AesKey::decode(KEY).unwrap();
    let (query, body) = sign::webhook("test", &key, "wwcorp", "1700000000", "n", &[9; 16], message.as_bytes());
    let verified = ask(Method::POST, &query, &body, |r| WecomAdapter.verify(&account, r, NOW)).ok().unwrap();
    (account, verified)
}

/// The first field of that name, by plain search; `None` if it is empty.
fn field(body: &str, name: &str) -> Option<String> {
    let start = body.find(&format!("<{name}>"))? + name.len() + 2;
    let inside = body[start..start + body[start..].find(&format!("</{name}"))?].trim();
    let text = inside.strip_prefix("<![CDATA[").and_then(|t| t.strip_suffix("]]>")).unwrap_or(inside);
    (!text.is_empty()).then(|| text.to_owned())
}

fn parse(vector: &Vector) {
    let (id, body) = (vector.id(), vector.input("body"));
    let (account, verified) = receive(body);
    let mut messages = WecomAdapter.parse(&account, &verified).unwrap_or_else(|e| panic!("{id}: {e}")).messages;
    if let Some(source) = field(body, "OpenKfId") {
        let hinted: Vec<_> = WecomAdapter.hinted(&account, &verified).into_iter().map(|hint| hint.source).collect();
        assert_eq!((messages.len(), hinted), (0, vec![source]), "{id}");
        return;
    }
    let inbound = messages.remove(0);
    let from = field(body, "FromUserName").unwrap();
    let about = field(body, "ExternalUserID").filter(|_| from == "sys").unwrap_or(from.clone());
    assert_eq!(inbound.sender.open_id, about, "{id}: sender");
    assert_eq!(Some(inbound.at.secs().to_string()), field(body, "CreateTime"), "{id}: time");
    let agent = inbound.reply_to.as_ref().map(|to| to["agent_id"].to_string());
    assert_eq!(agent, field(body, "AgentID"), "{id}: agent");
    let kind = field(body, "MsgType").unwrap();
    let known = ["text", "image", "voice", "video", "location", "link", "event"];
    assert_eq!(inbound.content.kind(), if known.contains(&kind.as_str()) { &kind } else { "unknown" }, "{id}: kind");
    if kind == "event" {
        event_key(id, body, &inbound);
    } else {
        assert_eq!(Some(crate::told_id(&inbound)), field(body, "MsgId").as_deref(), "{id}: key");
    }
    content(id, body, &inbound.content);
    asserts(vector, &from, &inbound);
}

fn event_key(id: &str, body: &str, inbound: &Inbound) {
    let key = |body: &str| {
        let (account, verified) = receive(body);
        WecomAdapter.parse(&account, &verified).unwrap().messages.remove(0).key
    };
    assert_eq!(key(body), inbound.key, "{id}: key of a retry");
    assert_ne!(key(&body.replacen(&field(body, "CreateTime").unwrap(), "1", 1)), inbound.key, "{id}: another second");
    assert_ne!(key(&body.replacen(&field(body, "Event").unwrap(), "x", 1)), inbound.key, "{id}: another event");
    assert!(inbound.key.starts_with("event-") && !inbound.key.contains(&inbound.sender.open_id), "{id}");
}

fn content(id: &str, body: &str, content: &Content) {
    let field = |name| field(body, name);
    match content {
        Content::Text { text, .. } => assert_eq!(Some(text), field("Content").as_ref(), "{id}"),
        Content::Image { media } => assert_eq!((&media.id, &media.url), (&field("MediaId"), &field("PicUrl")), "{id}"),
        Content::Voice { media, .. } => {
            assert_eq!((&media.id, &media.format), (&field("MediaId"), &field("Format")), "{id}")
        }
        Content::Video { media } => {
            assert_eq!((&media.id, &media.thumb_id), (&field("MediaId"), &field("ThumbMediaId")), "{id}");
        }
        Content::Location { latitude, longitude, label, .. } => {
            let place = (Some(latitude.to_string()), Some(longitude.to_string()), label.clone());
            assert_eq!(place, (field("Location_X"), field("Location_Y"), field("Label")), "{id}");
        }
        Content::Link { title, description, url } => {
            let link = (Some(title.clone()), description.clone(), Some(url.clone()));
            assert_eq!(link, (field("Title"), field("Description"), field("Url")), "{id}");
        }
        Content::Event { event, key, data } => {
            assert_eq!(Some(event), field("Event").map(|e| e.to_lowercase()).as_ref(), "{id}");
            assert_eq!(key, &field("EventKey"), "{id}");
            for name in ["TaskId", "ResponseCode", "AuthAddOpenKfId", "WelcomeCode", "ScanResult", "ChangeType"] {
                if let Some(value) = field(name) {
                    assert!(data.to_string().contains(&value), "{id}: {name}");
                }
            }
        }
        Content::Unknown { raw_kind, .. } => assert_eq!(Some(raw_kind), field("MsgType").as_ref(), "{id}"),
        other => panic!("{id}: {other:?}"),
    }
}

/// The expectations of the source's own test. One sample puts the fields of every kind into a text message; of it only the
/// text's own fields are kept.
fn asserts(vector: &Vector, from: &str, inbound: &Inbound) {
    let id = vector.id();
    let facts = facts(from, inbound);
    for assert in vector.expected()["upstream_asserts"].as_array().into_iter().flatten() {
        let path = assert[0].as_str().unwrap();
        let mut name = path.trim_end_matches(".doubleValue()").rsplit('.').next().unwrap().trim_end_matches("()");
        name = name.trim_start_matches("get");
        if matches!(name, "ToUserName" | "size") {
            continue; // the account's own side, and the length of a list
        }
        let name = name.to_lowercase().replace('_', "");
        let value = assert[1].as_str().map_or_else(|| assert[1].to_string(), java);
        let Some(found) = facts.get(&name) else {
            assert_eq!(id, "wxjava-cp-FromXml", "{name} is missing");
            continue;
        };
        let number = |text: &str| text.parse::<f64>().ok();
        let same = |f: &String| f.eq_ignore_ascii_case(&value) || (number(f).is_some() && number(f) == number(&value));
        assert!(found.iter().any(same), "{id}: {name} should be {value:?}, is {found:?}");
    }
}

/// The value inside Java's notation.
fn java(text: &str) -> String {
    let inner = text.strip_suffix(')').and_then(|t| t.split_once("valueOf(")).map_or(text, |(_, inner)| inner);
    if let Some(constant) = inner.strip_prefix("WxC") {
        return constant.rsplit('.').next().unwrap_or_default().to_owned();
    }
    match inner.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        Some(quoted) => quoted.to_owned(),
        None => inner.trim_end_matches(['L', 'd']).to_owned(),
    }
}

/// All facts of our message, under the names that the sources' tests use.
fn facts(from: &str, inbound: &Inbound) -> BTreeMap<String, Vec<String>> {
    let mut facts = BTreeMap::<String, Vec<String>>::new();
    let mut add = |name: &str, value: String| facts.entry(name.to_owned()).or_default().push(value);
    add("fromusername", from.to_owned());
    add("createtime", inbound.at.secs().to_string());
    add("msgid", crate::told_id(inbound).to_owned());
    for name in ["msgtype", "type"] {
        add(name, inbound.content.kind().to_owned());
    }
    if let Some(to) = &inbound.reply_to {
        add("agent", to["agent_id"].to_string());
        add("agentid", to["agent_id"].to_string());
    }
    if let Some(words) = inbound.content.words() {
        add("content", words.to_owned());
    }
    if let Content::Event { event, key, data } = &inbound.content {
        add("event", event.clone());
        for name in ["eventkey", "key", "url"] {
            add(name, key.clone().unwrap_or_default());
        }
        add("externaluserid", inbound.sender.open_id.clone());
        leaves(data, "", &mut add);
    }
    facts
}

fn leaves(value: &Value, name: &str, add: &mut dyn FnMut(&str, String)) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| match key.as_str() {
            "CalId" => leaves(value, "calendarid", add),
            _ => leaves(value, &key.to_lowercase().replace('_', ""), add),
        }),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, name, add)),
        Value::String(text) => add(name, text.clone()),
        other => add(name, other.to_string()),
    }
}
