//! Pages of 微信客服's messages.

use super::*;

pub(super) const ASKED: crate::Asked<'static> = crate::Asked { source: "wk1", cursor: None, now: NOW };

fn page(status: u16, body: &Value) -> Result<crate::Page, Outcome> {
    WecomAdapter.read(&account(), &ASKED, &ApiResponse { status, body: body.to_string().as_bytes() })
}

fn entries(list: Value) -> Vec<Inbound> {
    page(200, &json!({ "errcode": 0, "next_cursor": "c", "has_more": 0, "msg_list": list })).unwrap().messages
}

fn entry(kind: &str, body: Value) -> Inbound {
    let mut entry =
        json!({ "msgid": "m1", "open_kfid": "wk1", "external_userid": "wmA", "send_time": 9, "origin": 3, "msgtype": kind });
    entry[kind] = body;
    entries(json!([entry])).pop().unwrap()
}

#[test]
fn pages() {
    let request = WecomAdapter.request(&account(), "wk1", None, &call(Some("T"))).ok().unwrap();
    assert_eq!(request.url, "http://127.0.0.1:9/cgi-bin/kf/sync_msg?access_token=T");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({ "limit": 50, "voice_format": 0, "open_kfid": "wk1" }));
    let request = WecomAdapter.request(&account(), "wk1", Some("c7"), &call(Some("T"))).ok().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap()["cursor"], "c7");
    assert_eq!(WecomAdapter.request(&account(), "wk1", None, &call(None)).err(), Some(Undeliverable::TokenMissing));

    let short = Call { nonce: &[0; 16], ..call(Some("T")) };
    let request = WecomAdapter.request(&account(), "wk1", None, &short).ok().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap()["limit"], 1, "now and then");

    let empty = page(200, &json!({ "errcode": 0, "next_cursor": "c1", "has_more": 1, "msg_list": [] })).unwrap();
    assert_eq!((empty.messages.len(), empty.cursor.as_deref(), empty.more), (0, Some("c1"), true), "empty, and yet more");
    let endless = page(200, &json!({ "errcode": 0, "next_cursor": "", "has_more": 1 })).unwrap();
    assert_eq!((endless.cursor, endless.more), (None, false), "without a cursor it would never end");
    for (status, body, outcome) in [
        (200, json!({ "errcode": 42001 }), Outcome::RefreshToken),
        (200, json!({ "errcode": 45009 }), Outcome::Retry("rate_limited")),
        (200, json!({ "errcode": 60020 }), Outcome::Permanent("ip_not_allowed")),
        (200, json!([]), Outcome::Retry("answer_unreadable")),
        (502, json!({ "errcode": 0 }), Outcome::Retry("platform_unavailable")),
        (404, json!({}), Outcome::Permanent("http_refused")),
    ] {
        assert_eq!(page(status, &body), Err(outcome));
    }
}

#[test]
fn what_customers_write() {
    let inbound = entry("text", json!({ "content": "在吗😀", "menu_id": "101" }));
    assert_eq!((inbound.earlier_key.as_deref(), inbound.sender.open_id.as_str(), inbound.at.secs()), (Some("m1"), "wmA", 9));
    assert_eq!((&inbound.content, &inbound.reply_to), (&Content::text("在吗😀"), &Some(json!({ "open_kfid": "wk1" }))));
    let media = json!({ "media_id": "M" });
    for kind in ["image", "voice", "video", "file"] {
        let content = entry(kind, media.clone()).content;
        assert_eq!(content.kind(), kind);
        assert_eq!(serde_json::to_value(&content).unwrap()["media"]["id"], "M");
        assert_eq!(entry(kind, json!({})).content.kind(), "unknown", "{kind} without its medium");
    }
    let place = entry("location", json!({ "latitude": 23.1, "longitude": 113.2, "name": "小区", "address": "路" })).content;
    let label = Some("小区 路".to_owned());
    assert_eq!(place, Content::Location { latitude: 23.1, longitude: 113.2, scale: None, label });
    assert_eq!(entry("location", json!({ "latitude": 100, "longitude": 0 })).content.kind(), "unknown");
    let link = entry("link", json!({ "title": "t", "desc": "d", "url": "https://x" })).content;
    assert_eq!(link, Content::Link { title: "t".into(), description: Some("d".into()), url: "https://x".into() });
    let card =
        entry("miniprogram", json!({ "title": "t", "appid": "wx1", "pagepath": "p?a=1", "thumb_media_id": "M" })).content;
    assert_eq!(card, Content::Link { title: "t".into(), description: None, url: "miniprogram://wx1/p?a=1#M".into() });
    let order =
        entry("channels_shop_order", json!({ "order_id": "A1", "product_titles": "大衣", "state": "已发货" })).content;
    let expected =
        Content::OrderCard { order_id: "A1".into(), title: Some("大衣".into()), status: Some("已发货".into()) };
    assert_eq!(order, expected);
    for kind in ["business_card", "channels_shop_product", "channels", "merged_msg", "note", "hologram"] {
        let Content::Unknown { raw_kind, raw } = entry(kind, json!({ "x": 1 })).content else { panic!("{kind}") };
        assert_eq!((raw_kind.as_str(), &raw[kind]), (kind, &json!({ "x": 1 })));
    }
}

