//! Limits: requests a second of one token, and tries of wrong tokens.

use crate::harness::{Server, Shop, until};
use serde_json::json;

#[test]
fn who_sends_too_much_waits_and_nobody_else_does() {
    let server = Server::start("limits");
    let shop = Shop::on(&server, &json!({}));
    let (busy, other) = (shop.hire(1, &json!({})).api, shop.hire(1, &json!({})).api);
    let bot = shop.hire(1, &json!({ "ai": true })).api;
    let set = |rate: i64| shop.admin.put("/api/limits", &json!({ "requests_per_second": rate, "burst": 50 }));
    set(2_000).refused(422, "bad_limits");
    set(1).expect(200);
    // Fifty, counted in random steps of eight.
    let mut passed = 0;
    let refused = loop {
        let answer = busy.get("/api/groups");
        if answer.status == 429 {
            break answer;
        }
        answer.expect(200);
        passed += 1;
        assert!(passed < 500, "nobody counts");
    };
    assert!(passed >= 7, "{passed}");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    refused.refused(429, "rate_limited");
    let stream = busy.send("GET", "/api/events", &[("accept", "text/event-stream")], "");
    stream.refused(429, "rate_limited");
    other.get("/api/groups").expect(200);
    for _ in 0..200 {
        bot.get("/api/groups").expect(200);
        shop.admin.get("/api/groups").expect(200);
    }
    set(0).expect(200);
    busy.get("/api/groups").expect(200);
}

#[test]
fn who_tries_tokens_is_told_to_stop_and_locks_nobody_out() {
    let server = Server::start("failures");
    let shop = Shop::on(&server, &json!({}));
    let good = shop.hire(1, &json!({})).api;
    let (wrong, another) = (shop.admin.bearer("not-a-token"), shop.admin.bearer("nor-this-one"));
    let mut tried = 0;
    let refused = loop {
        let answer = wrong.get("/api/groups");
        if answer.status == 429 {
            break answer;
        }
        answer.refused(401, "token_unknown");
        tried += 1;
        assert!(tried < 2_000, "nobody counts");
    };
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    refused.refused(429, "too_many_failures");
    good.get("/api/groups").expect(200);
    another.get("/api/groups").refused(401, "token_unknown");
    until("the failures show", || {
        wrong.get("/api/groups");
        let told = shop.admin.get("/metrics").expect(200).text();
        told.lines().find_map(|line| line.strip_prefix("warmline_tokens_refused ")?.parse::<u32>().ok()).filter(|n| *n > 0)
    });
}
