//! The legal duties of a keeper of personal data, through the real components.

use crate::harness::{Server, Shop, until};
use serde_json::{Value, json};

/// A customer writes on web chat. Returns the conversation and the customer's path.
fn written(shop: &Shop, text: &str) -> (String, String) {
    shop.web(&[]).visitor().say(text);
    let (talk, _) = shop.wait_text(text);
    let customer = format!("/api/customers/{}", shop.conversation(&talk)["customer"]["id"].as_str().unwrap());
    (talk, customer)
}

#[test]
fn a_hold_is_the_administrators_and_shows() {
    let shop = Shop::open();
    let (_, customer) = written(&shop, "我要起诉你们");
    let path = format!("{customer}/hold");
    let supervisor = shop.hire(1, &json!({ "role": "supervisor" })).api;
    supervisor.put(&path, &json!({ "reason": "court" })).refused(403, "role_not_allowed");
    shop.admin.put(&path, &json!({ "reason": "because" })).refused(422, "invalid_field");
    shop.admin.put(&path, &json!({ "reason": "court", "reference": "王先生" })).refused(422, "bad_code");
    let held = shop.admin.put(&path, &json!({ "reason": "court", "reference": "case-7" })).expect(200).json();
    assert_eq!((&held["hold"]["reason"], &held["hold"]["reference"]), (&json!("court"), &json!("case-7")));
    assert_eq!(supervisor.get(&customer).expect(200).json()["hold"], held["hold"]);
    supervisor.delete(&path).refused(403, "role_not_allowed");
    for _ in 0..2 {
        assert_eq!(shop.admin.delete(&path).expect(200).json()["hold"], Value::Null);
    }
    let id = customer.rsplit('/').next().unwrap();
    let log = shop.admin.all("/api/audit");
    let of: Vec<_> = log.iter().filter(|e| e["customer"] == id).map(|e| (&e["action"], &e["reason"])).collect();
    assert_eq!(
        of[of.len() - 2..],
        [(&json!("hold.placed"), &json!("court/case-7")), (&json!("hold.lifted"), &json!("court"))]
    );
}

#[test]
fn consent_is_kept_with_its_withdrawal() {
    let shop = Shop::open();
    let (_, customer) = written(&shop, "可以给我发优惠");
    let path = format!("{customer}/consents");
    let say = |given: bool, version: &str| {
        let body = json!({ "purpose": "marketing", "version": version, "given": given, "source": "webchat" });
        shop.admin.post(&path, &body).expect(201).json()
    };
    assert_eq!(shop.admin.get(&path).expect(200).json(), json!({ "stands": [], "items": [] }));
    assert_eq!(say(true, "v1")["stands"][0]["given"], true);
    let told = say(false, "v2");
    assert_eq!((&told["stands"][0]["given"], &told["stands"][0]["version"]), (&json!(false), &json!("v2")));
    let page = shop.admin.get(&format!("{path}?limit=1")).expect(200).json();
    let rest = shop.admin.get(&format!("{path}?limit=1&after={}", page["next"].as_str().unwrap())).expect(200).json();
    assert_eq!((&page["items"][0]["given"], &rest["items"][0]["given"]), (&json!(false), &json!(true)));
    let wrong = |body: Value, code: &str| shop.admin.post(&path, &body).refused(422, code);
    wrong(json!({ "purpose": "给王先生", "version": "v1", "given": true }), "bad_code");
    wrong(json!({ "purpose": "marketing", "version": "v1", "given": true, "source": "pigeon" }), "unknown_channel");
}

/// The store of a server, opened from outside.
fn store(server: &Server) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(server.state().join("sqlite.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    db
}

#[test]
fn what_was_archived_reads_the_same_until_it_is_gone() {
    let server = Server::start("retention");
    let shop = Shop::on(&server, &json!({}));
    let agent = shop.agent(9);
    let (talk, customer) = written(&shop, "米里有虫子，怎么办？");
    agent.reply(&talk, "马上给您补发");
    until("the reply is out", || (shop.messages(&talk)[1]["delivery"]["state"] == "sent").then_some(()));
    agent.close(&talk);
    let read = || {
        let get = |path: String| shop.admin.get(&path).expect(200).json();
        let conversation = get(format!("/api/conversations/{talk}"));
        let rest = [
            format!("/api/conversations/{talk}/messages?limit=1"),
            format!("{customer}/timeline"),
            format!("{customer}/summary"),
        ];
        (conversation["kept"].clone(), conversation["messages"].clone(), rest.map(get))
    };
    let hot = read();
    assert_eq!((&hot.0, hot.1.as_array().unwrap().len()), (&json!("hot"), 2));
    let db = store(&server);
    let older = |days: i64| {
        db.execute("UPDATE conversations SET last_message_at = last_message_at - ?1", [days * 86_400_000]).unwrap();
    };
    let becomes = |kept: &str| {
        until(kept, || {
            shop.admin.post("/api/tick", &json!({})).expect(200);
            let read = read();
            (read.0 == kept).then_some(read)
        })
    };
    older(31);
    let archived = becomes("archived");
    assert_eq!((archived.1, archived.2), (hot.1, hot.2));
    assert_eq!(db.query_row("SELECT count(*) FROM messages", [], |row| row.get::<_, i64>(0)), Ok(0));
    shop.admin.put(&format!("{customer}/hold"), &json!({ "reason": "regulator" })).expect(200);
    shop.admin
        .put("/api/retention", &json!({ "hot_days": 30, "archive_days": 0, "parked_days": 30, "work_days": 400 }))
        .expect(200);
    shop.admin.post("/api/tick", &json!({})).expect(200);
    assert_eq!(read().0, "archived");
    shop.admin.delete(&format!("{customer}/hold")).expect(200);
    // It was postponed for a day.
    db.execute("UPDATE conversations SET aged_from = NULL", []).unwrap();
    let gone = becomes("gone");
    assert_eq!((gone.1, &gone.2[1]["items"]), (json!([]), &json!([])));
    let wrong = json!({ "hot_days": 0, "archive_days": 0, "parked_days": 30, "work_days": 400 });
    let refused = shop.admin.put("/api/retention", &wrong).refused(422, "invalid_field");
    assert_eq!(refused.json()["field"], "hot_days");
}
