//! A group's queue. Its order is one number: score = minutes waited + head start in minutes. The waiting time of all
//! contacts grows alike, so the order of two contacts never changes and the score needs no upkeep. The stored rank is the
//! instant of entry less the head start, and the smallest comes first.
//!
//! Contacts with the same needs (skills, head start, channel, dedicated agents) stand in one lane. Within a lane the order
//! is that of entry, so only the first contact of each lane can be the next for a seat. A decision therefore looks at as
//! many contacts as there are lanes, however long the queue is.

use crate::plan::Ready;
use crate::seat::{Amount, Ask, Cost, Refusal, Seat};
use std::collections::BTreeMap;
use warmline_model::{AgentId, AgentState, ConversationId, GroupId, Lane, Timestamp, Units};

/// The place in a queue: the instant of entry less the head start, in milliseconds. The smallest is served first. A contact
/// waits behind a later one for no longer than the difference of their head starts.
pub fn rank(entered: Timestamp, priority_minutes: i64) -> i64 {
    entered.millis().saturating_sub(priority_minutes.saturating_mul(60_000))
}

/// The first contact of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The conversation.
    pub conversation: ConversationId,
    /// The group.
    pub group: GroupId,
    /// The lane.
    pub lane: Lane,
    /// Place in the queue.
    pub rank: i64,
    /// The time at which it entered.
    pub entered: Timestamp,
}

/// The result for a lane's head when a seat looks for its next contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadVerdict {
    /// The seat could take it. The number is its rank with the seat's weight counted in, in milliseconds.
    Free(i64),
    /// The seat could not.
    Refused(Refusal),
    /// The group is closed now.
    Closed,
}

/// Whether a seat can take a lane's head now. The requirements are lowered according to the head's time in the queue.
///
/// # Errors
/// The seat cannot take it. The error is the reason.
pub fn check(plan: &Ready, seat: &Seat, head: &Head, now: Timestamp) -> Result<(), Refusal> {
    Wants::of(plan, head, now).ask(head, seat.ai).check(seat)
}

/// The needs of a lane's head now.
struct Wants {
    cost: Cost,
    needs: Vec<(u16, u8)>,
}

impl Wants {
    fn of(plan: &Ready, head: &Head, now: Timestamp) -> Self {
        let lowered = plan.group(&head.group).map_or(0, |g| g.settings.lowered(now.since(head.entered)));
        Self { cost: plan.cost(&head.lane.channel), needs: plan.needs(&head.lane.skills, lowered) }
    }

    fn ask<'a>(&'a self, head: &'a Head, ai: bool) -> Ask<'a> {
        Ask {
            channel: &head.lane.channel,
            cost: &self.cost,
            needs: &self.needs,
            dedicated: head.lane.dedicated,
            ai,
            except: None,
            reserved: &[],
        }
    }
}

/// The seats reserved for lanes' heads that need more capacity than any seat has left (a call, while all agents are in
/// chats). For each such head it is the seat with the lowest load, then the smallest id. A reserved seat gets no later
/// contact until it can take the head, so that small contacts cannot pass a large one for ever. A head that a seat can take
/// now, or that no seat could ever take, gets no reserved seat.
///
/// The seats are scanned once for all heads, and only while some head has no seat that can take it.
pub fn reserve(plan: &Ready, seats: &[Seat], heads: &[&Head], now: Timestamp) -> Vec<AgentId> {
    let wants: Vec<(Wants, &Head)> = heads.iter().map(|head| (Wants::of(plan, head, now), *head)).collect();
    // Heads that differ only in channel or head start ask for the same agents.
    let mut open: Vec<Vec<Seeking<'_>>> = Vec::new();
    for (want, head) in &wants {
        let ask = want.ask(head, false);
        match open
            .iter_mut()
            .find(|same| same.first().is_some_and(|(a, _)| a.needs == ask.needs && a.dedicated == ask.dedicated))
        {
            Some(same) => same.push((ask, None)),
            None => open.push(vec![(ask, None)]),
        }
    }
    // For an AI seat, or a seat that takes nothing now, capacity is never the obstacle.
    for seat in seats.iter().filter(|s| s.state == AgentState::Available && !s.ai) {
        if open.is_empty() {
            break;
        }
        // Most seats suit no waiting head. This check does not touch the data stored about the heads.
        let suits = |same: &Vec<Seeking<'_>>| same.first().is_some_and(|(ask, _)| ask.serves(seat));
        if !open.iter().any(suits) {
            continue;
        }
        open.retain_mut(|same| {
            if !suits(same) {
                return true;
            }
            same.retain_mut(|(ask, best)| match ask.fits(seat) {
                Ok(()) => false,
                Err(Refusal::Full | Refusal::NotInterrupted) if large_enough(seat, ask.cost) => {
                    let key = (seat.ratio(), seat.id);
                    *best = Some(best.map_or(key, |b| b.min(key)));
                    true
                }
                Err(_) => true,
            });
            !same.is_empty()
        });
    }
    open.into_iter().flatten().filter_map(|(_, best)| best.map(|(_, id)| id)).collect()
}

