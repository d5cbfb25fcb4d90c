//! Chooses the groups that seats should serve first, so that no queue runs away while another group has agents to spare.
//!
//! A seat of several groups works for each of them in proportion to their needs. A seat that was moved works for its home
//! first. A group is *short* while less works for it than it needs. A move gives the shortest group a seat that it shares
//! with other groups. It is made only if no group becomes as short by it as the helped group still was. Each move therefore
//! makes the worst place better, none can be undone by the next, and the moves come to an end. A seat is given back when
//! its group clearly has enough without it, and not before it has stayed for a while ([`Member::settled`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use warmline_model::{AgentId, GroupId, Timestamp};

/// Minutes by which a home's contacts come earlier for the seats that were moved there.
pub const HOME_MINUTES: i64 = 10;
/// The minutes for which a moved seat stays.
const STAY_MINUTES: i64 = 10;
/// The share of its need that a group must have without a seat before the seat is given back.
const ENOUGH: f64 = 1.15;

/// A seat at work.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The agent.
    pub agent: AgentId,
    /// Capacity in units.
    pub capacity: f64,
    /// The groups that it serves.
    pub groups: BTreeSet<GroupId>,
    /// The group to which it was moved.
    pub home: Option<GroupId>,
    /// Whether it may be moved again.
    pub settled: bool,
}

/// Whether a moved seat may be moved again. Also true if the clock was set back to before the move.
pub fn settled(moved_at: Timestamp, now: Timestamp) -> bool {
    now < moved_at || now.since(moved_at) >= STAY_MINUTES * 60_000
}

/// A seat that should serve another of its groups first: it gets a home, another home, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Move {
    /// The agent.
    pub agent: AgentId,
    /// The group that the agent was moved to before.
    pub from: Option<GroupId>,
    /// The group to serve first; `null`: all groups alike again.
    pub to: Option<GroupId>,
}

/// The units that work for a group, and the units that it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cover {
    /// The need.
    pub need: f64,
    /// The units that work for it.
    pub works: f64,
}

impl Cover {
    fn ratio(self, less: f64) -> f64 {
        if self.need > 0.0 { (self.works - less) / self.need } else { f64::INFINITY }
    }
}

/// Every group's cover, with the seats as they are now.
pub fn cover(needs: &BTreeMap<GroupId, f64>, members: &[Member]) -> BTreeMap<GroupId, Cover> {
    let mut covers: BTreeMap<GroupId, Cover> =
        needs.iter().map(|(g, need)| (g.clone(), Cover { need: *need, works: 0.0 })).collect();
    for member in members {
        for group in &member.groups {
            if let Some(cover) = covers.get_mut(group) {
                cover.works += share(needs, member, member.home.as_ref(), group);
            }
        }
    }
    covers
}

/// The units of a seat that work for a group.
fn share(needs: &BTreeMap<GroupId, f64>, member: &Member, home: Option<&GroupId>, group: &GroupId) -> f64 {
    if let Some(home) = home {
        return if home == group { member.capacity } else { 0.0 };
    }
    let need = |g: &GroupId| needs.get(g).copied().unwrap_or(0.0);
    let all: f64 = member.groups.iter().map(need).sum();
    let part = if all > 0.0 { need(group) / all } else { 1.0 / member.groups.len().max(1) as f64 };
    member.capacity * part
}

/// The moves that help now. The same inputs give the same moves.
pub fn moves(needs: &BTreeMap<GroupId, f64>, members: &[Member]) -> Vec<Move> {
    let mut now = members.to_vec();
    let mut covers = cover(needs, &now);
    for member in &mut now {
        let Some(home) = member.home.clone().filter(|_| member.settled) else { continue };
        let loss = member.capacity - share(needs, member, None, &home);
        if covers.get(&home).is_none_or(|c| c.ratio(loss) >= ENOUGH) {
            shift(needs, &mut covers, member, None);
        }
    }
    let mut helpless: BTreeSet<GroupId> = BTreeSet::new();
    while let Some(short) = shortest(&covers, &helpless) {
        match helper(needs, &covers, &now, &short) {
            Some(i) => {
                if let Some(member) = now.get_mut(i) {
                    shift(needs, &mut covers, member, Some(short));
                }
            }
            None => drop(helpless.insert(short)),
        }
    }
    let changed = members.iter().zip(now).filter(|(before, after)| before.home != after.home);
    changed.map(|(before, after)| Move { agent: before.agent, from: before.home.clone(), to: after.home }).collect()
}

fn shortest(covers: &BTreeMap<GroupId, Cover>, helpless: &BTreeSet<GroupId>) -> Option<GroupId> {
    let short = covers.iter().filter(|(g, c)| c.ratio(0.0) < 1.0 && !helpless.contains(*g));
    short.min_by(|(_, a), (_, b)| a.ratio(0.0).total_cmp(&b.ratio(0.0))).map(|(g, _)| g.clone())
}

/// The seat that helps a group and is missed least elsewhere.
fn helper(
    needs: &BTreeMap<GroupId, f64>,
    covers: &BTreeMap<GroupId, Cover>,
    members: &[Member],
    short: &GroupId,
) -> Option<usize> {
    let helped = covers.get(short)?;
    let mut best: Option<(f64, usize)> = None;
    for (i, member) in members.iter().enumerate() {
        if !member.settled || member.home.as_ref() == Some(short) || !member.groups.contains(short) {
            continue;
        }
        let mine = |g| share(needs, member, member.home.as_ref(), g);
        let gain = member.capacity - mine(short);
        if gain <= 1e-9 {
            continue;
        }
        let others = member.groups.iter().filter(|g| *g != short && mine(g) > 0.0);
        let missed = others.filter_map(|g| Some(covers.get(g)?.ratio(mine(g)))).fold(f64::INFINITY, f64::min);
        let fair = missed >= 1.0 || missed > helped.ratio(-gain);
        if fair && best.is_none_or(|(b, _)| missed > b) {
            best = Some((missed, i));
        }
    }
    best.map(|(_, i)| i)
}

