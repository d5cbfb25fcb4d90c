//! Hooks as the API of the whole product serves them, and as a receiver sees them.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod net;
#[expect(dead_code, reason = "a house with all that any capability may need")]
#[path = "../../app/tests/desk/world.rs"]
mod world;

use net::{Net, Receives};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeSet;
use warmline_app::{openapi, tick};
use warmline_hooks::follow::{NAME, follow};
use warmline_hooks::{HOOKS, steps};
use warmline_kernel::Ctx;
use warmline_model::event::to_columns;
use warmline_store::{Db, Row, StoreError, Value as Column, events, followers};
use world::World;

const NONE: Value = Value::Null;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A hook with its secret.
struct Made {
    id: String,
    secret: String,
}

fn hook(w: &World, types: &[&str]) -> Made {
    hook_at(w, "https://hooks.brand.cn/in", types)
}

fn hook_at(w: &World, url: &str, types: &[&str]) -> Made {
    let made = w.admin("POST", "/api/hooks", &json!({ "url": url, "types": types })).expect(201);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    Made { id: text("id"), secret: text("secret") }
}

impl Made {
    fn path(&self, rest: &str) -> String {
        format!("/api/hooks/{}{rest}", self.id)
    }

    fn view(&self, w: &World) -> Value {
        w.admin("GET", &self.path(""), &NONE).expect(200)
    }

    fn deliveries(&self, w: &World, query: &str) -> Vec<Value> {
        let page = w.admin("GET", &self.path(&format!("/deliveries{query}")), &NONE).expect(200);
        page["items"].as_array().unwrap().clone()
    }
}

/// Lets the follower read the whole log.
fn catch_up(w: &World) {
    while follow(&w.ctx()).unwrap() {}
}

fn log(w: &World, kind: &str) -> Vec<Value> {
    let all = events::after(&w.db, 0, 100_000).unwrap();
    let of_kind = all.iter().map(|event| to_columns(&event.body).unwrap()).filter(|(found, _)| found == kind);
    of_kind.map(|(_, data)| serde_json::from_str(&data).unwrap()).collect()
}

fn count(w: &World, sql: &'static str) -> i64 {
    w.db.first(sql, &[]).unwrap().unwrap().int(0).unwrap()
}

const ROWS: &str = "SELECT count(*) FROM hook_deliveries";

fn good(w: &World) -> Net<'_> {
    Net::new(w, |_| Receives::Says(204))
}

#[test]
fn the_secret_is_shown_once_and_is_sealed_and_each_change_is_in_the_audit_log() {
    let w = World::open();
    let new = json!({ "url": "https://Hooks.brand.cn", "types": ["conversation.*"], "description": "客户系统" });
    let made = w.admin("POST", "/api/hooks", &new).expect(201);
    assert_eq!((&made["url"], &made["enabled"]), (&json!("https://hooks.brand.cn/"), &json!(true)));
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{secret}");
    let path = format!("/api/hooks/{id}");
    for shown in
        [w.admin("GET", "/api/hooks", &NONE).expect(200)["items"][0].clone(), w.admin("GET", &path, &NONE).expect(200)]
    {
        assert_eq!((&shown["id"], &shown["description"]), (&json!(id), &json!("客户系统")));
        assert!(!shown.to_string().contains("whsec_"));
    }
    let stored = w.db.first("SELECT secret FROM hooks", &[]).unwrap().unwrap();
    assert!(stored.blob(0).unwrap().len() > 32 + 24, "a nonce and a tag are around it");
    let rotated = w.admin("POST", &format!("{path}/rotate"), &json!({})).expect(200);
    assert_ne!(rotated["secret"], json!(secret));
    w.admin("POST", &format!("{path}/test"), &json!({})).expect(202);
    w.admin("PUT", &path, &json!({ "url": "https://hooks.brand.cn/b", "types": ["message.sent"], "enabled": false }))
        .expect(200);
    w.admin("POST", &format!("{path}/test"), &json!({})).refused(409, "hook_disabled");
    assert_eq!(log(&w, "hooks.disabled"), [json!({ "hook": id, "reason": "staff" })]);
    w.admin("DELETE", &path, &NONE).expect(200);
    w.admin("GET", &path, &NONE).refused(404, "not_found");
    w.admin("DELETE", &path, &NONE).refused(404, "not_found");
    let audit = w.admin("GET", "/api/audit?limit=200", &NONE).expect(200);
    let noted = audit["items"].as_array().unwrap().iter().filter(|entry| entry["reason"] == id);
    let noted: Vec<_> = noted.map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(noted, ["hooks.created", "hooks.rotated", "hooks.tested", "hooks.changed", "hooks.deleted"]);
    for role in ["supervisor", "agent", "ops"] {
        let staff = w.hire(role, "near", 1);
        w.call(&staff.token, "GET", "/api/hooks", &NONE).refused(403, "role_not_allowed");
        w.call(&staff.token, "POST", "/api/hooks", &new).refused(403, "role_not_allowed");
    }
}