#[test]
fn events_and_what_is_not_a_customers() {
    let event = |event: Value| json!({ "msgid": "e1", "send_time": 9, "origin": 4, "msgtype": "event", "event": event });
    let enter = json!({ "event_type": "enter_session", "open_kfid": "wk2", "external_userid": "wmA", "scene": "123", "welcome_code": "W" });
    let inbound = entries(json!([event(enter)])).remove(0);
    assert_eq!((inbound.earlier_key.as_deref(), inbound.sender.open_id.as_str()), (Some("e1"), "wmA"));
    let data = json!({ "open_kfid": "wk2", "scene": "123" });
    assert_eq!(inbound.content, Content::Event { event: "enter_session".into(), key: Some("123".into()), data });
    assert_eq!(inbound.reply_to, Some(json!({ "open_kfid": "wk2", "welcome_code": "W", "welcome_until": 29 })));

    let failed = json!({ "event_type": "msg_send_fail", "open_kfid": "wk1", "external_userid": "wmA", "fail_msgid": "f", "fail_type": 4 });
    let Content::Event { key, data, .. } = entries(json!([event(failed)])).remove(0).content else { panic!() };
    assert_eq!((key.as_deref(), &data["fail_type"]), (Some("f"), &json!(4)));

    let servicer =
        json!({ "event_type": "servicer_status_change", "servicer_userid": "li", "status": 1, "open_kfid": "wk1" });
    let theirs = json!({ "msgid": "m", "external_userid": "wmA", "origin": 5, "send_time": 1, "msgtype": "text", "text": { "content": "x" } });
    assert!(entries(json!([event(servicer), theirs, null, 1, {}])).is_empty());

    // A text that no store could hold unchanged loses only the parts that cannot be kept.
    let nul = json!({ "msgid": "m", "external_userid": "wmA", "origin": 3, "send_time": 1, "msgtype": "text", "text": { "content": "a\0b" } });
    assert_eq!(entries(json!([nul])).remove(0).content, Content::text("a\u{FFFD}b"));

    // An entry without id or time takes its key from its whole content, and its time from the entry before it.
    let first = json!({ "msgid": "m", "external_userid": "wmA", "origin": 3, "send_time": 77, "msgtype": "text", "text": { "content": "x" } });
    let recalled = |id: &str| json!({ "msgtype": "event", "event": { "event_type": "user_recall_msg", "external_userid": "wmA", "recall_msgid": id } });
    let messages = entries(json!([first, recalled("1"), recalled("2")]));
    assert_eq!(messages.iter().map(|m| m.at.secs()).collect::<Vec<_>>(), [77, 77, 77]);
    assert!(messages[1].key != messages[2].key && !messages[1].key.contains("wmA"));
}

proptest! {
    #[test]
    fn odd_entries_do_not_keep_a_page_from_being_read(kind in ".{0,12}", text in ".{0,12}", number: f64) {
        let odd = json!({ "msgtype": kind, "external_userid": text, "send_time": number, &*kind: { "content": number, "latitude": number } });
        let good = json!({ "msgid": "m", "external_userid": "wmA", "origin": 3, "send_time": 1, "msgtype": "text", "text": { "content": "x" } });
        prop_assert!(entries(json!([odd, good])).iter().any(|m| m.earlier_key.as_deref() == Some("m")));
    }
}

