//! The one statement that stores a message which goes on with a conversation, where no lease protects its row.

use crate::common::{World, place, reply};
use crate::{actor, check, count, only};
use warmline_model::{Content, EventBody, MessageId, Timestamp};
use warmline_store::arrivals::{self, Arrival, Waiting};
use warmline_store::{StoreError, immediate, inbox, leases};

/// A conversation with an agent, and one more message of its customer in the inbox.
fn world() -> (World, i64, Waiting) {
    let w = World::new();
    let group = w.group("g", "{}");
    w.agent(&group, 2, false);
    w.says("oUser", "m1", "什么时候发货");
    w.arrives("oUser", "m2", Content::text("我很着急"), &[]);
    let shard = inbox::waiting_shards(&w.db).unwrap()[0];
    let waiting = arrivals::waiting(&w.db, shard, 9).unwrap().pop().unwrap();
    (w, shard, waiting)
}

/// Tries to store the message in the conversation as it was read.
fn store(w: &World, shard: i64, waiting: &Waiting) -> Result<(), StoreError> {
    let conversation = waiting.contact.as_ref().unwrap().conversation.as_ref().unwrap();
    let (now, id) = (w.ctx().now(), MessageId::new(w.ctx().now(), &w.rng));
    let arrival = Arrival {
        inbox: waiting.row.seq,
        shard: Some(shard),
        conversation,
        state: conversation.state,
        at: now,
        spoke: Some(now),
        answer_until: None,
        reply_to: None,
        id,
        content: b"sealed".to_vec(),
        received_at: now,
    };
    let kind = "text".to_owned();
    let event = EventBody::MessageReceived { message: id, n: arrival.n(), channel: place().0, kind, received_at: now };
    arrival.store(&w.db, &event)
}

/// Nothing of the message is in the store but its row.
fn waits(w: &World) {
    assert_eq!((count(w, "message.received"), inbox::waiting(&w.db).unwrap()), (1, 1));
    w.pass(6_000);
    w.drain();
    assert_eq!((count(w, "message.received"), inbox::waiting(&w.db).unwrap()), (2, 0));
    check(w);
}

#[test]
fn it_stores_a_message_once() {
    let (w, shard, waiting) = world();
    store(&w, shard, &waiting).unwrap();
    let after = only(&w);
    let before = waiting.contact.as_ref().unwrap().conversation.as_ref().unwrap();
    assert_eq!((after.messages, after.last_message_at), (before.messages + 1, w.ctx().now()));
    assert_eq!((count(&w, "message.received"), inbox::waiting(&w.db).unwrap()), (2, 0));
    assert_eq!(store(&w, shard, &waiting), Err(StoreError::Busy));
    assert_eq!((count(&w, "message.received"), only(&w).messages), (2, after.messages));
}

#[test]
fn it_stores_nothing_while_a_drainer_holds_the_shard() {
    let (w, shard, waiting) = world();
    let now = w.ctx().now();
    assert!(leases::claim(&w.db, &inbox::lease_name(shard), &[7; 16], now, now.plus_millis(5_000)).unwrap());
    assert_eq!(store(&w, shard, &waiting), Err(StoreError::Busy));
    waits(&w);
}

#[test]
fn it_stores_nothing_ahead_of_an_earlier_message() {
    let (w, shard, first) = world();
    w.arrives("oUser", "m3", Content::text("还在吗"), &[]);
    let waiting = arrivals::waiting(&w.db, shard, 9).unwrap();
    assert_eq!(waiting.len(), 2);
    assert_eq!(store(&w, shard, &waiting[1]), Err(StoreError::Busy));
    store(&w, shard, &first).unwrap();
    assert_eq!((count(&w, "message.received"), inbox::waiting(&w.db).unwrap()), (2, 1));
}

#[test]
fn it_stores_nothing_in_a_conversation_that_changed_since_it_was_read() {
    type Change = fn(&World);
    let changes: [Change; 2] = [
        |w| {
            let c = only(w);
            let by = actor(c.agent.unwrap());
            immediate(&w.db, || reply(&w.ctx(), &by, c.id, &[Content::text("今天")])).unwrap();
        },
        |w| {
            let c = only(w);
            warmline_store::conversations::wrap_up(&w.db, c.id, w.ctx().now().plus_millis(60_000), None).unwrap();
        },
    ];
    for change in changes {
        let (w, shard, waiting) = world();
        change(&w);
        assert_eq!(store(&w, shard, &waiting), Err(StoreError::Busy));
        waits(&w);
    }
}

/// A row of the previous release names no sender.
#[test]
fn a_row_without_a_sender_is_handled_under_the_lease() {
    let (w, shard, _) = world();
    warmline_store::Db::execute(&w.db.0, "UPDATE inbox SET sender = NULL", &[]).unwrap();
    let waiting = arrivals::waiting(&w.db, shard, 9).unwrap().pop().unwrap();
    assert!(waiting.sender.is_none() && waiting.contact.is_none());
    waits(&w);
    assert!(only(&w).last_message_at > Timestamp::default());
}
