//! Seats that move by themselves while a day is played: the tick's work in auto mode, on seats and queues in memory. It
//! knows the contacts so far and their average duration (which a real floor learns as they end), and nothing of future
//! contacts.

use super::day::Hired;
use std::collections::BTreeMap;
use warmline_model::{AgentId, AgentState, GroupId, Timestamp};
use warmline_replay::history::History;
use warmline_replay::play::Watch;
use warmline_routing::seat::taken;
use warmline_routing::staffing::moves::{HOME_MINUTES, settled};
use warmline_routing::staffing::work::{Sums, quarter};
use warmline_routing::staffing::{Member, forecast, moves, slots};
use warmline_routing::{Memory, Ready, SeatsAndQueues};

/// Moves seats once a minute.
pub struct Auto<'a> {
    history: &'a History,
    hired: &'a [Hired],
    next: usize,
    came: BTreeMap<GroupId, BTreeMap<i64, i64>>,
    sums: BTreeMap<GroupId, Sums>,
    moved: BTreeMap<AgentId, Timestamp>,
    /// The number of moves so far, including those back.
    pub moves: usize,
}

impl<'a> Auto<'a> {
    /// Makes it for a day with its agents.
    pub fn new(history: &'a History, hired: &'a [Hired]) -> Self {
        let (came, sums, moved) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { history, hired, next: 0, came, sums, moved, moves: 0 }
    }

    /// Takes in the contacts until now.
    fn learn(&mut self, plan: &Ready, now: Timestamp) {
        let whole = self.hired.iter().map(|h| h.profile.capacity).max().unwrap_or_default();
        while let Some(came) = self.history.came.get(self.next).filter(|c| c.at <= now) {
            self.next += 1;
            let Some(placement) = plan.place(&came.facts, came.at) else { continue };
            let units = taken(&plan.cost(&came.facts.channel), whole, warmline_model::Units::ZERO);
            let ms = came.people_ms.unwrap_or(0);
            let more = Sums { came: 1, handled: 1, unit_ms: units.hundredths() * ms / 100 };
            *self.came.entry(placement.group.clone()).or_default().entry(quarter(came.at)).or_default() += 1;
            self.sums.entry(placement.group).or_default().add(&more);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "contacts of a day")]
    fn needs(&self, plan: &Ready, floor: &Memory, now: Timestamp) -> BTreeMap<GroupId, f64> {
        let none = BTreeMap::new();
        let need = |group: &warmline_routing::Group| {
            let expected = forecast(self.came.get(&group.id).unwrap_or(&none), quarter(now), 1);
            let Ok(waiting) = floor.waiting(&group.id);
            let a_quarter = expected.first().copied().unwrap_or(0.0) + waiting as f64;
            let slot_secs = self.sums.get(&group.id).cloned().unwrap_or_default().slot_secs();
            (group.id.clone(), slots(a_quarter, slot_secs, &group.settings.service_level.target()))
        };
        plan.groups.iter().map(need).collect()
    }

    #[expect(clippy::cast_precision_loss, reason = "hundredths of a few units")]
    fn members(&self, floor: &Memory, now: Timestamp) -> Vec<Member> {
        let at_work = |state| matches!(state, AgentState::Available | AgentState::Busy | AgentState::WrapUp);
        let seats = self.hired.iter().filter_map(|h| floor.seat(h.profile.agent));
        let member = |(seat, weights): (warmline_routing::Seat, BTreeMap<GroupId, i64>)| Member {
            agent: seat.id,
            capacity: seat.capacity.hundredths() as f64 / 100.0,
            home: weights.iter().find(|(_, minutes)| **minutes > 0).map(|(g, _)| g.clone()),
            groups: weights.into_keys().collect(),
            settled: self.moved.get(&seat.id).is_none_or(|at| settled(*at, now)),
        };
        seats.filter(|(seat, _)| at_work(seat.state) && !seat.dedicated && !seat.ai).map(member).collect()
    }
}