#[test]
fn what_may_not_be_called_is_refused_when_it_is_saved() {
    let w = World::open();
    let refused = |url: &str, types: Value, code: &str| {
        w.admin("POST", "/api/hooks", &json!({ "url": url, "types": types })).refused(422, code);
    };
    for url in [
        "http://hooks.brand.cn/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://router.spin.internal/",
        "https://user@hooks.brand.cn/",
        "https://hooks.brand.cn:8443/",
        "https://[::ffff:10.0.0.1]/",
    ] {
        refused(url, json!(["message.sent"]), "url_not_allowed");
    }
    for url in ["hooks", "https://2130706433/", "https://0177.0.0.1/", "https://hooks.brand.cn/#a"] {
        refused(url, json!(["message.sent"]), "bad_url");
    }
    refused("https://hooks.brand.cn/", json!(["*"]), "bad_type");
    refused("https://hooks.brand.cn/", json!([]), "bad_length");
    // What the operator names may be called, once the component has told what the operator names.
    let private = json!({ "url": "http://10.0.0.5:8080/in", "types": ["message.sent"] });
    w.admin("POST", "/api/hooks", &private).refused(422, "url_not_allowed");
    let net = good(&w);
    *net.private_hosts.borrow_mut() = "10.0.0.5:8080".into();
    net.run();
    w.admin("POST", "/api/hooks", &private).expect(201);
    for _ in 1..steps::MOST {
        hook(&w, &["message.sent"]);
    }
    w.admin("POST", "/api/hooks", &private).refused(409, "too_many_hooks");
}

