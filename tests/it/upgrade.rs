//! Stores of earlier releases, opened by this one.

use crate::harness::{Options, Server, until, workspace};
use serde_json::Value;
use std::fs::File;
use std::path::Path;

/// The content of the store, as tests/stores/README.md describes it.
const CONVERSATIONS: usize = 19;
const FROM_CUSTOMERS: usize = 34;

/// Starts a server on a copy of an earlier release's state.
fn on(archive: &str, name: &str) -> Server {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = scratch.join(format!("{name}-{}", std::process::id()));
    let archive = File::open(workspace().join("tests/stores").join(archive)).unwrap();
    zip::ZipArchive::new(archive).unwrap().extract(&dir).unwrap();
    let compiled = scratch.join("compiled");
    std::fs::create_dir_all(&compiled).unwrap();
    std::os::unix::fs::symlink(&compiled, dir.join("state/cache")).unwrap();
    Server::with(name, &Options::default())
}

#[test]
fn a_store_of_the_release_before_opens_and_all_that_is_in_it_can_be_read_counted_and_erased() {
    let mut server = on("ca57adc.zip", "upgrade");
    let admin = server.admin();
    let conversations = admin.all("/api/conversations");
    assert_eq!(conversations.len(), CONVERSATIONS);
    let messages: Vec<Value> = conversations
        .iter()
        .flat_map(|c| admin.all(&format!("/api/conversations/{}/messages", c["id"].as_str().unwrap())))
        .collect();
    assert_eq!(messages.iter().filter(|m| m["direction"] == "in").count(), FROM_CUSTOMERS);
    assert!(messages.iter().all(|m| !m["content"].is_null()), "a message does not open: {messages:?}");
    let figures = admin.get("/api/metrics").expect(200).json();
    let counts = figures["counts"].as_array().unwrap().iter().filter(|c| c["formula"] == "messages.in.v1");
    assert_eq!(counts.map(|c| c["count"].as_u64().unwrap()).sum::<u64>(), FROM_CUSTOMERS as u64);
    assert!(admin.get("/api/audit/check").expect(200).json().get("fault").is_none_or(Value::is_null));
    assert_eq!(admin.get("/api/accounts").expect(200).json()["items"].as_array().unwrap().len(), 17);

    let customer = conversations[0]["customer"]["id"].as_str().unwrap();
    let erasure = admin.delete(&format!("/api/customers/{customer}?reason=request")).expect(202).json();
    let erasure = format!("/api/erasures/{}", erasure["id"].as_str().unwrap());
    until("the customer is erased", || admin.get(&erasure).expect(200).json()["done_at"].is_string().then_some(()));

    // The previous release refuses a store with a higher number than it knows.
    server.stop();
    let db = server.store();
    assert_eq!(db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap(), 12);
}
