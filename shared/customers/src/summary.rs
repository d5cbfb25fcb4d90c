//! The summary for a colleague who takes over a customer: the questions, the promises, the open matters, the orders, and
//! the mood. Every line is a sentence from a message and names that message; nothing is paraphrased.

use crate::context::{self, Context};
use crate::model::{Line, Order, Slot, Summary, Trend};
use crate::orders;
use crate::timeline::{self, Entry, Place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealing::{self, Keys};
use warmline_kernel::tampering::{self, Broken};
use warmline_language::said;
use warmline_model::{AgentId, Channel, Content, ConversationId, CustomerId, MessageId, Origin, Timestamp};

/// The most messages looked at, the newest ones.
pub(crate) const LOOKED_AT: usize = 400;
/// The most lines of a kind that are shown, the newest ones.
const SHOWN: usize = 8;
/// How many of the customer's sentences count as recent.
const LATELY: usize = 5;

/// Sums up the messages with a person since an instant. If a context is stored, only messages newer than it are read. The
/// caller notes the access: see [`crate::touch::summary`].
pub fn of(ctx: &Ctx<'_>, person: CustomerId, since: Timestamp) -> Result<Summary, StepError> {
    let kept = context::load(ctx, person, since)?;
    let known = kept.is_some();
    let mut context = kept.unwrap_or(Context { since, digests: Vec::new() });
    let newer = timeline::newer(ctx, person, context.since.min(since), &context.covered(), LOOKED_AT + 1)?;
    if !(known && newer.is_empty()) {
        let (mut keys, mut altered, mut digests) = (Keys::default(), Vec::new(), Vec::with_capacity(newer.len()));
        for entry in &newer {
            // A message that does not open adds nothing and hides no other.
            let opened = keys.of(ctx, entry.conversation.customer).map(|key| sealing::open_content(key, &entry.message));
            if let Some(Err(_)) = opened {
                altered.push(Broken::message(entry.conversation.customer, &entry.message));
            }
            digests.push(Digest::new(entry, opened.and_then(Result::ok).as_ref()));
        }
        tampering::tell(ctx, &altered)?;
        context.add(digests);
        context::save(ctx, person, &context)?;
    }
    let within = context.digests.iter().filter(|d| d.place().at() >= since);
    let mut told = SummaryBuilder::default();
    told.summary.more = within.clone().count() > LOOKED_AT;
    within.take(LOOKED_AT).for_each(|digest| told.take(digest));
    told.summary.trend = told.trend();
    Ok(told.summary)
}

/// The effect of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum SpeechAct {
    Asks,
    Promises,
    Angers,
}

/// The part of a message that a summary needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Digest {
    pub(crate) customer: CustomerId,
    pub(crate) conversation: ConversationId,
    pub(crate) n: i64,
    message: MessageId,
    at: Timestamp,
    /// `None` if the message does not open.
    channel: Option<Channel>,
    origin: Origin,
    agent: Option<AgentId>,
    /// The order that it reports, and the report.
    order: Option<(String, String)>,
    /// The orders that it names.
    slots: Vec<String>,
    /// The sentences that ask, promise or anger, the last first: each with its number counted from the end.
    said: Vec<(usize, SpeechAct, String)>,
    /// The number of its sentences; `None` if it has no words.
    sentences: Option<usize>,
    done: bool,
}