#[test]
fn a_hook_gets_each_event_that_it_wants_once_from_its_beginning_on() {
    let w = World::open();
    w.says("app", "before", &[], "你好");
    let (wide, narrow) = (hook(&w, &["conversation.*", "message.received"]), hook(&w, &["message.received"]));
    let wang = w.says("app", "wang", &[], "我住在长安街一号");
    catch_up(&w);
    catch_up(&w);
    let kinds = |made: &Made| {
        let all = made.deliveries(&w, "");
        let mut kinds: Vec<_> = all.iter().map(|d| d["type"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(&wide), ["conversation.opened", "conversation.queued", "message.received"]);
    assert_eq!(kinds(&narrow), ["message.received"]);
    let net = good(&w);
    net.run();
    net.run();
    assert_eq!(net.count(), 4);
    let ids: BTreeSet<String> = net.got.borrow().iter().map(|got| got.id.clone()).collect();
    assert_eq!(ids.len(), 4);
    let got = net.got.borrow();
    let opened = got.iter().find(|got| got.body.contains("conversation.opened")).unwrap();
    assert_eq!(opened.json()["data"]["customer"], json!(wang));
    assert!(opened.is_signed_by(&wide.secret) && !opened.is_signed_by(&narrow.secret));
    assert_eq!(opened.at, w.ctx().now().secs());
    assert!(got.iter().all(|got| !got.body.contains("长安街")));
    assert!(wide.deliveries(&w, "").iter().all(|d| d["state"] == "delivered" && d["status"] == 204 && d["tries"] == 1));
}

#[test]
fn a_disabled_hook_gets_nothing_of_the_time_and_what_waited_leaves_once_it_is_enabled() {
    let w = World::open();
    let made = hook(&w, &["conversation.opened"]);
    let set = |enabled: bool| {
        let body = json!({ "url": "https://hooks.brand.cn/in", "types": ["conversation.opened"], "enabled": enabled });
        w.admin("PUT", &made.path(""), &body).expect(200);
    };
    w.says("app", "waits", &[], "你好");
    catch_up(&w);
    set(false);
    w.says("app", "missed", &[], "你好");
    catch_up(&w);
    let net = good(&w);
    net.run();
    assert_eq!(net.count(), 0);
    set(true);
    w.says("app", "later", &[], "你好");
    catch_up(&w);
    net.run();
    assert_eq!((net.count(), count(&w, ROWS)), (2, 2));
}

#[test]
fn while_nobody_listens_the_log_is_not_read_and_the_first_hook_begins_at_its_end() {
    let w = World::open();
    w.says("app", "a", &[], "你好");
    assert!(!follow(&w.ctx()).unwrap());
    assert_eq!(followers::position(&w.db, NAME).unwrap(), 0);
    let made = hook(&w, &["conversation.opened"]);
    assert_eq!(followers::position(&w.db, NAME).unwrap(), events::last(&w.db).unwrap());
    catch_up(&w);
    assert!(made.deliveries(&w, "").is_empty());
}

#[test]
fn during_a_rotation_both_secrets_sign_and_after_a_day_the_new_one_alone() {
    let w = World::open();
    let made = hook(&w, &["conversation.opened"]);
    let net = good(&w);
    let new = w.admin("POST", &made.path("/rotate"), &json!({})).expect(200);
    assert!(new["previous_secret_until"].is_string());
    let new = new["secret"].as_str().unwrap();
    let send = || {
        w.admin("POST", &made.path("/test"), &json!({})).expect(202);
        net.run();
        net.last()
    };
    let got = send();
    assert_eq!(
        got.json(),
        json!({ "type": "hooks.test", "timestamp": got.json()["timestamp"], "data": { "hook": made.id } })
    );
    assert!(got.is_signed_by(new) && got.is_signed_by(&made.secret));
    w.pass(DAY);
    let got = send();
    assert!(got.is_signed_by(new) && !got.is_signed_by(&made.secret));
}

#[test]
fn what_fails_is_tried_for_three_days_with_the_same_id_and_a_dead_one_revives() {
    let w = World::open();
    let made = hook(&w, &["conversation.opened"]);
    w.says("app", "a", &[], "你好");
    catch_up(&w);
    let net = Net::new(&w, |_| Receives::Says(500));
    net.run();
    let first = made.deliveries(&w, "?state=waiting");
    assert_eq!(
        (&first[0]["status"], &first[0]["reason"], &first[0]["tries"]),
        (&json!(500), &json!("receiver_failed"), &json!(1))
    );
    assert!(made.view(&w)["failing_since"].is_string());
    let began = w.ctx().now();
    let mut runs = 0;
    while made.deliveries(&w, "?state=dead").is_empty() {
        w.pass(MINUTE);
        net.run();
        runs += 1;
        assert!(runs < 10_000);
    }
    let hours = w.ctx().now().since(began) / HOUR;
    assert!((66..=84).contains(&hours), "{hours}");
    assert_eq!(net.count(), 10);
    let tries: Vec<_> = net.got.borrow().iter().map(|got| (got.id.clone(), got.at)).collect();
    assert!(tries.iter().all(|(id, _)| *id == tries[0].0) && tries.windows(2).all(|two| two[0].1 < two[1].1));
    // Each try is signed with its own time.
    assert!(net.got.borrow().iter().all(|got| got.is_signed_by(&made.secret)));
    let gauges = || {
        let all = (HOOKS.gauges)(&w.ctx()).unwrap();
        all.iter().map(|gauge| gauge.value).collect::<Vec<_>>()
    };
    assert_eq!(gauges(), [0, 0, 1]);
    let id = &tries[0].0;
    let retry = |id: &str| w.admin("POST", &format!("/api/hooks/deliveries/{id}/retry"), &json!({}));
    assert_eq!(retry(id).expect(202)["state"], "waiting");
    w.pass(5_000);
    assert_eq!(gauges()[0], 1);
    assert!(gauges()[1] >= 5);
    retry(id).refused(409, "not_dead");
    net.receives(|_| Receives::Says(200));
    net.run();
    assert_eq!(net.last().id, *id);
    assert_eq!(made.deliveries(&w, "?state=delivered")[0]["reason"], NONE);
    assert_eq!(made.view(&w)["failing_since"], NONE);
    retry("hkd_00000000000070008000000000000000").refused(404, "not_found");
}

#[test]
fn each_failure_has_its_reason_and_a_redirect_is_not_followed() {
    for (receives, status, reason) in [
        (Receives::With(302, "location", "http://127.0.0.1/"), json!(302), "redirected"),
        (Receives::Says(308), json!(308), "redirected"),
        (Receives::Says(404), json!(404), "refused"),
        (Receives::Says(429), json!(429), "busy"),
        (Receives::Says(503), json!(503), "busy"),
        (Receives::Says(502), json!(502), "receiver_failed"),
        (Receives::Away("platform_unreachable"), NONE, "unreachable"),
        (Receives::Away("address_not_allowed"), NONE, "address_not_allowed"),
        (Receives::Hangs, NONE, "timeout"),
        (Receives::Later(11_000, 200), NONE, "timeout"),
    ] {
        let w = World::open();
        let made = hook(&w, &["message.sent"]);
        w.admin("POST", &made.path("/test"), &json!({})).expect(202);
        let mut receives = Some(receives);
        let net = Net::new(&w, move |_| receives.take().expect("one request"));
        let before = w.ctx().now();
        net.run();
        let [delivery] = &made.deliveries(&w, "?state=waiting")[..] else { panic!("{reason}") };
        assert_eq!((&delivery["status"], &delivery["reason"]), (&status, &json!(reason)));
        assert!(w.ctx().now().since(before) <= 12_000);
    }
}

#[test]
fn a_receiver_that_is_gone_disables_its_hook_and_that_is_told_to_the_others() {
    let w = World::open();
    let (gone, other) = (hook_at(&w, "https://gone.brand.cn/", &["message.sent"]), hook(&w, &["hooks.*"]));
    w.admin("POST", &gone.path("/test"), &json!({})).expect(202);
    let net = Net::new(&w, |got| Receives::Says(if got.url.contains("gone") { 410 } else { 200 }));
    net.run();
    let view = gone.view(&w);
    assert_eq!((&view["enabled"], &view["disabled_reason"]), (&json!(false), &json!("gone")));
    assert_eq!(gone.deliveries(&w, "?state=dead")[0]["reason"], "gone");
    catch_up(&w);
    net.run();
    assert_eq!(net.last().json()["data"]["reason"], "gone");
    assert_eq!(net.last().json()["data"]["hook"], json!(gone.id));
    assert!(net.last().is_signed_by(&other.secret));
}

#[test]
fn a_pause_that_the_receiver_asks_for_is_kept_within_a_day() {
    let w = World::open();
    let made = hook(&w, &["message.sent"]);
    let tests = |n: usize| (0..n).for_each(|_| drop(w.admin("POST", &made.path("/test"), &json!({})).expect(202)));
    tests(1);
    let net = Net::new(&w, |_| Receives::With(429, "retry-after", "3600"));
    net.run();
    // Nothing is sent to the hook meanwhile, not even what was never tried.
    tests(2);
    w.pass(50 * MINUTE);
    net.run();
    assert_eq!(net.count(), 1);
    net.receives(|_| Receives::With(503, "retry-after", "99999999999999"));
    w.pass(11 * MINUTE);
    net.run();
    assert_eq!(net.count(), 2);
    net.receives(|_| Receives::Says(200));
    w.pass(DAY);
    net.run();
    net.run();
    assert_eq!((net.count(), made.deliveries(&w, "?state=delivered").len()), (5, 3));
}

#[test]
fn a_hook_that_fails_for_five_days_is_disabled_and_a_success_begins_anew() {
    let w = World::open();
    let made = hook(&w, &["conversation.opened"]);
    let net = Net::new(&w, |_| Receives::Says(500));
    let day = |n: usize| {
        for hour in 0..24 {
            if hour == 0 {
                w.says("app", &format!("customer-{n}"), &[], "你好");
                catch_up(&w);
            }
            net.run();
            w.pass(HOUR);
        }
    };
    (0..4).for_each(&day);
    assert_eq!(made.view(&w)["enabled"], true);
    // A success ends the count.
    net.receives(|_| Receives::Says(200));
    day(4);
    assert_eq!(made.view(&w)["failing_since"], NONE);
    net.receives(|_| Receives::Says(500));
    (5..10).for_each(&day);
    assert_eq!(made.view(&w)["enabled"], true, "not five days yet");
    day(10);
    assert_eq!(made.view(&w)["disabled_reason"], "failing");
    assert_eq!(log(&w, "hooks.disabled").len(), 1);
}

#[test]
fn two_runs_at_once_send_nothing_twice() {
    let w = World::open();
    let made = hook(&w, &["message.sent"]);
    for _ in 0..9 {
        w.admin("POST", &made.path("/test"), &json!({})).expect(202);
    }
    let net = Net::new(&w, |_| Receives::Later(500, 200));
    net.wait(async {
        let (one, other) = (w.ctx(), w.ctx());
        let both = vec![net.run_with(&one), net.run_with(&other)];
        warmline_transport::host::all(both).await.into_iter().for_each(Result::unwrap);
    });
    let ids: BTreeSet<String> = net.got.borrow().iter().map(|got| got.id.clone()).collect();
    assert_eq!((net.count(), ids.len()), (9, 9));
}

#[test]
fn a_receiver_that_hangs_delays_no_other_and_is_left_alone_until_the_next_run() {
    let w = World::open();
    let (slow, quick) = (hook_at(&w, "https://slow.brand.cn/", &["message.sent"]), hook(&w, &["message.sent"]));
    for made in [&slow, &quick] {
        for _ in 0..8 {
            w.admin("POST", &made.path("/test"), &json!({})).expect(202);
        }
    }
    let net = Net::new(&w, |got| if got.url.contains("slow") { Receives::Hangs } else { Receives::Later(100, 200) });
    net.run();
    assert_eq!((slow.deliveries(&w, "?state=waiting").len(), quick.deliveries(&w, "?state=delivered").len()), (8, 8));
    let to_slow = || net.got.borrow().iter().filter(|got| got.url.contains("slow")).count();
    assert_eq!(to_slow(), 4);
    // One that fails is asked once a run.
    net.run();
    assert_eq!(to_slow(), 5);
}

#[test]
fn an_answer_is_not_read_to_an_end_that_never_comes() {
    let w = World::open();
    let made = hook(&w, &["message.sent"]);
    w.admin("POST", &made.path("/test"), &json!({})).expect(202);
    let net = Net::new(&w, |_| Receives::Endless(200));
    net.run();
    assert!(net.read.get() <= 11, "{}", net.read.get());
    assert_eq!(made.deliveries(&w, "")[0]["state"], "delivered");
}

#[test]
fn a_name_with_a_private_address_is_not_called_and_neither_is_one_whose_rules_changed() {
    let w = World::open();
    let made = hook(&w, &["message.sent"]);
    w.admin("POST", &made.path("/test"), &json!({})).expect(202);
    let net = good(&w);
    let try_again = || {
        w.db.execute("UPDATE hook_deliveries SET due_at = 0", &[]).unwrap();
        net.run();
        let reason = made.deliveries(&w, "")[0]["reason"].clone();
        (net.count(), reason)
    };
    // One private address among public ones is enough.
    for private in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"] {
        *net.names.borrow_mut() = Some(vec!["1.1.1.1".parse().unwrap(), private.parse().unwrap()]);
        assert_eq!(try_again(), (0, json!("address_not_allowed")), "{private}");
    }
    *net.names.borrow_mut() = Some(Vec::new());
    assert_eq!(try_again(), (0, json!("name_unknown")));
    // An address that was saved while the operator named it.
    w.db.execute("UPDATE hooks SET url = 'http://10.0.0.5:8080/'", &[]).unwrap();
    assert_eq!(try_again(), (0, json!("url_not_allowed")));
    w.db.execute("UPDATE hooks SET url = 'https://hooks.brand.cn/'", &[]).unwrap();
    // A host that lets nobody ask checks the address itself.
    *net.names.borrow_mut() = None;
    assert_eq!(try_again(), (1, NONE));
}

#[test]
fn a_hook_for_which_too_much_waits_is_disabled_and_nothing_else_is() {
    let w = World::open();
    let (full, other) = (hook(&w, &["conversation.opened"]), hook(&w, &["conversation.opened"]));
    w.says("app", "a", &[], "你好");
    catch_up(&w);
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
                INSERT INTO hook_deliveries (id, hook_id, seq, type, body, state, due_at, created_at, changed_at) \
                SELECT randomblob(16), ?1, -i, 'a.b', '{}', 'waiting', ?2, ?2, ?2 FROM n";
    let id: warmline_model::HookId = full.id.parse().unwrap();
    w.db.execute(fill, &[id.as_bytes().into(), w.ctx().now().into()]).unwrap();
    w.admin("POST", &full.path("/test"), &json!({})).refused(409, "too_many_waiting");
    w.says("app", "b", &[], "你好");
    catch_up(&w);
    assert_eq!((&full.view(&w)["disabled_reason"], &other.view(&w)["enabled"]), (&json!("too_many_waiting"), &json!(true)));
    assert_eq!(log(&w, "hooks.disabled").len(), 1);
}

#[test]
fn deliveries_go_with_their_days_and_with_their_hook() {
    let w = World::open();
    let (taken, refused) =
        (hook(&w, &["conversation.opened"]), hook_at(&w, "https://b.brand.cn/", &["conversation.opened"]));
    w.says("app", "a", &[], "你好");
    catch_up(&w);
    let net = Net::new(&w, |got| Receives::Says(if got.url.contains("b.brand") { 410 } else { 200 }));
    net.run();
    assert_eq!(count(&w, ROWS), 2);
    assert_eq!(w.admin("GET", "/api/retention", &NONE).expect(200)["retention"]["hook_days"], 7);
    w.pass(8 * DAY);
    tick::tick(&w.ctx()).unwrap();
    assert!(taken.deliveries(&w, "").is_empty() && !refused.deliveries(&w, "").is_empty());
    w.pass(23 * DAY);
    tick::tick(&w.ctx()).unwrap();
    assert_eq!(count(&w, ROWS), 0);
    // Those of a deleted hook go at the next ticks, and with them the row.
    w.says("app", "b", &[], "你好");
    catch_up(&w);
    w.admin("DELETE", &taken.path(""), &NONE).expect(200);
    assert_eq!(count(&w, "SELECT length(secret) FROM hooks WHERE deleted_at IS NOT NULL"), 0);
    net.run();
    assert_eq!(net.count(), 2, "nothing is sent to a deleted hook");
    for _ in 0..3 {
        tick::tick(&w.ctx()).unwrap();
    }
    assert_eq!((count(&w, ROWS), count(&w, "SELECT count(*) FROM hooks")), (0, 1));
}

#[test]
fn an_erasure_is_told_by_its_ids_and_waits_for_no_delivery() {
    let w = World::open();
    let made = hook(&w, &["customer.*"]);
    let wang = w.says("app", "wang", &[], "我要注销");
    w.admin("DELETE", &format!("/api/customers/{wang}?reason=request"), &NONE).expect(202);
    for _ in 0..5 {
        tick::tick(&w.ctx()).unwrap();
    }
    assert!(w.admin("GET", "/api/erasures", &NONE).expect(200)["items"][0]["done_at"].is_string());
    catch_up(&w);
    let net = good(&w);
    net.run();
    let got = net.last();
    assert_eq!((&got.json()["type"], &got.json()["data"]["customer"]), (&json!("customer.erased"), &json!(wang)));
    assert!(got.is_signed_by(&made.secret));
}

#[test]
fn the_list_of_deliveries_comes_in_pages() {
    let w = World::open();
    let made = hook(&w, &["message.sent"]);
    let ids: Vec<String> = (0..5)
        .map(|_| w.admin("POST", &made.path("/test"), &json!({})).expect(202)["id"].as_str().unwrap().to_owned())
        .collect();
    let page = w.admin("GET", &made.path("/deliveries?limit=3"), &NONE).expect(200);
    let rest = w
        .admin("GET", &made.path(&format!("/deliveries?limit=3&after={}", page["next"].as_str().unwrap())), &NONE)
        .expect(200);
    let listed = [&page, &rest].map(|page| page["items"].as_array().unwrap().clone()).concat();
    let listed: Vec<_> = listed.iter().map(|d| d["id"].as_str().unwrap().to_owned()).rev().collect();
    assert_eq!((listed, rest.get("next")), (ids, None));
    w.admin("GET", &made.path("/deliveries?state=lost"), &NONE).refused(400, "bad_parameter");
    w.admin("GET", &made.path("/deliveries?after=7"), &NONE).refused(400, "bad_cursor");
}

#[test]
fn the_description_has_the_routes() {
    let described = openapi::document();
    for (path, verb) in [
        ("/api/hooks", "post"),
        ("/api/hooks/{id}", "put"),
        ("/api/hooks/{id}/rotate", "post"),
        ("/api/hooks/{id}/deliveries", "get"),
        ("/api/hooks/deliveries/{id}/retry", "post"),
    ] {
        assert!(described["paths"][path][verb].is_object(), "{verb} {path}");
    }
}

/// A database of a process that ends before its next statement but so many.
struct Ends<'a> {
    db: &'a dyn Db,
    left: Cell<usize>,
}