/// A head's needs, and the least loaded seat so far that may be reserved for it.
type Seeking<'a> = (Ask<'a>, Option<(u64, AgentId)>);

fn large_enough(seat: &Seat, cost: &Cost) -> bool {
    match cost.units {
        Amount::Units(units) => units <= seat.capacity,
        Amount::All(_) => seat.capacity > Units::ZERO,
    }
}

/// The head that a seat takes next: the one with the smallest rank, counting in the minutes that staffing gave the seat for
/// the head's group. Equal ranks are ordered by conversation. `weights` are the seat's.
pub fn next(
    plan: &Ready,
    seat: &Seat,
    heads: &[&Head],
    weights: &BTreeMap<GroupId, i64>,
    now: Timestamp,
) -> (Option<usize>, Vec<HeadVerdict>) {
    let verdicts: Vec<HeadVerdict> = heads
        .iter()
        .map(|head| {
            if plan.group(&head.group).is_some_and(|g| !plan.open(&g.settings, now)) {
                return HeadVerdict::Closed;
            }
            let weight = weights.get(&head.group).copied().unwrap_or(0);
            match check(plan, seat, head, now) {
                Ok(()) => HeadVerdict::Free(head.rank.saturating_sub(weight.saturating_mul(60_000))),
                Err(refusal) => HeadVerdict::Refused(refusal),
            }
        })
        .collect();
    let place = |(i, head): (usize, &&Head)| match verdicts.get(i) {
        Some(HeadVerdict::Free(place)) => Some((*place, head.conversation, i)),
        _ => None,
    };
    let best = heads.iter().enumerate().filter_map(place).min();
    (best.map(|(_, _, i)| i), verdicts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choose::tests::seat;
    use crate::plan::Plan;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use warmline_model::Channel;

    fn head(n: u8, group: &str, entered: i64, priority: i64, skills: &[(&str, u8)]) -> Head {
        let lane = Lane {
            channel: Channel::new("app").unwrap(),
            priority_minutes: priority,
            dedicated: false,
            skills: skills.iter().map(|(s, l)| ((*s).to_owned(), *l)).collect(),
        };
        let entered = Timestamp::from_millis(entered);
        Head {
            conversation: ConversationId::from_bytes(&[n; 16]).unwrap(),
            group: GroupId::new(group).unwrap(),
            lane,
            rank: rank(entered, priority),
            entered,
        }
    }

    fn plan() -> Ready {
        let text = r#"{"groups":[{"id":"a","name":"a","settings":{"rings":[{"after_secs":60,"lower":2}]}},{"id":"b","name":"b"}],
            "rules":[{"group":"a","skills":{"order":2}}]}"#;
        Ready::new(serde_json::from_str::<Plan>(text).unwrap(), 1)
    }

    #[test]
    fn the_smallest_place_that_fits_is_next() {
        let (plan, seat) = (plan(), seat(1, 0, 1));
        let heads = [head(1, "a", 1_000, 0, &[("order", 2)]), head(2, "b", 2_000, 0, &[]), head(3, "a", 50_000, 1, &[])];
        let at = |ms, weights: &[(&str, i64)]| {
            let weights = weights.iter().map(|(g, w)| (GroupId::new(*g).unwrap(), *w)).collect();
            next(&plan, &seat, &heads.each_ref(), &weights, Timestamp::from_millis(ms))
        };
        let (best, verdicts) = at(60_999, &[]);
        assert_eq!(best, Some(2), "a minute ahead of its entry");
        assert_eq!(verdicts[0], HeadVerdict::Refused(Refusal::Skill));
        assert_eq!(at(61_000, &[]).1[0], HeadVerdict::Free(1_000), "the ring opened");
        assert_eq!(at(61_000, &[("b", 1)]).0, Some(1), "staffing moved the seat");
    }

    #[test]
    fn a_call_is_not_passed_by_chats_for_ever() {
        use crate::memory::Memory;
        use crate::{SeatsAndQueues as _, decide};
        use warmline_model::{AgentState, Profile, Units};
        let plan = Ready::new(serde_json::from_str::<Plan>(r#"{"groups":[{"id":"a","name":"a"}]}"#).unwrap(), 1);
        let (group, app, phone) = (GroupId::new("a").unwrap(), Channel::new("app").unwrap(), Channel::new("phone").unwrap());
        let id = |n: u8| ConversationId::from_bytes(&[n; 16]).unwrap();
        let agent = |n: u8| AgentId::from_bytes(&[n; 16]).unwrap();
        let mut hall = Memory::default();
        let now = Timestamp::from_secs(100);
        for n in [1, 2] {
            let profile = Profile {
                agent: agent(n),
                ai: false,
                dedicated: false,
                capacity: Units::whole(2),
                caps: BTreeMap::new(),
                skills: BTreeMap::new(),
                groups: [(group.clone(), 1)].into(),
            };
            hall.set_profile(&plan, profile);
            hall.set_state(agent(n), AgentState::Available);
        }
        for (n, to) in [(1, 1), (2, 2), (3, 2)] {
            hall.assign(id(n), agent(to), app.clone(), Units::ONE, now);
        }
        let lane = |channel: &Channel| Lane {
            channel: channel.clone(),
            priority_minutes: 0,
            dedicated: false,
            skills: BTreeMap::new(),
        };
        hall.queue(id(10), group.clone(), lane(&phone), 1_000, Timestamp::from_secs(1));
        hall.queue(id(11), group.clone(), lane(&app), 2_000, Timestamp::from_secs(2));
        let next = |hall: &Memory, n| {
            let (seat, weights) = hall.seat(agent(n)).unwrap();
            decide::next(&plan, hall, &seat, &weights, now).unwrap().map(|(c, _)| c)
        };
        // The less loaded seat is reserved for the call. The other continues with chats.
        assert_eq!(next(&hall, 1), None);
        hall.release(id(2), now);
        assert_eq!(hall.heads(&group).unwrap().len(), 2);
        assert_eq!(next(&hall, 2), Some(id(11)));
        // An arriving chat does not get the reserved seat.
        hall.leave(id(11));
        hall.assign(id(11), agent(2), app.clone(), Units::ONE, now);
        let placement = crate::Placement {
            group: group.clone(),
            why: "fallback".into(),
            skills: BTreeMap::new(),
            priority_minutes: 0,
            dedicated: false,
            first: crate::group::First::People,
            prefer: None,
        };
        let contact = decide::Contact {
            id: id(12),
            channel: &app,
            cause: decide::Cause::Arrival,
            facts: None,
            placement,
            entered: now,
            except: None,
        };
        let decision = decide::arrive(&plan, &hall, contact, now).unwrap();
        assert!(matches!(decision.outcome, decide::Outcome::Queued { behind: None, .. }));
        assert_eq!(decision.steps[0].seats[0].refused, Some(Refusal::Reserved));
        hall.release(id(1), now);
        assert_eq!(next(&hall, 1), Some(id(10)));
    }

    #[test]
    fn a_closed_group_keeps_its_contacts() {
        let text = r#"{"hours":{"never":{"week":[]}},"groups":[{"id":"a","name":"a","settings":{"hours":"never"}}]}"#;
        let plan = Ready::new(serde_json::from_str::<Plan>(text).unwrap(), 1);
        let (best, verdicts) =
            next(&plan, &seat(1, 0, 1), &[&head(1, "a", 0, 0, &[])], &BTreeMap::new(), Timestamp::default());
        assert_eq!((best, verdicts), (None, vec![HeadVerdict::Closed]));
    }

    proptest! {
        /// With the head starts p and q of two contacts, the one that came later by more than q - p minutes is never served
        /// first. A contact therefore waits behind a later one for no longer than the difference of head starts.
        #[test]
        fn nobody_starves(early in 0i64..1_000_000, gap in 0i64..10_000_000, p in 0i64..10_080, q in 0i64..10_080) {
            let first = rank(Timestamp::from_millis(early), p);
            let later = rank(Timestamp::from_millis(early + gap), q);
            prop_assert!((later < first) == (gap < (q - p) * 60_000));
        }

        /// Serving the lanes' heads one after the other serves the whole queue in the order of its score.
        #[test]
        fn lanes_do_not_change_the_order(raw in proptest::collection::vec((0i64..300_000, 0usize..4), 1..40)) {
            let plan = plan();
            let seat = seat(1, 0, 1);
            let mut waiting: Vec<Head> = raw.iter().enumerate()
                .map(|(n, (at, p))| head(u8::try_from(n).unwrap(), "b", *at, [0, 1, 2, 30][*p], &[])).collect();
            let mut expected = waiting.clone();
            expected.sort_by_key(|h| (h.rank, h.conversation));
            for wanted in expected {
                let mut lanes: BTreeMap<&Lane, &Head> = BTreeMap::new();
                for h in &waiting {
                    let first = lanes.entry(&h.lane).or_insert(h);
                    if (h.rank, h.conversation) < (first.rank, first.conversation) {
                        *first = h;
                    }
                }
                let heads: Vec<&Head> = lanes.into_values().collect();
                let best = next(&plan, &seat, &heads, &BTreeMap::new(), Timestamp::from_millis(300_000)).0.unwrap();
                prop_assert_eq!(heads[best].conversation, wanted.conversation);
                waiting.retain(|h| h.conversation != wanted.conversation);
            }
        }
    }
}
