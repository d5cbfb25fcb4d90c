//! The worklist and the deadlines through the components: what a stream tells is what a fresh read has, also across a kill; a
//! missed deadline has its exact instant.

use crate::harness::{Agent, Server, Shop, Stream, Wechat, embedded_only, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The rows of an agent's list by their id, and its position.
fn read(agent: &Agent) -> (BTreeMap<String, Value>, String) {
    let list = agent.api.get("/api/worklist?view=all&limit=500").expect(200).json();
    let row = |row: &Value| (row["id"].as_str().unwrap().to_owned(), row.clone());
    (list["items"].as_array().unwrap().iter().map(row).collect(), list["cursor"].as_str().unwrap().to_owned())
}

fn follow(agent: &Agent, cursor: &str) -> Stream {
    agent.api.stream(&format!("/api/events?after={}&worklist={cursor}", i64::from(u32::MAX)), &[])
}

/// Takes the next changes of a stream, if any come soon.
fn take(stream: &mut Stream, rows: &mut BTreeMap<String, Value>, cursor: &mut String) -> bool {
    let Some(event) = stream.next_within(Duration::from_secs(2)) else { return false };
    if event.kind == "worklist" {
        assert_eq!(event.data["reset"], json!(false));
        for gone in event.data["gone"].as_array().unwrap() {
            rows.remove(gone.as_str().unwrap());
        }
        for row in event.data["rows"].as_array().unwrap() {
            rows.insert(row["id"].as_str().unwrap().to_owned(), row.clone());
        }
        cursor.replace_range(.., event.data["cursor"].as_str().unwrap());
    }
    true
}

#[test]
fn a_desk_that_is_cut_off_and_killed_meanwhile_goes_on_with_the_truth() {
    embedded_only!("Spin's own processes are killed in another way");
    let mut server = Server::start("worklist-killed");
    let shop = Shop::on(&server, &json!({}));
    let (wechat, agent) = (shop.wechat(), shop.agent(9));
    wechat.say("oAlice", "在吗");
    shop.wait_conversations(1);
    let (mut rows, mut cursor) = until("a row", || Some(read(&agent)).filter(|(rows, _)| rows.len() == 1));
    let mut stream = follow(&agent, &cursor);
    wechat.say("oBob", "什么时候发货");
    until("the second row", || {
        take(&mut stream, &mut rows, &mut cursor);
        let words = |row: &Value| row["last"]["text"] == json!("什么时候发货");
        (rows.len() == 2 && rows.values().any(words)).then_some(())
    });
    let id = rows.keys().next().unwrap().clone();
    agent.api.put(&format!("/api/conversations/{id}/draft"), &json!({ "text": "您好" })).expect(200);
    drop(stream);
    server.crash();
    let server = Server::start("worklist-killed");
    let agent = Agent { id: agent.id.clone(), api: server.bearer(agent.api.token()) };
    let wechat = Wechat { url: format!("{}/channels/wechat/{}", server.base(), wechat.account), ..wechat };
    agent.is("available");
    wechat.say("oCarol", "开发票");
    until("the third conversation", || (server.admin().all("/api/conversations").len() == 3).then_some(()));
    let mut stream = follow(&agent, &cursor);
    let fresh = until("the truth", || {
        take(&mut stream, &mut rows, &mut cursor);
        let (fresh, _) = read(&agent);
        (fresh.len() == 3 && rows == fresh).then_some(fresh)
    });
    assert_eq!(fresh[&id]["draft"], json!(true));
    assert_eq!(
        agent.api.get(&format!("/api/conversations/{id}/draft")).expect(200).json()["drafts"][0]["text"],
        json!("您好")
    );
}

#[test]
fn a_missed_deadline_has_its_exact_instant_and_is_told_once() {
    let server = Server::start("deadlines");
    let shop = Shop::on(&server, &json!({}));
    let document = json!({ "policies": [{ "name": "all", "targets": { "first_reply": { "seconds": 1 } } }] });
    shop.admin.put("/api/sla/policies", &document).expect(200);
    let (wechat, agent) = (shop.wechat(), shop.agent(9));
    wechat.say("oAlice", "在吗");
    let id = shop.wait_state("assigned");
    let due = until("the row's deadline", || {
        let list = agent.api.get("/api/worklist").expect(200).json();
        list["items"][0]["due"]["at"].as_str().map(str::to_owned)
    });
    let missed = || -> Vec<Value> { shop.events().into_iter().filter(|event| event["type"] == "deadline.missed").collect() };
    let told = until("the miss", || missed().first().cloned());
    assert_eq!((&told["data"]["due_at"], &told["data"]["metric"]), (&json!(due), &json!("first_reply")));
    let received = shop.events().into_iter().find(|event| event["type"] == "message.received").unwrap();
    let instant = |value: &Value| serde_json::from_value::<warmline_model::Timestamp>(value.clone()).unwrap();
    assert_eq!(instant(&told["data"]["due_at"]).since(instant(&received["data"]["received_at"])), 1_000);
    agent.reply(&id, "在的");
    let ended = until("the late answer", || {
        let list = agent.api.get(&format!("/api/conversations/{id}/deadlines")).expect(200).json();
        list["items"][0]["answered_at"].is_string().then(|| list["items"][0].clone())
    });
    assert_eq!(ended["state"], json!("missed"));
    assert_eq!(missed().len(), 1);
}
