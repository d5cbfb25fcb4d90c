//! Tests of the audit: it accepts a world in which all is well, and finds one fault at a time.

use super::*;
use serde_json::{Value, json};
use warmline_model::{ConversationId, MessageId, Rng, Timestamp};

struct Same(u8);
impl Rng for Same {
    fn fill(&self, out: &mut [u8]) {
        out.fill(self.0);
    }
}

fn message_id(n: u8) -> MessageId {
    MessageId::new(Timestamp::from_millis(1), &Same(n))
}

/// One conversation with a question and two replies; everything delivered.
struct World {
    ledger: Ledger,
    told: Vec<Told>,
    log: Log,
    sent: Vec<Sent>,
}

fn reply(n: u8) -> String {
    format!("{REPLY}{n}")
}

fn message(n: u8, from: &str, text: &str, delivery: Value) -> Message {
    let value = json!({
        "id": message_id(n), "from": from, "content": { "kind": "text", "text": text }, "delivery": delivery,
    });
    serde_json::from_value(value).unwrap()
}

fn taken(text: String) -> Sent {
    Sent { to: "o1".into(), text }
}

impl World {
    fn new() -> Self {
        let ledger = Ledger::default();
        {
            let mut book = ledger.open();
            book.sent.insert("问 1".into());
            book.acknowledged.insert("问 1".into());
            book.replies.insert(reply(2), Fate::Stored);
            book.replies.insert(reply(3), Fate::Stored);
            book.seen = vec![1, 2, 3];
        }
        let conversation = serde_json::from_value(json!({
            "id": ConversationId::new(Timestamp::from_millis(1), &Same(9)), "channel": "wechat",
            "state": "assigned", "customer": { "id": "cus_1" },
        }));
        let delivered = json!({ "state": "sent" });
        let messages = vec![
            message(1, "customer", "问 1", Value::Null),
            message(2, "agent", &reply(2), delivered.clone()),
            message(3, "agent", &reply(3), delivered),
        ];
        let mut log = Log { seqs: vec![1, 2, 3], ..Log::default() };
        log.received.insert(message_id(1), 1);
        log.delivered.extend([(message_id(2), 1), (message_id(3), 1)]);
        let sent = vec![taken(reply(2)), taken(reply(3))];
        Self { ledger, told: vec![Told { conversation: conversation.unwrap(), messages }], log, sent }
    }

    fn audit(&self) -> ChaosReport {
        let mut report = ChaosReport::default();
        inbound(&self.ledger, &self.told, &self.log, &mut report);
        replies(&self.ledger, &self.told, &self.log, &self.sent, &mut report);
        order(&self.told, &self.sent, &mut report);
        events(&self.ledger, &self.log, &mut report);
        report
    }

    /// Checks that there is exactly one violation, with these words.
    fn blames(&self, words: &str) {
        let violations = self.audit().violations;
        assert!(violations.len() == 1 && violations[0].contains(words), "{violations:?}");
    }
}

#[test]
fn a_world_in_order_has_no_violation() {
    let report = World::new().audit();
    assert_eq!(report.violations, Vec::<String>::new());
    assert_eq!((report.acknowledged, report.stored, report.replies, report.delivered, report.events), (1, 1, 2, 2, 3));
}

#[test]
fn a_message_lost_doubled_or_invented_is_found() {
    let mut world = World::new();
    world.ledger.open().acknowledged.insert("问 2".into());
    world.blames("acknowledged and not stored: 问 2");

    world = World::new();
    world.told[0].messages.push(message(4, "customer", "问 1", Value::Null));
    world.log.received.insert(message_id(4), 1);
    world.blames("stored 2 times");

    world = World::new();
    world.told[0].messages.push(message(4, "customer", "问 7", Value::Null));
    world.log.received.insert(message_id(4), 1);
    world.blames("never sent");

    world = World::new();
    world.log.received.insert(message_id(1), 2);
    world.blames("2 message.received events");
}

#[test]
fn a_reply_lost_or_doubled_is_found_unless_it_was_in_doubt() {
    let mut world = World::new();
    world.sent.pop();
    world.blames("never delivered");

    world = World::new();
    world.sent.push(taken(reply(3)));
    world.blames("delivered 2 times with 0 doubts");

    world.log.in_doubt.insert(message_id(3), 1);
    let report = world.audit();
    assert_eq!((report.violations.len(), report.doubled, report.in_doubt), (0, 1, 1));

    world = World::new();
    world.ledger.open().replies.insert(reply(4), Fate::Refused { unanswered: 0 });
    assert_eq!((world.audit().violations.len(), world.audit().refused), (0, 1));
    world.sent.push(taken(reply(4)));
    world.blames("stored 0 times, delivered 1 times");

    world = World::new();
    world.sent.push(taken(reply(5)));
    world.blames("never written");
}

#[test]
fn a_reply_is_given_up_only_after_several_doubts() {
    let mut world = World::new();
    let given_up = json!({ "state": "dead", "reason": "perhaps_delivered" });
    world.told[0].messages[2] = message(3, "agent", &reply(3), given_up);
    world.log.delivered.remove(&message_id(3));
    world.blames("given up after 0 doubts");

    world.log.in_doubt.insert(message_id(3), 3);
    for times in 0..=3 {
        world.sent.truncate(1);
        world.sent.extend((0..times).map(|_| taken(reply(3))));
        let report = world.audit();
        assert_eq!((report.violations.len(), report.given_up), (0, 1), "{report}");
    }
    world.sent.push(taken(reply(3)));
    world.blames("delivered 4 times");
}

#[test]
fn a_reply_stored_twice_is_found() {
    let mut world = World::new();
    world.told[0].messages.push(message(4, "agent", &reply(3), json!({ "state": "sent" })));
    world.log.delivered.insert(message_id(4), 1);
    world.blames("stored 2 times");
}

#[test]
fn disorder_and_gaps_are_found() {
    let mut world = World::new();
    world.sent = vec![taken(reply(3)), taken(reply(2))];
    world.blames("out of order");

    world = World::new();
    world.ledger.open().seen = vec![1, 3];
    world.blames("missed 1 events");
    // An event after the reader's last look does not count as missed.
    world.ledger.open().seen = vec![1, 2];
    assert!(world.audit().violations.is_empty());
    world.ledger.open().seen = vec![1, 2, 2, 3];
    world.blames("an event twice");
}
