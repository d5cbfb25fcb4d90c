//! Level 3: the seat. An agent preferred by name comes first. Then come dedicated seats for dedicated customers, then seats
//! that staffing moved to the group, then the group's strategy. A hash decides between equals, so that the same inputs
//! always give the same agent and ties fall evenly.

use crate::group::Strategy;
use crate::seat::{Ask, Prefer, PreferWhy, Refusal, Seat};
use std::cmp::Reverse;
use warmline_model::{AgentId, Units};

/// The result for a seat in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It could take the contact. The number is its place among such seats, from 1, if that was worked out.
    Free(Option<u16>),
    /// It could not take the contact.
    Refused(Refusal),
}

/// The chosen seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The agent.
    pub agent: AgentId,
    /// Its index in the list of seats.
    pub at: usize,
    /// The reason, as the word that is stored with the decision.
    pub why: &'static str,
}

/// The sort key, smallest first: [`merit`], then, between equals, a hash and the agent.
type Key = (Merit, u64, AgentId);

/// Preferred by name, dedicated, weight, and four numbers from the strategy.
type Merit = (bool, bool, Reverse<i64>, (u64, u64, u64, u64));

/// The number of places worked out if more seats than this are free; the other seats are free without a place.
const PLACES: usize = 16;
const _: () = assert!(PLACES <= 26, "an entry of the log has a letter for each place");

/// Chooses among the seats of a group. `seed` makes ties fall differently for different conversations. The verdicts are in
/// the order of the seats.
pub fn choose(
    seats: &[Seat],
    ask: &Ask<'_>,
    strategy: Strategy,
    prefer: Option<Prefer>,
    seed: &[u8; 16],
) -> (Option<Choice>, Vec<Verdict>) {
    let mut verdicts = Vec::with_capacity(seats.len());
    let mut free: Vec<(Key, usize)> = Vec::with_capacity(2 * PLACES);
    let mut last: Option<Key> = None;
    let seed = u128::from_le_bytes(*seed);
    for (i, seat) in seats.iter().enumerate() {
        verdicts.push(match ask.check(seat) {
            Ok(()) => {
                let merit = merit(seat, ask, strategy, prefer);
                if last.is_none_or(|(last, ..)| merit <= last) {
                    free.push(((merit, mix(u128::from_le_bytes(*seat.id.as_bytes()) ^ seed), seat.id), i));
                }
                if free.len() == 2 * PLACES {
                    let (_, (worst, _), _) = free.select_nth_unstable(PLACES - 1);
                    last = Some(*worst);
                    free.truncate(PLACES);
                }
                Verdict::Free(None)
            }
            Err(refusal) => Verdict::Refused(refusal),
        });
    }
    free.sort_unstable();
    free.truncate(PLACES);
    for (place, (_, i)) in free.iter().enumerate() {
        if let Some(verdict) = verdicts.get_mut(*i) {
            *verdict = Verdict::Free(u16::try_from(place + 1).ok());
        }
    }
    let best = free.first().and_then(|(_, i)| Some((*i, seats.get(*i)?)));
    (best.map(|(at, seat)| Choice { agent: seat.id, at, why: why(seat, ask, strategy, prefer) }), verdicts)
}

fn merit(seat: &Seat, ask: &Ask<'_>, strategy: Strategy, prefer: Option<Prefer>) -> Merit {
    let idle = u64::from(seat.load > Units::ZERO);
    let ratio = seat.ratio();
    let last = instant(seat.last_assigned_at.millis());
    let by = match strategy {
        // No load is a ratio of 0, so idle seats come first.
        Strategy::LeastLoaded | Strategy::StickyFirst => (ratio, last, 0, 0),
        Strategy::MostIdle => (idle, last.max(instant(seat.freed_at.millis())), 0, 0),
        Strategy::RoundRobin => (last, 0, 0, 0),
        Strategy::MostSkilled => (u64::MAX - surplus(seat, ask), ratio, last, 0),
        Strategy::SpecialistFirst => (idle, u64::from(seat.groups), ratio, last),
    };
    (prefer.is_none_or(|p| p.agent != seat.id), ask.dedicated && !seat.dedicated, Reverse(seat.weight), by)
}

