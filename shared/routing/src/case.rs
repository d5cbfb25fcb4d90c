//! Whether a conversation continues an earlier case: for example, writing in the app and then calling is one matter.

use crate::rules::OneOrMore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warmline_model::case::{OrderKey, Part};
use warmline_model::{CaseId, Channel, Timestamp};

/// The channels between which a case continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The channel of the case's last message.
    pub from: OneOrMore<Channel>,
    /// The channel on which the customer comes now.
    pub to: OneOrMore<Channel>,
}

/// The rules by which a conversation continues a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cases {
    /// Hours since the case's last message; 0: each conversation is a case of its own.
    #[schemars(range(min = 0, max = 8_760))]
    pub window_hours: i64,
    /// The channels between which a case continues; any channels when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Vec<Pair>>,
}

impl Default for Cases {
    fn default() -> Self {
        Self { window_hours: 72, pairs: None }
    }
}

/// The most pairs of channels.
const MAX_PAIRS: usize = 200;

/// A case, summed up from its conversations.
struct Sum<'a> {
    last: Timestamp,
    channel: &'a Channel,
    orders: Vec<&'a OrderKey>,
}

impl Cases {
    /// Checks the rules.
    ///
    /// # Errors
    /// A rule has a fault. The error holds the path below `cases`, and the fault there.
    pub(crate) fn check(&self) -> Result<(), (String, &'static str)> {
        if !(0..=8_760).contains(&self.window_hours) {
            return Err(("window_hours".into(), "a window is from 0 to 8760 hours, a year"));
        }
        let pairs = self.pairs.as_deref().unwrap_or_default();
        if pairs.len() > MAX_PAIRS {
            return Err(("pairs".into(), "at most 200 pairs"));
        }
        match pairs.iter().position(|p| p.from.all().is_empty() || p.to.all().is_empty()) {
            Some(i) => Err((format!("pairs[{i}]"), "an empty list would never fit; leave the pair out")),
            None => Ok(()),
        }
    }

    /// The milliseconds after its last message in which a case can be continued.
    pub const fn window_ms(&self) -> i64 {
        self.window_hours.saturating_mul(3_600_000)
    }

