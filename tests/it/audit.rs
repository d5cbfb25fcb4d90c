//! The audit log: it names every reader, and shows whether it was altered.

use crate::harness::{Server, Shop, program};
use serde_json::{Value, json};
use std::process::{Command, Output};

fn verify(server: &Server, more: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(["audit", "verify", "--url", server.base(), "--state"]).arg(server.state()).args(more);
    command.env_remove("SPIN_VARIABLE_ADMIN_TOKEN").output().unwrap()
}

#[track_caller]
fn whole(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap().to_owned()
}

#[track_caller]
fn broken(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).lines().find_map(|line| line.strip_prefix("error: ").map(str::to_owned)).unwrap()
}

#[test]
fn every_read_is_logged_and_every_touch_of_the_log_is_found() {
    let server = Server::start("audit");
    let shop = Shop::on(&server, &json!({}));
    assert_eq!(whole(&verify(&server, &[])), "0 entries, all whole");
    let (web, agent, colleague) = (shop.web(&[]), shop.agent(9), shop.hire(1, &json!({})));
    web.visitor().say("我的地址是长安街一号");
    let talk = shop.wait_state("assigned");
    let before = shop.admin.all("/api/audit").len();
    let get = |path: &str| agent.api.get(path).expect(200).json();
    let customer = get(&format!("/api/conversations/{talk}"))["customer"]["id"].as_str().unwrap().to_owned();
    get(&format!("/api/conversations/{talk}/messages"));
    get(&format!("/api/customers/{customer}/timeline"));
    agent.api.get(&format!("/api/customers/{customer}/unmasked")).refused(400, "reason_needed");
    get(&format!("/api/customers/{customer}/unmasked?reason=delivery"));
    // A refused reader has read nothing.
    colleague.api.get(&format!("/api/conversations/{talk}")).expect(404);
    colleague.api.get(&format!("/api/customers/{customer}/unmasked?reason=delivery")).expect(404);
    colleague.api.get("/api/audit").refused(403, "role_not_allowed");
    let log = shop.admin.all("/api/audit").split_off(before);
    let done: Vec<_> = log.iter().map(|e| (e["action"].as_str().unwrap(), &e["agent"], &e["customer"])).collect();
    let (me, of) = (&json!(agent.id), &json!(customer));
    let read = ("conversation.read", me, of);
    assert_eq!(done, [read, read, ("timeline.read", me, of), ("customer.unmasked", me, of)]);
    assert_eq!(log[3]["reason"], "delivery");

    let noted = whole(&verify(&server, &[]));
    get(&format!("/api/conversations/{talk}"));
    let newest = whole(&verify(&server, &["--noted", &noted]));
    assert_ne!(newest, noted);

    // An attacker has the file, but not the key.
    let db = server.store();
    let refused = db.execute("DELETE FROM audit WHERE seq = 2", []).unwrap_err().to_string();
    assert!(refused.contains("append-only"), "{refused}");
    db.execute_batch("DROP TRIGGER audit_stays; DROP TRIGGER audit_keeps").unwrap();
    let seq = |n: usize| log[n]["seq"].as_i64().unwrap();
    let touched = |touch: String, back: String, says: String| {
        db.execute_batch(&touch).unwrap();
        let complaint = broken(&verify(&server, &[]));
        assert!(complaint.starts_with(&says), "{complaint}");
        db.execute_batch(&back).unwrap();
        whole(&verify(&server, &[]));
    };
    touched(
        format!("UPDATE audit SET reason = 'callback' WHERE seq = {}", seq(3)),
        format!("UPDATE audit SET reason = 'delivery' WHERE seq = {}", seq(3)),
        format!("entry {}: this entry was altered", seq(3)),
    );
    db.execute_batch("CREATE TABLE aside AS SELECT * FROM audit").unwrap();
    let from_aside =
        |n: i64| format!("INSERT INTO audit SELECT * FROM aside WHERE seq >= {n} AND seq NOT IN (SELECT seq FROM audit)");
    touched(
        format!("DELETE FROM audit WHERE seq = {}", seq(1)),
        from_aside(0),
        format!("entry {}: the entries before this one are missing", seq(2)),
    );
    touched(
        format!("DELETE FROM audit WHERE seq > {}", seq(1)),
        from_aside(0),
        format!("entry {}: what came after this entry is missing", seq(1)),
    );
    touched(
        format!(
            "UPDATE audit SET seq = -1 WHERE seq = {0}; UPDATE audit SET seq = {0} WHERE seq = {1}; UPDATE audit SET seq = {1} WHERE seq = -1",
            seq(0),
            seq(2)
        ),
        format!("DELETE FROM audit WHERE seq IN ({}, {}); {}", seq(0), seq(2), from_aside(0)),
        format!("entry {}: this entry was altered, or moved here", seq(0)),
    );
    let other = format!("{}:{}", seq(0), "0".repeat(64));
    assert!(broken(&verify(&server, &["--noted", &other])).contains("is not the one that was noted"));
    let wrong: Value = shop.admin.get("/api/audit/check?after=x").expect(400).json();
    assert_eq!(wrong["code"], "bad_cursor");
}