fn shift(needs: &BTreeMap<GroupId, f64>, covers: &mut BTreeMap<GroupId, Cover>, member: &mut Member, to: Option<GroupId>) {
    for group in &member.groups {
        if let Some(cover) = covers.get_mut(group) {
            cover.works += share(needs, member, to.as_ref(), group) - share(needs, member, member.home.as_ref(), group);
        }
    }
    member.home = to;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};

    fn group(n: u8) -> GroupId {
        GroupId::new(format!("g{n}")).unwrap()
    }

    fn member(n: u8, groups: &[u8], home: Option<u8>) -> Member {
        Member {
            agent: AgentId::from_bytes(&[n; 16]).unwrap(),
            capacity: 3.0,
            groups: groups.iter().map(|g| group(*g)).collect(),
            home: home.map(group),
            settled: true,
        }
    }

    fn needs(of: &[f64]) -> BTreeMap<GroupId, f64> {
        of.iter().zip(0..).map(|(need, n)| (group(n), *need)).collect()
    }

    #[test]
    fn enough_everywhere_moves_nobody() {
        let seats = [member(1, &[0], None), member(2, &[0, 1], None), member(3, &[1], None)];
        assert_eq!(moves(&needs(&[3.0, 3.0]), &seats), []);
        assert_eq!(moves(&needs(&[0.0, 0.0]), &seats), []);
    }

    #[test]
    fn a_short_group_gets_the_seat_that_is_missed_the_least() {
        // The second group needs twice the units that work for it. The third has no seat to spare, the first has.
        let mut seats: Vec<Member> = (1..=4).map(|n| member(n, &[0], None)).collect();
        seats.extend([member(5, &[0, 1], None), member(6, &[1, 2], None), member(7, &[2], None)]);
        let needs = needs(&[6.0, 6.0, 5.0]);
        let made = moves(&needs, &seats);
        assert_eq!(made, [Move { agent: seats[4].agent, from: None, to: Some(group(1)) }]);
        seats[4].home = Some(group(1));
        assert_eq!(moves(&needs, &seats), [], "nothing is left to do");
    }

    #[test]
    fn a_seat_goes_back_when_its_home_has_enough_and_it_has_stayed() {
        let mut seats = [member(1, &[0], None), member(2, &[0, 1], Some(1)), member(3, &[1], None)];
        let (busy, calm) = (needs(&[2.0, 5.5]), needs(&[2.0, 2.0]));
        assert_eq!(moves(&busy, &seats), []);
        // Just enough without it is not clearly enough.
        assert_eq!(moves(&needs(&[2.0, 4.5]), &seats), []);
        assert_eq!(moves(&calm, &seats), [Move { agent: seats[1].agent, from: Some(group(1)), to: None }]);
        seats[1].settled = false;
        assert_eq!(moves(&calm, &seats), []);
    }

    #[test]
    fn where_all_are_short_nobody_is_robbed() {
        let seats = [member(1, &[0], None), member(2, &[0, 1], None), member(3, &[1], None)];
        assert_eq!(moves(&needs(&[10.0, 10.0]), &seats), []);
    }

    fn floors() -> impl Strategy<Value = (BTreeMap<GroupId, f64>, Vec<Member>)> {
        let seat = (prop::collection::btree_set(0u8..5, 1..5), 0u8..10, prop::bool::weighted(0.8), 1u8..8);
        let seats = prop::collection::vec(seat, 0..25).prop_map(|seats| {
            let make = |(n, (groups, home, settled, units)): (u8, (BTreeSet<u8>, u8, bool, u8))| Member {
                capacity: f64::from(units),
                settled,
                ..member(n, &groups.iter().copied().collect::<Vec<_>>(), groups.contains(&home).then_some(home))
            };
            (1..).zip(seats).map(make).collect()
        });
        (prop::collection::vec(0.0f64..30.0, 5), seats).prop_map(|(need, seats)| (needs(&need), seats))
    }

    proptest! {
        #[test]
        fn moves_help_the_worst_place_and_settle((needs, seats) in floors()) {
            let worst = |seats: &[Member]| {
                cover(&needs, seats).into_values().map(|c| c.ratio(0.0)).fold(f64::INFINITY, f64::min)
            };
            let made = moves(&needs, &seats);
            prop_assert_eq!(&made, &moves(&needs, &seats));
            let mut after = seats.clone();
            let apply = |seats: &mut Vec<Member>, made: &[Move]| for m in made {
                let seat = seats.iter_mut().find(|s| s.agent == m.agent).unwrap();
                assert!(seat.settled && seat.home == m.from && m.from != m.to);
                assert!(m.to.as_ref().is_none_or(|to| seat.groups.contains(to)));
                seat.home.clone_from(&m.to);
            };
            apply(&mut after, &made);
            let before = worst(&seats).min(1.0);
            prop_assert!(worst(&after) >= before - 1e-9, "{} became {}", before, worst(&after));
            // If the needs do not change, the moves come to rest.
            for _ in 0..20 {
                let more = moves(&needs, &after);
                if more.is_empty() {
                    return Ok(());
                }
                apply(&mut after, &more);
            }
            prop_assert!(false, "never comes to rest: {:?}", moves(&needs, &after));
        }
    }
}
