//! Staffing: the contacts expected in each group, the slots they need, and the seats that should serve each group first. In
//! auto mode the tick moves these seats.

use crate::model::{GroupStaffing, Quarter, Staffing};
use crate::plan;
use crate::store::{queues, staffing};
use std::collections::{BTreeMap, BTreeSet};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::{AgentId, Event, EventBody, GroupId, Timestamp};
use warmline_routing::plan::Staffing as Mode;
use warmline_routing::staffing::moves::{HOME_MINUTES, settled};
use warmline_routing::staffing::work::{QUARTER_MS, Sums, quarter, work};
use warmline_routing::staffing::{Cover, Member, cover, forecast, moves, slots};
use warmline_routing::{Group, Plan};
use warmline_store::{agents, events, immediate, leases};

/// The longest forecast, in quarters of an hour: a day.
pub const MOST_QUARTERS: u16 = 96;
const LEASE: &str = "staffing";
/// The pause between two moves of seats.
const EVERY_MS: i64 = 60_000;
/// Seats that are taken back at once.
const BATCH: i64 = 256;

/// Adds up the groups' work in a batch of events.
pub fn work_of(batch: &[Event]) -> Vec<(GroupId, staffing::Work)> {
    let mut sums: BTreeMap<(GroupId, i64), Sums> = BTreeMap::new();
    for event in batch {
        if let Some((group, more)) = work(&event.body) {
            sums.entry((group, quarter(event.at))).or_default().add(&more);
        }
    }
    let rows = sums.into_iter().map(|((group, quarter), Sums { came, handled, unit_ms })| {
        (group, staffing::Work { quarter, came, handled, unit_ms })
    });
    rows.collect()
}

/// Computes the staffing for `ahead` quarters of an hour, clamped to 1 to [`MOST_QUARTERS`].
pub fn read(ctx: &Ctx<'_>, ahead: u16) -> Result<Staffing, StepError> {
    let (ready, now) = (plan::current(ctx)?, ctx.now());
    let mut groups = Vec::with_capacity(ready.groups.len());
    for group in &ready.groups {
        groups.push(of_group(ctx, group, now, ahead.clamp(1, MOST_QUARTERS))?);
    }
    let needs: BTreeMap<GroupId, f64> = groups.iter().map(|g| (g.group.clone(), g.needed)).collect();
    let members = members(ctx, &ready, now)?;
    for (group, Cover { works, .. }) in cover(&needs, &members) {
        if let Some(of) = groups.iter_mut().find(|g| g.group == group) {
            of.working = works;
        }
    }
    Ok(Staffing { at: now, mode: ready.staffing, groups, moves: moves(&needs, &members) })
}

#[expect(clippy::cast_precision_loss, reason = "contacts are far below 2^53")]
fn of_group(ctx: &Ctx<'_>, group: &Group, now: Timestamp, ahead: u16) -> Result<GroupStaffing, StepError> {
    let present = quarter(now);
    let past = staffing::since(ctx.db, &group.id, present - (forecast::DAYS + 1) * forecast::DAY)?;
    let mut sums = Sums::default();
    for w in &past {
        sums.add(&Sums { came: w.came, handled: w.handled, unit_ms: w.unit_ms });
    }
    let slot_secs = sums.slot_secs();
    let came = past.iter().map(|w| (w.quarter, w.came)).collect();
    let expected = forecast(&came, present, ahead);
    let target = group.settings.service_level.target();
    let slots = |a_quarter: f64| slots(a_quarter, slot_secs, &target);
    let waiting = queues::get(ctx.db, &group.id)?.map_or(0, |q| q.waiting);
    let first = expected.first().copied().unwrap_or(0.0);
    let quarters = (0..).zip(&expected).map(|(n, contacts)| Quarter {
        from: Timestamp::from_millis((present + n) * QUARTER_MS),
        contacts: *contacts,
        slots: slots(*contacts),
    });
    Ok(GroupStaffing {
        group: group.id.clone(),
        waiting,
        slot_secs,
        handled: sums.handled,
        quarters: quarters.collect(),
        needed: slots(first + waiting as f64),
        working: 0.0,
    })
}

/// The human agents at work, with the groups of the plan that they serve.
#[expect(clippy::cast_precision_loss, reason = "hundredths of a few units")]
fn members(ctx: &Ctx<'_>, plan: &Plan, now: Timestamp) -> Result<Vec<Member>, StepError> {
    let known: BTreeSet<&GroupId> = plan.groups.iter().map(|g| &g.id).collect();
    let mut found: Vec<Member> = Vec::new();
    for post in staffing::at_work(ctx.db)?.into_iter().filter(|p| known.contains(&p.group)) {
        if found.last().is_none_or(|m| m.agent != post.agent) {
            found.push(Member {
                agent: post.agent,
                capacity: post.capacity.hundredths() as f64 / 100.0,
                groups: BTreeSet::new(),
                home: None,
                settled: settled(post.moved_at, now),
            });
        }
        if let Some(member) = found.last_mut() {
            if post.weight > 0 {
                member.home = Some(post.group.clone());
            }
            member.groups.insert(post.group);
        }
    }
    Ok(found)
}

/// In auto mode, moves seats, once a minute however often it is called. In recommend mode, takes moved seats back. Returns
/// how many seats it moved.
pub fn shift(ctx: &Ctx<'_>) -> Result<i64, StepError> {
    let now = ctx.now();
    // The lease is never released: its end is the time of the next move.
    if !leases::claim(ctx.db, LEASE, &ctx.owner(), now, now.plus_millis(EVERY_MS))? {
        return Ok(0);
    }
    let wanted: Vec<(AgentId, Option<GroupId>)> = match plan::current(ctx)?.staffing {
        Mode::Auto => read(ctx, 1)?.moves.into_iter().map(|m| (m.agent, m.to)).collect(),
        Mode::Recommend => staffing::moved(ctx.db, BATCH)?.into_iter().map(|agent| (agent, None)).collect(),
    };
    let mut moved = 0;
    for (agent, home) in wanted {
        moved += i64::from(immediate(ctx.db, || settle(ctx, agent, home.as_ref()))?);
    }
    Ok(moved)
}

/// Gives an agent a home group, or takes it away. Returns false if the agent no longer serves that group.
fn settle(ctx: &Ctx<'_>, agent: AgentId, home: Option<&GroupId>) -> Result<bool, StepError> {
    let groups = agents::groups_of(ctx.db, agent)?;
    if home.is_some_and(|home| groups.iter().all(|m| m.group != *home)) || !staffing::mark(ctx.db, agent, ctx.now())? {
        return Ok(false);
    }
    for of in &groups {
        let minutes = if home == Some(&of.group) { HOME_MINUTES } else { 0 };
        agents::weigh(ctx.db, agent, &of.group, minutes)?;
    }
    let minutes = home.map(|home| (home.clone(), HOME_MINUTES)).into_iter().collect();
    events::append(ctx.db, ctx.now(), None, &EventBody::AgentWeights { agent, minutes })?;
    Ok(true)
}