fn why(seat: &Seat, ask: &Ask<'_>, strategy: Strategy, prefer: Option<Prefer>) -> &'static str {
    if let Some(prefer) = prefer.filter(|p| p.agent == seat.id) {
        return match prefer.why {
            PreferWhy::Owner => "owner",
            PreferWhy::Reopened => "reopened",
            PreferWhy::Sticky => "sticky",
        };
    }
    if ask.dedicated && seat.dedicated {
        return "vip-dedicated";
    }
    match strategy {
        Strategy::LeastLoaded | Strategy::StickyFirst if seat.load == Units::ZERO => "idle",
        Strategy::LeastLoaded | Strategy::StickyFirst => "lowest-load",
        Strategy::MostIdle => "most-idle",
        Strategy::RoundRobin => "round-robin",
        Strategy::MostSkilled => "most-skilled",
        Strategy::SpecialistFirst => "specialist",
    }
}

fn instant(ms: i64) -> u64 {
    ms.max(0).unsigned_abs()
}

/// The levels above the required ones; without requirements, the level in the group.
fn surplus(seat: &Seat, ask: &Ask<'_>) -> u64 {
    if ask.needs.is_empty() {
        return seat.level.into();
    }
    let level = |skill: u16| seat.levels.get(usize::from(skill)).copied().unwrap_or(0);
    ask.needs.iter().map(|(skill, least)| u64::from(level(*skill).saturating_sub(*least))).sum()
}

/// Spreads bits (the finaliser of Steele, Lea and Flood's SplitMix64, on both halves). It only has to be even, and the same
/// everywhere.
fn mix(value: u128) -> u64 {
    let round = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
    let (low, high) = (value as u64, (value >> 64) as u64);
    round(round(low.wrapping_add(0x9e37_79b9_7f4a_7c15)) ^ high)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::seat::{All, Amount, Cost, Hands, Levels, SeatFacts};
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use warmline_model::{AgentState, Channel, Timestamp};

    /// An available seat of one group.
    pub(crate) fn seat(n: u8, load: i64, capacity: i64) -> Seat {
        SeatFacts {
            id: AgentId::from_bytes(&[n; 16]).unwrap(),
            ai: false,
            state: AgentState::Available,
            dedicated: false,
            capacity: Units::whole(capacity),
            load: Units::whole(load),
            last_assigned_at: Timestamp::default(),
            freed_at: Timestamp::default(),
            levels: Levels::new(),
            level: 1,
            groups: 1,
            hands: Hands::default(),
            weight: 0,
        }
        .into()
    }

    /// A copy of a seat with changes.
    pub(crate) fn but(seat: &Seat, change: impl FnOnce(&mut SeatFacts)) -> Seat {
        let mut facts = SeatFacts::clone(seat);
        change(&mut facts);
        facts.into()
    }

    fn channel(name: &str) -> Channel {
        Channel::new(name).unwrap()
    }

    fn first(seats: &[Seat], ask: &Ask<'_>, strategy: Strategy) -> Option<(usize, &'static str)> {
        let (choice, _) = choose(seats, ask, strategy, None, &[0; 16]);
        choice.map(|c| (seats.iter().position(|s| s.id == c.agent).unwrap(), c.why))
    }

    static ONE: Cost = Cost::units(Units::ONE);

    fn ask<'a>(channel: &'a Channel, cost: &'a Cost) -> Ask<'a> {
        Ask { channel, cost, needs: &[], dedicated: false, ai: false, except: None, reserved: &[] }
    }

    #[test]
    fn idle_first_then_lowest_ratio_then_longest_since() {
        let (chat, by) = (channel("app"), Strategy::LeastLoaded);
        let last = |seat: Seat, ms| but(&seat, |s| s.last_assigned_at = Timestamp::from_millis(ms));
        let all = [seat(1, 1, 2), last(seat(2, 0, 1), 9), seat(3, 1, 4)];
        assert_eq!(first(&all, &ask(&chat, &ONE), by), Some((1, "idle")));
        assert_eq!(first(&[seat(1, 1, 2), seat(3, 1, 4)], &ask(&chat, &ONE), by), Some((1, "lowest-load")));
        let tie = [last(seat(1, 0, 2), 5), last(seat(2, 0, 2), 4)];
        assert_eq!(first(&tie, &ask(&chat, &ONE), by), Some((1, "idle")));
    }

    #[test]
    fn each_strategy_has_its_order() {
        let chat = channel("app");
        let ask = Ask { needs: &[(0, 1)], ..ask(&chat, &ONE) };
        let one = |n, load, level, (last, freed), groups| {
            but(&seat(n, load, 9), |s| {
                (s.levels, s.groups) = (Levels::from_slice(&[level]), groups);
                (s.last_assigned_at, s.freed_at) = (Timestamp::from_millis(last), Timestamp::from_millis(freed));
            })
        };
        let mut all = [one(1, 1, 9, (1, 0), 1), one(2, 0, 3, (2, 9), 1), one(3, 0, 3, (3, 0), 2)];
        assert_eq!(first(&all, &ask, Strategy::LeastLoaded), Some((1, "idle")));
        assert_eq!(first(&all, &ask, Strategy::MostIdle), Some((2, "most-idle")));
        assert_eq!(first(&all, &ask, Strategy::RoundRobin), Some((0, "round-robin")));
        assert_eq!(first(&all, &ask, Strategy::MostSkilled), Some((0, "most-skilled")));
        assert_eq!(first(&all, &ask, Strategy::SpecialistFirst), Some((1, "specialist")));
        all[2] = but(&all[2], |s| s.weight = 1);
        assert_eq!(first(&all, &ask, Strategy::RoundRobin), Some((2, "round-robin")));
        let prefer = Some(Prefer { agent: all[0].id, why: PreferWhy::Sticky });
        let chosen = choose(&all, &ask, Strategy::MostIdle, prefer, &[0; 16]).0.unwrap();
        assert_eq!((chosen.agent, chosen.why), (all[0].id, "sticky"));
    }

    #[test]
    fn dedicated_agents_serve_dedicated_customers_only() {
        let chat = channel("app");
        let all = [but(&seat(1, 3, 4), |s| s.dedicated = true), seat(2, 0, 4)];
        let by = Strategy::LeastLoaded;
        assert_eq!(first(&all, &Ask { dedicated: true, ..ask(&chat, &ONE) }, by), Some((0, "vip-dedicated")));
        assert_eq!(first(&all, &ask(&chat, &ONE), by), Some((1, "idle")));
        assert_eq!(first(&all[..1], &ask(&chat, &ONE), by), None);
    }

    #[test]
    fn every_refusal_has_its_reason() {
        let (chat, phone, mail) = (channel("app"), channel("phone"), channel("email"));
        let call = Cost { units: Amount::All(All::All), interrupts: vec![mail.clone()] };
        let free = seat(1, 1, 2);
        let reason = |seat: &Seat, ask: &Ask<'_>| ask.check(seat).unwrap_err();
        let plain = ask(&chat, &ONE);
        for (state, refusal) in [
            (AgentState::Offline, Refusal::Offline),
            (AgentState::Busy, Refusal::Busy),
            (AgentState::Break, Refusal::Break),
            (AgentState::WrapUp, Refusal::WrapUp),
        ] {
            assert_eq!(reason(&but(&free, |s| s.state = state), &plain), refusal);
        }
        assert_eq!(reason(&but(&free, |s| s.ai = true), &plain), Refusal::OtherKind);
        assert_eq!(reason(&free, &Ask { except: Some(free.id), ..plain.clone() }), Refusal::Excepted);
        assert_eq!(reason(&but(&free, |s| s.dedicated = true), &plain), Refusal::DedicatedOnly);
        assert_eq!(reason(&free, &Ask { needs: &[(3, 1)], ..plain.clone() }), Refusal::Skill);
        assert_eq!(reason(&seat(1, 2, 2), &plain), Refusal::Full);
        let capped = but(&free, |s| s.hands = Hands::new([(chat.clone(), 1)], [(chat.clone(), 1)]));
        assert_eq!(reason(&capped, &plain), Refusal::ChannelFull);
        assert_eq!(ask(&mail, &ONE).check(&capped), Ok(()));
        // A call takes all that is left, can be added to mail, and cannot be added to a chat.
        assert_eq!(reason(&capped, &ask(&phone, &call)), Refusal::NotInterrupted);
        let reading = but(&free, |s| s.hands = Hands::new([(mail.clone(), 1)], []));
        assert_eq!(ask(&phone, &call).check(&reading), Ok(()));
        assert_eq!(crate::seat::taken(&call, reading.capacity, reading.load), Units::ONE);
        assert_eq!(reason(&seat(1, 2, 2), &ask(&phone, &call)), Refusal::Full);
    }

    proptest! {
        #[test]
        fn never_above_capacity_and_independent_of_order(
            raw in proptest::collection::vec((any::<bool>(), 0i64..5, 0i64..5, 0i64..3), 0..40),
            dedicated in any::<bool>(),
            strategy in 0usize..6,
            seed in any::<[u8; 16]>(),
        ) {
            let strategy = [Strategy::LeastLoaded, Strategy::MostIdle, Strategy::RoundRobin, Strategy::MostSkilled,
                Strategy::StickyFirst, Strategy::SpecialistFirst][strategy];
            let chat = channel("app");
            let mut all: Vec<_> = raw.iter().enumerate().map(|(i, (d, load, capacity, last))| {
                but(&seat(u8::try_from(i).unwrap(), *load, *capacity), |s| {
                    (s.dedicated, s.last_assigned_at) = (*d, Timestamp::from_millis(*last));
                })
            }).collect();
            let ask = Ask { dedicated, ..ask(&chat, &ONE) };
            let (choice, verdicts) = choose(&all, &ask, strategy, None, &seed);
            for (seat, verdict) in all.iter().zip(&verdicts) {
                let could = seat.load < seat.capacity && (dedicated || !seat.dedicated);
                prop_assert_eq!(matches!(verdict, Verdict::Free(_)), could);
            }
            prop_assert_eq!(choice.is_some(), verdicts.contains(&Verdict::Free(Some(1))));
            if let Some(choice) = choice {
                let first = verdicts.iter().position(|v| *v == Verdict::Free(Some(1))).unwrap();
                prop_assert_eq!(all[first].id, choice.agent);
            }
            all.reverse();
            let reversed = choose(&all, &ask, strategy, None, &seed).0.map(|c| Choice { at: all.len() - 1 - c.at, ..c });
            prop_assert_eq!(choice, reversed);
        }
    }
}
