//! Folds the event log into cells and groups' work, and reads figures out of them.

use crate::cell::roll_up;
use crate::figures::{Figures, Gauges, OfAccount};
use crate::store;
use warmline_conversations::staffing::work_of;
use warmline_conversations::store::{queues, staffing};
use warmline_endpoint::capability::follow;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::Timestamp;
use warmline_model::figure::Gauge;
use warmline_store::{
    conversations, damage, events, failures, followers, immediate, inbox, odd_items, outages, outbox, refusals,
};

const FOLLOWER: &str = "metrics";
const BATCH: i64 = 512;

/// Folds the next events. Returns true if there were any: more may wait. Cells, groups' work and the position are written in one
/// transaction, so each event counts once.
pub fn advance(ctx: &Ctx<'_>) -> Result<bool, StepError> {
    let from = followers::position(ctx.db, FOLLOWER)?;
    let batch = events::after(ctx.db, from, BATCH)?;
    let Some(last) = batch.last().map(|e| e.seq) else { return Ok(false) };
    let (cells, work) = (roll_up(&batch, ctx.installed.figures.iter().copied().flatten()), work_of(&batch));
    immediate(ctx.db, || {
        if followers::position(ctx.db, FOLLOWER)? != from {
            return Ok::<_, StepError>(());
        }
        store::add(ctx.db, &cells)?;
        for (group, quarter) in &work {
            staffing::add(ctx.db, group, quarter)?;
        }
        Ok(followers::advance(ctx.db, FOLLOWER, last)?)
    })?;
    Ok(true)
}

/// The time for which one call folds.
const BUDGET_MS: i64 = 3_000;

/// Folds new events, for a limited time.
pub fn catch_up(ctx: &Ctx<'_>) -> Result<(), StepError> {
    follow(ctx, advance, ctx.now().plus_millis(BUDGET_MS))?;
    Ok(())
}

/// The figures of the last hours (of all hours if `None`), and the present gauges.
pub fn read(ctx: &Ctx<'_>, hours: Option<i64>) -> Result<Figures, StepError> {
    let since = hours.map_or(i64::MIN, |h| ctx.now().secs().div_euclid(3600).saturating_sub(h));
    let cells = store::since(ctx.db, since)?;
    let (damaged, refused): (Vec<_>, Vec<_>) =
        refusals::totals(ctx.db)?.into_iter().partition(|(channel, reason, _)| damage::is_damage(channel, reason));
    let refused = refused.into_iter().map(|(channel, reason, n)| (format!("{channel}/{reason}"), n));
    let odd = odd_items::totals(ctx.db)?.into_iter().map(|(channel, reason, n)| (format!("{channel}/{reason}"), n));
    let (instant, waiting) = (ctx.now(), outbox::waiting(ctx.db)?);
    let secs = |since: Timestamp| instant.since(since).max(0) / 1000;
    let given_up = outbox::given_up(ctx.db)?.into_iter();
    let outages = outages::down(ctx.db)?.into_iter();
    let now = Gauges {
        queue_length: queues::list(ctx.db)?.into_iter().map(|q| (q.group.to_string(), q.waiting)).collect(),
        conversations: conversations::open_by_state(ctx.db)?.into_iter().collect(),
        outbox_oldest_secs: waiting.iter().map(|(channel, _, since)| (channel.clone(), secs(*since))).collect(),
        outbox_waiting: waiting.into_iter().map(|(channel, n, _)| (channel, n)).collect(),
        given_up: given_up.map(|(channel, account, reason, count)| OfAccount { channel, account, reason, count }).collect(),
        outage_secs: outages
            .map(|o| OfAccount { count: secs(o.since), channel: o.channel, account: o.account, reason: o.reason })
            .collect(),
        inbox_waiting: inbox::waiting(ctx.db)?,
        tokens_refused: failures::count(ctx.db, failures::ALL, ctx.now())?,
        webhooks_refused: refused.collect(),
        store_damaged: damaged.into_iter().map(|(_, _, n)| n).sum(),
        intake_odd_items: odd.collect(),
        events_behind: events::last(ctx.db)? - followers::position(ctx.db, FOLLOWER)?,
        more: more(ctx)?,
    };
    Ok(Figures::new(&cells, now, ctx.installed.figures.iter().copied().flatten()))
}

/// The present gauges of each capability.
fn more(ctx: &Ctx<'_>) -> Result<Vec<Gauge>, StepError> {
    let all: Result<Vec<_>, _> = ctx.installed.gauges.iter().map(|read| read(ctx)).collect();
    Ok(all?.into_iter().flatten().collect())
}
