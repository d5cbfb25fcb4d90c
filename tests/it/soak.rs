//! Sixty-four clients at once for a while, with agents who come and go as they like, once undisturbed and once with `kill
//! -9` in between. No agent is above capacity at any moment, every conversation has exactly one seat or queue, and none is
//! lost. Every decision in the log comes out the same when it is made again.
//!
//! `WARMLINE_SOAK_SECS` sets the duration. The default is long enough to find faults and short enough for every run of the
//! tests.

use crate::harness::{Options, Server, Shop, at_once, free_address, try_send, within};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use warmline_model::EventBody;

const CUSTOMERS: usize = 48;
const AGENTS: usize = 16;

fn long() -> Duration {
    let secs = std::env::var("WARMLINE_SOAK_SECS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(secs.unwrap_or(8))
}

/// A sequence of small numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One request by one bearer; `None` if the server cannot be reached at the moment.
fn ask(base: &str, token: &str, method: &str, path: &str, body: &Value) -> Option<Value> {
    let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = try_send(method, &format!("{base}{path}"), &headers, body).ok()?;
    assert!(answer.status < 500 || answer.status == 503, "{method} {path}: {} {}", answer.status, answer.text());
    (answer.status < 300).then(|| answer.json())
}

/// An agent's work: random actions, one after the other.
fn work(base: &str, token: &str, id: &str, colleagues: &[String], groups: &[String], dice: &mut Dice) {
    let mine = ask(base, token, "GET", "/api/conversations?limit=200", &Value::Null).unwrap_or_default();
    let open: Vec<&Value> = mine["items"].as_array().into_iter().flatten().filter(|c| c["state"] != "closed").collect();
    let picked = usize::try_from(dice.roll(1_000)).unwrap();
    let of = |what: &str| {
        let id = open.get(picked % open.len().max(1))?["id"].as_str()?;
        Some(format!("/api/conversations/{id}/{what}"))
    };
    let post = |path: Option<String>, body: Value| drop(path.and_then(|p| ask(base, token, "POST", &p, &body)));
    match dice.roll(12) {
        0 => {
            let state = ["offline", "available", "busy", "break"][picked % 4];
            ask(base, token, "PUT", &format!("/api/agents/{id}/state"), &json!({ "state": state }));
        }
        1 | 2 => {
            ask(base, token, "PUT", &format!("/api/agents/{id}/state"), &json!({ "state": "available" }));
        }
        3 | 4 => post(of("accept"), json!({})),
        5 | 6 => post(of("messages"), json!({ "content": { "kind": "text", "text": "在的" } })),
        7 => post(of("transfer"), json!({ "to": { "agent": colleagues[picked % colleagues.len()] } })),
        8 => post(of("transfer"), json!({ "to": { "group": groups[picked % groups.len()] } })),
        _ => post(of("close"), json!({})),
    }
}

fn soak(name: &str, kills: bool) {
    let listen = free_address();
    let options = Options { listen: Some(listen), ..Options::default() };
    let mut server = Server::with(name, &options);
    let shop = Shop::on(&server, &json!({ "accept_secs": 2 }));
    let second = Shop::on(
        &server,
        &json!({ "accept_secs": 0, "wrap_up_secs": 1, "overflow": { "length": 30, "to": { "group": shop.name } } }),
    );
    let groups = [shop.name.clone(), second.name.clone()];
    let wechats = [shop.wechat(), second.wechat()];
    let hired: Vec<(String, String)> = (0..AGENTS)
        .map(|n| {
            let own = groups[n % 2].clone();
            let all = if n % 3 == 0 { json!(groups) } else { json!([own]) };
            let body = json!({ "name": "小米", "role": "agent", "groups": all, "capacity": 1.5 + f64::from(u8::try_from(n % 4).unwrap()) });
            let made = shop.admin.post("/api/agents", &body).expect(201).json();
            (made["id"].as_str().unwrap().to_owned(), made["token"].as_str().unwrap().to_owned())
        })
        .collect();
    let colleagues: Vec<String> = hired.iter().map(|(id, _)| id.clone()).collect();
    let acknowledged = Mutex::new(0_usize);
    let base = server.base().to_owned();
    let end = Instant::now() + long();
    std::thread::scope(|scope| {
        let clients = scope.spawn(|| {
            at_once(CUSTOMERS + AGENTS, |n| {
                let mut dice = Dice(n as u64 + 1);
                let mut said = 0;
                while Instant::now() < end {
                    if n < CUSTOMERS {
                        let wechat = &wechats[n % 2];
                        let who = format!("oSoak{n}");
                        let body = wechat.message(&who, "text", &[("Content", "在吗")]);
                        let headers = [("content-type", "text/xml".to_owned())];
                        let url = format!("{}?{}", wechat.url, wechat.query());
                        // Unacknowledged messages are sent again, as by the platform.
                        while Instant::now() < end {
                            if try_send("POST", &url, &headers, body.clone()).is_ok_and(|a| a.status == 200) {
                                said += 1;
                                break;
                            }
                            std::thread::sleep(Duration::from_millis(50));
                        }
                        std::thread::sleep(Duration::from_millis(20 + dice.roll(60)));
                    } else {
                        let (id, token) = &hired[n - CUSTOMERS];
                        work(&base, token, id, &colleagues, &groups, &mut dice);
                    }
                }
                *acknowledged.lock().unwrap() += said;
            })
        });
        if kills {
            for n in 1..=3 {
                let at = end - long() + long() * n / 4;
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
                server.crash();
                server = Server::with(name, &options);
            }
        }
        clients.join().unwrap();
    });

    // Nobody acts any more, but time passes: inbox rows find their conversations, and agents without a sign of life lose
    // theirs. Log and state are therefore those of one moment only if no event came while they were read.
    let acknowledged = acknowledged.into_inner().unwrap();
    let (events, conversations, agents) = within(
        Duration::from_secs(60),
        "all that was acknowledged is in its conversation, and the floor is at rest",
        || {
            let admin = server.admin();
            let events: Vec<warmline_model::Event> =
                admin.events(0).into_iter().map(|e| serde_json::from_value(e).unwrap()).collect();
            let received = events.iter().filter_map(|e| match &e.body {
                EventBody::MessageReceived { message, .. } => Some(*message),
                _ => None,
            });
            if received.collect::<BTreeSet<_>>().len() < acknowledged {
                return None;
            }
            let (conversations, agents) = (admin.all("/api/conversations"), admin.all("/api/agents"));
            admin.events(events.last()?.seq).is_empty().then_some((events, conversations, agents))
        },
    );
    let lines: Vec<u8> = events.iter().flat_map(|e| [serde_json::to_vec(e).unwrap(), vec![b'\n']].concat()).collect();
    let done = warmline_replay::replay(lines.as_slice(), None, true).unwrap();
    let report = done.check.unwrap();
    println!("{name}: {acknowledged} messages acknowledged; {report}; {}", done.same);
    assert!(report.is_clean(), "{report}");
    assert!(done.same.all(), "{}", done.same);
    // Decisions were made. Their number depends on the other load of the machine.
    assert!(report.assignments > 10 && done.same.decisions > 10, "{report}");

    // The state agrees with the log: each customer has at most one open conversation, and each agent's load equals the
    // conversations they hold.
    let mut held: BTreeMap<String, f64> = BTreeMap::new();
    let (mut open, mut in_hand, mut queued) = (BTreeSet::new(), 0, 0);
    for c in conversations {
        let (state, agent) = (c["state"].as_str().unwrap(), c["agent"].as_str());
        if state == "closed" {
            continue;
        }
        assert!(open.insert((c["account"].to_string(), c["customer"]["id"].to_string())), "{c}");
        match (state, agent) {
            ("queued", None) => queued += 1,
            ("assigned" | "waiting_on_customer" | "wrap_up", Some(agent)) => {
                in_hand += 1;
                *held.entry(agent.to_owned()).or_default() += c["units"].as_f64().unwrap();
            }
            _ => panic!("neither in one queue nor with one seat: {c}"),
        }
    }
    assert_eq!((in_hand, queued), (report.in_hand, report.queued));
    for agent in agents {
        let (load, capacity) = (agent["load"].as_f64().unwrap(), agent["capacity"].as_f64().unwrap());
        let holds = held.get(agent["id"].as_str().unwrap()).copied().unwrap_or(0.0);
        assert!(load <= capacity && (load - holds).abs() < 1e-9, "{agent} holds {holds}");
    }
}

#[test]
fn never_above_capacity_and_nobody_lost_while_agents_come_and_go() {
    soak("soak", false);
}

#[test]
fn nor_when_the_server_is_killed_in_between() {
    soak("soakkill", true);
}
