//! A store that is locked or full: nothing is acknowledged that is not stored, the platform learns when to come back, and
//! its repeats are stored once.

use crate::harness::{Answer, Options, Server, Shop, on_spin, until};
use serde_json::json;

#[track_caller]
fn unacknowledged(what: &str, answer: &Answer, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (503, code), "{what}: {}", answer.text());
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{what}");
    assert!(!answer.text().contains("success"), "{what}");
}

#[test]
fn a_locked_store_acknowledges_nothing_and_the_retry_is_stored_once() {
    let server = Server::start("locked");
    let shop = Shop::on(&server, &json!({}));
    let (wechat, app, web, agent) = (shop.wechat(), shop.app(), shop.web(&[]), shop.agent(4));
    let (jwt, visitor) = (app.jwt("m1", None, &[]), web.visitor());
    wechat.say("oEarly", "早来的");
    let (early, _) = shop.wait_text("早来的");
    let by_wechat = wechat.text("oAlice", 1, "微信");
    let by_app = json!({ "id": "1", "text": "App" }).to_string();
    let by_web = json!({ "id": "1", "text": "网页" }).to_string();
    let reply = json!({ "content": { "kind": "text", "text": "在的" } });
    let path = format!("/api/conversations/{early}/messages");

    let mut db = server.store();
    let lock = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    std::thread::scope(|scope| {
        let posts = [
            scope.spawn(|| ("wechat", wechat.plain(&by_wechat))),
            scope.spawn(|| ("app", app.post(&jwt, &by_app))),
            scope.spawn(|| ("webchat", visitor.post(&by_web))),
            scope.spawn(|| ("api", agent.api.post_once(&path, &reply, "the-key"))),
        ];
        // Lists still work. Messages are shown to nobody, since the log cannot note the reader.
        shop.admin.get("/api/conversations").expect(200);
        unacknowledged("reading", &shop.admin.get(&format!("/api/conversations/{early}")), "store_busy");
        for post in posts {
            let (what, answer) = post.join().unwrap();
            unacknowledged(what, &answer, "store_busy");
        }
    });
    lock.rollback().unwrap();

    // The platform, the clients and the agent's desk try again, more than once.
    for _ in 0..2 {
        assert_eq!(wechat.plain(&by_wechat).expect(200).text(), "success");
        app.post(&jwt, &by_app).expect(200);
        visitor.post(&by_web).expect(200);
        agent.api.post_once(&path, &reply, "the-key").expect(201);
    }
    for text in ["微信", "App", "网页"] {
        let (id, _) = shop.wait_text(text);
        assert_eq!(shop.messages(&id).len(), 1, "{text}");
    }
    assert_eq!(shop.messages(&early).len(), 2);
    until("the reply", || (shop.platform.texts_to("oEarly") == ["在的"]).then_some(()));
    assert_eq!(shop.count("message.received"), 4);
}

#[test]
fn a_full_store_acknowledges_nothing_and_takes_the_retry_once_there_is_room() {
    let server = Server::start("full");
    let shop = Shop::on(&server, &json!({}));
    let wechat = shop.wechat();
    wechat.say("oAlice", "装得下");
    shop.wait_text("装得下");
    // A limit on the size of files fills a disk without needing a disk or rights. The write-ahead log reaches it first.
    // Under Spin, instances themselves need files of a mebibyte: the images of their memory.
    let blocks = if on_spin() { 8 * 512 } else { 2 * 512 };
    let server = server.restart(&Options { blocks, ..Options::default() });
    let here = |server: &Server| {
        let mut moved = wechat.clone();
        moved.url = format!("{}/channels/wechat/{}", server.base(), shop.name);
        moved
    };
    let cramped = here(&server);
    let long = "满".repeat(600);
    let (mut stored, mut refused) = (Vec::new(), None);
    for id in 100..4_000 {
        let webhook = cramped.text("oAlice", id, &format!("{id} {long}"));
        let answer = cramped.plain(&webhook);
        if answer.status == 200 {
            stored.push(id);
        } else {
            unacknowledged("full", &answer, "store_full");
            refused = Some((id, webhook));
            break;
        }
    }
    let (id, webhook) = refused.expect("the store was never full");
    unacknowledged("full again", &cramped.plain(&webhook), "store_full");
    let server = server.restart(&Options::default());
    let roomy = here(&server);
    assert_eq!(roomy.plain(&webhook).expect(200).text(), "success");
    stored.push(id);
    // Every acknowledged message is there, once, and so is the refused one.
    let admin = server.admin();
    let conversation = admin.all("/api/conversations")[0]["id"].as_str().unwrap().to_owned();
    let numbers = |messages: Vec<serde_json::Value>| -> Vec<u64> {
        let number = |m: &serde_json::Value| m["content"]["text"].as_str()?.split(' ').next()?.parse().ok();
        let mut all: Vec<u64> = messages.iter().filter_map(number).collect();
        all.sort_unstable();
        all
    };
    until("everything acknowledged", || {
        let all = numbers(admin.all(&format!("/api/conversations/{conversation}/messages")));
        (all.len() >= stored.len()).then(|| assert_eq!(all, stored))
    });
}
