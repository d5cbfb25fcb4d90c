//! The dry run of the gate says what sending would say, and sends nothing.

use crate::world::World;
use serde_json::{Value, json};

#[test]
fn the_dry_run_says_what_sending_says_and_sends_nothing() {
    let w = World::open();
    let (me, other) = (w.hire("agent", "near", 9), w.hire("agent", "far", 9));
    let talk = w.talk_of(w.says("wechat", "oAlice", &[], "在吗"));
    let text = |text: &str| json!({ "kind": "text", "text": text });
    let asked = |token: &str, content: &Value| {
        w.call(token, "POST", "/api/gate/check", &json!({ "conversation": talk, "content": content }))
    };
    let sent = |token: &str, content: &Value| {
        w.call(token, "POST", &format!("/api/conversations/{talk}/messages"), &json!({ "content": content }))
    };
    let told = asked(&me.token, &text("您好")).expect(200);
    assert_eq!((&told["verdict"], &told["parts"]), (&json!("send"), &json!(1)));
    assert_eq!((&told["left"]["replies"], &told["left"]["of"]), (&json!(4), &json!(5)));
    assert!(told["left"]["until"].is_string() && told.get("code").is_none(), "{told}");
    // A long text goes in parts, each of which the platform counts.
    let long = text(&"米".repeat(1_500));
    let told = asked(&me.token, &long).expect(200);
    assert_eq!((&told["parts"], &told["left"]["replies"]), (&json!(3), &json!(2)));
    // What the channel does not carry.
    let card = json!({ "kind": "order_card", "order_id": "1", "title": "米" });
    let told = asked(&me.token, &card).expect(200);
    assert_eq!((&told["verdict"], &told["parts"], &told["left"]), (&json!("refuse"), &json!(0), &Value::Null));
    assert_eq!(told["code"], sent(&me.token, &card).json()["code"]);
    // The same refusal as sending, until the last one that the platform takes.
    sent(&me.token, &long).expect(201);
    let told = asked(&me.token, &long).expect(200);
    assert_eq!((&told["verdict"], &told["code"], &told["parts"]), (&json!("refuse"), &json!("reply_quota_used"), &json!(3)));
    sent(&me.token, &long).refused(409, "reply_quota_used");
    assert_eq!(asked(&me.token, &text("您好")).expect(200)["left"]["replies"], 1);
    w.pass(48 * 3_600_000 + 1);
    assert_eq!(asked(&me.token, &text("您好")).expect(200)["code"], "reply_window_closed");
    // Faults of the request, and of who asks.
    asked(&me.token, &text(" ")).refused(422, "empty_text");
    asked(&me.token, &text(&"米".repeat(4_001))).refused(413, "text_too_long");
    asked(&other.token, &text("您好")).refused(404, "not_found");
    let shown = w.admin("GET", &format!("/api/conversations/{talk}"), &Value::Null).expect(200);
    assert_eq!(shown["messages"].as_array().unwrap().len(), 4, "one of the customer, three parts of the reply");
}
