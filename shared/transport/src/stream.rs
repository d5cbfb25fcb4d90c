//! Replies for customers whose own client fetches or streams them (app, web chat).

use crate::deliver::Job;
use serde::Serialize;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::payload::sender_lookup;
use warmline_kernel::sealing;
use warmline_model::{AccountId, Channel, Content, ConversationId, MessageId, Origin, Timestamp};
use warmline_store::{conversations, customers, messages};

/// A place in an identity's stream: after one message of one conversation. Its text is an opaque cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    conversation: ConversationId,
    n: i64,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.conversation, self.n)
    }
}

impl std::str::FromStr for Cursor {
    type Err = StepError;
    fn from_str(s: &str) -> Result<Self, StepError> {
        let bad = || StepError::Invalid {
            code: "bad_cursor",
            field: "after".into(),
            problem: "not a cursor that this stream gave out".into(),
        };
        let (conversation, n) = s.split_once('.').ok_or_else(bad)?;
        Ok(Self { conversation: conversation.parse().map_err(|_| bad())?, n: n.parse().map_err(|_| bad())? })
    }
}

/// One message as the customer's client receives it. It names no agent.
#[derive(Serialize)]
pub struct Streamed {
    /// The message.
    pub id: MessageId,
    /// The place after this message.
    #[serde(serialize_with = "as_text")]
    pub cursor: Cursor,
    /// The author of the message.
    pub from: Origin,
    /// The content of the message.
    pub content: Content,
    /// The time at which it was written.
    pub at: Timestamp,
}

fn as_text<S: serde::Serializer>(cursor: &Cursor, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(cursor)
}

impl From<&Job> for Streamed {
    /// A reply under way.
    fn from(job: &Job) -> Self {
        Self {
            id: job.row.message,
            cursor: Cursor { conversation: job.row.conversation, n: job.row.n },
            from: job.from,
            content: job.content.clone(),
            at: job.at,
        }
    }
}

/// The name under which a gateway sends a sender's replies to that sender's connections. It identifies nobody, and
/// cannot be guessed for another sender.
pub fn subscription(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId, open_id: &str) -> [u8; 16] {
    ctx.keys.index().of("subscription", &[channel.as_str(), account.as_str(), open_id])
}

/// The place before a reply. A client that has seen everything before it in the conversation holds this place.
pub fn before(ctx: &Ctx<'_>, reply: Cursor) -> Result<Cursor, StepError> {
    let n = messages::to_customer_before(ctx.db, reply.conversation, reply.n)?;
    Ok(Cursor { conversation: reply.conversation, n })
}

/// A part of a sender's stream.
#[derive(Default)]
pub struct Replies {
    /// The messages, in order.
    pub items: Vec<Streamed>,
    /// The place after them; `None` before the first conversation.
    pub next: Option<Cursor>,
    /// Whether more can be read at once: as many were found as were asked for.
    pub more: bool,
}

/// The brand's messages to a sender after a place. Without a place, they start at the beginning of the newest
/// conversation.
///
/// # Errors
/// The store fails, or a message does not open.
pub fn replies(
    ctx: &Ctx<'_>,
    channel: &Channel,
    account: &AccountId,
    open_id: &str,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Replies, StepError> {
    let lookup = sender_lookup(&ctx.keys.index(), channel, account, open_id);
    let nothing = Replies { next: after, ..Replies::default() };
    let Some(identity) = customers::identity_by_lookup(ctx.db, &lookup)? else { return Ok(nothing) };
    let from = match after {
        Some(cursor) => cursor,
        None => match conversations::latest(ctx.db, identity)? {
            Some(conversation) => Cursor { conversation, n: 0 },
            None => return Ok(nothing),
        },
    };
    let mut found = Vec::new();
    for conversation in conversations::of_identity(ctx.db, identity, from.conversation)? {
        let after = if conversation == from.conversation { from.n } else { 0 };
        let room = limit.saturating_sub(i64::try_from(found.len()).unwrap_or(i64::MAX));
        if room <= 0 {
            break;
        }
        found.extend(messages::to_customer(ctx.db, conversation, after, room)?);
    }
    let Some(last) = found.last() else { return Ok(Replies { next: Some(from), ..nothing }) };
    let next = Some(Cursor { conversation: last.conversation, n: last.n });
    let more = i64::try_from(found.len()).is_ok_and(|found| found >= limit);
    let (_, customer) = customers::sender(ctx.db, identity)?.ok_or(StepError::NotFound("identity"))?;
    let key = sealing::customer_key(ctx, customer)?;
    let items = found.iter().map(|m| {
        Ok(Streamed {
            id: m.id,
            cursor: Cursor { conversation: m.conversation, n: m.n },
            from: m.origin,
            content: sealing::open_content(&key, m)?,
            at: m.at,
        })
    });
    Ok(Replies { items: items.collect::<Result<_, StepError>>()?, next, more })
}
