//! The outside world's record: the messages that were acknowledged, and the replies that were reported as stored.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use warmline_client::{ApiError, ApiResult};
use warmline_model::{ConversationId, Delivery, Event, EventBody, MessageId};

/// The fate of a reply, as far as its agent knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// No answer yet.
    Open,
    /// The API said that it is stored.
    Stored,
    /// The API refused it, after this many tries without an answer. One of these may have stored it.
    Refused { unanswered: u32 },
}

#[derive(Default)]
pub(super) struct Book {
    /// Texts that customers began to send.
    pub(super) sent: BTreeSet<String>,
    /// Texts that were acknowledged.
    pub(super) acknowledged: BTreeSet<String>,
    /// Tries beyond the first.
    pub(super) resent: u64,
    /// Replies by their text.
    pub(super) replies: BTreeMap<String, Fate>,
    /// The reasons of refused replies: status and code.
    pub(super) refusals: BTreeMap<String, u64>,
    /// Conversations that were closed.
    pub(super) closed: u64,
    /// `message.received` events that the live reader saw.
    pub(super) received: u64,
    /// Numbers of all events, in the order in which the live reader saw them.
    pub(super) seen: Vec<i64>,
}

/// The ledger, shared by all tasks.
#[derive(Default)]
pub(super) struct Ledger(Mutex<Book>);

impl Ledger {
    pub(super) fn open(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the fate of a reply.
    pub(super) fn settle(&self, text: String, result: ApiResult<Value>, unanswered: u32) {
        let mut book = self.open();
        let fate = match result {
            Ok(_) => Fate::Stored,
            Err(error) => {
                let why = match error {
                    ApiError::Refused { status, code, .. } => format!("{status} {code}"),
                    other => other.to_string(),
                };
                *book.refusals.entry(why).or_default() += 1;
                Fate::Refused { unanswered }
            }
        };
        book.replies.insert(text, fate);
    }
}

/// The event log, read once from its beginning to its end.
#[derive(Default)]
pub(super) struct Log {
    pub(super) seqs: Vec<i64>,
    /// `message.received` events by message.
    pub(super) received: HashMap<MessageId, u64>,
    /// `delivery.in_doubt` events by message.
    pub(super) in_doubt: HashMap<MessageId, u64>,
    /// `delivery.sent` events by message.
    pub(super) delivered: HashMap<MessageId, u64>,
    /// Assignments by conversation.
    pub(super) assigned: HashMap<ConversationId, u64>,
    pub(super) parked: u64,
}

impl Log {
    pub(super) fn note(&mut self, event: &Event) {
        self.seqs.push(event.seq);
        match &event.body {
            EventBody::MessageReceived { message, .. } => *self.received.entry(*message).or_default() += 1,
            EventBody::Delivery(Delivery::InDoubt { message, .. }) => *self.in_doubt.entry(*message).or_default() += 1,
            EventBody::Delivery(Delivery::Sent { message, .. }) => *self.delivered.entry(*message).or_default() += 1,
            EventBody::ConversationAssigned { .. } => {
                if let Some(conversation) = event.conversation {
                    *self.assigned.entry(conversation).or_default() += 1;
                }
            }
            EventBody::InboxParked { .. } => self.parked += 1,
            _ => {}
        }
    }
}
