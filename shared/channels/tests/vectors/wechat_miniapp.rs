//! WeChat mini programs: messages and events through the adapter, replies through the real writer, open data.

use crate::{Vector, Verdict};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use warmline_channels::miniprogram::{Account, MiniprogramAdapter, Outgoing, open_data, sign};
use warmline_channels::{Adapter, Request};
use warmline_model::{Content, Inbound, Timestamp};

pub(crate) fn check(vector: &Vector) -> Verdict {
    match (vector.kind(), vector.algorithm()) {
        ("parse", _) => parse(vector),
        ("format", "json_equal") => custom(vector),
        ("signature", "wxa_rawdata_sha1") => {
            let (data, key) = (vector.input("raw_data"), vector.input("session_key"));
            let signature = vector.expected()["signature"].as_str().unwrap();
            assert!(open_data::signature_matches(data, key, signature));
            assert!(!open_data::signature_matches(&data.replace("gender\":1", "gender\":2"), key, signature));
        }
        ("decrypt", "wxa_aes_cbc") => {
            let input = |name| vector.input(name);
            let wanted = &vector.expected()["json_contains"];
            let app_id = wanted["watermark"]["appid"].as_str().unwrap();
            let open = |app_id| open_data::open(input("encrypted_data"), input("iv"), input("session_key"), app_id);
            let opened = open(app_id).unwrap();
            for (name, value) in wanted.as_object().unwrap() {
                assert_eq!(&opened[name], value, "{name}");
            }
            assert!(open("wxother").is_err());
        }
        other => panic!("{}: {other:?}", vector.id()),
    }
    Verdict::Passed
}

fn receive(body: &str) -> Inbound {
    let secrets = [("token".to_owned(), "test".to_owned())].into();
    let account: Account = MiniprogramAdapter.account(&json!({ "mode": "plain" }).into(), &secrets).ok().unwrap();
    let query = sign::plain_query("test", "1700000000", "n");
    let request =
        Request { method: &Method::POST, rest: "", query: &query, headers: &HeaderMap::new(), body: body.as_bytes() };
    let verified = MiniprogramAdapter.verify(&account, &request, Timestamp::from_secs(1_700_000_000)).ok().unwrap();
    MiniprogramAdapter.parse(&account, &verified).unwrap().messages.remove(0)
}

/// The first field of that name, by plain search; `None` if it is empty.
fn field(body: &str, name: &str) -> Option<String> {
    if body.starts_with('{') {
        return match serde_json::from_str::<Value>(body).unwrap().get(name)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
    }
    let start = body.find(&format!("<{name}>"))? + name.len() + 2;
    let inside = body[start..start + body[start..].find(&format!("</{name}>"))?].trim();
    let text = inside.strip_prefix("<![CDATA[").and_then(|t| t.strip_suffix("]]>")).unwrap_or(inside);
    (!text.is_empty()).then(|| text.to_owned())
}

fn parse(vector: &Vector) {
    let (id, body) = (vector.id(), vector.input("body"));
    let inbound = receive(body);
    assert_eq!(Some(&inbound.sender.open_id), field(body, "FromUserName").as_ref(), "{id}");
    assert_eq!(Some(inbound.at.secs().to_string()), field(body, "CreateTime"), "{id}");
    match &inbound.content {
        Content::Text { text, .. } => {
            assert_eq!(
                (Some(text), Some(crate::told_id(&inbound))),
                (field(body, "Content").as_ref(), field(body, "MsgId").as_deref())
            );
        }
        Content::Event { event, key, data } => {
            assert_eq!(Some(event), field(body, "Event").as_ref(), "{id}");
            let order = field(body, "OrderId").or(field(body, "order_id"));
            assert_eq!(key, &field(body, "SessionFrom").or(order), "{id}");
            // A retry has the same key. Another second, event or detail has another one.
            assert_eq!(receive(body).key, inbound.key, "{id}");
            assert_ne!(receive(&body.replacen(&field(body, "CreateTime").unwrap(), "1", 1)).key, inbound.key, "{id}");
            assert!(inbound.key.starts_with("event-") && !inbound.key.contains(&inbound.sender.open_id), "{id}");
            details(id, body, &inbound.key, data);
        }
        other => panic!("{id}: {other:?}"),
    }
    // One sample has the fields of every kind. Of that sample, a text keeps the text's fields.
    for assert in vector.expected()["upstream_asserts"].as_array().into_iter().flatten() {
        let (name, value) = (assert[0].as_str().unwrap(), assert[1].as_str().unwrap());
        let has = |text: &str| value.contains(text);
        match name.trim_start_matches("wxMessage.get") {
            "FromUser()" => assert!(has(&inbound.sender.open_id)),
            "CreateTime()" => assert!(has(&inbound.at.secs().to_string())),
            "MsgType()" => assert!(value.to_lowercase().ends_with(inbound.content.kind())),
            "MsgId()" => assert!(has(crate::told_id(&inbound))),
            "Content()" => assert!(has(inbound.content.words().unwrap())),
            _ => {}
        }
    }
}

/// The fields that only such an event has. They distinguish two events.
fn details(id: &str, body: &str, key: &str, data: &Value) {
    for name in ["TemplateId", "SubscribeStatusString", "ActionMsg", "WayBillId", "transaction_id", "SessionFrom"] {
        let Some(value) = field(body, name) else { continue };
        assert!(data.to_string().contains(&value), "{id}: {name}");
        assert_ne!(receive(&body.replacen(&value, "x", 1)).key, key, "{id}: {name}");
    }
}

fn custom(vector: &Vector) {
    let link = |url| Outgoing::Link { title: "title", description: "description", url, picture: "thumbUrl" };
    let reply = match vector.id().trim_start_matches("wxjava-ma-kefu-") {
        "TextBuilder" => Outgoing::Text("sfsfdsdf"),
        "ImageBuilder" => Outgoing::Image("MEDIA_ID"),
        "LinkBuilder" => link("url"),
        "URLEscaped" => link("https://mp.weixin.qq.com/s?__biz=MzI0MDA2OTY5NQ=="),
        "MaPageBuilder" => Outgoing::Card { title: "title", path: "pagePath", cover: "thumbMediaId" },
        other => panic!("{other}: a message that this test does not know"),
    };
    let made: Value = serde_json::from_slice(&reply.to_json("OPENID")).unwrap();
    let expected: Value = serde_json::from_str(vector.expected()["json"].as_str().unwrap()).unwrap();
    assert_eq!(made, expected, "{}", vector.id());
}
