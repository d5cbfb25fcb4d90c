//! Mail: quoted history that nobody said, bounces that are nobody's message, and copies by the agent's choice.

use crate::common::{World, reply};
use crate::people::channel;
use crate::{actor, all, check, count, only};
use warmline_conversations::converse;
use warmline_customers::summary;
use warmline_kernel::{StepError, consent, sealing};
use warmline_model::{Content, ConversationState, Origin, Sender, Timestamp};
use warmline_quality::steps as quality;
use warmline_store::{immediate, messages};

const AGENTS_WORDS: &str = "我们会赔偿您的损失，您还要投诉吗？";

fn mail(text: &str, quoted: Option<&str>, to: &[&str], cc: &[&str]) -> Content {
    let list = |list: &[&str]| list.iter().map(|a| (*a).to_owned()).collect();
    Content::Text { text: text.into(), quoted: quoted.map(str::to_owned), to: list(to), cc: list(cc), reply_to: None }
}

fn writes(w: &World, who: &str, key: &str, content: Content) {
    w.arrives_from(&channel("email"), Sender { open_id: who.into(), ..Sender::default() }, key, content);
    w.drain();
}

/// A mail server reports about an address.
fn bounces(w: &World, who: &str, key: &str) {
    let sender = Sender { open_id: who.into(), only_known: true, ..Sender::default() };
    let data = serde_json::json!({ "status": "5.1.1" });
    w.arrives_from(&channel("email"), sender, key, Content::Event { event: "bounce".into(), key: None, data });
    w.drain();
}

fn said(w: &World) -> Vec<(Origin, Content)> {
    let conversation = only(w);
    let key = sealing::customer_key(&w.ctx(), conversation.customer).unwrap();
    let stored = messages::list(&w.db, conversation.id, 0, 100).unwrap();
    stored.iter().map(|m| (m.origin, sealing::open_content(&key, m).unwrap())).collect()
}

#[test]
fn w13_history_raises_no_alert_and_is_in_no_summary() {
    let w = World::new();
    w.group("g", r#"{"greeting": "您好"}"#);
    writes(&w, "w@x", "m1", mail("好的，谢谢。", Some(AGENTS_WORDS), &[], &[]));
    while quality::inspect(&w.ctx()).unwrap() {}
    assert_eq!(count(&w, "quality.alert"), 0);
    let told = summary::of(&w.ctx(), only(&w).person, Timestamp::default()).unwrap();
    assert_eq!((told.asked.len(), told.angry.len(), told.angry_now), (0, 0, false));
    assert!(said(&w).iter().any(|(_, c)| matches!(c, Content::Text { quoted: Some(q), .. } if q == AGENTS_WORDS)));
    // The same words in the customer's own text.
    writes(&w, "w@x", "m2", mail("我要投诉，要赔偿！", Some("好的"), &[], &[]));
    while quality::inspect(&w.ctx()).unwrap() {}
    assert_eq!(count(&w, "quality.alert"), 1);
}

#[test]
fn w8_a_bounce_stands_with_the_conversation_of_the_mail_that_bounced() {
    let w = World::new();
    let group = w.group("g", r#"{"greeting": "您好"}"#);
    let agent = w.agent(&group, 3, false);
    writes(&w, "w@x", "m1", Content::text("你好"));
    let id = only(&w).id;
    immediate(&w.db, || reply(&w.ctx(), &actor(agent), id, &[Content::text("好的")])).unwrap();
    let before = only(&w);
    bounces(&w, "w@x", "b1");
    bounces(&w, "w@x", "b1");
    let after = only(&w);
    assert_eq!((after.state, after.agent, after.messages), (before.state, before.agent, before.messages + 1));
    assert!(matches!(said(&w).last(), Some((Origin::Customer, Content::Event { event, .. })) if event == "bounce"));
    // The conversation was closed meanwhile. It stays closed, and nobody is greeted again.
    immediate(&w.db, || converse::close(&w.ctx(), &actor(agent), id, None)).unwrap();
    bounces(&w, "w@x", "b2");
    let closed = only(&w);
    assert_eq!((closed.state, closed.messages), (ConversationState::Closed, after.messages + 1));
    assert_eq!(said(&w).iter().filter(|(origin, _)| *origin == Origin::System).count(), 1);
    check(&w);
}

#[test]
fn w8_a_bounce_finds_the_mail_by_its_id_whoever_it_was_for() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 3, false);
    writes(&w, "w@x (via no-reply@shop.example)", "m1", Content::text("你好"));
    let id = only(&w).id;
    let sent = immediate(&w.db, || reply(&w.ctx(), &actor(agent), id, &[Content::text("好的")])).unwrap();
    let told = |key: &str, original: String| {
        let sender = Sender { open_id: "home@x".into(), only_known: true, ..Sender::default() };
        let content = Content::Event { event: "bounce".into(), key: Some(original), data: serde_json::Value::Null };
        w.arrives_from(&channel("email"), sender, key, content);
        w.drain();
    };
    told("b1", format!("{}@rice.example", sent[0].id));
    assert_eq!((only(&w).messages, count(&w, "inbox.parked")), (3, 0));
    told("b2", "another@rice.example".into());
    assert_eq!((only(&w).messages, count(&w, "inbox.parked")), (3, 1));
}