impl Digest {
    fn new(entry: &Entry, content: Option<&Content>) -> Self {
        let (message, channel) = (&entry.message, &entry.conversation.channel);
        let mut digest = Self {
            customer: entry.conversation.customer,
            conversation: message.conversation,
            n: message.n,
            message: message.id,
            at: message.at,
            channel: content.map(|_| channel.clone()),
            origin: message.origin,
            agent: message.agent,
            order: None,
            slots: Vec::new(),
            said: Vec::new(),
            sentences: None,
            done: false,
        };
        let Some(content) = content else { return digest };
        digest.order = orders::told(channel, content).map(|(order, status)| (order.to_owned(), status.to_owned()));
        // Messages of the system (greetings and the like) add nothing, and neither do notes between colleagues.
        let silent = message.origin == Origin::System || matches!(content, Content::Note { .. });
        if !silent {
            digest.slots = orders::named(channel, content).map(str::to_owned).collect();
        }
        let Some(words) = content.words().filter(|_| !silent) else { return digest };
        let sentences: Vec<&str> = said::sentences(words).collect();
        let brand = message.origin != Origin::Customer;
        for (nth, sentence) in sentences.iter().rev().enumerate() {
            let mut does = |yes: bool, what| {
                if yes {
                    digest.said.push((nth, what, (*sentence).to_owned()));
                }
            };
            does(!brand && said::asks(sentence), SpeechAct::Asks);
            does(!brand && said::angry(sentence), SpeechAct::Angers);
            does(brand && said::promises(sentence), SpeechAct::Promises);
        }
        digest.sentences = Some(sentences.len());
        digest.done = brand && sentences.iter().any(|s| said::says_done(s));
        digest
    }

    pub(crate) fn place(&self) -> Place {
        Place::of(self.conversation, self.n, self.message)
    }
}

/// The state while messages are read, from the last one back.
#[derive(Default)]
struct SummaryBuilder {
    summary: Summary,
    /// Conversations with a later answer.
    answered: BTreeSet<ConversationId>,
    /// Conversations in which a later message says that the matter is done.
    done: BTreeSet<ConversationId>,
    /// The number of the customer's sentences so far.
    lately: usize,
    /// Angry sentences among the last [`LATELY`], and among as many before them.
    tempers: [usize; 2],
}

impl SummaryBuilder {
    fn take(&mut self, digest: &Digest) {
        self.summary.messages += 1;
        let Some(channel) = &digest.channel else { return };
        self.summary.channels.insert(channel.clone());
        self.orders(digest);
        let Some(sentences) = digest.sentences else { return };
        let (conversation, brand) = (digest.conversation, digest.origin != Origin::Customer);
        let show = |list: &mut Vec<Line>, text: &str| {
            if list.len() < SHOWN {
                let (message, channel, at) = (digest.message, channel.clone(), digest.at);
                list.push(Line { text: text.to_owned(), message, conversation, channel, at });
            }
        };
        for (nth, does, text) in &digest.said {
            match does {
                SpeechAct::Promises => {
                    show(&mut self.summary.promised, text);
                    if !self.done.contains(&conversation) {
                        show(&mut self.summary.open, text);
                    }
                }
                SpeechAct::Asks => {
                    show(&mut self.summary.asked, text);
                    if !self.answered.contains(&conversation) {
                        show(&mut self.summary.open, text);
                    }
                }
                SpeechAct::Angers => {
                    show(&mut self.summary.angry, text);
                    if let Some(tempers) = self.tempers.get_mut((self.lately + nth) / LATELY) {
                        *tempers += 1;
                    }
                }
            }
        }
        if brand {
            self.summary.agent = self.summary.agent.or(digest.agent);
            self.answered.insert(conversation);
            if digest.done {
                self.done.insert(conversation);
            }
        } else {
            self.lately += sentences;
        }
        self.summary.angry_now = self.tempers[0] > 0;
    }

    fn orders(&mut self, digest: &Digest) {
        let (message, at) = (digest.message, digest.at);
        if let Some((order, status)) = &digest.order {
            let orders = &mut self.summary.orders;
            if orders.len() < SHOWN && !orders.iter().any(|later| later.order == *order) {
                orders.push(Order { order: order.clone(), status: status.clone(), message, at });
            }
        }
        let slots = &mut self.summary.slots;
        for order in &digest.slots {
            if slots.len() < SHOWN && !slots.iter().any(|later| later.order == *order) {
                slots.push(Slot { order: order.clone(), message, at });
            }
        }
    }

    fn trend(&self) -> Trend {
        match self.tempers {
            [0, 0] => Trend::Calm,
            [now, before] if now > before => Trend::Rising,
            [now, before] if now < before => Trend::Falling,
            _ => Trend::Steady,
        }
    }
}
