//! Metrics: folds the event log into rollups and groups' work, and reads figures from them.

use crate::staffing::work_of;
use std::collections::BTreeMap;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_metrics::histogram::bucket;
use warmline_metrics::{Cell, Figures, Gauges, OfAccount, fold};
use warmline_model::{Event, Timestamp};
use warmline_store::{
    conversations, damage, events, failures, followers, immediate, inbox, odd_items, outages, outbox, queues, refusals,
    rollups, staffing,
};

const FOLLOWER: &str = "metrics";
const BATCH: i64 = 512;

/// Adds events up by figure, hour of the event's own time, channel and bucket. This is pure: the same events give the same
/// cells.
pub fn roll_up(batch: &[Event]) -> Vec<rollups::Cell> {
    let mut cells: BTreeMap<(&'static str, i64, String, i64), (i64, i64)> = BTreeMap::new();
    for event in batch {
        let hour = event.at.secs().div_euclid(3600);
        for sample in fold(&event.body) {
            let key = (sample.figure, hour, sample.channel, sample.millis.map_or(0, bucket));
            let cell = cells.entry(key).or_default();
            cell.0 += 1;
            cell.1 += sample.millis.unwrap_or(0);
        }
    }
    cells
        .into_iter()
        .map(|((figure, hour, channel, bucket), (n, total))| rollups::Cell {
            figure: figure.to_owned(),
            hour,
            channel,
            bucket,
            n,
            total,
        })
        .collect()
}

/// Folds the next events; true if more wait. Cells, groups' work and the position are written in one transaction, so each
/// event counts once.
pub fn advance(ctx: &Ctx<'_>) -> Result<bool, StepError> {
    let from = followers::position(ctx.db, FOLLOWER)?;
    let batch = events::after(ctx.db, from, BATCH)?;
    let Some(last) = batch.last().map(|e| e.seq) else { return Ok(false) };
    let (cells, work) = (roll_up(&batch), work_of(&batch));
    immediate(ctx.db, || {
        if followers::position(ctx.db, FOLLOWER)? != from {
            return Ok::<_, StepError>(());
        }
        for cell in &cells {
            rollups::add(ctx.db, cell)?;
        }
        for (group, quarter) in &work {
            staffing::add(ctx.db, group, quarter)?;
        }
        Ok(followers::advance(ctx.db, FOLLOWER, last)?)
    })?;
    Ok(batch.len() == usize::try_from(BATCH).unwrap_or(usize::MAX))
}

/// The figures of the last hours (of all hours if `None`), and the present gauges.
pub fn read(ctx: &Ctx<'_>, hours: Option<i64>) -> Result<Figures, StepError> {
    let since = hours.map_or(i64::MIN, |h| ctx.now().secs().div_euclid(3600).saturating_sub(h));
    let cells: Vec<Cell> = rollups::since(ctx.db, since)?
        .into_iter()
        .map(|c| Cell { figure: c.figure, channel: c.channel, bucket: c.bucket, n: c.n, total: c.total })
        .collect();
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
    };
    Ok(Figures::new(&cells, now))
}