/// A provider reports on a mail to an address, by our own id or by one of its own.
fn reported(w: &World, event: &str, who: &str, key: &str) {
    w.pass(1);
    let sender = Sender { open_id: who.into(), only_known: true, ..Sender::default() };
    let data = serde_json::json!({ "recipient": who });
    let content = Content::Event { event: event.into(), key: Some(key.into()), data };
    w.arrives_from(&channel("email"), sender, &format!("{event}-{who}-{key}"), content);
    w.drain();
}

#[test]
fn w8_a_providers_report_stands_with_the_mail_that_it_is_about_and_makes_no_customer() {
    let w = World::new();
    let group = w.group("g", r#"{"greeting": "您好"}"#);
    let agent = w.agent(&group, 3, false);
    let customer = "w@x (via no-reply@shop.example)";
    writes(&w, customer, "m1", mail("你好", None, &[], &["boss@y"]));
    let id = only(&w).id;
    let all_of_them = converse::to_all(&w.ctx(), &only(&w), Content::text("好的")).unwrap();
    let sent = immediate(&w.db, || reply(&w.ctx(), &actor(agent), id, &[all_of_them])).unwrap();
    let (before, ours) = (only(&w).messages, sent[0].id.to_string());
    // A recipient of a copy, the customer of a form, and the same person at another address.
    for (n, who) in ["boss@y", "w@x", "home@x"].into_iter().enumerate() {
        reported(&w, "delivered", who, &ours);
        assert_eq!(only(&w).messages, before + i64::try_from(n).unwrap() + 1, "{who}");
    }
    assert!(matches!(said(&w).last(), Some((_, Content::Event { data, .. })) if data["recipient"] == "home@x"));
    // A newsletter through the same account.
    reported(&w, "open", "reader@z", "sg-1");
    reported(&w, "unsubscribe", "reader@z", "msg_00000000000000000000000000000000");
    assert_eq!((all(&w).len(), only(&w).messages, count(&w, "inbox.parked")), (1, before + 3, 2));
    check(&w);
}

#[test]
fn w8_a_complaint_about_a_copy_is_not_the_customers() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 3, false);
    writes(&w, "boss@y", "m0", Content::text("你好"));
    let boss = only(&w).person;
    writes(&w, "w@x", "m1", mail("你好", None, &[], &["boss@y", "other@y"]));
    let conversation = all(&w).into_iter().find(|c| c.person != boss).unwrap();
    let all_of_them = converse::to_all(&w.ctx(), &conversation, Content::text("好的")).unwrap();
    let reply = || reply(&w.ctx(), &actor(agent), conversation.id, std::slice::from_ref(&all_of_them));
    let ours = immediate(&w.db, reply).unwrap()[0].id.to_string();
    let refuses = |person| consent::refuses(&w.ctx(), person, &channel("email")).unwrap();
    reported(&w, "spamreport", "Other@y", &ours);
    assert_eq!((refuses(conversation.person), refuses(boss)), (false, false));
    reported(&w, "spamreport", "boss@y", &ours);
    assert_eq!((refuses(conversation.person), refuses(boss)), (false, true));
    reported(&w, "spamreport", "w@x", &ours);
    assert_eq!((refuses(conversation.person), refuses(boss)), (true, true));
    reported(&w, "group_resubscribe", "w@x", "sg-2");
    assert_eq!((refuses(conversation.person), refuses(boss)), (false, true));
    check(&w);
}

#[test]
fn w8_a_bounce_of_a_mail_to_nobody_whom_we_know_makes_no_customer() {
    let w = World::new();
    w.group("g", r#"{"greeting": "您好"}"#);
    bounces(&w, "nobody@x", "b1");
    assert_eq!((all(&w).len(), count(&w, "conversation.opened"), count(&w, "message.sent")), (0, 0, 0));
    assert_eq!(count(&w, "inbox.parked"), 1);
    // It held up no other row, and a sender who writes afterwards is a new customer.
    writes(&w, "nobody@x", "m1", Content::text("你好"));
    assert_eq!(only(&w).messages, 2);
}

#[test]
fn w18_a_reply_to_all_goes_to_those_of_that_mail_and_to_nobody_else() {
    let w = World::new();
    let group = w.group("g", "{}");
    let agent = w.agent(&group, 3, false);
    writes(&w, "w@x", "m1", mail("你好", None, &["old@x"], &[]));
    writes(&w, "w@x", "m2", mail("在吗", None, &["b@y"], &["c@y"]));
    writes(&w, "w@x", "m3", Content::File { media: warmline_model::Media::default() });
    let conversation = only(&w);
    let all = converse::to_all(&w.ctx(), &conversation, Content::text("好的")).unwrap();
    assert_eq!(all, mail("好的", None, &[], &["b@y", "c@y"]));
    let sent = immediate(&w.db, || reply(&w.ctx(), &actor(agent), conversation.id, std::slice::from_ref(&all))).unwrap();
    let key = sealing::customer_key(&w.ctx(), conversation.customer).unwrap();
    assert_eq!(sealing::open_content(&key, &sent[0]).unwrap(), all);
    // A mail to the brand alone has no other recipients.
    writes(&w, "w@x", "m4", mail("谢谢", None, &[], &[]));
    let refused = converse::to_all(&w.ctx(), &only(&w), Content::text("好的"));
    assert!(matches!(refused, Err(StepError::Conflict { code: "nobody_else", .. })));
}
