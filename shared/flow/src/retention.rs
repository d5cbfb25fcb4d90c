//! How long stored data is kept. Messages of a closed conversation stay in rows for a while, then in the archive, and then
//! are removed. The conversation and its events, which hold ids and figures, stay. A legal hold keeps everything.
//!
//! The audit log is not pruned: it is a chain, and must not have an end that can be cut off. Events are not pruned: the
//! figures are computed from them.

use crate::hold;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_kernel::audit::{self, Action, Of};
use warmline_kernel::ctx::{Actor, Ctx, StepError};
use warmline_kernel::{archive, sealed};
use warmline_model::Timestamp;
use warmline_privacy::CustomerKey;
use warmline_routing::staffing::work::quarter;
use warmline_store::archive::{self as stored, Stage};
use warmline_store::conversations::Conversation;
use warmline_store::{StoreError, config, immediate, inbox, messages, outbox, staffing};

/// The name of the settings' document.
const SETTINGS: &str = "retention";
/// Conversations in a transaction.
const BATCH: i64 = 32;
/// Packs of one conversation that are removed in one transaction.
const REMOVED: i64 = 16;
/// Inbox rows that are emptied in one transaction.
const PARKED: i64 = 256;
const DAY_MS: i64 = 86_400_000;

/// For how many days things are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Messages of a closed conversation, at hand: 1 to 3650 days after the last of them.
    #[schemars(range(min = 1, max = 3650))]
    pub hot_days: i64,
    /// Messages after that, in the archive: 0 to 3650. With 0 they are removed instead.
    #[schemars(range(min = 0, max = 3650))]
    pub archive_days: i64,
    /// The sealed payload of webhooks that could not be handled: 1 to 3650.
    #[schemars(range(min = 1, max = 3650))]
    pub parked_days: i64,
    /// Contacts and work by quarter of an hour, which staffing looks back on: 30 to 3650.
    #[schemars(range(min = 30, max = 3650))]
    pub work_days: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { hot_days: 30, archive_days: 365, parked_days: 30, work_days: 400 }
    }
}

impl Settings {
    /// Checks that every number is within its bounds.
    ///
    /// # Errors
    /// The field that is out of its bounds.
    fn check(&self) -> Result<(), StepError> {
        let all = [
            ("hot_days", self.hot_days, 1),
            ("archive_days", self.archive_days, 0),
            ("parked_days", self.parked_days, 1),
            ("work_days", self.work_days, 30),
        ];
        match all.into_iter().find(|(_, days, least)| !(*least..=3650).contains(days)) {
            Some((field, _, least)) => Err(StepError::invalid(field, format!("is a number of days from {least} to 3650"))),
            None => Ok(()),
        }
    }
}

/// The settings in force and their version; 0 before the first change.
pub fn settings(ctx: &Ctx<'_>) -> Result<(Settings, i64), StepError> {
    let Some((text, version)) = config::get(ctx.db, SETTINGS)? else { return Ok((Settings::default(), 0)) };
    Ok((serde_json::from_str(&text).map_err(|_| StoreError::Shape(0))?, version))
}

/// Replaces the settings and returns their new version.
///
/// # Errors
/// A number is out of its bounds, or the store fails.
pub fn change(ctx: &Ctx<'_>, actor: &Actor, settings: &Settings) -> Result<i64, StepError> {
    settings.check()?;
    let text = serde_json::to_string(settings).map_err(|_| StoreError::Shape(0))?;
    audit::append(ctx, actor, Action::ChangeRetention, Of::default())?;
    Ok(config::put(ctx.db, SETTINGS, &text, ctx.now())?)
}

/// Does a bounded part of what is due. Returns how many messages were archived, and how many conversations lost their
/// messages.
///
/// # Errors
/// The store fails. Committed parts stay, and nothing is half done.
pub fn step(ctx: &Ctx<'_>) -> Result<(i64, i64), StepError> {
    let (settings, _) = settings(ctx)?;
    let now = ctx.now();
    let before = |days: i64| now.plus_millis(-days * DAY_MS);
    let mut done = (0, 0);
    for (stage, until) in
        [(Stage::Rows, before(settings.hot_days)), (Stage::Packs, before(settings.hot_days + settings.archive_days))]
    {
        // A read without the write lock: mostly nothing is due.
        if stored::due(ctx.db, stage, until, 1)?.is_empty() {
            continue;
        }
        let (archived, removed) = immediate(ctx.db, || age(ctx, &settings, stage, until))?;
        done = (done.0 + archived, done.1 + removed);
    }
    inbox::empty_parked(ctx.db, before(settings.parked_days), PARKED)?;
    staffing::forget(ctx.db, quarter(before(settings.work_days)))?;
    Ok(done)
}

/// Moves due conversations of a stage on, until one pack's messages were moved.
fn age(ctx: &Ctx<'_>, settings: &Settings, stage: Stage, until: Timestamp) -> Result<(i64, i64), StepError> {
    let (mut archived, mut removed) = (0, 0);
    for conversation in stored::due(ctx.db, stage, until, BATCH)? {
        let Some(key) = free(ctx, &conversation)? else {
            // It is looked at again in a day.
            stored::count_from(ctx.db, conversation.id, until.plus_millis(DAY_MS))?;
            continue;
        };
        if stage == Stage::Rows && settings.archive_days > 0 {
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

/// The key of a conversation whose messages may be moved. `None` if they are held, if one is waiting for delivery, or if the
/// key does not open, which may be temporary.
fn free(ctx: &Ctx<'_>, conversation: &Conversation) -> Result<Option<CustomerKey>, StepError> {
    match hold::check(ctx, conversation.person) {
        Err(StepError::Conflict { .. }) => return Ok(None),
        other => other?,
    }
    if outbox::is_open(ctx.db, conversation.id)? {
        return Ok(None);
    }
    match sealed::customer_key(ctx, conversation.customer) {
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

/// Removes some of a conversation's messages. Returns whether none is left.
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
