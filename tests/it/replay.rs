//! `warmline events` and `warmline replay`, as programs, on the log of a server; and the staffing figures of that log.

use crate::harness::{Server, Shop, program, until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(program()).args(args).env_remove("SPIN_VARIABLE_ADMIN_TOKEN").output().unwrap()
}

fn file(name: &str, text: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_servers_log_is_replayed_and_other_rules_tell_what_they_would_change() {
    let server = Server::start("replay");
    let shop = Shop::on(&server, &json!({ "accept_secs": 0 }));
    let (wechat, agent) = (shop.wechat(), shop.agent(2));
    for n in 0..3 {
        wechat.say(&format!("oReplay{n}"), &format!("第{n}"));
        shop.wait_text(&format!("第{n}"));
    }
    let waits = shop.wait_state("queued");
    let held = shop.conversations().into_iter().filter(|c| c["state"] == "assigned");
    for conversation in held {
        agent.close(conversation["id"].as_str().unwrap());
    }
    until("the third was served", || (shop.conversation(&waits)["state"] == "assigned").then_some(()));
    agent.close(&waits);

    // Contacts and their work are counted from the same log.
    let of = |staffing: &Value| {
        let groups = staffing["groups"].as_array().unwrap();
        groups.iter().find(|g| g["group"] == shop.name.as_str()).unwrap().clone()
    };
    let counted = until("the work was counted", || {
        let now = of(&shop.admin.get("/api/staffing?quarters=96").expect(200).json());
        (now["handled"] == 3).then_some(now)
    });
    assert!(counted["slot_secs"].as_f64().unwrap() < 300.0, "{counted}");
    assert_eq!((counted["quarters"].as_array().unwrap().len(), &counted["working"]), (96, &json!(2.0)));

    let state = server.state();
    let asked = ["--url", server.base(), "--state", state.to_str().unwrap()];
    let log = run(&[&["events"][..], &asked].concat());
    let (code, lines, trouble) = said(&log);
    assert_eq!((code, trouble.as_str()), (Some(0), ""));
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events, server.admin().events(0), "all of it, in order");
    let last = run(&[&["events", "--after", &(events.len() - 1).to_string()][..], &asked].concat());
    assert_eq!(said(&last).1.lines().count(), 1);

    let log = file("replay-log", &log.stdout);
    let log = log.to_str().unwrap();
    let (code, told, _) = said(&run(&["replay", log, "--check", "--json"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["decisions"]), (Some(0), &told["identical"]), "{told}");
    assert!(told["decisions"].as_i64().unwrap() >= 4, "{told}");

    // Another group for the same words. It has no agents, so all contacts would wait there.
    let mut plan = shop.admin.get("/api/routing/plan").expect(200).json()["plan"].clone();
    plan["groups"].as_array_mut().unwrap().push(json!({ "id": "elsewhere", "name": "别处" }));
    plan["rules"] = json!([{ "group": "elsewhere" }]);
    let rules = file("replay-rules", plan.to_string().as_bytes());
    let (code, told, _) = said(&run(&["replay", log, "--rules", rules.to_str().unwrap()]));
    assert!(code == Some(0) && told.contains("elsewhere"), "{told}");

    // An altered log does not come out the same, and the replay reports it.
    let forged = lines.replacen("\"cause\":\"seat_free\"", "\"cause\":\"transfer\"", 1);
    assert_ne!(forged, lines);
    let (code, _, trouble) = said(&run(&["replay", file("replay-forged", forged.as_bytes()).to_str().unwrap()]));
    assert!(code == Some(1) && trouble.contains("could not be made again"), "{trouble}");
    let (code, _, trouble) = said(&run(&["replay", file("replay-broken", b"{\n").to_str().unwrap()]));
    assert!(code == Some(1) && trouble.contains("line 1"), "{trouble}");
    let (code, _, trouble) = said(&run(&["events", "--url", server.base(), "--token", "nobody"]));
    assert!(code == Some(1) && trouble.contains("token_unknown"), "{trouble}");
}