    /// The case that a conversation continues, among the cases of `parts`. A case must be within the window, on channels
    /// that go together, and not about other orders. A case about the same order comes first; then the one with the newest
    /// message.
    pub fn continued(&self, channel: &Channel, orders: &[OrderKey], at: Timestamp, parts: &[Part]) -> Option<CaseId> {
        if self.window_hours == 0 {
            return None;
        }
        let mut cases: BTreeMap<CaseId, Sum<'_>> = BTreeMap::new();
        for part in parts {
            let sum = cases.entry(part.case).or_insert(Sum { last: part.last, channel: &part.channel, orders: Vec::new() });
            if (part.last, &part.channel) > (sum.last, sum.channel) {
                (sum.last, sum.channel) = (part.last, &part.channel);
            }
            sum.orders.extend(&part.orders);
        }
        let same = |sum: &Sum<'_>| sum.orders.iter().any(|o| orders.contains(o));
        let other = |sum: &Sum<'_>| !orders.is_empty() && !sum.orders.is_empty() && !same(sum);
        let fits = |sum: &Sum<'_>| {
            at.since(sum.last) <= self.window_ms() && self.goes_together(sum.channel, channel) && !other(sum)
        };
        let best = cases.into_iter().filter(|(_, sum)| fits(sum)).max_by_key(|(case, sum)| (same(sum), sum.last, *case));
        best.map(|(case, _)| case)
    }

    fn goes_together(&self, from: &Channel, to: &Channel) -> bool {
        let has = |channels: &OneOrMore<Channel>, channel| channels.all().contains(channel);
        self.pairs.as_ref().is_none_or(|pairs| pairs.iter().any(|p| has(&p.from, from) && has(&p.to, to)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use warmline_model::ConversationId;

    const CHANNELS: [&str; 3] = ["app", "phone", "wechat"];
    const HOUR: i64 = 3_600_000;

    fn channel(name: &str) -> Channel {
        Channel::new(name).unwrap()
    }

    fn part(case: u8, on: &str, hours: i64, orders: &[u8]) -> Part {
        Part {
            conversation: ConversationId::from_bytes(&[case; 16]).unwrap(),
            case: CaseId::from_bytes(&[case; 16]).unwrap(),
            channel: channel(on),
            last: Timestamp::from_millis(hours * HOUR),
            orders: orders.iter().map(|o| [*o; 16]).collect(),
        }
    }

    fn continued(rules: &str, on: &str, orders: &[u8], hours: i64, parts: &[Part]) -> Option<u8> {
        let rules: Cases = serde_json::from_str(rules).unwrap();
        rules.check().unwrap();
        let orders: Vec<OrderKey> = orders.iter().map(|o| [*o; 16]).collect();
        let case = rules.continued(&channel(on), &orders, Timestamp::from_millis(hours * HOUR), parts)?;
        Some(case.as_bytes()[0])
    }

    #[test]
    fn the_newest_case_goes_on_within_its_window() {
        let parts = [part(1, "app", 10, &[]), part(2, "app", 12, &[]), part(1, "phone", 11, &[])];
        assert_eq!(continued("{}", "phone", &[], 84, &parts), Some(2));
        assert_eq!(continued("{}", "phone", &[], 85, &parts), None);
        assert_eq!(continued(r#"{"window_hours":73}"#, "phone", &[], 85, &parts), Some(2));
        assert_eq!(continued(r#"{"window_hours":0}"#, "phone", &[], 12, &parts), None);
    }

    #[test]
    fn another_order_is_another_case_and_the_same_order_is_found_again() {
        let parts = [part(1, "app", 1, &[1]), part(2, "app", 2, &[2])];
        assert_eq!(continued("{}", "phone", &[], 3, &parts), Some(2));
        assert_eq!(continued("{}", "phone", &[1], 3, &parts), Some(1));
        assert_eq!(continued("{}", "phone", &[2, 3], 3, &parts), Some(2));
        assert_eq!(continued("{}", "phone", &[3], 3, &parts), None);
        // All of a case's conversations show what it is about.
        assert_eq!(continued("{}", "phone", &[3], 3, &[part(1, "app", 1, &[1]), part(1, "app", 2, &[])]), None);
        assert_eq!(continued("{}", "phone", &[3], 3, &[part(4, "app", 1, &[])]), Some(4));
    }

    #[test]
    fn a_brand_may_say_which_channels_go_together() {
        let rules = r#"{"pairs":[{"from":["app","wechat"],"to":"phone"}]}"#;
        let parts = [part(1, "phone", 1, &[]), part(1, "app", 2, &[])];
        assert_eq!(continued(rules, "phone", &[], 3, &parts), Some(1));
        assert_eq!(continued(rules, "wechat", &[], 3, &parts), None);
        assert_eq!(continued(rules, "phone", &[], 3, &[part(1, "app", 1, &[]), part(1, "phone", 2, &[])]), None);
        assert_eq!(continued(r#"{"pairs":[]}"#, "phone", &[], 3, &parts), None);
        let wrong = |text: &str| serde_json::from_str::<Cases>(text).unwrap().check().unwrap_err().0;
        assert_eq!(wrong(r#"{"window_hours":-1}"#), "window_hours");
        assert_eq!(wrong(r#"{"pairs":[{"from":"app","to":"phone"},{"from":[],"to":"phone"}]}"#), "pairs[1]");
    }

    proptest! {
        #[test]
        fn a_case_goes_on_only_where_all_rules_allow_it_and_whatever_the_order(
            window_hours in 0i64..100,
            pairs in proptest::option::of(proptest::collection::vec((0usize..3, 0usize..3), 0..4)),
            to in 0usize..3,
            orders in proptest::collection::vec(0u8..3, 0..3),
            found in proptest::collection::vec((0u8..4, 0usize..3, 0i64..100, proptest::collection::vec(0u8..3, 0..3)), 0..12),
            turn in 0usize..12,
        ) {
            let pair = |(from, to): &(usize, usize)| Pair {
                from: OneOrMore::One(channel(CHANNELS[*from])),
                to: OneOrMore::More(vec![channel(CHANNELS[*to])]),
            };
            let rules = Cases { window_hours, pairs: pairs.as_ref().map(|all| all.iter().map(pair).collect()) };
            let mut parts: Vec<Part> = found.iter().map(|(c, on, hours, orders)| part(*c, CHANNELS[*on], *hours, orders)).collect();
            let named: Vec<OrderKey> = orders.iter().map(|o| [*o; 16]).collect();
            let (to, at) = (channel(CHANNELS[to]), Timestamp::from_millis(100 * HOUR));
            let chosen = rules.continued(&to, &named, at, &parts);
            // The rules for each case, computed separately.
            let allowed = |case: CaseId| {
                let of: Vec<&Part> = parts.iter().filter(|p| p.case == case).collect();
                let newest = of.iter().map(|p| (p.last, &p.channel)).max().unwrap();
                let about: Vec<&OrderKey> = of.iter().flat_map(|p| &p.orders).collect();
                let apart = !named.is_empty() && !about.is_empty() && !about.iter().any(|o| named.contains(o));
                let together = pairs.as_ref().is_none_or(|all| {
                    all.iter().any(|(f, t)| newest.1.as_str() == CHANNELS[*f] && to.as_str() == CHANNELS[*t])
                });
                window_hours > 0 && at.since(newest.0) <= window_hours * HOUR && together && !apart
            };
            prop_assert_eq!(chosen.is_some(), parts.iter().any(|p| allowed(p.case)));
            prop_assert!(chosen.is_none_or(allowed));
            parts.rotate_left(turn % found.len().max(1));
            prop_assert_eq!(rules.continued(&to, &named, at, &parts), chosen);
        }
    }
}