impl Watch for Auto<'_> {
    fn every_ms(&self) -> i64 {
        60_000
    }

    fn look(&mut self, plan: &Ready, floor: &mut Memory, now: Timestamp) {
        self.learn(plan, now);
        for made in moves(&self.needs(plan, floor, now), &self.members(floor, now)) {
            self.moves += 1;
            self.moved.insert(made.agent, now);
            if let Some(from) = made.from {
                floor.set_weight(made.agent, from, 0);
            }
            if let Some(to) = made.to {
                floor.set_weight(made.agent, to, HOME_MINUTES);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day;
    use crate::scenario::Scenario;
    use serde_json::json;
    use warmline_replay::play::watched;

    /// A day near the limit: 20 people serve both groups, and 6 serve each alone. 售后 has a head start of five minutes, so
    /// the people for both do not come to 订单.
    fn busy() -> Scenario {
        let mut hours = vec![0.0; 24];
        hours[9..23].fill(1.0);
        let of = |groups: serde_json::Value, agents: u16| {
            let shifts = json!([{ "agents": agents, "from": 480, "to": 1440 }]);
            json!({ "name": "组", "capacity": 3, "groups": groups, "shifts": shifts })
        };
        let handle = json!({ "mean_secs": 360, "variation": 0.9 });
        let scenario = json!({
            "name": "A busy day",
            "days": { "busy": { "times": 1, "hours": hours } },
            "intents": { "aftersale": 1 },
            "channels": [
                { "channel": "app", "contacts": 8400, "handle": handle, "patience_secs": 180 },
                { "channel": "douyin", "contacts": 3900, "handle": handle, "patience_secs": 180, "intents": { "order": 1 } },
            ],
            "teams": [of(json!({ "order": 1 }), 6), of(json!({ "aftersale": 1 }), 6), of(json!({ "order": 1, "aftersale": 1 }), 20)],
            "plan": {
                "groups": [{ "id": "order", "name": "订单" }, { "id": "aftersale", "name": "售后" }],
                "rules": [{ "intent": "aftersale", "group": "aftersale", "priority_minutes": 5 }, { "intent": "order", "group": "order" }]
            }
        });
        Scenario::parse(&scenario.to_string()).unwrap()
    }

    /// The share of a group's contacts that were answered within 20 s.
    fn level(history: &History, fates: &[warmline_replay::play::Fate], channel: &str) -> f64 {
        let of = history.came.iter().zip(fates).filter(|(c, _)| c.facts.channel.as_str() == channel);
        let (met, all) =
            of.fold((0, 0), |(met, all), (_, f)| (met + i32::from(f.waited_ms.is_some_and(|ms| ms <= 20_000)), all + 1));
        f64::from(met) / f64::from(all)
    }

    #[test]
    fn seats_move_to_the_queue_that_would_run_away() {
        let scenario = busy();
        let hired = day::hire(&scenario.teams).unwrap();
        let (mut still, mut moving) = ([0.0; 2], [0.0; 2]);
        for seed in 1..=5 {
            let history = day::draw(&scenario, &scenario.days["busy"], &hired, seed).unwrap();
            let mut auto = Auto::new(&history, &hired);
            let without = watched(&history, Some(&scenario.plan), None);
            let with = watched(&history, Some(&scenario.plan), Some(&mut auto));
            for (n, channel) in ["douyin", "app"].into_iter().enumerate() {
                still[n] += level(&history, &without, channel) / 5.0;
                moving[n] += level(&history, &with, channel) / 5.0;
            }
            println!("seed {seed}: {} moves", auto.moves);
            // Each seat stays for at least ten minutes, which limits the moves of a day.
            assert!(auto.moves > 0 && auto.moves < 20 * 16 * 6);
        }
        println!("order, aftersale in 20 s: without {still:?}, with {moving:?}");
        assert!(moving[0] > still[0], "{still:?} {moving:?}");
        assert!(
            moving[0].min(moving[1]) > still[0].min(still[1]),
            "who had the worst of it has it better: {still:?} {moving:?}"
        );
    }
}
