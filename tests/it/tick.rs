//! The tick may come from anywhere, at any time, and several at once.

use crate::harness::{Options, Server, Shop, at_once, send, until};
use serde_json::{Value, json};

#[test]
fn overlapping_ticks_do_what_is_due_once() {
    // The runner has no clock of its own here, and there are no nudges: the test's ticks do everything below.
    let server = Server::with("tick", &Options::without_ticks("chain"));
    let shop = Shop::on(&server, &json!({ "greeting": "您好", "accept_secs": 1 }));
    let wechat = shop.wechat();
    let agents = [shop.agent(10), shop.agent(10)];
    at_once(20, |i| wechat.say(&format!("oCustomer{i}"), "我要投诉"));
    let ops = shop.hire(0, &json!({ "role": "ops" }));
    let tick = || {
        let woken = ops.api.post("/api/tick", &json!({})).expect(200).json()["woken"].take();
        assert_eq!(woken["router"], true, "{woken}");
    };
    until("all had their time-out and all else is done", || {
        at_once(4, |_| tick());
        let done = shop.count("delivery.sent") == 20
            && shop.count("quality.alert") == 20
            && shop.conversations().iter().all(|c| c["state"] == "queued");
        done.then_some(())
    });
    for _ in 0..2 {
        at_once(8, |_| tick());
    }
    assert_eq!(shop.platform.sent().len(), 20, "each greeting went out once");
    let events = shop.events();
    let count = |kind: &str| events.iter().filter(|e| e["type"] == kind).count();
    assert_eq!((count("message.received"), count("message.sent"), count("quality.alert")), (20, 20, 20));
    let requeued = events.iter().filter(|e| e["data"]["requeued"] == "accept_timeout").count();
    assert_eq!((requeued, count("conversation.assigned"), count("capacity.released")), (20, 20, 20));
    for agent in &agents {
        let view = agent.view();
        assert_eq!((&view["load"], &view["state"]), (&json!(0), &json!("break")));
    }
    let figures = shop.admin.get("/api/metrics").expect(200).json();
    let sent: Vec<&Value> =
        figures["counts"].as_array().unwrap().iter().filter(|c| c["formula"] == "messages.in.v1").collect();
    assert_eq!(sent.iter().filter_map(|c| c["count"].as_i64()).sum::<i64>(), 20);
}

#[test]
fn a_due_step_that_fails_keeps_no_message_waiting() {
    let server = Server::with("failing-step", &Options::without_ticks("chain"));
    let shop = Shop::on(&server, &json!({}));
    let wechat = shop.wechat();
    let store = server.store();
    // Nobody handles the message when it comes, and the nudge is lost.
    for shard in 0..4 {
        let hold = "INSERT INTO leases (name, owner, until) VALUES ('inbox/' || ?1, zeroblob(16), 9000000000000) \
                    ON CONFLICT (name) DO UPDATE SET until = 9000000000000";
        store.execute(hold, [shard]).unwrap();
    }
    wechat.say("oAlice", "在吗");
    assert_eq!((server.stored("wechat"), shop.count("message.received")), (1, 0));
    store.execute("UPDATE leases SET until = 0 WHERE name LIKE 'inbox/%'", []).unwrap();
    // The settings of retention cannot be read, so that step fails at each tick.
    store.execute("INSERT INTO config (name, value, version, updated_at) VALUES ('retention', '[]', 1, 0)", []).unwrap();
    let woken = shop.admin.post("/api/tick", &json!({})).expect(200).json()["woken"].take();
    assert_eq!(woken["router"], false, "the failure is told");
    assert_eq!(shop.count("message.received"), 1);
}

#[test]
fn without_calls_between_components_the_tick_alone_cannot_reach_them_and_says_so() {
    let options = Options { environment: vec![("SPIN_VARIABLE_INTERNAL_CALLS".into(), "off".into())], ..Options::default() };
    let server = Server::with("off", &options);
    let admin = server.admin();
    let woken = admin.post("/api/tick", &json!({})).expect(200).json()["woken"].take();
    assert!(woken.as_object().unwrap().values().all(|answered| *answered == false), "{woken}");
}

#[test]
fn calls_through_the_public_address_do_what_chained_ones_do_and_need_the_token() {
    let server = Server::with("public", &Options::calling_in_public());
    let shop = Shop::on(&server, &json!({}));
    let (wechat, agent) = (shop.wechat(), shop.agent(4));
    // Nudges alone: from the channel to the router, and from the desk to the channel.
    wechat.say("oAlice", "在吗");
    let (id, _) = shop.wait_text("在吗");
    agent.reply(&id, "在的");
    until("the reply", || (shop.platform.texts_to("oAlice") == ["在的"]).then_some(()));
    let woken = shop.admin.post("/api/tick", &json!({})).expect(200).json()["woken"].take();
    assert!(woken.as_object().unwrap().values().all(|answered| *answered == true), "{woken}");
    for path in ["router/tick", "quality/inspect", "hooks/follow", "metrics/fold", "channel-wechat/deliver"] {
        let url = format!("{}/internal/{path}", server.base());
        send("POST", &url, &[], "").refused(401, "internal_only");
        send("POST", &url, &[("authorization", "Bearer guessed".to_owned())], "").refused(401, "internal_only");
    }
}

#[test]
fn the_tick_needs_the_token_of_operations() {
    let shop = Shop::open();
    for role in ["agent", "supervisor"] {
        let somebody = shop.hire(0, &json!({ "role": role }));
        somebody.api.post("/api/tick", &json!({})).refused(403, "role_not_allowed");
    }
    let ops = shop.hire(0, &json!({ "role": "ops" }));
    ops.api.post("/api/tick", &json!({})).expect(200);
    shop.admin.post("/api/tick", &json!({})).expect(200);
    let answer = send("POST", &format!("{}/api/tick", crate::harness::shared().base()), &[], "");
    answer.refused(401, "token_missing");
    // The inner paths cannot be reached from outside.
    for path in ["/tick", "/router/tick", "/deliver", "/drain", "/internal/router/tick", "/internal/channel-wechat/deliver"]
    {
        let answer = send("POST", &format!("{}{path}", crate::harness::shared().base()), &[], "");
        assert_eq!(answer.status, 404, "{path}");
    }
}
