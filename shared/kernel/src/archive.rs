//! Archived messages of conversations that were closed long ago. A pack holds many messages in one blob. It is compressed,
//! sealed under the customer's key, and bound to its conversation and to its message numbers.
//!
//! Packs are made in order, beginning with a conversation's first message. A reader looks at the rows first and takes what
//! is missing before them from packs. A pack that is made between the two reads therefore neither leaves a gap nor shows a
//! message twice.

use crate::ctx::{Ctx, StepError};
use crate::sealing;
use crate::tampering::{self, Broken, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use warmline_model::{AgentId, Content, ConversationId, DeliveryState, MessageId, Origin, Timestamp};
use warmline_privacy::{CustomerKey, SealError};
use warmline_store::archive::{self, Pack};
use warmline_store::conversations::Conversation;
use warmline_store::messages::{self, Message};

/// The most messages in a pack.
pub const PACK_MESSAGES: i64 = 1_000;
/// Bytes of sealed contents after which a pack takes no more messages.
pub const PACK_BYTES: usize = 256 * 1024;
/// Rows read at a time.
const READ: i64 = 100;
/// The most bytes of an unpacked pack: [`PACK_BYTES`], the last batch of rows, and the JSON around each content.
const OPENED_LIMIT: usize = 64 * 1024 * 1024;
/// For texts this short, higher levels cost more time than they save space.
const LEVEL: u8 = 6;

/// A message in a pack.
#[derive(Serialize, Deserialize)]
struct Packed {
    n: i64,
    id: MessageId,
    from: Origin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<AgentId>,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delivery: Option<DeliveryState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
    /// The bytes of a content that does not open, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

impl Packed {
    fn new(key: &CustomerKey, m: Message) -> Self {
        let content = sealing::open_content(key, &m).ok();
        let sealed = content.is_none().then(|| STANDARD.encode(&m.content));
        let Message { n, id, origin: from, agent, at, delivery, reason, .. } = m;
        Self { n, id, from, agent, at, delivery, reason, content, sealed }
    }

    /// The message as its row held it. Each content is sealed again by itself, so that callers need not know whether it was
    /// archived.
    fn message(&self, ctx: &Ctx<'_>, key: &CustomerKey, conversation: ConversationId) -> Result<Message, StepError> {
        let content = match (&self.content, &self.sealed) {
            (Some(content), _) => sealing::seal_content(ctx, key, conversation, self.id, content)?,
            (None, sealed) => STANDARD.decode(sealed.as_deref().unwrap_or_default()).map_err(|_| SealError::Format)?,
        };
        Ok(Message {
            conversation,
            n: self.n,
            id: self.id,
            origin: self.from,
            agent: self.agent,
            content,
            at: self.at,
            delivery: self.delivery,
            reason: self.reason.clone(),
        })
    }
}

fn aad(conversation: ConversationId, first: i64, last: i64) -> [u8; 36] {
    let mut aad = [0; 36];
    aad[..4].copy_from_slice(b"pack");
    aad[4..20].copy_from_slice(conversation.as_bytes());
    aad[20..28].copy_from_slice(&first.to_be_bytes());
    aad[28..].copy_from_slice(&last.to_be_bytes());
    aad
}

/// The first messages of a conversation that are still rows: as many as one pack takes, and at most `most`.
pub fn next_rows(ctx: &Ctx<'_>, conversation: ConversationId, most: i64) -> Result<Vec<Message>, StepError> {
    let (mut rows, mut bytes): (Vec<Message>, usize) = (Vec::new(), 0);
    let most = usize::try_from(most.min(PACK_MESSAGES)).unwrap_or(0);
    while rows.len() < most && bytes < PACK_BYTES {
        let read = messages::list(ctx.db, conversation, rows.last().map_or(0, |m| m.n), READ)?;
        if read.is_empty() {
            break;
        }
        bytes += read.iter().map(|m| m.content.len()).sum::<usize>();
        rows.extend(read);
    }
    rows.truncate(most);
    Ok(rows)
}

/// Moves messages from rows into a pack. It runs in the caller's transaction.
pub fn pack(ctx: &Ctx<'_>, key: &CustomerKey, conversation: ConversationId, rows: Vec<Message>) -> Result<(), StepError> {
    let (Some(first), Some(last)) = (rows.first().map(|m| m.n), rows.last().map(|m| m.n)) else { return Ok(()) };
    let packed: Vec<Packed> = rows.into_iter().map(|m| Packed::new(key, m)).collect();
    let text = serde_json::to_vec(&packed).map_err(|_| SealError::Format)?;
    let content = key.seal(&aad(conversation, first, last), &compress_to_vec(&text, LEVEL), ctx.rng)?;
    archive::insert(ctx.db, conversation, &Pack { first, last, content })?;
    Ok(messages::remove(ctx.db, conversation, last)?)
}

/// An opened pack.
struct Opened {
    first: i64,
    last: i64,
    messages: Vec<Packed>,
}

/// Reads the messages of a conversation from rows and packs. Do not use it inside a transaction: it reports altered
/// packs, which takes a transaction of its own. It keeps the pack that it opened last, because callers usually read
/// neighbouring messages.
pub struct Reader<'a> {
    ctx: &'a Ctx<'a>,
    conversation: Rc<Conversation>,
    key: Option<CustomerKey>,
    opened: Option<Opened>,
}

impl<'a> Reader<'a> {
    /// A reader of a conversation.
    pub fn new(ctx: &'a Ctx<'a>, conversation: Rc<Conversation>) -> Self {
        Self { ctx, conversation, key: None, opened: None }
    }

    /// The conversation.
    pub fn conversation(&self) -> &Rc<Conversation> {
        &self.conversation
    }

    /// The message with that number; `None` if it is gone.
    pub fn get(&mut self, n: i64) -> Result<Option<Message>, StepError> {
        if let Some(message) = messages::get(self.ctx.db, self.conversation.id, n)? {
            return Ok(Some(message));
        }
        self.open(n)?;
        Ok(self.packed(n, n)?.pop())
    }

    /// Messages after a number, in order.
    pub fn after(&mut self, n: i64, limit: i64) -> Result<Vec<Message>, StepError> {
        let mut rows = messages::list(self.ctx.db, self.conversation.id, n, limit)?;
        let rows_from = rows.first().map_or(self.conversation.messages + 1, |m| m.n);
        let (mut found, mut from) = (Vec::new(), n + 1);
        while from < rows_from && count(&found) < limit {
            let Some((first, last)) = self.open(from)? else { break };
            // Messages before the first pack are gone.
            from = from.max(first);
            let to = last.min(from + limit - count(&found) - 1).min(rows_from - 1);
            found.extend(self.packed(from, to)?);
            from = to.max(from) + 1;
        }
        rows.truncate(usize::try_from(limit - count(&found)).unwrap_or(0));
        found.append(&mut rows);
        Ok(found)
    }

    /// Messages before a number, the newest first.
    pub fn before(&mut self, n: i64, limit: i64) -> Result<Vec<Message>, StepError> {
        let mut found = messages::before(self.ctx.db, self.conversation.id, n, limit)?;
        let mut next = found.last().map_or(n, |m| m.n);
        while next > 1 && count(&found) < limit {
            let Some((first, _)) = self.open(next - 1)?.filter(|(first, _)| *first < next) else { break };
            let from = first.max(next - limit + count(&found));
            found.extend(self.packed(from, next - 1)?.into_iter().rev());
            next = from;
        }
        Ok(found)
    }

    /// The messages with numbers `from` to `to`, as far as the opened pack holds them.
    fn packed(&self, from: i64, to: i64) -> Result<Vec<Message>, StepError> {
        let (Some(opened), Some(key)) = (&self.opened, &self.key) else { return Ok(Vec::new()) };
        let wanted = opened.messages.iter().filter(|m| (from..=to).contains(&m.n));
        wanted.map(|m| m.message(self.ctx, key, self.conversation.id)).collect()
    }

    /// Opens the pack that holds message `n`, or the next pack, and returns the numbers of its first and last message. A
    /// pack that does not open counts as empty, so that it hides no other pack.
    fn open(&mut self, n: i64) -> Result<Option<(i64, i64)>, StepError> {
        if let Some(Opened { first, last, .. }) = self.opened
            && (first..=last).contains(&n)
        {
            return Ok(Some((first, last)));
        }
        let Some(pack) = archive::holding(self.ctx.db, self.conversation.id, n)? else { return Ok(None) };
        if self.key.is_none() {
            self.key = sealing::customer_key(self.ctx, self.conversation.customer).ok();
        }
        let messages = match self.key.as_ref().map(|key| unpack(key, self.conversation.id, &pack)) {
            Some(Some(messages)) => messages,
            Some(None) => {
                let (customer, conversation) = (self.conversation.customer, Some(self.conversation.id));
                tampering::tell(self.ctx, &[Broken { customer, conversation, what: Value::Pack(pack.last) }])?;
                Vec::new()
            }
            None => Vec::new(),
        };
        self.opened = Some(Opened { first: pack.first, last: pack.last, messages });
        Ok(Some((pack.first, pack.last)))
    }
}

fn count(found: &[Message]) -> i64 {
    i64::try_from(found.len()).unwrap_or(i64::MAX)
}

fn unpack(key: &CustomerKey, conversation: ConversationId, pack: &Pack) -> Option<Vec<Packed>> {
    let plain = key.open(&aad(conversation, pack.first, pack.last), &pack.content).ok()?;
    serde_json::from_slice(&decompress_to_vec_with_limit(&plain, OPENED_LIMIT).ok()?).ok()
}
