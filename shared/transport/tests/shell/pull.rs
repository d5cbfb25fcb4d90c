//! A platform that keeps messages until it is asked: 微信客服.

use crate::wechat::{connect, says};
use crate::world::{Environment, Platform, post};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use warmline_channels::jd::JdAdapter;
use warmline_channels::wecom::{WecomAdapter, sign};
use warmline_channels::wx_crypto::AesKey;
use warmline_model::{AccountId, Channel};
use warmline_store::{inbox, odd_items, pulls};

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

fn connected() -> Environment {
    let w = Environment::new();
    let settings = json!({ "corp_id": "ww1", "api_base": "https://api.test" });
    w.connect("wecom", "kf", settings, &[("token", "test"), ("encoding_aes_key", KEY), ("secret", "s3cret")]);
    w.agent("{}");
    w
}

/// The platform says that there is something.
fn hint(w: &Environment) {
    let at = w.ctx().now().secs();
    let message = sign::hint("ww1", at, "wk1");
    let key = AesKey::decode(KEY).unwrap();
    let (query, body) = sign::webhook("test", &key, "ww1", &at.to_string(), "n0nce", &[9; 16], message.as_bytes());
    let answer = w.serve(&WecomAdapter, post(&format!("/channels/wecom/kf?{query}"), &body));
    assert_eq!(answer.borrow().status, 200, "{}", answer.borrow().text());
}

fn message(id: &str, text: &str) -> Value {
    json!({ "msgid": id, "open_kfid": "wk1", "external_userid": "wmUser", "send_time": 1_700_000_000, "origin": 3,
            "msgtype": "text", "text": { "content": text } })
}

/// Gives out these pages, one for each request, and notes the requests' cursors and hints.
fn pages(w: &Environment, pages: Vec<Value>) -> Rc<RefCell<Vec<(Value, Value)>>> {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let (noted, mut pages) = (asked.clone(), pages.into_iter());
    w.platform(move |request| {
        if !request.url.contains("sync_msg") {
            return Platform::Says(200, json!({ "errcode": 0, "access_token": "t1", "expires_in": 7200 }).to_string());
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        noted.borrow_mut().push((body["cursor"].clone(), body["token"].clone()));
        pages.next().map_or(Platform::Away, |page| Platform::Says(200, page.to_string()))
    });
    asked
}

fn page(messages: &[Value], cursor: &str, more: bool) -> Value {
    json!({ "errcode": 0, "msg_list": messages, "next_cursor": cursor, "has_more": i32::from(more) })
}

fn place() -> (Channel, AccountId) {
    (Channel::new("wecom").unwrap(), AccountId::new("kf").unwrap())
}

#[test]
fn a_hint_fetches_page_after_page_until_there_is_no_more_and_the_cursor_stays() {
    let w = connected();
    let asked = pages(
        &w,
        vec![page(&[message("m1", "一")], "c1", true), page(&[], "c2", true), page(&[message("m2", "二")], "c3", false)],
    );
    hint(&w);
    let token = json!("ENCSimulated");
    assert_eq!(*asked.borrow(), [(Value::Null, token.clone()), (json!("c1"), token.clone()), (json!("c2"), token.clone())]);
    assert_eq!((w.events("message.received"), w.conversations().len()), (2, 1), "the router was woken");
    // The next hint continues where the last page ended. A message that comes twice is stored once.
    let asked = pages(&w, vec![page(&[message("m2", "二"), message("m3", "三")], "c4", false)]);
    hint(&w);
    assert_eq!(*asked.borrow(), [(json!("c3"), token)]);
    assert_eq!(w.events("message.received"), 3);
}

#[test]
fn an_item_that_nobody_can_read_is_kept_and_the_cursor_moves_past_it() {
    let w = connected();
    let asked = pages(&w, vec![page(&[json!({ "msgid": "m1" }), message("m2", "二")], "c1", false)]);
    hint(&w);
    assert_eq!(w.events("message.received"), 1);
    assert_eq!(odd_items::totals(&w.0.db).unwrap().len(), 1);
    assert!(w.0.log.borrow().iter().any(|line| line.starts_with("wecom/kf: kept 1 item(s)")), "{:?}", w.0.log.borrow());
    assert_eq!(asked.borrow().len(), 1);
    let asked = pages(&w, vec![page(&[], "c2", false)]);
    hint(&w);
    assert_eq!(asked.borrow()[0].0, json!("c1"));
}

#[test]
fn a_source_that_cannot_be_asked_is_asked_again_later_with_the_reason_noted() {
    let w = connected();
    pages(&w, Vec::new());
    hint(&w);
    let problems = pulls::problems(&w.0.db, &place().0, &place().1).unwrap();
    assert_eq!(problems, [("wk1".to_owned(), "platform_unreachable".to_owned())]);
    let asked = pages(&w, vec![page(&[message("m1", "一")], "c1", false)]);
    w.serve(&WecomAdapter, post("/pull", ""));
    assert!(asked.borrow().is_empty(), "not before its pause is over");
    w.pass(10_000);
    w.serve(&WecomAdapter, post("/pull", ""));
    assert_eq!((asked.borrow().len(), w.events("message.received")), (1, 1));
    assert!(pulls::problems(&w.0.db, &place().0, &place().1).unwrap().is_empty());
}

#[test]
fn a_quiet_shops_last_change_is_stored_once_however_often_it_is_read() {
    const DAY: i64 = 86_400_000;
    let w = Environment::new();
    let secrets = [("app_secret", "yourappSecret"), ("access_token", "t")];
    w.connect("jd", "shop", json!({ "app_key": "k", "api_base": "https://api.test" }), &secrets);
    let (jd, shop) = (Channel::new("jd").unwrap(), AccountId::new("shop").unwrap());
    pulls::set_polled(&w.0.db, &jd, &shop, &["orders".into()], w.ctx().now()).unwrap();
    // The tests begin at 2023-11-15 06:13:20 in Beijing.
    let order =
        json!({ "orderId": "7", "orderState": "FINISHED_L", "modified": "2023-11-15 06:13:00", "open_id_buyer": "b" });
    let found = json!({ "apiResult": { "success": true }, "orderTotal": 1, "orderInfoList": [order] });
    let page = json!({ "jingdong_pop_order_search_responce": { "code": "0", "searchorderinfo_result": found } }).to_string();
    w.platform(move |_| Platform::Says(200, page.clone()));
    w.serve(&JdAdapter, post("/pull", ""));
    // Somebody else's message comes after it, so that the order's row is not the newest any more.
    connect(&w, "api");
    says(&w, "oAnna", 1, "在吗");
    assert_eq!(w.events("message.received"), 2);
    w.pass(15 * DAY);
    let now = w.ctx().now();
    while inbox::tidy(&w.0.db, now.plus_millis(-14 * DAY), now, 250).unwrap() {}
    w.serve(&JdAdapter, post("/pull", ""));
    assert_eq!(w.events("message.received"), 2);
}
