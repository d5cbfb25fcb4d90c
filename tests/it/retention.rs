//! Retention: messages age into the archive, and go.

use crate::harness::{Server, Shop, until};
use serde_json::json;

#[test]
fn what_was_archived_reads_the_same_until_it_is_gone() {
    let server = Server::start("retention");
    let shop = Shop::on(&server, &json!({}));
    let agent = shop.agent(9);
    let (talk, customer) = shop.written("米里有虫子，怎么办？");
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
    let db = server.store();
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
    let mut settings = shop.admin.get("/api/retention").expect(200).json()["retention"].clone();
    settings["archive_days"] = json!(0);
    shop.admin.put("/api/retention", &settings).expect(200);
    shop.admin.post("/api/tick", &json!({})).expect(200);
    assert_eq!(read().0, "archived");
    shop.admin.delete(&format!("{customer}/hold")).expect(200);
    // It was postponed for a day.
    db.execute("UPDATE conversations SET aged_from = NULL", []).unwrap();
    let gone = becomes("gone");
    assert_eq!((gone.1, &gone.2[1]["items"]), (json!([]), &json!([])));
    settings["hot_days"] = json!(0);
    let refused = shop.admin.put("/api/retention", &settings).refused(422, "invalid_field");
    assert_eq!(refused.json()["field"], "hot_days");
}
