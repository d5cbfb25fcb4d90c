//! Guarantees on every way in: one odd item costs the others nothing, a retry has the same key, and another message, by a
//! person's judgement, has another key.

use super::{NOW, Protocol, Taken, WORDS, all};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use warmline_cases::cases;
use warmline_channels::Parsed;

static WAYS: LazyLock<Vec<Protocol>> = LazyLock::new(all);

/// Reads a payload in a webhook, or as a page if the platform sends none or if asked for.
fn read_as(way: &Protocol, page: bool, payload: &[u8]) -> Option<Parsed> {
    match way.seal.filter(|_| !page) {
        Some(seal) => match way.take(&seal(payload, NOW), NOW).ok()? {
            Taken::Messages(_, parsed, _) => Some(parsed),
            Taken::Greeted(_) => None,
        },
        None => way.answered(200, payload).map(|page| Parsed { messages: page.messages, odd: page.odd }),
    }
}

fn read(way: &Protocol, payload: &[u8]) -> Option<Parsed> {
    read_as(way, false, payload)
}

fn keys(parsed: &Parsed) -> BTreeSet<String> {
    parsed.messages.iter().map(|message| message.key.clone()).collect()
}

/// The first list of objects in a body.
fn list(body: &mut Value) -> Option<&mut Vec<Value>> {
    match body {
        Value::Array(items) if items.first().is_some_and(Value::is_object) => Some(items),
        Value::Object(members) => members.values_mut().find_map(list),
        _ => None,
    }
}

/// Ways whose webhooks or pages hold lists.
const LISTS: [&str; 7] = ["doudian", "email-reports", "jd", "phone", "sms", "taobao", "xiaohongshu"];

/// A list from a platform: the text around it, and three of its items.
struct Batch {
    way: &'static Protocol,
    page: bool,
    outer: Value,
    items: [Vec<u8>; 3],
}

impl Batch {
    /// Reads the list with these items in it.
    fn read(&self, items: &[Vec<u8>]) -> Option<Parsed> {
        read_as(self.way, self.page, &around(&self.outer, items))
    }
}

fn batch(way: &'static Protocol) -> Batch {
    let body = |number| serde_json::from_slice::<Value>(&(way.payloads)(NOW, number)[0]).unwrap();
    let item = |number| {
        let mut body = body(number);
        list(&mut body).and_then(|items| items.pop()).unwrap_or(body)
    };
    let mut outer = body(1);
    if list(&mut outer).is_none() {
        // Our own contract accepts one object or a list of them.
        outer = Value::Array(vec![outer]);
    }
    Batch { way, page: false, outer, items: [1, 2, 3].map(|number| item(number).to_string().into_bytes()) }
}

fn batches() -> Vec<Batch> {
    let named = |name: &str| WAYS.iter().find(|way| way.name == name).unwrap();
    let mut all: Vec<_> = LISTS.iter().map(|name| batch(named(name))).collect();
    let wecom = named("wecom");
    let entries: Vec<_> = (wecom.kept)(NOW, 1).iter().take(3).map(|entry| entry.to_string().into_bytes()).collect();
    let outer = json!({ "errcode": 0, "next_cursor": "c", "has_more": 0, "msg_list": [{}] });
    all.push(Batch { way: wecom, page: true, outer, items: entries.try_into().unwrap() });
    all
}

/// The outer body around the written items.
fn around(outer: &Value, items: &[Vec<u8>]) -> Vec<u8> {
    let mut outer = outer.clone();
    if let Some(list) = list(&mut outer) {
        *list = vec![Value::from("@@")];
    }
    let text = outer.to_string();
    let Some((before, after)) = text.split_once("\"@@\"") else { return Vec::new() };
    [before.as_bytes(), &items.join(&b','), after.as_bytes()].concat()
}

#[test]
fn a_retry_has_the_same_keys_and_another_act_has_others() {
    for way in WAYS.iter() {
        for (one, other) in (way.payloads)(NOW, 1).iter().zip((way.payloads)(NOW, 2)) {
            let (Some(first), Some(again)) = (read(way, one), read(way, one)) else { continue };
            assert_eq!(keys(&first), keys(&again), "{}", way.name);
            if let Some(other) = read(way, &other).filter(|_| *one != other && !first.messages.is_empty()) {
                assert_ne!(keys(&first), keys(&other), "{}: {}", way.name, String::from_utf8_lossy(one));
            }
        }
    }
}

#[test]
fn the_same_id_with_other_words_is_another_message() {
    let (from, to) = ("你好", "您好");
    let escaped = |text: &str| text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<String>();
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let spellings = [(from.to_owned(), to.to_owned()), (escaped(from), escaped(to)), (percent(from), percent(to))];
    let mut tried = BTreeSet::new();
    for way in WAYS.iter() {
        for payload in (way.payloads)(NOW, 1) {
            let Ok(text) = String::from_utf8(payload) else { continue };
            let Some((from, to)) = spellings.iter().find(|(from, _)| text.contains(from)) else { continue };
            let (Some(one), Some(other)) = (read(way, text.as_bytes()), read(way, text.replace(from, to).as_bytes())) else {
                continue;
            };
            let said = |parsed: &Parsed| parsed.messages.last().map(|m| (m.key.clone(), m.content.clone()));
            if let (Some((key, before)), Some((other, after))) = (said(&one), said(&other))
                && before.kind() == "text"
                && before != after
                && way.channel != "email"
            {
                assert_ne!(key, other, "{}", way.name);
                tried.insert(way.channel);
            }
        }
    }
    for channel in ["app", "douyin", "miniprogram", "phone", "sms", "webchat", "wechat", "wecom", "weibo"] {
        assert!(tried.contains(channel), "{channel}: {tried:?}; {WORDS}");
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn any_change_of_one_item_leaves_the_others(at: usize, take in 0usize..3, to in prop::collection::vec(any::<u8>(), 0..4)) {
        for batch in batches() {
            let name = batch.way.name;
            prop_assert!(batch.read(&batch.items).is_some_and(|good| good.odd.is_empty() && good.messages.len() == 3), "{name}");
            let alone = |item: &Vec<u8>| batch.read(std::slice::from_ref(item)).map(|parsed| keys(&parsed)).unwrap_or_default();
            let others = [alone(&batch.items[0]), alone(&batch.items[2])];
            let mut changed = batch.items.clone();
            let at = at % changed[1].len();
            let end = (at + take).min(changed[1].len());
            changed[1].splice(at..end, to.iter().copied());
            let found = batch.read(&changed).map(|parsed| keys(&parsed)).unwrap_or_default();
            for other in &others {
                prop_assert!(other.is_subset(&found), "{name}: {}", String::from_utf8_lossy(&changed[1]));
            }
        }
    }
}
