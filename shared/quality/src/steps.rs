//! Quality inspection: follows the event log, reads every message, and raises an alert if a message contains sensitive
//! words.

use serde::{Deserialize, Serialize};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::sealing;
use warmline_language::{Checker, Effect, SensitiveWord, default_words, head};
use warmline_model::{ConversationId, EventBody, MessageId, Origin};
use warmline_store::{StoreError, config, events, followers, immediate, messages, watched_words};

/// The document with the words as the previous release reads them: without effects and exceptions. Its version is that of
/// the list.
const PLAIN: &str = "sensitive_words";
/// The document with the words.
const WORDS: &str = "words";
const FOLLOWER: &str = "quality";
const BATCH: i64 = 256;

/// The document [`WORDS`].
#[derive(Serialize, Deserialize)]
struct List {
    /// The version of [`PLAIN`] that was stored with it. If that has another one, the previous release has changed the list
    /// since.
    version: i64,
    words: Vec<SensitiveWord>,
}

/// A word in [`PLAIN`].
#[derive(Serialize)]
struct PlainWord<'a> {
    word: &'a str,
    category: &'a str,
    severity: i64,
}

fn text<T: Serialize>(value: &T) -> Result<String, StepError> {
    Ok(serde_json::to_string(value).map_err(|e| StoreError::Other(e.to_string()))?)
}

/// The brand's words with the version of their list, or the default ones with version 0.
///
/// # Errors
/// The stored list cannot be read.
pub fn words(ctx: &Ctx<'_>) -> Result<(Vec<SensitiveWord>, i64), StepError> {
    let Some((plain, version)) = config::get(ctx.db, PLAIN)? else { return Ok((default_words(), 0)) };
    if let Some((list, _)) = config::get(ctx.db, WORDS)? {
        let list: List = serde_json::from_str(&list).map_err(|_| StoreError::Shape(0))?;
        if list.version == version {
            return Ok((list.words, version));
        }
    }
    Ok((serde_json::from_str(&plain).map_err(|_| StoreError::Shape(0))?, version))
}

/// Replaces the words, and returns the version of the list. From now on each message of the brand is checked for those that
/// have an effect. Runs in the caller's transaction.
pub fn set_words(ctx: &Ctx<'_>, words: Vec<SensitiveWord>) -> Result<(Vec<SensitiveWord>, i64), StepError> {
    let plain = words.iter().map(|w| PlainWord { word: &w.word, category: &w.category, severity: w.severity });
    let version = config::put(ctx.db, PLAIN, &text(&plain.collect::<Vec<_>>())?, ctx.now())?;
    let watched = words.iter().filter(|word| word.effect != Effect::Info);
    let watched = watched.map(|word| Ok((head(&word.word), text(word)?))).collect::<Result<Vec<_>, StepError>>()?;
    watched_words::replace(ctx.db, &text(&watched)?)?;
    let list = List { version, words };
    config::put(ctx.db, WORDS, &text(&list)?, ctx.now())?;
    Ok((list.words, version))
}

/// Inspects the next events. Returns true if there were any: more may wait. Alerts and the follower's position are written in one transaction,
/// so overlapping runs raise each alert once.
pub fn inspect(ctx: &Ctx<'_>) -> Result<bool, StepError> {
    let from = followers::position(ctx.db, FOLLOWER)?;
    let next = events::messages_after(ctx.db, from, BATCH)?;
    let Some(last) = next.last else { return Ok(false) };
    let checker = Checker::new(words(ctx)?.0).map_err(|e| StoreError::Other(e.to_string()))?;
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