fn text_of(customer: &str, id: &str, text: &str) -> String {
    format!(
        r#"{{"msgid":"{id}","open_kfid":"wk1","external_userid":"{customer}","send_time":9,"origin":3,"msgtype":"text","text":{{"content":"{text}"}}}}"#
    )
}

fn read_raw(list: &[&str]) -> crate::Page {
    let list = list.join(",");
    let body = format!(r#"{{"errcode":0,"errmsg":"ok","next_cursor":"c9","has_more":1,"msg_list":[{list}]}}"#);
    WecomAdapter.read(&account(), &ASKED, &ApiResponse { status: 200, body: body.as_bytes() }).unwrap()
}

#[test]
fn w0_a_half_surrogate_costs_no_other_customer_their_message() {
    let texts = [("wmA", "1", "在吗"), ("wmB", "2", r"谢谢\ud83d"), ("wmC", "3", "好的"), ("wmD", "4", "再见")];
    let list = texts.map(|(who, id, text)| text_of(who, id, text));
    let page = read_raw(&list.each_ref().map(String::as_str));
    let said: Vec<_> = page.messages.iter().map(|m| (m.sender.open_id.as_str(), m.content.words().unwrap())).collect();
    assert_eq!(said, [("wmA", "在吗"), ("wmB", "谢谢\u{FFFD}"), ("wmC", "好的"), ("wmD", "再见")]);
    assert_eq!((page.odd.len(), page.cursor.as_deref(), page.more), (0, Some("c9"), true));
}

#[test]
fn w0_an_entry_that_cannot_be_read_is_odd_and_the_cursor_moves() {
    let (first, last) = (text_of("wmA", "1", "在吗"), text_of("wmC", "3", "好的"));
    let deep = "[".repeat(60) + &"]".repeat(60);
    for (bad, reason) in [
        ("null", "not_an_object"),
        (r#"{"msgid":"2"}"#, "msgtype"),
        (r#"{"msgid":"2","msgtype":"text","origin":3}"#, "external_userid"),
        (r#"{"msgid":"2","send_time":1e999}"#, "not_json"),
        (deep.as_str(), "too_deep"),
    ] {
        let page = read_raw(&[&first, bad, &last]);
        let who: Vec<_> = page.messages.iter().map(|m| m.sender.open_id.as_str()).collect();
        assert_eq!((who, page.cursor.as_deref()), (vec!["wmA", "wmC"], Some("c9")), "{bad}");
        assert_eq!(page.odd, [crate::Odd { reason, raw: bad.as_bytes().to_vec() }], "{bad}");
    }
}

#[test]
fn w1_one_msgid_of_two_customers_is_two_messages() {
    let key = |who: &str, id: &str, text: &str| read_raw(&[&text_of(who, id, text)]).messages.remove(0).key;
    assert_eq!(key("wmA", "1", "x"), key("wmA", "1", "x"));
    assert_ne!(key("wmA", "1", "x"), key("wmB", "1", "x"));
    assert_ne!(key("wmA", "1", "x"), key("wmA", "1", "y"));
    assert_ne!(key("wmA", "1", "x"), key("wmA", "2", "x"));
}

#[test]
fn f9_a_text_without_words_is_an_empty_one() {
    for body in [json!({}), json!({ "content": null }), json!({ "content": "" }), Value::Null] {
        assert_eq!(entry("text", body.clone()).content, Content::text(""), "{body}");
    }
    assert_eq!(entry("text", json!({ "content": ["x"] })).content.kind(), "unknown");
}

#[test]
fn w1_what_a_message_is_about_tells_it_from_another_of_its_msgid() {
    let key = |kind: &str, body: &Value| entry(kind, body.clone()).key;
    for (kind, one, other) in [
        ("location", json!({ "latitude": 23.1, "longitude": 113.2 }), json!({ "latitude": 23.2, "longitude": 113.2 })),
        ("link", json!({ "title": "t", "url": "https://x/1" }), json!({ "title": "t", "url": "https://x/2" })),
        ("channels_shop_order", json!({ "order_id": "A1" }), json!({ "order_id": "A2" })),
        ("channels_shop_order", json!({ "order_id": 1 }), json!({ "order_id": 2 })),
        ("business_card", json!({ "userid": "a" }), json!({ "userid": "b" })),
        ("miniprogram", json!({ "appid": "wx1", "pagepath": "a" }), json!({ "appid": "wx1", "pagepath": "b" })),
        (
            "event",
            json!({ "event_type": "enter_session", "scene": "a" }),
            json!({ "event_type": "enter_session", "scene": "b" }),
        ),
        (
            "event",
            json!({ "event_type": "msg_send_fail", "fail_msgid": "a" }),
            json!({ "event_type": "msg_send_fail", "fail_msgid": "b" }),
        ),
        (
            "event",
            json!({ "event_type": "msg_send_fail", "fail_type": 1 }),
            json!({ "event_type": "msg_send_fail", "fail_type": 2 }),
        ),
    ] {
        assert_eq!(key(kind, &one), key(kind, &one), "{one}, fetched again");
        assert_ne!(key(kind, &one), key(kind, &other), "{one}");
    }
    // Parts that the platform may change when a page is fetched again.
    for (kind, one, again) in [
        ("image", json!({ "media_id": "M1" }), json!({ "media_id": "M2" })),
        ("file", json!({ "media_id": "M1" }), json!({ "media_id": "M2" })),
        ("hologram", json!({ "x": [{ "media_id": "M1" }] }), json!({ "x": [{ "media_id": "M2" }] })),
        (
            "miniprogram",
            json!({ "appid": "wx1", "pagepath": "a", "thumb_media_id": "M1" }),
            json!({ "appid": "wx1", "pagepath": "a", "thumb_media_id": "M2" }),
        ),
        (
            "event",
            json!({ "event_type": "enter_session", "welcome_code": "1" }),
            json!({ "event_type": "enter_session", "welcome_code": "2" }),
        ),
    ] {
        assert_eq!(key(kind, &one), key(kind, &again), "{one}");
    }
}

#[test]
fn f2_the_callbacks_token_is_passed_on() {
    let body = |request: ApiRequest| serde_json::from_slice::<Value>(&request.body).unwrap();
    let hinted = WecomAdapter.request_hinted(&account(), "wk1", Some("c7"), "ENCToken", &call(Some("T"))).ok().unwrap();
    let hinted = body(hinted);
    assert_eq!(
        (&hinted["token"], &hinted["cursor"], &hinted["open_kfid"]),
        (&json!("ENCToken"), &json!("c7"), &json!("wk1"))
    );
    let polled = body(WecomAdapter.request(&account(), "wk1", Some("c7"), &call(Some("T"))).ok().unwrap());
    assert_eq!(polled.get("token"), None);
    let refused = ApiResponse { status: 200, body: br#"{"errcode":95007,"errmsg":"invalid msg token"}"# };
    assert_eq!(WecomAdapter.read(&account(), &ASKED, &refused), Err(Outcome::Retry("hint_refused")));
}

#[test]
fn f9_the_menu_item_that_a_text_answers_is_kept() {
    let said = json!({ "msgid": "m1", "external_userid": "wmA", "origin": 3, "send_time": 1, "msgtype": "text",
        "text": { "content": "满意", "menu_id": "101" } });
    let found = entries(json!([said]));
    let answer = Content::Event { event: "menu_answer".into(), key: Some("101".into()), data: Value::Null };
    assert_eq!((&found[0].content, found[0].key.clone()), (&answer, format!("{}#context", found[1].key)));
    assert_eq!((&found[1].content, found[1].earlier_key.as_deref(), found.len()), (&Content::text("满意"), Some("m1"), 2));
    let item = |id: Value| {
        let said = json!({ "msgid": "m1", "external_userid": "wmA", "origin": 3, "send_time": 1, "msgtype": "text",
            "text": { "content": "x", "menu_id": id } });
        match entries(json!([said])).remove(0).content {
            Content::Event { key, .. } => key,
            _ => None,
        }
    };
    assert_eq!(item(json!(" 转人工\n")).as_deref(), Some("转人工"));
    assert_eq!(item(json!(101)).as_deref(), Some("101"));
    assert_eq!(item(json!("满".repeat(200))), Some("满".repeat(128)));
    assert_eq!(item(json!(" ")), None);
}
