//! Messages that answer nobody (主动触达): a notice about an order, a survey, an offer. Each states its purpose. The brand's
//! [`ContactRules`] say at which hours and how often a person may be approached for it; the strictest of the Chinese clouds'
//! limits are the defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use warmline_model::Timestamp;
use warmline_routing::hours::DayTime;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// The class of a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It serves a contract with the customer: an order, a delivery, a ticket. It needs no consent (PIPL article 13(2)).
    Service,
    /// It asks for an opinion. It needs no consent.
    Survey,
    /// It advertises. It needs consent (Advertising Law article 43).
    Marketing,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Service, Self::Survey, Self::Marketing];

    /// The word before the dot of a purpose.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Survey => "survey",
            Self::Marketing => "marketing",
        }
    }
}

/// The purpose of a message that answers nobody: a class, a dot, and the brand's own code, as in `service.order`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    class: Class,
    text: String,
}

impl Purpose {
    /// Reads a purpose.
    pub fn parse(text: &str) -> Option<Self> {
        let (class, code) = text.split_once('.')?;
        let class = Class::ALL.into_iter().find(|known| known.as_str() == class)?;
        let ok = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        let fits = (1..=24).contains(&code.len()) && code.bytes().all(ok);
        fits.then(|| Self { class, text: text.to_owned() })
    }

    /// Its class.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The purposes of consent that decide about it: everything, its class, and itself. A withdrawal of any of them forbids
    /// it. The channel's own is not among them.
    pub fn decided_by(&self) -> [&str; 3] {
        [EVERYTHING, self.class.as_str(), &self.text]
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The purpose of consent that stands for all messages that answer nobody. Its withdrawal is a do-not-contact.
pub const EVERYTHING: &str = "contact";

/// A limit on how often a person is approached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// The most messages …
    #[schemars(range(min = 0, max = 1_000))]
    pub most: u32,
    /// … in this many days.
    #[schemars(range(min = 1, max = 30))]
    pub days: u32,
}

/// The hours and limits of a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactRule {
    /// The time of day from which on people are approached, in the brand's zone.
    pub from: DayTime,
    /// The time of day until which they are.
    pub to: DayTime,
    /// The limits. All of them hold.
    #[schemars(length(max = 8))]
    pub caps: Vec<Cap>,
}

impl ContactRule {
    /// The instant at which people may be approached again; `None` if they may be now. `zone_minutes` is the zone's offset from
    /// UTC.
    pub fn quiet_until(&self, at: Timestamp, zone_minutes: i64) -> Option<Timestamp> {
        let local = at.millis().saturating_add(zone_minutes.saturating_mul(MINUTE_MS));
        let in_day = local.rem_euclid(DAY_MS);
        let (from, to) = (i64::from(self.from.minutes()) * MINUTE_MS, i64::from(self.to.minutes()) * MINUTE_MS);
        if (from..to).contains(&in_day) {
            return None;
        }
        let wait = if in_day < from { from - in_day } else { DAY_MS - in_day + from };
        Some(at.plus_millis(wait))
    }

    /// Whether one more message at an instant keeps the limits, after messages at these instants.
    pub fn allows(&self, sent: &[Timestamp], at: Timestamp) -> bool {
        self.caps.iter().all(|cap| {
            let since = at.plus_millis(-(i64::from(cap.days) * DAY_MS));
            // A clock that was set back forgets nothing: what lies ahead counts as well.
            let recent = sent.iter().filter(|one| **one > since).count();
            u32::try_from(recent).is_ok_and(|recent| recent < cap.most)
        })
    }
}

/// The brand's rules for approaching people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactRules {
    /// For messages that serve a contract.
    pub service: ContactRule,
    /// For surveys.
    pub survey: ContactRule,
    /// For advertising.
    pub marketing: ContactRule,
}

impl Default for ContactRules {
    fn default() -> Self {
        let rule = |from: i64, to: i64, caps: &[(u32, u32)]| ContactRule {
            from: DayTime::of_hour(from),
            to: DayTime::of_hour(to),
            caps: caps.iter().map(|(most, days)| Cap { most: *most, days: *days }).collect(),
        };
        Self {
            service: rule(8, 22, &[(2, 1), (6, 7)]),
            survey: rule(8, 22, &[(1, 1), (2, 7)]),
            marketing: rule(8, 21, &[(1, 7), (2, 30)]),
        }
    }
}

impl ContactRules {
    /// The rule of a class.
    pub const fn of(&self, class: Class) -> &ContactRule {
        match class {
            Class::Service => &self.service,
            Class::Survey => &self.survey,
            Class::Marketing => &self.marketing,
        }
    }

