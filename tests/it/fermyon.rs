//! The bounds of Fermyon Cloud (deploy/fermyon-cloud): one database, no calls between components, no WebSockets, 30 s a request,
//! 500 outbound calls an hour.

use crate::harness::{Options, Server, Shop, Socket, at_once, embedded_only, until};
use serde_json::json;

fn server(name: &str) -> Server {
    let mut options = Options::calling_in_public();
    options.arguments.extend(["--profile", "fermyon-cloud"].map(str::to_owned));
    Server::with(name, &options)
}

#[test]
fn a_message_its_reply_and_the_tick_work_within_the_bounds_of_fermyon_cloud() {
    embedded_only!("the profile is the embedded runner's");
    let server = server("fermyon");
    let shop = Shop::on(&server, &json!({}));
    let (wechat, web, agent) = (shop.wechat(), shop.web(&[]), shop.agent(4));
    let visitor = web.visitor();
    let socket = Socket::open(&format!("{}/ws?access_token={}", visitor.url, visitor.token), &[]);
    assert_eq!(socket.err(), Some(426), "nothing holds a WebSocket there");
    wechat.say("oAlice", "什么时候发货");
    let (id, _) = shop.wait_text("什么时候发货");
    agent.reply(&id, "今天下午");
    until("the reply", || (shop.platform.texts_to("oAlice") == ["今天下午"]).then_some(()));
    let woken = shop.admin.post("/api/tick", &json!({})).expect(200).json()["woken"].take();
    assert!(woken.as_object().unwrap().values().all(|answered| *answered == true), "{woken}");
    assert!(!server.keys().join("keys.db").exists(), "the keys are in the one database");
    let tables = server.store().query_row("SELECT count(*) FROM customer_keys", [], |row| row.get::<_, i64>(0));
    assert_eq!(tables, Ok(1));
}

#[test]
fn when_the_outbound_calls_of_an_hour_are_used_up_every_message_is_still_acknowledged_and_stored() {
    embedded_only!("the profile is the embedded runner's");
    let server = server("fermyon-quota");
    let shop = Shop::on(&server, &json!({}));
    let (wechat, agent) = (shop.wechat(), shop.agent(4));
    let tick = || shop.admin.post("/api/tick", &json!({})).expect(200).json()["woken"]["router"] == true;
    let ticks = (0..500).take_while(|_| tick()).count();
    assert!((75..=125).contains(&ticks), "{ticks} ticks of four calls each, until one says that it reached nobody");
    at_once(8, |worker| (0..5).for_each(|n| wechat.say(&format!("o{worker}"), &format!("{worker}/{n}"))));
    assert_eq!(
        (server.stored("wechat"), shop.count("message.received")),
        (40, 0),
        "they wait for calls to be possible again"
    );
    assert_eq!(agent.view()["state"], "available");
}

#[test]
fn a_store_with_a_database_of_keys_is_not_served_within_the_bounds_nor_the_other_way_round() {
    embedded_only!("the profile is the embedded runner's");
    let mut apart = Server::start("fermyon-apart");
    apart.stop();
    let said = apart.refuses_another(&["--profile", "fermyon-cloud"]);
    assert!(said.contains("start it without --profile"), "{said}");
    let mut together = server("fermyon-together");
    together.stop();
    let said = together.refuses_another(&[]);
    assert!(said.contains("made under a --profile"), "{said}");
}
