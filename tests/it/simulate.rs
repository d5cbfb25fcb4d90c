//! `warmline-lab simulate`, as a program: the customers of every channel write, and the messages that it reports as
//! accepted are stored.

use crate::harness::{Server, at_once, lab, until};
use serde_json::Value;
use std::process::{Command, Output};
use std::sync::LazyLock;
use warmline_channels::registry;

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start("simulate"));

fn simulate(channel: &str, more: &[&str]) -> Output {
    Command::new(lab())
        .args(["simulate", "--json", "--channel", channel, "--customers", "20", "--rate", "10", "--for", "2s"])
        .args(["--url", SERVER.base(), "--state"])
        .arg(SERVER.state())
        .args(more)
        .env_remove("SPIN_VARIABLE_ADMIN_TOKEN")
        .output()
        .unwrap()
}

/// The faults that it reports.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).lines().find_map(|line| line.strip_prefix("error: ").map(str::to_owned)).unwrap()
}

#[test]
fn what_the_customers_of_every_channel_write_is_stored() {
    let channels = registry::all();
    let account = "tried";
    at_once(channels.len(), |i| {
        let (channel, output) = (channels[i].channel, simulate(channels[i].channel, &["--account", account]));
        assert!(output.status.success(), "{channel}: {output:?}");
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let count = |name: &str| summary[name].as_i64().unwrap();
        assert!(count("sent") > 0 && count("lost") == 0, "{channel}: {summary}");
        // Messages that are kept and announced are acknowledged and fetched. Messages that are kept silently are only
        // fetched.
        assert!(count("acknowledged") == count("sent") || count("kept") == count("sent"), "{channel}: {summary}");
        assert_eq!(count("fetched"), count("kept"), "{channel}: {summary}");
        // The subject of a new thread is stored as an event of its own.
        let each = if channel == "email" { 2 } else { 1 };
        // The platform gives messages out some moments before they are stored.
        let all = count("sent") * each;
        until(&format!("{channel}: {summary}"), || (SERVER.stored_of(channel, account) >= all).then_some(()));
        assert_eq!(SERVER.stored_of(channel, account), all, "{channel}: {summary}");
    });
}

#[test]
fn an_account_that_somebody_else_made_is_left_alone() {
    let (channel, account) = ("webchat", "ours");
    let body = serde_json::json!({ "channel": channel, "account": account, "name": "官网", "settings": { "origins": [] } });
    SERVER.admin().post("/api/accounts", &body).expect(201);
    let complaint = complaint(&simulate(channel, &["--account", account]));
    assert!(complaint.contains("name another by --account"), "{complaint}");
    assert_eq!(SERVER.stored_of(channel, account), 0);
}

#[test]
fn who_may_not_make_accounts_is_told_so() {
    let complaint = complaint(&simulate("app", &["--account", "denied", "--token", "guessed"]));
    assert!(complaint.contains("an administrator's is needed"), "{complaint}");
}
