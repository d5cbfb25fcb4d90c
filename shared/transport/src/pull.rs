//! Messages that are fetched. A fetcher claims a source, asks page by page, and keeps each page in one transaction with the
//! cursor; what is fetched twice (a crash, a lease that ran out) is stored once, since the inbox knows its key.

use crate::deliver::{BACKOFF_MAX_MS, doubled, jittered};
use crate::ingest::{self, Ingested};
use crate::odd;
use warmline_channels::{Outcome, Page};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::{Channel, Timestamp};
use warmline_store::immediate;
use warmline_store::pulls::{self, Claimed, End};

/// How long a claim lasts without a page: longer than any call to a platform may take.
const LEASE_MS: i64 = 20_000;
/// How often a source is asked that is asked again and again.
const POLL_MS: i64 = 5_000;
/// The longest that a source waits because its platform said so.
const HOLD_MAX_MS: i64 = 3_600_000;

/// A source that a fetcher holds.
pub struct Turn {
    /// The source.
    pub claimed: Claimed,
    channel: Channel,
    owner: [u8; 16],
}

/// Claims sources of a channel that are due.
pub fn claim(ctx: &Ctx<'_>, channel: &Channel, limit: i64) -> Result<Vec<Turn>, StepError> {
    let (owner, now) = (ctx.owner(), ctx.now());
    let claimed = pulls::claim(ctx.db, channel, &owner, now, now.plus_millis(LEASE_MS), limit)?;
    Ok(claimed.into_iter().map(|claimed| Turn { claimed, channel: channel.clone(), owner }).collect())
}

/// Keeps a page: its messages, what of it could not be read, and its cursor, or nothing. `None` where the lease ran out meanwhile: somebody else has the
/// source, and this fetcher is to stop.
///
/// # Errors
/// The store fails: the page is fetched again.
pub fn keep(ctx: &Ctx<'_>, turn: &mut Turn, page: &Page) -> Result<Option<Vec<Ingested>>, StepError> {
    let (channel, account, now) = (&turn.channel, &turn.claimed.account, ctx.now());
    let rows = ingest::prepare(ctx, channel, account, page.messages.clone(), None)?;
    let odd = odd::prepare(ctx, channel, account, page.odd.clone())?;
    let (cursor, until) = (page.cursor.as_deref(), now.plus_millis(LEASE_MS));
    let kept = immediate(ctx.db, || {
        if !pulls::advance(ctx.db, channel, &turn.claimed, &turn.owner, cursor, until)? {
            return Ok(None);
        }
        odd.iter().try_for_each(|item| item.store(ctx, channel, account, now))?;
        rows.iter().map(|row| row.store(ctx, channel, account, now)).collect::<Result<_, StepError>>().map(Some)
    })?;
    if kept.is_some() && page.cursor.is_some() {
        turn.claimed.cursor.clone_from(&page.cursor);
    }
    Ok(kept)
}

/// Gives a source up after its last page.
///
/// # Errors
/// The store fails: the lease runs out.
pub fn done(ctx: &Ctx<'_>, turn: &Turn) -> Result<(), StepError> {
    let now = ctx.now();
    let due_at = turn.claimed.polled.then(|| now.plus_millis(POLL_MS));
    end(ctx, turn, End { due_at, attempts: 0, problem: None, more: false }, now)
}

/// Gives a source up before its last page: this fetcher's time is over. It is due at once.
///
/// # Errors
/// The store fails: the lease runs out.
pub fn pause(ctx: &Ctx<'_>, turn: &Turn) -> Result<(), StepError> {
    let now = ctx.now();
    end(ctx, turn, End { due_at: Some(now), attempts: 0, problem: None, more: true }, now)
}

/// Gives a source up that could not be asked, until it is worth another try: not before the platform's own word, where it
/// gave one.
///
/// # Errors
/// The store fails: the lease runs out.
pub fn failed(ctx: &Ctx<'_>, turn: &Turn, outcome: &Outcome, not_before: Option<Timestamp>) -> Result<(), StepError> {
    let (now, attempts) = (ctx.now(), turn.claimed.attempts + 1);
    let (pause, problem) = match outcome {
        // Waiting does not mend it; whoever does should not wait for ever.
        Outcome::Permanent(reason) => (BACKOFF_MAX_MS, *reason),
        Outcome::Retry(reason) => (doubled(attempts), *reason),
        Outcome::RefreshToken => (doubled(attempts), "token_refused"),
        Outcome::Sent => (doubled(attempts), "answer_unreadable"),
    };
    let due_at = now.plus_millis(jittered(ctx, pause)).max(not_before.unwrap_or(now).min(now.plus_millis(HOLD_MAX_MS)));
    end(ctx, turn, End { due_at: Some(due_at), attempts, problem: Some(problem), more: false }, now)
}

fn end(ctx: &Ctx<'_>, turn: &Turn, end: End, now: Timestamp) -> Result<(), StepError> {
    Ok(pulls::end(ctx.db, &turn.channel, &turn.claimed, &turn.owner, end, now)?)
}
