//! The effect of an event in the log on a group's work. It is pure and has no memory: the same log gives the same sums.

use super::forecast;
use serde_json::Value;
use warmline_model::{EventBody, GroupId, Timestamp};

/// The seconds of one slot that a contact is assumed to take if none was handled in the days looked back.
const USUAL_SECS: f64 = 300.0;
/// Milliseconds of a quarter of an hour.
pub const QUARTER_MS: i64 = 24 * 3_600_000 / forecast::DAY;

/// The quarter of an hour of an instant, counted from 1970.
pub const fn quarter(at: Timestamp) -> i64 {
    at.millis().div_euclid(QUARTER_MS)
}

/// An addition to a group's sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Contacts that came to its human agents.
    pub came: i64,
    /// Contacts that human agents held and gave back.
    pub handled: i64,
    /// The capacity that these took, times the milliseconds for which they took it: 60 000 is one unit for a minute.
    pub unit_ms: i64,
}

impl Sums {
    /// Adds other sums.
    pub fn add(&mut self, more: &Self) {
        self.came += more.came;
        self.handled += more.handled;
        self.unit_ms += more.unit_ms;
    }

    /// The seconds of one unit that a contact takes on average; `None` if none was handled.
    #[expect(clippy::cast_precision_loss, reason = "a mean of milliseconds")]
    pub fn unit_secs(&self) -> Option<f64> {
        (self.handled > 0 && self.unit_ms > 0).then(|| self.unit_ms as f64 / self.handled as f64 / 1_000.0)
    }

    /// The same, with the assumed time if none was handled, and within the limits of a [`Load`](super::load::Load).
    pub fn slot_secs(&self) -> f64 {
        self.unit_secs().unwrap_or(USUAL_SECS).clamp(0.001, 1e7)
    }
}

/// The effect of an event. A contact comes to a group when the router first places it there, when a member of staff
/// transfers it there, or when an AI seat hands it over. While an AI seat has it, it is no human agent's work. A contact
/// that overflows into another group still counts where it came, because agents were missing there.
pub fn work(event: &EventBody) -> Option<(GroupId, Sums)> {
    match event {
        EventBody::RoutingDecided(decision) => {
            let cause = decision.get("cause")?;
            let comes = matches!(cause.as_str(), Some("arrival" | "transfer")) || cause.get("hand_over").is_some();
            let outcome = decision.get("outcome").filter(|_| comes)?;
            let placed = outcome.get("assigned").or_else(|| outcome.get("queued"))?;
            let message = placed.get("left_message").and_then(Value::as_bool).unwrap_or(false);
            let group = GroupId::new(placed.get("group")?.as_str()?).ok().filter(|_| !message)?;
            Some((group, Sums { came: 1, ..Sums::default() }))
        }
        // The decision before this event has counted it.
        EventBody::ConversationAssigned { group, ai: true, .. } => {
            Some((group.clone(), Sums { came: -1, ..Sums::default() }))
        }
        EventBody::CapacityReleased { work: Some(work), .. } => {
            let unit_ms = work.units.hundredths().saturating_mul(work.ms) / 100;
            Some((work.group.clone(), Sums { came: 0, handled: 1, unit_ms }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use warmline_model::{AgentId, Units, event};

    fn decided(decision: Value) -> Option<(GroupId, Sums)> {
        work(&EventBody::RoutingDecided(decision))
    }

    #[test]
    fn a_contact_comes_once() {
        let group = GroupId::new("order").unwrap();
        let came = Some((group.clone(), Sums { came: 1, ..Sums::default() }));
        let queued = json!({ "queued": { "group": "order" } });
        assert_eq!(decided(json!({ "cause": "arrival", "outcome": queued })), came);
        assert_eq!(decided(json!({ "cause": "transfer", "outcome": { "assigned": { "group": "order" } } })), came);
        assert_eq!(decided(json!({ "cause": { "hand_over": "asked" }, "outcome": queued })), came);
        for again in ["seat_free", "waited_too_long", "accept_timeout", "agent_lost"] {
            assert_eq!(decided(json!({ "cause": again, "outcome": queued })), None);
        }
        let message = json!({ "queued": { "group": "order", "left_message": true } });
        assert_eq!(decided(json!({ "cause": "arrival", "outcome": message })), None);
        assert_eq!(decided(json!({ "cause": "arrival" })), None);
    }

    #[test]
    fn work_is_capacity_by_time() {
        let group = GroupId::new("order").unwrap();
        let (agent, load) = (AgentId::from_bytes(&[1; 16]).unwrap(), Units::ZERO);
        let done = event::Work { group: group.clone(), ms: 60_000, units: Units::from_hundredths(50) };
        let body = EventBody::CapacityReleased { agent, load, work: Some(done) };
        let (to, sums) = work(&body).unwrap();
        assert_eq!((to, sums.clone()), (group, Sums { came: 0, handled: 1, unit_ms: 30_000 }));
        assert_eq!(sums.unit_secs(), Some(30.0));
        assert_eq!(Sums::default().unit_secs(), None);
        assert_eq!(work(&EventBody::CapacityReleased { agent, load, work: None }), None);
        assert_eq!(quarter(Timestamp::from_millis(QUARTER_MS - 1)), 0);
    }
}