impl Db for Ends<'_> {
    fn execute(&self, sql: &'static str, params: &[Column]) -> Result<Vec<Row>, StoreError> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                self.db.execute(sql, params)
            }
            None => Err(StoreError::Other("the process has ended".into())),
        }
    }
}

#[test]
fn a_process_that_ends_at_any_statement_loses_no_delivery_and_its_receiver_knows_a_repeat_by_its_id() {
    let (mut ended, mut doubled) = (0, 0);
    for left in 0.. {
        let w = World::open();
        let made = hook(&w, &["conversation.opened"]);
        w.says("app", "a", &[], "你好");
        let net = good(&w);
        let ends = Ends { db: &w.db, left: Cell::new(left) };
        let whole = net.wait(async {
            let ctx = Ctx { db: &ends, ..w.ctx() };
            while follow(&ctx).map_err(drop)? {}
            net.run_with(&ctx).await.map_err(drop)
        });
        // The connection of a process that ended rolls back.
        if whole.is_err() {
            let _ = w.db.execute("ROLLBACK", &[]);
            ended += 1;
        }
        // The next process, within the lease and after it.
        for _ in 0..3 {
            catch_up(&w);
            net.run();
            w.pass(20_000);
            net.run();
        }
        let ids: BTreeSet<String> = net.got.borrow().iter().map(|got| got.id.clone()).collect();
        assert_eq!((ids.len(), count(&w, ROWS)), (1, 1), "ended after {left} statements");
        assert!(net.count() <= 2, "ended after {left} statements: sent {} times", net.count());
        doubled += usize::from(net.count() == 2);
        let [delivery] = &made.deliveries(&w, "")[..] else { panic!() };
        assert_eq!(delivery["state"], "delivered", "ended after {left} statements");
        if whole.is_ok() {
            break;
        }
    }
    assert!(ended > 20, "{ended}");
    // A process that ends between the call and its note has called in vain. So the test reaches that place.
    assert!((1..ended).contains(&doubled), "{doubled} of {ended}");
}
