//! Messages that wait, as the API serves them: who sees them, who decides, and what each refusal says.

use crate::world::{Staff, World};
use serde_json::{Value, json};

const NONE: Value = Value::Null;

fn text(text: &str) -> Value {
    json!({ "kind": "text", "text": text })
}

/// A world with words, a mail's conversation, its agent, a colleague and a supervisor.
fn world() -> (World, String, [Staff; 3]) {
    let w = World::open();
    let words = json!({ "words": [
        { "word": "最快", "category": "claims", "severity": 1, "effect": "approve", "allow": ["最快今天发货"] },
        { "word": "口交", "category": "sex", "severity": 3, "effect": "block", "allow": ["路口交通"] },
        { "word": "加急", "category": "promise", "severity": 1, "effect": "warn" },
        { "word": "投诉", "category": "complaint", "severity": 2 },
    ] });
    w.admin("PUT", "/api/quality/words", &words).expect(200);
    let staff = [w.hire("agent", "far", 9), w.hire("agent", "near", 9), w.hire("supervisor", "near", 0)];
    let talk = w.talk_of(w.says("email", "w@x", &[], "在吗"));
    (w, talk, staff)
}

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|held| held["id"].as_str().unwrap()).collect()
}

#[test]
fn a_held_message_is_seen_by_those_who_may_see_its_conversation_and_its_text_only_one_by_one() {
    let (w, talk, [me, other, boss]) = world();
    let messages = format!("/api/conversations/{talk}/messages");
    let held = w.call(&me.token, "POST", &messages, &json!({ "content": text("明天发货") })).expect(202);
    let (id, shown) = (held["id"].as_str().unwrap().to_owned(), format!("/api/held/{}", held["id"].as_str().unwrap()));
    assert_eq!((&held["why"], &held["state"]), (&json!("undo"), &json!("waiting")));
    assert!(held["release_at"].is_string() && held.get("contents").is_none(), "{held}");
    let detail = w.call(&me.token, "GET", &format!("/api/conversations/{talk}"), &NONE).expect(200);
    assert_eq!((detail["held"][0]["id"].as_str(), detail["messages"].as_array().unwrap().len()), (Some(id.as_str()), 1));
    for (who, view, seen) in [
        (&me, "", vec![id.as_str()]),
        (&other, "", vec![]),
        (&boss, "", vec![]),
        (&boss, "?view=approvals", vec![]),
        (&boss, "?view=all", vec![id.as_str()]),
    ] {
        let list = w.call(&who.token, "GET", &format!("/api/held{view}"), &NONE).expect(200);
        assert_eq!(ids(&list), seen, "{view}");
        assert!(!list.to_string().contains("明天发货"));
    }
    for view in ["approvals", "all"] {
        w.call(&me.token, "GET", &format!("/api/held?view={view}"), &NONE).refused(403, "not_yours");
    }
    w.call(&boss.token, "GET", "/api/held?view=theirs", &NONE).refused(400, "bad_parameter");
    w.call(&boss.token, "GET", "/api/held?after=x", &NONE).refused(400, "bad_cursor");
    for who in [&me, &boss] {
        let one = w.call(&who.token, "GET", &shown, &NONE).expect(200);
        assert_eq!(one["contents"][0]["text"], "明天发货");
    }
    let log = w.admin("GET", "/api/audit?limit=200", &NONE).expect(200);
    let reads = log["items"].as_array().unwrap().iter().filter(|e| e["action"] == "conversations.held_read");
    assert_eq!(reads.count(), 2);
    for (method, rest) in [("GET", ""), ("DELETE", ""), ("POST", "/release")] {
        w.call(&other.token, method, &format!("{shown}{rest}"), &NONE).refused(404, "not_found");
    }
    let back = w.call(&me.token, "DELETE", &shown, &NONE).expect(200);
    assert_eq!(back["contents"][0]["text"], "明天发货");
    w.call(&me.token, "DELETE", &shown, &NONE).refused(404, "not_found");
    w.call(&me.token, "GET", "/api/held/no-such-id", &NONE).refused(404, "not_found");
}

#[test]
fn a_supervisor_decides_once_and_says_why_not() {
    let (w, talk, [me, _, boss]) = world();
    let messages = format!("/api/conversations/{talk}/messages");
    let write = |words: &str| w.call(&me.token, "POST", &messages, &json!({ "content": text(words) }));
    assert_eq!(write("全国最快").expect(202)["why"], "approval");
    write("口 交").refused(409, "words_blocked");
    let list = w.call(&boss.token, "GET", "/api/held?view=approvals", &NONE).expect(200);
    let shown = format!("/api/held/{}", ids(&list)[0]);
    w.call(&me.token, "POST", &format!("{shown}/release"), &NONE).refused(403, "forbidden");
    w.call(&me.token, "POST", &format!("{shown}/decline"), &json!({ "reason": "x" })).refused(403, "role_not_allowed");
    w.call(&boss.token, "POST", &format!("{shown}/decline"), &json!({ "reason": "" })).refused(422, "bad_length");
    let close = format!("/api/conversations/{talk}/close");
    w.call(&me.token, "POST", &close, &NONE).refused(409, "messages_held");
    let declined = w.call(&boss.token, "POST", &format!("{shown}/decline"), &json!({ "reason": "无法证实" })).expect(200);
    assert_eq!((&declined["state"], &declined["reason"]), (&json!("declined"), &json!("declined")));
    w.call(&boss.token, "POST", &format!("{shown}/release"), &NONE).refused(409, "already_decided");
    let detail = w.call(&me.token, "GET", &format!("/api/conversations/{talk}"), &NONE).expect(200);
    assert!(
        detail["messages"]
            .as_array()
            .unwrap()
            .iter()
            .any(|m| m["content"]["kind"] == "note" && m["content"]["text"] == "无法证实")
    );
    write("全国最快").expect(202);
    let list = w.call(&boss.token, "GET", "/api/held?view=approvals", &NONE).expect(200);
    let shown = format!("/api/held/{}", ids(&list)[0]);
    let sent = w.call(&boss.token, "POST", &format!("{shown}/release"), &NONE).expect(200);
    assert_eq!((&sent["sent"], &sent["release_at"]), (&json!(true), &NONE));
    w.call(&boss.token, "POST", &format!("{shown}/release"), &NONE).refused(409, "already_sent");
    w.call(&boss.token, "POST", &format!("{shown}/decline"), &json!({ "reason": "晚了" })).refused(409, "already_sent");
    // Only what waits for a supervisor can be declined.
    let held = write("明天发货").expect(202);
    let shown = format!("/api/held/{}", held["id"].as_str().unwrap());
    w.call(&boss.token, "POST", &format!("{shown}/decline"), &json!({ "reason": "x" })).refused(409, "no_approval_needed");
    // The agent sends it at once.
    w.call(&me.token, "POST", &format!("{shown}/release"), &NONE).expect(200);
    w.call(&me.token, "POST", &close, &NONE).expect(200);
}

