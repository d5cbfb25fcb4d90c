//! The faults of a simulated platform, and their conditions.

use super::{Endpoint, Trouble};
use std::time::Duration;

/// The misbehaviour of a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Refuses with its own reason.
    Say(Trouble),
    /// Refuses with this error code of its own (WeChat's 40001, 45015, 45047, -1, …).
    Error(i64),
    /// Answers this status with an empty body.
    Status(u16),
    /// Answers with this status, and with this many seconds in `Retry-After`.
    Later(u16, u32),
    /// Accepts the message, then answers 200 with a page that is not JSON.
    Unreadable,
    /// Accepts the message, and answers this much later.
    Late(Duration),
    /// Waits, then continues with the next rule or with normal behaviour.
    Delay(Duration),
    /// Closes the connection without an answer, and has not accepted the message.
    DropBefore,
    /// Accepts the message, then closes the connection without an answer.
    DropAfter,
}

/// A behaviour with its conditions: all requests of an endpoint, unless narrowed.
#[derive(Clone, Debug)]
pub struct Rule {
    endpoint: Endpoint,
    behaviour: Behaviour,
    left: Option<u64>,
    every: u64,
    matched: u64,
    to: Option<String>,
    containing: Option<String>,
}

impl Rule {
    const fn new(endpoint: Endpoint, behaviour: Behaviour) -> Self {
        Self { endpoint, behaviour, left: None, every: 1, matched: 0, to: None, containing: None }
    }

    /// Applies to calls that send a message.
    pub const fn send(behaviour: Behaviour) -> Self {
        Self::new(Endpoint::Send, behaviour)
    }

    /// Applies to calls that fetch a token.
    pub const fn token(behaviour: Behaviour) -> Self {
        Self::new(Endpoint::Token, behaviour)
    }

    /// Narrows it to the first matching request.
    #[must_use]
    pub const fn once(self) -> Self {
        self.times(1)
    }

    /// Narrows it to the first `n` matching requests.
    #[must_use]
    pub const fn times(mut self, n: u64) -> Self {
        self.left = Some(n);
        self
    }

    /// Narrows it to each `n`th matching request.
    #[must_use]
    pub const fn every(mut self, n: u64) -> Self {
        self.every = n;
        self
    }

    /// Narrows it to messages to this customer.
    #[must_use]
    pub fn to(mut self, open_id: impl Into<String>) -> Self {
        self.to = Some(open_id.into());
        self
    }

    /// Narrows it to messages with these words.
    #[must_use]
    pub fn containing(mut self, words: impl Into<String>) -> Self {
        self.containing = Some(words.into());
        self
    }

    /// Whether it applies to this request. It uses up one of its times.
    fn take(&mut self, endpoint: Endpoint, to: &str, text: &str) -> bool {
        let matches = self.endpoint == endpoint
            && self.left != Some(0)
            && self.to.as_deref().is_none_or(|wanted| wanted == to)
            && self.containing.as_deref().is_none_or(|words| text.contains(words));
        if !matches {
            return false;
        }
        self.matched += 1;
        if self.every > 1 && !self.matched.is_multiple_of(self.every) {
            return false;
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        true
    }
}

/// The rules, in the order in which they were added. The first that applies decides. Delays before it add up.
#[derive(Default)]
pub(super) struct RuleSet(Vec<Rule>);

impl RuleSet {
    pub(super) fn add(&mut self, rule: Rule) {
        self.0.push(rule);
    }

    /// The delay, and the behaviour after it.
    pub(super) fn decide(&mut self, endpoint: Endpoint, to: &str, text: &str) -> (Duration, Option<Behaviour>) {
        let mut delay = Duration::ZERO;
        for rule in &mut self.0 {
            if rule.take(endpoint, to, text) {
                match rule.behaviour {
                    Behaviour::Delay(time) => delay += time,
                    other => return (delay, Some(other)),
                }
            }
        }
        (delay, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowed_rules_apply_to_their_requests_only() {
        let mut rules = RuleSet::default();
        rules.add(Rule::send(Behaviour::Error(45015)).to("o1").times(2));
        rules.add(Rule::send(Behaviour::Status(500)).containing("物流").once());
        let mut ask = |to, text| rules.decide(Endpoint::Send, to, text).1;
        assert_eq!(ask("o2", "你好"), None);
        assert_eq!(ask("o2", "物流"), Some(Behaviour::Status(500)));
        assert_eq!(ask("o2", "物流"), None);
        assert_eq!(ask("o1", ""), Some(Behaviour::Error(45015)));
        assert_eq!(ask("o1", ""), Some(Behaviour::Error(45015)));
        assert_eq!(ask("o1", ""), None);
        assert_eq!(rules.decide(Endpoint::Token, "o1", "").1, None);
    }

    #[test]
    fn delays_add_up_before_what_follows() {
        let mut rules = RuleSet::default();
        rules.add(Rule::send(Behaviour::Delay(Duration::from_millis(5))));
        rules.add(Rule::send(Behaviour::Delay(Duration::from_millis(7))).every(2));
        rules.add(Rule::send(Behaviour::Error(-1)).every(3));
        let got: Vec<_> = (0..3).map(|_| rules.decide(Endpoint::Send, "", "")).collect();
        assert_eq!(got[0], (Duration::from_millis(5), None));
        assert_eq!(got[1], (Duration::from_millis(12), None));
        assert_eq!(got[2], (Duration::from_millis(5), Some(Behaviour::Error(-1))));
    }
}
