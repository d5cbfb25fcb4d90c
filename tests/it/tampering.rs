//! Values of the store that were altered from outside.

use crate::harness::{Server, Shop};
use serde_json::{Value, json};

/// Changes a byte of every value that a statement finds.
fn alter(db: &rusqlite::Connection, select: &str, update: &str) {
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        db.prepare(select).unwrap().query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap().map(Result::unwrap).collect();
    assert!(!rows.is_empty());
    for (id, mut value) in rows {
        *value.last_mut().unwrap() ^= 1;
        db.execute(update, rusqlite::params![id, value]).unwrap();
    }
}

#[test]
fn what_was_altered_is_told_once_and_hides_nothing_else() {
    let server = Server::start("altered");
    let shop = Shop::on(&server, &json!({}));
    let visitor = shop.web(&[]).visitor();
    for text in ["一", "二", "三"] {
        visitor.say(text);
    }
    let (talk, _) = shop.wait_text("三");
    let customer = shop.customer(&talk);
    let second = shop.messages(&talk)[1]["id"].clone();
    let db = server.store();
    alter(&db, "SELECT id, content FROM messages WHERE n = 2", "UPDATE messages SET content = ?2 WHERE id = ?1");
    alter(&db, "SELECT id, sender FROM identities", "UPDATE identities SET sender = ?2 WHERE id = ?1");
    for _ in 0..2 {
        let texts = |list: &Value| list.as_array().unwrap().iter().map(|m| m["content"]["text"].clone()).collect::<Vec<_>>();
        let shown = shop.conversation(&talk);
        assert_eq!(texts(&shown["messages"]), [json!("一"), Value::Null, json!("三")]);
        let timeline = shop.admin.get(&format!("{customer}/timeline")).expect(200).json();
        assert_eq!(texts(&timeline["items"]), [json!("三"), Value::Null, json!("一")]);
        shop.admin.get(&format!("{customer}/summary")).expect(200);
        shop.admin.get(&format!("{customer}/unmasked?reason=request")).expect(200);
    }
    let told: Vec<_> = shop.admin.events(0).into_iter().filter(|e| e["type"] == "seal.broken").collect();
    let fields: Vec<_> = told.iter().map(|e| (e["data"]["field"].as_str().unwrap(), &e["data"]["message"])).collect();
    assert_eq!(fields, [("message", &second), ("name", &Value::Null)]);
    assert!(customer.ends_with(told[0]["data"]["customer"].as_str().unwrap()));
    assert_eq!(told[0]["conversation"], talk.as_str());
    let figures = shop.admin.get("/metrics").expect(200).text();
    assert!(figures.lines().any(|line| line == "warmline_seal_broken_v1_total 2"), "{figures}");
}
