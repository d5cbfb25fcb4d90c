//! What a colleague must know who takes a customer over: who it is, what was asked, promised and is open, the orders, the mood. Every line
//! is a sentence of a message and names it; nothing is put into other words.

use crate::ctx::{Ctx, FlowError};
use crate::orders;
use crate::sealed::{self, Keys};
use crate::timeline::{self, Entry};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeSet;
use warmline_language::said;
use warmline_model::{Channel, Content, ConversationId, CustomerId, MessageId, Origin, Timestamp};

/// Messages that are looked at, the newest.
const LOOKED_AT: usize = 400;
/// Lines of a kind that are shown, the newest.
const SHOWN: usize = 8;

/// A sentence of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Line {
    /// The sentence.
    pub text: String,
    /// The message that it stands in.
    pub message: MessageId,
    /// That message's conversation.
    pub conversation: ConversationId,
    /// Its channel.
    pub channel: Channel,
    /// When it was said.
    pub at: Timestamp,
}

/// An order, as it was told of last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Order {
    /// Its number.
    pub order: String,
    /// What was told: the status, or what happened.
    pub status: String,
    /// The message that says so.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
}

/// What a colleague must know. Each list is newest first.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Messages that were looked at.
    pub messages: usize,
    /// Whether there are older ones in the time asked for.
    pub more: bool,
    /// The channels that they came by.
    pub channels: BTreeSet<Channel>,
    /// What the customer asked or wanted.
    pub asked: Vec<Line>,
    /// What was promised.
    pub promised: Vec<Line>,
    /// What is open: said since somebody answered last, and promised without anything in the same conversation that says it is done.
    pub open: Vec<Line>,
    /// Orders.
    pub orders: Vec<Order>,
    /// Angry lines.
    pub angry: Vec<Line>,
    /// Whether one of them is among the customer's last five.
    pub angry_now: bool,
}

/// Sums up what was said with a person since an instant.
///
/// # Errors
/// The store fails.
pub fn of(ctx: &Ctx<'_>, person: CustomerId, since: Timestamp) -> Result<Summary, FlowError> {
    let mut entries = timeline::page(ctx, person, since, None, LOOKED_AT + 1)?;
    let more = entries.len() > LOOKED_AT;
    entries.truncate(LOOKED_AT);
    let mut keys = Keys::default();
    let mut told = Told::default();
    told.summary.messages = entries.len();
    told.summary.more = more;
    for entry in &entries {
        // What does not open says nothing, and hides nothing else.
        let key = keys.of(ctx, entry.conversation.customer);
        if let Some(content) = key.and_then(|key| sealed::open_content(key, &entry.message).ok()) {
            told.take(entry, &content);
        }
    }
    Ok(told.summary)
}

/// The conversations as they are gone through, from the last message back.
#[derive(Default)]
struct Told {
    summary: Summary,
    /// Conversations in which somebody answered later.
    answered: BTreeSet<ConversationId>,
    /// Conversations in which somebody said later that it is done.
    done: BTreeSet<ConversationId>,
    /// Sentences of the customer's so far.
    lately: usize,
}

impl Told {
    fn take(&mut self, entry: &Entry, content: &Content) {
        let conversation = entry.conversation.id;
        self.summary.channels.insert(entry.conversation.channel.clone());
        self.order(entry, content);
        let brand = match entry.message.origin {
            Origin::Customer => false,
            Origin::Agent | Origin::Bot => true,
            // Greetings and the like.
            Origin::System => return,
        };
        let Some(words) = content.words().filter(|_| !matches!(content, Content::Note { .. })) else { return };
        let line = |text: &str| Line {
            text: text.to_owned(),
            message: entry.message.id,
            conversation,
            channel: entry.conversation.channel.clone(),
            at: entry.message.at,
        };
        let sentences: Vec<&str> = said::sentences(words).collect();
        let show = |list: &mut Vec<Line>, text: &str| {
            if list.len() < SHOWN {
                list.push(line(text));
            }
        };
        for sentence in sentences.iter().rev() {
            if brand {
                if said::promises(sentence) {
                    show(&mut self.summary.promised, sentence);
                    if !self.done.contains(&conversation) {
                        show(&mut self.summary.open, sentence);
                    }
                }
                continue;
            }
            self.lately += 1;
            if said::asks(sentence) {
                show(&mut self.summary.asked, sentence);
                if !self.answered.contains(&conversation) {
                    show(&mut self.summary.open, sentence);
                }
            }
            if said::angry(sentence) {
                show(&mut self.summary.angry, sentence);
                self.summary.angry_now |= self.lately <= 5;
            }
        }
        if brand {
            self.answered.insert(conversation);
            if sentences.iter().any(|s| said::says_done(s)) {
                self.done.insert(conversation);
            }
        }
    }

    fn order(&mut self, entry: &Entry, content: &Content) {
        let Some((order, status)) = orders::told(&entry.conversation.channel, content) else { return };
        let orders = &mut self.summary.orders;
        if orders.len() < SHOWN && !orders.iter().any(|later| later.order == order) {
            let (message, at) = (entry.message.id, entry.message.at);
            orders.push(Order { order: order.to_owned(), status: status.to_owned(), message, at });
        }
    }
}
