//! The ageing of messages. Those of a closed conversation stay in rows for a while, then in the archive, and then are
//! removed. The conversation and its events, which hold ids and figures, stay. A legal hold keeps everything.

use warmline_customers::hold;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::personal::{Counts, Keeping};
use warmline_kernel::{archive, sealing};
use warmline_model::Timestamp;
use warmline_privacy::CustomerKey;
use warmline_store::archive::{self as stored, Stage};
use warmline_store::conversations::Conversation;
use warmline_store::{immediate, messages, outbox};

/// Conversations in a transaction.
const BATCH: i64 = 32;
/// Packs of one conversation that are removed in one transaction.
const REMOVED: i64 = 16;

/// Does a bounded part of the due work: messages stay in rows for `hot` days, and in the archive for `archived` days after
/// that. Returns how many messages were archived, and how many conversations lost their messages.
///
/// # Errors
/// The store fails. Committed parts stay, and nothing is half done.
pub fn step(ctx: &Ctx<'_>, hot: i64, archived: i64) -> Result<Counts, StepError> {
    let now = ctx.now();
    let mut done = (0, 0);
    for (stage, days) in [(Stage::Rows, hot), (Stage::Packs, hot + archived)] {
        let until = Keeping::before(now, days);
        // A read without the write lock. Mostly nothing is due.
        if stored::due(ctx.db, stage, until, 1)?.is_empty() {
            continue;
        }
        let (archived, removed) = immediate(ctx.db, || age(ctx, archived > 0, stage, until))?;
        done = (done.0 + archived, done.1 + removed);
    }
    Ok(vec![("archived", done.0), ("removed", done.1)])
}

/// Moves due conversations of a stage on, until one pack's messages were moved.
fn age(ctx: &Ctx<'_>, archives: bool, stage: Stage, until: Timestamp) -> Result<(i64, i64), StepError> {
    let (mut archived, mut removed) = (0, 0);
    for conversation in stored::due(ctx.db, stage, until, BATCH)? {
        let Some(key) = free(ctx, &conversation)? else {
            // The conversation is looked at again in a day.
            stored::count_from(ctx.db, conversation.id, Keeping::before(until, -1))?;
            continue;
        };
        if stage == Stage::Rows && archives {
            archived += pack(ctx, &key, &conversation, archive::PACK_MESSAGES - archived)?;
        } else {
            removed += i64::from(remove(ctx, &conversation)?);
        }
        if archived >= archive::PACK_MESSAGES {
            break;
        }
    }
    Ok((archived, removed))
}

/// The key of a conversation whose messages may be moved. `None` if they are held, if one waits for delivery, or if the key
/// does not open, which may be temporary.
fn free(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<Option<CustomerKey>, StepError> {
    match hold::check(ctx, conversation.person) {
        Err(StepError::Conflict { .. }) => return Ok(None),
        other => other?,
    }
    if outbox::is_open(ctx.db, conversation.id)? {
        return Ok(None);
    }
    match sealing::customer_key(ctx, conversation.customer) {
        Err(StepError::Store(error)) => Err(error.into()),
        key => Ok(key.ok()),
    }
}

/// Packs at most `most` of a conversation's next messages, and returns how many.
fn pack(ctx: &Ctx<'_>, key: &CustomerKey, conversation: &Conversation, most: i64) -> Result<i64, StepError> {
    let rows = archive::next_rows(ctx, conversation.id, most)?;
    let Some(last) = rows.last().map(|m| m.n) else {
        stored::advance(ctx.db, conversation.id, Stage::Packs)?;
        return Ok(0);
    };
    let packed = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    archive::pack(ctx, key, conversation.id, rows)?;
    if last >= conversation.messages {
        stored::advance(ctx.db, conversation.id, Stage::Packs)?;
    }
    Ok(packed)
}

/// Removes some of a conversation's messages. Returns true if none is left.
fn remove(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<bool, StepError> {
    if stored::remove(ctx.db, conversation.id, REMOVED)? == usize::try_from(REMOVED).unwrap_or(0) {
        return Ok(false);
    }
    let to = archive::next_rows(ctx, conversation.id, archive::PACK_MESSAGES)?.last().map_or(0, |m| m.n);
    messages::remove(ctx.db, conversation.id, to)?;
    if !messages::list(ctx.db, conversation.id, to, 1)?.is_empty() {
        return Ok(false);
    }
    stored::advance(ctx.db, conversation.id, Stage::Gone)?;
    Ok(true)
}