#[test]
fn a_time_that_is_none_and_a_message_that_came_meanwhile_send_nothing() {
    let (w, talk, [me, ..]) = world();
    let messages = format!("/api/conversations/{talk}/messages");
    let write = |more: Value| {
        let mut body = json!({ "content": text("您好") });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        w.call(&me.token, "POST", &messages, &body)
    };
    let at = |ms: i64| w.ctx().now().plus_millis(ms);
    for more in [
        json!({ "send_at": at(-1) }),
        json!({ "send_at": at(31 * 86_400_000) }),
        json!({ "send_at": at(60_000), "undo_secs": 5 }),
        json!({ "undo_secs": 121 }),
        json!({ "undo_secs": -1 }),
    ] {
        write(more).refused(422, "bad_time");
    }
    write(json!({ "send_at": "tomorrow" })).refused(422, "invalid_body");
    write(json!({ "undo_secs": 0, "seen": 1 })).expect(201);
    w.says("email", "w@x", &[], "请快点");
    let refused = write(json!({ "undo_secs": 0, "seen": 2 })).refused(409, "newer_messages");
    assert_eq!(refused["messages"], json!([3]));
    write(json!({ "undo_secs": 0, "seen": 3 })).expect(201);
    assert_eq!(write(json!({ "send_at": at(3_600_000) })).expect(202)["why"], "later");
    for _ in 0..19 {
        write(json!({ "send_at": at(3_600_000) })).expect(202);
    }
    write(json!({ "send_at": at(3_600_000) })).refused(409, "too_many_held");
}

#[test]
fn the_dry_run_tells_words_and_waits() {
    let (w, talk, [me, ..]) = world();
    let asked = |words: &str| {
        w.call(&me.token, "POST", "/api/gate/check", &json!({ "conversation": talk, "content": text(words) })).expect(200)
    };
    let told = asked("您好");
    assert_eq!((&told["verdict"], &told["findings"]), (&json!("hold"), &json!([])));
    assert!(told["until"].is_string());
    let told = asked("给您 加 急，投诉路口交通也行");
    assert_eq!(told["verdict"], "hold");
    assert_eq!(told["findings"], json!([{ "word": "加急", "category": "promise", "effect": "warn", "found": "加 急" }]));
    let told = asked("最快今天发货");
    assert_eq!((&told["verdict"], &told["findings"]), (&json!("hold"), &json!([])));
    let told = asked("全国最快");
    assert_eq!((&told["verdict"], &told["findings"][0]["effect"]), (&json!("approve"), &json!("approve")));
    let told = asked("口交");
    assert_eq!((&told["verdict"], &told["code"]), (&json!("refuse"), &json!("words_blocked")));
    assert_eq!(told["findings"][0]["word"], "口交");
    let later = json!({ "conversation": talk, "content": text("您好"), "send_at": w.ctx().now().plus_millis(3_600_000) });
    let told = w.call(&me.token, "POST", "/api/gate/check", &later).expect(200);
    assert_eq!((&told["verdict"], &told["until"]), (&json!("hold"), &later["send_at"]));
    assert_eq!(w.call(&me.token, "GET", "/api/held", &NONE).expect(200)["items"], json!([]));
}

#[test]
fn exceptions_of_words_are_checked() {
    let w = World::open();
    let put = |word: Value| w.admin("PUT", "/api/quality/words", &json!({ "words": [word] }));
    let word = |allow: Value| json!({ "word": "最快", "category": "x", "severity": 1, "effect": "block", "allow": allow });
    put(word(json!(["最快今天发货"]))).expect(200);
    for allow in [json!(["今天发货"]), json!(["最快"]), json!(["！最快！"])] {
        assert_eq!(put(word(allow)).refused(422, "bad_word")["field"], "words[0].allow[0]");
    }
    put(word(json!([""]))).refused(422, "bad_length");
    put(word(vec!["最快今天发货"; 33].into())).refused(422, "too_many");
    let kept = w.admin("GET", "/api/quality/words", &NONE).expect(200);
    assert_eq!((&kept["words"][0]["allow"], &kept["version"]), (&json!(["最快今天发货"]), &json!(1)));
}
