//! A person's messages on every channel, newest first.
//!
//! A customer has at most one open conversation, so each customer's messages are in order already: by conversation from the
//! newest, and in each from its last message. A page merges one such sequence for each of the person's customers, and reads
//! no more of each than it shows. Its cost does not depend on the number of messages ever written.

use crate::store::people;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::str::FromStr;
use warmline_kernel::archive::Reader;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::{ConversationId, CustomerId, MessageId, Timestamp};
use warmline_store::conversations::{self, Conversation};
use warmline_store::messages::Message;

/// Messages read at a time if few are new.
const FEW: i64 = 16;

/// A place in a timeline: when a message was stored, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    at: Timestamp,
    conversation: ConversationId,
    n: i64,
}

impl Place {
    /// When the message was stored.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The place of a message.
    pub fn of(conversation: ConversationId, n: i64, message: MessageId) -> Self {
        Self { at: message.time(), conversation, n }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.at.millis(), self.conversation, self.n)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let (Some(at), Some(conversation), Some(n), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(());
        };
        let at = Timestamp::from_millis(at.parse().map_err(|_| ())?);
        Ok(Self { at, conversation: conversation.parse().map_err(|_| ())?, n: n.parse().map_err(|_| ())? })
    }
}

/// A message of the timeline.
pub struct Entry {
    /// Its conversation.
    pub conversation: std::rc::Rc<Conversation>,
    /// The message.
    pub message: Message,
    /// Its place.
    pub place: Place,
}

impl Entry {
    fn new(conversation: &std::rc::Rc<Conversation>, message: Message) -> Self {
        let place = Place::of(message.conversation, message.n, message.id);
        Self { conversation: conversation.clone(), message, place }
    }
}

/// One customer's messages, newest first, read only as far as needed.
struct Line<'a> {
    ctx: &'a Ctx<'a>,
    customer: CustomerId,
    /// Only messages before this place.
    before: Option<Place>,
    /// Only messages after this one.
    known: Option<(ConversationId, i64)>,
    /// How many messages are read at a time.
    step: i64,
    conversation: Option<Reader<'a>>,
    read: VecDeque<Message>,
    /// The next message to read is the one before this number.
    next: i64,
}

impl<'a> Line<'a> {
    fn new(
        ctx: &'a Ctx<'a>,
        customer: CustomerId,
        before: Option<Place>,
        known: Option<(ConversationId, i64)>,
        step: i64,
    ) -> Self {
        Self { ctx, customer, before, known, step, conversation: None, read: VecDeque::new(), next: 0 }
    }

    fn next(&mut self) -> Result<Option<Entry>, StepError> {
        loop {
            if let Some(conversation) = &mut self.conversation {
                if self.read.is_empty() && self.next > 1 {
                    self.read = conversation.before(self.next, self.step)?.into();
                    self.next = self.read.back().map_or(0, |m| m.n);
                }
                if let Some(message) = self.read.pop_front() {
                    if self.known.is_some_and(|known| (message.conversation, message.n) <= known) {
                        return Ok(None);
                    }
                    return Ok(Some(Entry::new(conversation.conversation(), message)));
                }
            }
            // Ids are in the order in which conversations were opened.
            let before = match (&self.conversation, self.before) {
                (Some(reader), _) => reader.conversation().id,
                (None, Some(before)) => ConversationId::last_of(before.at),
                (None, None) => ConversationId::last_of(Timestamp::from_millis(i64::MAX)),
            };
            let earlier = conversations::last_of_customer(self.ctx.db, self.customer, before)?;
            let Some(earlier) = earlier.map(std::rc::Rc::new) else { return Ok(None) };
            if self.known.is_some_and(|known| (earlier.id, earlier.messages) <= known) {
                return Ok(None);
            }
            let mut reader = Reader::new(self.ctx, earlier);
            self.next = self.first_before(&mut reader)?;
            self.conversation = Some(reader);
        }
    }

    /// One more than the number of the last message before the place. Found by bisection, because a conversation can be
    /// long.
    fn first_before(&self, reader: &mut Reader<'a>) -> Result<i64, StepError> {
        let conversation = reader.conversation().clone();
        let (mut least, mut most) = (1, conversation.messages + 1);
        let Some(before) = self.before else { return Ok(most) };
        while least < most {
            let middle = least + (most - least) / 2;
            let message = reader.get(middle)?;
            let comes_before =
                message.is_some_and(|m| Place { at: m.id.time(), conversation: conversation.id, n: middle } < before);
            if comes_before { least = middle + 1 } else { most = middle }
        }
        Ok(least)
    }
}

/// A page of a person's timeline: at most `limit` messages stored before a place and not before an instant.
pub fn page(
    ctx: &Ctx<'_>,
    person: CustomerId,
    since: Timestamp,
    before: Option<Place>,
    limit: usize,
) -> Result<Vec<Entry>, StepError> {
    let step = i64::try_from(limit).unwrap_or(i64::MAX);
    merged(ctx, person, since, limit, |customer| Line::new(ctx, customer, before, None, step))
}

/// The newest messages after a known message of each customer, given as its conversation and its number.
pub fn newer(
    ctx: &Ctx<'_>,
    person: CustomerId,
    since: Timestamp,
    known: &BTreeMap<CustomerId, (ConversationId, i64)>,
    limit: usize,
) -> Result<Vec<Entry>, StepError> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    merged(ctx, person, since, limit, |customer| {
        let known = known.get(&customer).copied();
        Line::new(ctx, customer, None, known, if known.is_some() { FEW } else { most })
    })
}

fn merged<'a>(
    ctx: &Ctx<'_>,
    person: CustomerId,
    since: Timestamp,
    limit: usize,
    line: impl Fn(CustomerId) -> Line<'a>,
) -> Result<Vec<Entry>, StepError> {
    let (mut lines, mut heap) = (Vec::new(), BinaryHeap::new());
    for member in people::members(ctx.db, person)? {
        let mut line = line(member.id);
        // The heap holds the place of each line's first entry.
        let first = line.next()?;
        heap.extend(first.as_ref().map(|entry| (entry.place, lines.len())));
        lines.push((line, first));
    }
    let mut page = Vec::new();
    while let Some((place, n)) = heap.pop() {
        if page.len() == limit || place.at < since {
            break;
        }
        let Some((line, first)) = lines.get_mut(n) else { break };
        page.extend(std::mem::replace(first, line.next()?));
        heap.extend(first.as_ref().map(|entry| (entry.place, n)));
    }
    Ok(page)
}
