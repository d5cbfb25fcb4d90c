//! Quality inspection: follows the event log, reads every message, and raises an alert if a message contains sensitive
//! words.

use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealing;
use warmline_language::{Checker, SensitiveWord, default_words};
use warmline_model::{ConversationId, EventBody, MessageId, Origin};
use warmline_store::{StoreError, config, events, followers, immediate, messages};

/// The name of the document with the words.
pub const WORDS: &str = "sensitive_words";
const FOLLOWER: &str = "quality";
const BATCH: i64 = 256;

/// The brand's words, or the default ones.
///
/// # Errors
/// The stored list cannot be read.
pub fn words(ctx: &Ctx<'_>) -> Result<Vec<SensitiveWord>, StepError> {
    match config::get(ctx.db, WORDS)? {
        Some((text, _)) => Ok(serde_json::from_str(&text).map_err(|_| StoreError::Shape(0))?),
        None => Ok(default_words()),
    }
}

/// Inspects the next events. Returns true if there were any: more may wait. Alerts and the follower's position are written in one transaction,
/// so overlapping runs raise each alert once.
pub fn inspect(ctx: &Ctx<'_>) -> Result<bool, StepError> {
    let from = followers::position(ctx.db, FOLLOWER)?;
    let next = events::messages_after(ctx.db, from, BATCH)?;
    let Some(last) = next.last else { return Ok(false) };
    let checker = Checker::new(words(ctx)?).map_err(|e| StoreError::Other(e.to_string()))?;
    // Messages are opened and searched before the transaction, which then holds the write lock only for the writes.
    let mut alerts = Vec::new();
    for event in &next.messages {
        let (id, n, from) = match &event.body {
            EventBody::MessageReceived { message, n, .. } => (*message, *n, Origin::Customer),
            EventBody::MessageSent { message, n, from, .. } => (*message, *n, *from),
            _ => continue,
        };
        if let Some(conversation) = event.conversation {
            alerts.extend(look(ctx, &checker, conversation, id, n, from)?.map(|body| (conversation, body)));
        }
    }
    immediate(ctx.db, || {
        if followers::position(ctx.db, FOLLOWER)? != from {
            return Ok::<_, StepError>(());
        }
        for (conversation, body) in &alerts {
            events::append(ctx.db, ctx.now(), Some(*conversation), body)?;
        }
        Ok(followers::advance(ctx.db, FOLLOWER, last)?)
    })?;
    Ok(true)
}

fn look(
    ctx: &Ctx<'_>,
    checker: &Checker,
    conversation: ConversationId,
    message: MessageId,
    n: i64,
    from: Origin,
) -> Result<Option<EventBody>, StepError> {
    let text = match open(ctx, conversation, n) {
        Ok(text) => text,
        Err(StepError::Store(e)) => return Err(e.into()),
        // The message was erased or altered. There is nothing to inspect, and the run continues.
        Err(_) => return Ok(None),
    };
    let Some(text) = text else { return Ok(None) };
    let found = checker.check(&text);
    let Some(severity) = found.iter().map(|w| w.severity).max() else { return Ok(None) };
    let words = found.iter().map(|w| w.word.clone()).collect();
    Ok(Some(EventBody::QualityAlert { message, from, words, severity }))
}

fn open(ctx: &Ctx<'_>, conversation: ConversationId, n: i64) -> Result<Option<String>, StepError> {
    let found = messages::with_customer(ctx.db, conversation, n)?;
    let (message, customer) = found.ok_or(StepError::NotFound("message"))?;
    let key = sealing::customer_key(ctx, customer)?;
    Ok(sealing::open_content(&key, &message)?.words().map(str::to_owned))
}