    /// Checks hours and limits.
    ///
    /// # Errors
    /// A rule has a fault. The error holds its place (`survey.caps[1].days`), and the fault.
    pub fn check(&self) -> Result<(), (String, &'static str)> {
        for class in Class::ALL {
            let (rule, name) = (self.of(class), class.as_str());
            if rule.from >= rule.to {
                return Err((format!("{name}.to"), "the hours end after they begin, on the same day"));
            }
            if rule.caps.len() > 8 {
                return Err((format!("{name}.caps"), "at most 8 limits"));
            }
            for (n, cap) in rule.caps.iter().enumerate() {
                if cap.most > 1_000 {
                    return Err((format!("{name}.caps[{n}].most"), "at most 1,000 messages"));
                }
                if !(1..=MOST_DAYS).contains(&cap.days) {
                    return Err((format!("{name}.caps[{n}].days"), "from 1 to 30 days"));
                }
            }
        }
        Ok(())
    }
}

/// The longest period of a limit, in days.
pub const MOST_DAYS: u32 = 30;

/// The newest statement of a person about a purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// They agreed.
    Given,
    /// They withdrew: from it, from its class, from the channel, or from everything.
    Withdrawn,
    /// They said nothing.
    Silent,
}

/// What decides about a message that answers nobody, besides what decides about every message.
#[derive(Clone, Copy, Debug)]
pub struct Approach<'a> {
    /// The class of its purpose.
    pub class: Class,
    /// The person's statement.
    pub stance: Stance,
    /// Whether a legal hold covers the person.
    pub legal_hold: bool,
    /// The rule of the class.
    pub rule: &'a ContactRule,
    /// The brand's zone: its offset from UTC in minutes.
    pub zone_minutes: i64,
    /// When the person was approached for that class in the last [`MOST_DAYS`] days, on any channel.
    pub sent: &'a [Timestamp],
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHINA: i64 = 480;

    fn at(text: &str) -> Timestamp {
        serde_json::from_str(&format!("{text:?}")).unwrap()
    }

    #[test]
    fn a_purpose_is_a_class_and_a_code() {
        let purpose = Purpose::parse("marketing.repurchase").unwrap();
        assert_eq!((purpose.class(), purpose.as_str()), (Class::Marketing, "marketing.repurchase"));
        assert_eq!(purpose.decided_by(), ["contact", "marketing", "marketing.repurchase"]);
        for text in ["marketing", "answer", "marketing.", "ads.x", "service.Order", "service.a.b", "service.退款"] {
            assert_eq!(Purpose::parse(text), None, "{text}");
        }
        assert_eq!(Purpose::parse(&format!("service.{}", "a".repeat(25))), None);
    }

    #[test]
    fn nobody_is_approached_at_night() {
        let rule = ContactRules::default().marketing;
        for (now, until) in [
            ("2026-12-01T07:59:59+08:00", Some("2026-12-01T08:00:00+08:00")),
            ("2026-12-01T08:00:00+08:00", None),
            ("2026-12-01T20:59:59+08:00", None),
            ("2026-12-01T21:00:00+08:00", Some("2026-12-02T08:00:00+08:00")),
            ("2026-12-31T23:30:00+08:00", Some("2027-01-01T08:00:00+08:00")),
            ("2028-02-28T22:00:00+08:00", Some("2028-02-29T08:00:00+08:00")),
        ] {
            assert_eq!(rule.quiet_until(at(now), CHINA), until.map(at), "{now}");
        }
        assert_eq!(rule.quiet_until(at("2026-12-01T03:00:00Z"), -300), Some(at("2026-12-01T13:00:00Z")));
    }

    #[test]
    fn a_limit_holds_to_its_last_instant() {
        let rule = ContactRules::default().service;
        let now = at("2026-12-10T10:00:00+08:00");
        let ago = |hours: i64| now.plus_millis(-hours * 3_600_000);
        assert!(rule.allows(&[], now) && rule.allows(&[ago(1)], now));
        assert!(!rule.allows(&[ago(1), ago(23)], now));
        assert!(rule.allows(&[ago(1), ago(24)], now));
        assert!(!rule.allows(&[ago(26), ago(27), ago(60), ago(61), ago(90), ago(91)], now));
        assert!(!rule.allows(&[ago(-1), ago(-2)], now), "the clock was set back");
    }

    #[test]
    fn faults_are_found_where_they_stand() {
        let mut rules = ContactRules::default();
        assert_eq!(rules.check(), Ok(()));
        let text = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<ContactRules>(&text).unwrap(), rules);
        rules.survey.caps[1].days = 31;
        assert_eq!(rules.check().unwrap_err().0, "survey.caps[1].days");
        rules.service.to = rules.service.from;
        assert_eq!(rules.check().unwrap_err().0, "service.to");
    }

    proptest! {
        #[test]
        fn a_wait_ends_within_a_day_at_an_hour_that_is_allowed(now in any::<i32>(), zone in -840i64..=840, from in 0i64..23, long in 1i64..24) {
            let rule = ContactRule { from: DayTime::of_hour(from), to: DayTime::of_hour((from + long).min(24)), caps: Vec::new() };
            let now = Timestamp::from_millis(i64::from(now) * 1_000);
            if let Some(until) = rule.quiet_until(now, zone) {
                prop_assert!(until > now && until.since(now) < DAY_MS);
                prop_assert_eq!(rule.quiet_until(until, zone), None);
            }
        }
    }
}
