//! The rate of a token, and the signs of life that keep an agent at work.

use crate::world::{ADMIN, World, request};
use serde_json::{Value, json};
use warmline_app::routes::{all, dispatch};
use warmline_app::tick::tick;
use warmline_endpoint::auth::{self, Admission};
use warmline_endpoint::route::{Piece, Pieces, Reply};
use warmline_endpoint::{Problem, Request};

fn begin(w: &World, request: &Request) -> Result<Box<dyn Pieces>, Problem> {
    match dispatch(&w.ctx(), ADMIN, request).0? {
        Reply::Pieces(pieces) => Ok(pieces),
        _ => panic!("no stream"),
    }
}

/// Reads a stream until it waits or ends.
fn sent(w: &World, stream: &mut dyn Pieces) -> (String, Piece) {
    let mut text = String::new();
    loop {
        match stream.next(&w.ctx()).unwrap() {
            Piece::Bytes(bytes) => text.push_str(&String::from_utf8(bytes).unwrap()),
            other => return (text, other),
        }
    }
}

#[test]
fn l3_a_stream_counts_once_against_its_tokens_rate() {
    let w = World::open();
    let agent = w.hire("agent", "near", 1);
    w.admin("PUT", "/api/limits", &json!({ "requests_per_second": 1, "burst": 50 })).expect(200);
    let mut request = request(&agent.token, "GET", "/api/events", Vec::new());
    request.headers.insert("accept", "text/event-stream".parse().unwrap());
    begin(&w, &request).unwrap();
    let access = all().find(|route| route.path == "/api/events").unwrap().access;
    let admission = Admission::of(&request, ADMIN, access);
    // The stream looks again with every page of the log, and no time passes.
    for _ in 0..5_000 {
        auth::still(&w.ctx(), &admission).unwrap();
    }
    w.call(&agent.token, "GET", &format!("/api/agents/{}", agent.id), &Value::Null).expect(200);
    // Requests do count. The test would therefore notice a stream that counts.
    let counted = (0..5_000).find_map(|_| begin(&w, &request).err());
    assert_eq!(counted.unwrap().code, "rate_limited");
}

#[test]
fn a_stream_tells_what_comes_until_its_time_or_its_token_ends() {
    let w = World::open();
    let agent = w.hire("agent", "near", 1);
    let mut request = request(&agent.token, "GET", "/api/events", Vec::new());
    request.headers.insert("accept", "text/event-stream".parse().unwrap());
    let mut stream = begin(&w, &request).unwrap();
    assert!(stream.headers().contains(&("content-type", "text/event-stream")));
    let (text, wait) = sent(&w, &mut *stream);
    assert!(text.starts_with(": connected\n\nid: 1\n"), "{text}");
    assert!(matches!(wait, Piece::Wait(1..=1_000)));
    assert_eq!(sent(&w, &mut *stream), (String::new(), Piece::Wait(200)));
    // The hand-over comes before its event.
    w.says("app", "mine", &[], "你好");
    let (text, _) = sent(&w, &mut *stream);
    let (hand_over, assigned) = (text.find("event: handover").unwrap(), text.find("conversation.assigned").unwrap());
    assert!(hand_over < assigned, "{text}");
    let last = text.rsplit_once("id: ").unwrap().1.lines().next().unwrap().to_owned();
    // A new stream continues where the first one was cut off.
    request.headers.insert("last-event-id", last.parse().unwrap());
    let mut next = begin(&w, &request).unwrap();
    assert_eq!(sent(&w, &mut *next).0, ": connected\n\n");
    // The stream shows signs of life while nothing comes, and ends by itself.
    w.pass(11_000);
    assert_eq!(sent(&w, &mut *next).0, ": alive\n\n");
    w.pass(25_000);
    assert_eq!(sent(&w, &mut *next), (String::new(), Piece::End));
    // A revoked token gets nothing more.
    let mut stream = begin(&w, &request).unwrap();
    sent(&w, &mut *stream);
    w.admin("DELETE", &format!("/api/agents/{}?requeue=true", agent.id), &Value::Null).expect(200);
    assert_eq!(sent(&w, &mut *stream), (String::new(), Piece::End));
    assert_eq!(begin(&w, &request).err().unwrap().status, 401);
}

#[test]
fn w17_an_agent_who_gives_signs_of_life_in_time_is_not_lost() {
    for (secs, every) in [(10, 3), (10, 9), (5, 1), (5, 4), (90, 8), (90, 80)] {
        let w = World::open();
        let agent = w.hire("agent", "near", 1);
        let mut plan = w.admin("GET", "/api/routing/plan", &Value::Null).expect(200)["plan"].clone();
        plan["presence"] = json!({ "heartbeat_secs": secs, "keep_secs": 300 });
        w.admin("PUT", "/api/routing/plan", &plan).expect(200);
        let state = || w.admin("GET", &format!("/api/agents/{}", agent.id), &Value::Null).expect(200)["state"].clone();
        let heartbeat = format!("/api/agents/{}/heartbeat", agent.id);
        for second in 0..secs * 4 {
            w.pass(1_000);
            if second % every == 0 {
                // In these tests each request takes a second.
                w.pass(-1_000);
                w.call(&agent.token, "POST", &heartbeat, &Value::Null).expect(200);
            }
            tick(&w.ctx()).unwrap();
            w.pass(-1_000);
            assert_eq!(state(), "available", "{secs} {every} after {second} s");
        }
        // A silent agent is lost after the time in the plan, and not before.
        w.call(&agent.token, "POST", &heartbeat, &Value::Null).expect(200);
        w.pass((secs - 3 - secs / 4) * 1_000);
        tick(&w.ctx()).unwrap();
        assert_eq!(state(), "available");
        w.pass((secs / 4 + 4) * 1_000);
        tick(&w.ctx()).unwrap();
        assert_eq!(state(), "offline");
    }
}

#[test]
fn w17_a_heartbeat_that_cannot_be_honoured_is_refused_when_it_is_saved() {
    let w = World::open();
    let plan = w.admin("GET", "/api/routing/plan", &Value::Null).expect(200)["plan"].clone();
    let with = |secs: i64, keep: i64| {
        let mut plan = plan.clone();
        plan["presence"] = json!({ "heartbeat_secs": secs, "keep_secs": keep });
        w.admin("PUT", "/api/routing/plan", &plan)
    };
    for secs in [-1, 1, 4, 86_401, i64::MAX] {
        let refused = with(secs, 300).refused(422, "bad_setting");
        assert_eq!(refused["field"], "presence.heartbeat_secs");
        assert!(refused["detail"].as_str().unwrap().contains("from 5 to 86400"), "{refused}");
    }
    assert_eq!(with(90, -1).refused(422, "bad_setting")["field"], "presence.keep_secs");
    for secs in [0, 5, 86_400] {
        with(secs, 0).expect(200);
    }
}
