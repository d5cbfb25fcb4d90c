//! Levels 2 and 3: which agent. VIP customers go to dedicated agents first; then the idle, then the lowest load, then the one
//! who has waited longest for work; a hash settles what is left, so that the same inputs always give the same agent.

use std::cmp::Ordering;
use warmline_model::{AgentId, Timestamp};

/// An available agent with capacity left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The agent.
    pub id: AgentId,
    /// Serves VIP customers only.
    pub vip: bool,
    /// Conversations now.
    pub load: i64,
    /// Conversations at once; above `load`.
    pub capacity: i64,
    /// When the last one was assigned.
    pub last_assigned_at: Timestamp,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The agent.
    pub agent: AgentId,
    /// Why, in a word that the decision is stored with.
    pub why: &'static str,
}

/// Chooses among candidates; `None` when there is none. `seed` makes ties fall differently for different conversations.
pub fn choose(candidates: &[Candidate], vip: bool, seed: &[u8; 16]) -> Option<Choice> {
    let usable = || candidates.iter().filter(|c| c.load < c.capacity && (vip || !c.vip));
    let best = usable().min_by(|a, b| order(a, b, seed))?;
    let why = if best.vip {
        "vip-dedicated"
    } else if best.load == 0 {
        "idle"
    } else {
        "lowest-load"
    };
    Some(Choice { agent: best.id, why })
}

fn order(a: &Candidate, b: &Candidate, seed: &[u8; 16]) -> Ordering {
    // a.load / a.capacity against b.load / b.capacity without fractions.
    let ratio = |x: &Candidate, y: &Candidate| i128::from(x.load) * i128::from(y.capacity);
    b.vip
        .cmp(&a.vip)
        .then_with(|| ratio(a, b).cmp(&ratio(b, a)))
        .then_with(|| a.last_assigned_at.cmp(&b.last_assigned_at))
        .then_with(|| mix(a.id, seed).cmp(&mix(b.id, seed)))
        .then_with(|| a.id.cmp(&b.id))
}

/// FNV-1a over agent and seed: it only has to be even and the same everywhere.
fn mix(id: AgentId, seed: &[u8; 16]) -> u64 {
    id.as_bytes().iter().chain(seed).fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn agent(n: u8, vip: bool, load: i64, capacity: i64, last: i64) -> Candidate {
        Candidate {
            id: AgentId::from_bytes(&[n; 16]).unwrap(),
            vip,
            load,
            capacity,
            last_assigned_at: Timestamp::from_millis(last),
        }
    }

    #[test]
    fn idle_first_then_lowest_ratio_then_longest_since() {
        let seed = [0; 16];
        let all = [agent(1, false, 1, 2, 0), agent(2, false, 0, 1, 9), agent(3, false, 1, 4, 0)];
        assert_eq!(choose(&all, false, &seed).unwrap().agent, all[1].id);
        assert_eq!(choose(&[all[0].clone(), all[2].clone()], false, &seed).unwrap().agent, all[2].id);
        let tie = [agent(1, false, 0, 2, 5), agent(2, false, 0, 2, 4)];
        assert_eq!(choose(&tie, false, &seed).unwrap().agent, tie[1].id);
    }

    #[test]
    fn dedicated_agents_serve_vips_only() {
        let all = [agent(1, true, 3, 4, 0), agent(2, false, 0, 4, 0)];
        assert_eq!(choose(&all, true, &[0; 16]).unwrap(), Choice { agent: all[0].id, why: "vip-dedicated" });
        assert_eq!(choose(&all, false, &[0; 16]).unwrap().agent, all[1].id);
        assert_eq!(choose(&all[..1], false, &[0; 16]), None);
    }

    proptest! {
        #[test]
        fn never_above_capacity_and_independent_of_order(
            raw in proptest::collection::vec((any::<bool>(), 0i64..5, 0i64..5, 0i64..3), 0..20),
            vip in any::<bool>(),
            seed in any::<[u8; 16]>(),
        ) {
            let mut all: Vec<_> = raw.iter().enumerate()
                .map(|(i, (v, l, c, t))| agent(u8::try_from(i).unwrap(), *v, *l, *c, *t)).collect();
            let first = choose(&all, vip, &seed);
            all.reverse();
            prop_assert_eq!(first, choose(&all, vip, &seed));
            if let Some(choice) = first {
                let chosen = all.iter().find(|a| a.id == choice.agent).unwrap();
                prop_assert!(chosen.load < chosen.capacity);
                prop_assert!(vip || !chosen.vip);
            } else {
                prop_assert!(all.iter().all(|a| a.load >= a.capacity || (a.vip && !vip)));
            }
        }
    }
}
