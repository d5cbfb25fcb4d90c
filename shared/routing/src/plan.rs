//! The routing plan (路由方案): groups, rules, costs and hours in one document that operations staff edit. It is checked as a
//! whole, has a version, and applies from the next decision on.

use crate::case::Cases;
use crate::group::{Elsewhere, First, Group, GroupSettings};
use crate::hours::Hours;
use crate::rules::{CustomerRule, Facts, OneOrMore, Placement, Rule, VIP};
use crate::seat::{All, Amount, Cost, Levels, Prefer, PreferWhy};
use crate::word::{Searched, Word};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use warmline_model::{Channel, GroupId, Timestamp, Units};

/// The shortest time without a sign of life, in seconds, that can be told from a slow network, and from the tick, which
/// looks once a second.
pub const LEAST_HEARTBEAT: i64 = 5;

/// The rules by which an agent stays at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Presence {
    /// Seconds without a sign of life after which an agent is offline, 5 to 86400; 0: never. Every request of the agent is
    /// a sign of life.
    #[schemars(range(min = 0, max = 86_400))]
    pub heartbeat_secs: i64,
    /// Seconds for which a lost agent's accepted conversations are kept before they go back to the queue.
    #[schemars(range(min = 0, max = 86_400))]
    pub keep_secs: i64,
}

impl Default for Presence {
    fn default() -> Self {
        Self { heartbeat_secs: 90, keep_secs: 300 }
    }
}

/// The router's use of staffing's recommendations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "StaffingUse")]
pub enum Staffing {
    /// They are only shown to people.
    #[default]
    Recommend,
    /// The router moves multi-skilled seats by their weights.
    Auto,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The offset of the brand's zone from UTC, in minutes.
    #[serde(default = "china")]
    #[schemars(range(min = -840, max = 840))]
    pub zone_minutes: i64,
    /// Presence.
    #[serde(default)]
    pub presence: Presence,
    /// The cost of a contact, by channel, if it differs from the default: `phone` takes all remaining capacity (and
    /// interrupts e-mail), `email` half a unit, everything else one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub costs: BTreeMap<Channel, Cost>,
    /// Business hours, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hours: BTreeMap<String, Hours>,
    /// Skill groups. The first takes the contacts that no rule and no account places.
    pub groups: Vec<Group>,
    /// The rules of level 1. The first that fits decides.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// The rules of level 2. All that fit count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<CustomerRule>,
    /// The rules by which a conversation continues an earlier case.
    #[serde(default, skip_serializing_if = "crate::is_default")]
    pub cases: Cases,
    /// The router's use of staffing's recommendations.
    #[serde(default)]
    pub staffing: Staffing,
}

const fn china() -> i64 {
    480
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            zone_minutes: china(),
            presence: Presence::default(),
            costs: BTreeMap::new(),
            hours: BTreeMap::new(),
            groups: Vec::new(),
            rules: Vec::new(),
            customers: Vec::new(),
            cases: Cases::default(),
            staffing: Staffing::default(),
        }
    }
}

/// A fault in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable code.
    pub code: &'static str,
    /// The place: `rules[3].group`.
    pub path: String,
    /// The fault and its remedy.
    pub detail: String,
}

const MAX_GROUPS: usize = 500;
const MAX_RULES: usize = 1_000;
const MAX_SKILLS: usize = 256;

fn fault(code: &'static str, path: impl Into<String>, detail: impl Into<String>) -> Fault {
    Fault { code, path: path.into(), detail: detail.into() }
}

impl Plan {
    /// Checks the plan as a whole.
    ///
    /// # Errors
    /// The plan has a fault. The error is the first one.
    pub fn check(&self) -> Result<(), Fault> {
        if !(-840..=840).contains(&self.zone_minutes) {
            return Err(fault("bad_setting", "zone_minutes", "a zone is at most 14 hours from UTC"));
        }
        if !matches!(self.presence.heartbeat_secs, 0 | LEAST_HEARTBEAT..=86_400) {
            let detail = format!("seconds are from {LEAST_HEARTBEAT} to 86400, or 0 for never");
            return Err(fault("bad_setting", "presence.heartbeat_secs", detail));
        }
        if !(0..=86_400).contains(&self.presence.keep_secs) {
            return Err(fault("bad_setting", "presence.keep_secs", "seconds are from 0 to 86400"));
        }
        for (channel, cost) in &self.costs {
            if matches!(cost.units, Amount::Units(u) if u <= Units::ZERO || u > Units::whole(1_000)) {
                return Err(fault(
                    "bad_cost",
                    format!("costs.{channel}"),
                    "a cost is above 0 and at most 1000 units, or \"all\"",
                ));
            }
        }
        for (name, hours) in &self.hours {
            hours.check().map_err(|(path, detail)| fault("bad_hours", format!("hours.{name}.{path}"), detail))?;
        }
        self.cases.check().map_err(|(path, detail)| fault("bad_cases", format!("cases.{path}"), detail))?;
        self.check_groups()?;
        self.check_rules()?;
        for (i, rule) in self.customers.iter().enumerate() {
            if rule.tags.is_empty() {
                return Err(fault("bad_rule", format!("customers[{i}].tags"), "name at least one tag"));
            }
            check_priority(rule.priority_minutes, &format!("customers[{i}].priority_minutes"))?;
        }
        if self.skills().len() > MAX_SKILLS {
            return Err(fault("too_many_skills", "rules", format!("at most {MAX_SKILLS} skills can be asked for")));
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<(), Fault> {
        if self.groups.len() > MAX_GROUPS {
            return Err(fault("too_many_groups", "groups", format!("at most {MAX_GROUPS} groups")));
        }
        let mut seen = BTreeSet::new();
        for (i, group) in self.groups.iter().enumerate() {
            let at = |rest: &str| format!("groups[{i}].{rest}");
            if !seen.insert(&group.id) {
                return Err(fault("group_twice", at("id"), "there is a group of that id already"));
            }
            if !(1..=100).contains(&group.name.chars().count()) || group.name.chars().any(char::is_control) {
                return Err(fault("bad_setting", at("name"), "a name has 1 to 100 characters, on one line"));
            }
            group.settings.check().map_err(|field| {
                let detail = "the value is outside of its range; see the API description";
                fault("bad_setting", at(&format!("settings.{field}")), detail)
            })?;
            if let Some(name) = group.settings.hours.as_ref().filter(|n| !self.hours.contains_key(*n)) {
                let detail = format!("the plan has no business hours called {name:?}");
                return Err(fault("unknown_hours", at("settings.hours"), detail));
            }
            if group.settings.closed.is_some() && group.settings.hours.is_none() {
                return Err(fault("bad_setting", at("settings.closed"), "a group without business hours is never closed"));
            }
        }
        for (i, group) in self.groups.iter().enumerate() {
            for (name, next) in elsewhere(&group.settings) {
                let Elsewhere::Group(next) = next else { continue };
                let path = format!("groups[{i}].settings.{name}.to.group");
                if self.group(next).is_none() {
                    return Err(fault("unknown_group", path, "names no group of the plan"));
                }
                if self.leads_back(next, &group.id) {
                    return Err(fault("group_loop", path, "contacts that go elsewhere would come back here"));
                }
            }
        }
        Ok(())
    }

    fn leads_back(&self, from: &GroupId, to: &GroupId) -> bool {
        let (mut open, mut seen) = (vec![from], BTreeSet::new());
        while let Some(id) = open.pop() {
            if id == to {
                return true;
            }
            let Some(group) = self.group(id).filter(|g| seen.insert(&g.id)) else { continue };
            open.extend(elsewhere(&group.settings).filter_map(|(_, to)| match to {
                Elsewhere::Group(next) => Some(next),
                Elsewhere::Ai | Elsewhere::LeaveMessage => None,
            }));
        }
        false
    }

    fn check_rules(&self) -> Result<(), Fault> {
        if self.rules.len() > MAX_RULES {
            return Err(fault("too_many_rules", "rules", format!("at most {MAX_RULES} rules")));
        }
        for (i, rule) in self.rules.iter().enumerate() {
            let at = |rest: &str| format!("rules[{i}].{rest}");
            if self.group(&rule.group).is_none() {
                return Err(fault("unknown_group", at("group"), "names no skill group; create the group first"));
            }
            check_priority(rule.priority_minutes, &at("priority_minutes"))?;
            if let Some(name) = rule.hours.as_ref().filter(|n| !self.hours.contains_key(*n)) {
                return Err(fault("unknown_hours", at("hours"), format!("the plan has no business hours called {name:?}")));
            }
            if rule.closed && rule.hours.is_none() {
                return Err(fault("bad_rule", at("closed"), "says which hours are meant in `hours`"));
            }
            if rule.contains.len() > 500
                || rule.contains.iter().any(|w| w.as_str().is_empty() || w.as_str().chars().count() > 64)
            {
                return Err(fault("bad_rule", at("contains"), "at most 500 words of 1 to 64 characters"));
            }
            if rule.skills.keys().any(|s| s.is_empty() || s.chars().count() > 64) {
                return Err(fault("bad_rule", at("skills"), "a skill's name has 1 to 64 characters"));
            }
            if rule.skills.values().any(|level| *level == 0 || *level > 100) {
                return Err(fault("bad_rule", at("skills"), "a level is from 1 to 100"));
            }
            fn none<T>(values: Option<&OneOrMore<T>>) -> bool {
                values.is_some_and(|v| v.all().is_empty())
            }
            let empty = none(rule.channel.as_ref())
                || none(rule.account.as_ref())
                || [&rule.kind, &rule.status, &rule.intent, &rule.language].iter().any(|v| none(v.as_ref()));
            if empty {
                return Err(fault(
                    "bad_rule",
                    format!("rules[{i}]"),
                    "an empty list would never fit; leave the condition out",
                ));
            }
        }
        Ok(())
    }

    /// A group.
    pub fn group(&self, id: &GroupId) -> Option<&Group> {
        self.groups.iter().find(|g| g.id == *id)
    }

    /// A group's settings; the defaults if the group is no longer in the plan.
    pub fn settings(&self, id: &GroupId) -> GroupSettings {
        self.lent_settings(id).into_owned()
    }

    pub(crate) fn lent_settings(&self, id: &GroupId) -> Cow<'_, GroupSettings> {
        self.group(id).map_or_else(|| Cow::Owned(GroupSettings::default()), |g| Cow::Borrowed(&g.settings))
    }

    /// The cost of a channel's contact.
    pub fn cost(&self, channel: &Channel) -> Cost {
        if let Some(cost) = self.costs.get(channel) {
            return cost.clone();
        }
        match channel.as_str() {
            "phone" => Cost { units: Amount::All(All::All), interrupts: Channel::new("email").into_iter().collect() },
            "email" => Cost::units(Units::from_hundredths(50)),
            _ => Cost::units(Units::ONE),
        }
    }

    fn skills(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(|r| r.skills.keys().map(String::as_str)).collect()
    }

    /// Whether a group is open at an instant.
    pub fn open(&self, settings: &GroupSettings, at: Timestamp) -> bool {
        settings.hours.as_deref().is_none_or(|name| self.on(name, at))
    }

    fn on(&self, name: &str, at: Timestamp) -> bool {
        self.hours.get(name).is_some_and(|h| h.open(at, self.zone_minutes))
    }

    /// The words of the plan, from its rules and from the groups' hand-over policies, in lower case.
    pub fn words(&self) -> BTreeSet<&str> {
        self.each_word().map(Word::lower).collect()
    }

    fn each_word(&self) -> impl Iterator<Item = &Word> {
        let handing_over = self.groups.iter().flat_map(|g| &g.settings.hand_over.words);
        self.rules.iter().flat_map(|r| &r.contains).chain(handing_over)
    }

    /// The words of the plan that a text contains, in lower case and in order. Spelling variants match, and numbers match
    /// only as a whole.
    pub fn terms(&self, text: &str) -> Vec<String> {
        let text = Searched::new(text);
        let found: BTreeSet<&str> = self.each_word().filter(|w| w.is_in(&text)).map(Word::lower).collect();
        found.into_iter().map(str::to_owned).collect()
    }

    /// Whether a tag can influence a decision: `vip`, or one that a rule names.
    pub fn knows_tag(&self, tag: &str) -> bool {
        let named = self.rules.iter().map(|r| &r.tags).chain(self.customers.iter().map(|c| &c.tags));
        tag == VIP || named.flatten().any(|known| known == tag)
    }

    /// Levels 1 and 2: the group, the contact's needs, and the agent who is asked first. `None` while the plan has no group.
    pub fn place(&self, facts: &Facts, now: Timestamp) -> Option<Placement> {
        let vip = facts.vip();
        let rule = self.rules.iter().enumerate().find(|(_, r)| r.fits(facts, vip, |name| self.on(name, now)));
        let (group, why) = match rule {
            Some((i, rule)) => (self.group(&rule.group)?, format!("rule-{}", i + 1)),
            None => match facts.account_group.as_ref().and_then(|id| self.group(id)) {
                Some(group) => (group, "account".to_owned()),
                None => (self.groups.first()?, "fallback".to_owned()),
            },
        };
        let rule = rule.map(|(_, r)| r);
        let standing = || self.customers.iter().filter(|c| c.tags.iter().any(|t| facts.tags.contains(t)));
        let priority_minutes = standing()
            .map(|c| c.priority_minutes)
            .chain(rule.map(|r| r.priority_minutes))
            .chain(vip.then_some(group.settings.vip_priority_minutes))
            .fold(0, i64::max);
        Some(Placement {
            group: group.id.clone(),
            why,
            skills: rule.map(|r| r.skills.clone()).unwrap_or_default(),
            priority_minutes,
            dedicated: vip || standing().any(|c| c.dedicated),
            // If nothing was said (a call rings), an AI seat has nothing to answer.
            first: match rule.and_then(|r| r.first) {
                _ if facts.kind == "event" || facts.people_only => First::People,
                first => first.unwrap_or(group.settings.first),
            },
            prefer: prefer(facts, &group.settings, now),
        })
    }
}

/// A plan in force: its version, and values computed once for many decisions.
#[derive(Clone, Debug)]
pub struct Ready {
    plan: Plan,
    version: i64,
    skills: Vec<String>,
}

impl std::ops::Deref for Ready {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

impl Ready {
    /// Takes a plan.
    pub fn new(plan: Plan, version: i64) -> Self {
        let skills = plan.skills().into_iter().map(str::to_owned).collect();
        Self { plan, version, skills }
    }

    /// The plan's version.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// An agent's levels in the plan's skills, in the plan's order.
    pub fn levels(&self, skills: &BTreeMap<String, u8>) -> Levels {
        if skills.is_empty() {
            return Levels::new();
        }
        self.skills.iter().map(|s| skills.get(s).copied().unwrap_or(0)).collect()
    }

    /// The required skills, by their index in the plan's order, lowered by `lowered` levels. A skill that the plan no longer
    /// asks for is not required.
    pub fn needs(&self, skills: &BTreeMap<String, u8>, lowered: u8) -> Vec<(u16, u8)> {
        let place = |skill: &String| self.skills.binary_search(skill).ok().and_then(|i| u16::try_from(i).ok());
        let rest = |level: u8| level.checked_sub(lowered).filter(|l| *l > 0);
        skills.iter().filter_map(|(skill, level)| Some((place(skill)?, rest(*level)?))).collect()
    }
}

/// Level 2: the agent who is asked before all others.
fn prefer(facts: &Facts, settings: &GroupSettings, now: Timestamp) -> Option<Prefer> {
    if let Some(agent) = facts.owner {
        return Some(Prefer { agent, why: PreferWhy::Owner });
    }
    let last = facts.last.as_ref()?;
    let hours = now.since(last.closed_at).max(0) / 3_600_000;
    let why = if hours < settings.reopen_hours {
        PreferWhy::Reopened
    } else if hours < settings.sticky() * 24 {
        PreferWhy::Sticky
    } else {
        return None;
    };
    Some(Prefer { agent: last.agent, why })
}

fn elsewhere(settings: &GroupSettings) -> impl Iterator<Item = (&'static str, &Elsewhere)> {
    let closed = settings.closed.as_ref().map(|c| ("closed", &c.to));
    closed.into_iter().chain(settings.overflow.as_ref().map(|o| ("overflow", &o.to)))
}

fn check_priority(minutes: i64, path: &str) -> Result<(), Fault> {
    if (0..=10_080).contains(&minutes) {
        return Ok(());
    }
    Err(fault("bad_priority", path, "a head start is from 0 to 10080 minutes, a week"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use warmline_model::{AccountId, AgentId};

    fn plan(text: &str) -> Plan {
        serde_json::from_str(text).unwrap()
    }

    fn facts() -> Facts {
        Facts {
            channel: Channel::new("wechat").unwrap(),
            account: AccountId::new("a").unwrap(),
            kind: "text".into(),
            status: None,
            intent: None,
            language: None,
            terms: Vec::new(),
            tags: Vec::new(),
            account_group: None,
            owner: None,
            last: None,
            people_only: false,
        }
    }

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn the_first_fitting_rule_decides() {
        let plan = plan(
            r#"{"groups":[{"id":"presale","name":"a"},{"id":"order","name":"b"},{"id":"care","name":"c"}],
            "rules":[{"contains":["物流","EMS"],"group":"order","skills":{"order":2}},
                     {"channel":["app","phone"],"vip":true,"group":"care","priority_minutes":45}],
            "customers":[{"tags":["risk"],"priority_minutes":60,"dedicated":true}]}"#,
        );
        plan.check().unwrap();
        let at = |facts: &Facts| {
            let p = plan.place(facts, NOW).unwrap();
            (p.group.to_string(), p.why, p.priority_minutes, p.dedicated)
        };
        let base = Facts { terms: plan.terms("查一下 ems"), tags: vec!["vip".into()], ..facts() };
        assert_eq!(at(&base), ("order".into(), "rule-1".into(), 30, true));
        let app = Facts { channel: Channel::new("app").unwrap(), terms: Vec::new(), ..base };
        assert_eq!(at(&app), ("care".into(), "rule-2".into(), 45, true));
        assert_eq!(at(&Facts { tags: vec!["risk".into()], ..app.clone() }), ("presale".into(), "fallback".into(), 60, true));
        let named = Facts { tags: Vec::new(), account_group: GroupId::new("care").ok(), ..app };
        assert_eq!(at(&named), ("care".into(), "account".into(), 0, false));
        assert_eq!(Plan::default().place(&named, NOW), None);
        assert_eq!(plan.place(&base_terms(&plan), NOW).unwrap().skills.get("order"), Some(&2));
        let ready = Ready::new(plan, 1);
        assert_eq!(ready.needs(&BTreeMap::from([("order".into(), 2), ("gone".into(), 1)]), 0), [(0, 2)]);
        assert_eq!(ready.needs(&BTreeMap::from([("order".into(), 2)]), 2), []);
    }

    fn base_terms(plan: &Plan) -> Facts {
        Facts { terms: plan.terms("我的物流"), ..facts() }
    }

    #[test]
    fn w14_w20_words_of_the_plan_are_found_however_they_are_spelt() {
        let plan = plan(
            r#"{"groups":[{"id":"g","name":"g","settings":{"hand_over":{"words":["投诉","12315","human agent"]}}}],
            "rules":[{"contains":["物流","EMS","？"],"group":"g"}]}"#,
        );
        assert_eq!(plan.terms("我要投訴！查一下ＥＭＳ"), ["ems", "投诉"]);
        assert_eq!(plan.terms("打１２３１５，找 Human-Agent？"), ["12315", "human agent", "？"]);
        assert_eq!(plan.terms("订单2024123150088，电话13812315000，items"), Vec::<String>::new());
        // A decision of an earlier release spells the words in the same way.
        assert!(plan.words().contains("ems") && plan.words().contains("human agent"));
    }

    #[test]
    fn w15_who_wants_nothing_automatic_begins_with_people() {
        let plan = plan(r#"{"groups":[{"id":"g","name":"g","settings":{"first":"ai"}}]}"#);
        let first = |people_only| plan.place(&Facts { people_only, ..facts() }, NOW).unwrap().first;
        assert_eq!((first(false), first(true)), (First::Ai, First::People));
    }

    #[test]
    fn the_last_agent_is_preferred_for_a_while() {
        let mut plan = plan(r#"{"groups":[{"id":"g","name":"g","settings":{"sticky_days":3,"reopen_hours":2}}]}"#);
        let agent = AgentId::from_bytes(&[1; 16]).unwrap();
        let at = |plan: &Plan, hours: i64, owner| {
            let last = Some(crate::rules::Last { agent, closed_at: NOW.plus_millis(-hours * 3_600_000) });
            plan.place(&Facts { last, owner, ..facts() }, NOW).unwrap().prefer.map(|p| p.why)
        };
        assert_eq!(at(&plan, 1, None), Some(PreferWhy::Reopened));
        assert_eq!(at(&plan, 2, None), Some(PreferWhy::Sticky));
        assert_eq!(at(&plan, 72, None), None);
        assert_eq!(at(&plan, 72, Some(agent)), Some(PreferWhy::Owner));
        plan.groups[0].settings = GroupSettings { reopen_hours: 0, ..GroupSettings::default() };
        assert_eq!(at(&plan, 0, None), None);
        plan.groups[0].settings.strategy = crate::group::Strategy::StickyFirst;
        assert_eq!(at(&plan, 719, None), Some(PreferWhy::Sticky));
    }

    #[test]
    fn faults_have_a_code_and_a_place() {
        let fault = |text: &str| {
            let f = plan(text).check().unwrap_err();
            (f.code, f.path)
        };
        let g = r#"{"id":"g","name":"g"}"#;
        for (text, code, path) in [
            (format!(r#"{{"groups":[{g},{g}]}}"#), "group_twice", "groups[1].id"),
            (format!(r#"{{"groups":[{g}],"rules":[{{"group":"x"}}]}}"#), "unknown_group", "rules[0].group"),
            (format!(r#"{{"groups":[{g}],"rules":[{{"group":"g","hours":"day"}}]}}"#), "unknown_hours", "rules[0].hours"),
            (format!(r#"{{"groups":[{g}],"rules":[{{"group":"g","channel":[]}}]}}"#), "bad_rule", "rules[0]"),
            (format!(r#"{{"groups":[{g}],"rules":[{{"group":"g","skills":{{"a":0}}}}]}}"#), "bad_rule", "rules[0].skills"),
            (
                format!(r#"{{"groups":[{g}],"rules":[{{"group":"g","priority_minutes":-1}}]}}"#),
                "bad_priority",
                "rules[0].priority_minutes",
            ),
            (format!(r#"{{"groups":[{g}],"costs":{{"phone":{{"units":0}}}}}}"#), "bad_cost", "costs.phone"),
            (
                r#"{"groups":[{"id":"a","name":"a","settings":{"overflow":{"length":5,"to":{"group":"b"}}}},
                {"id":"b","name":"b","settings":{"overflow":{"wait_secs":5,"to":{"group":"a"}}}}]}"#
                    .into(),
                "group_loop",
                "groups[0].settings.overflow.to.group",
            ),
            (
                r#"{"groups":[{"id":"a","name":"a","settings":{"hours":"day"}}]}"#.into(),
                "unknown_hours",
                "groups[0].settings.hours",
            ),
            (
                r#"{"groups":[],"hours":{"day":{"week":[{"days":["mon"],"from":"10:00","to":"09:00"}]}}}"#.into(),
                "bad_hours",
                "hours.day.week[0]",
            ),
        ] {
            assert_eq!(fault(&text), (code, path.into()), "{text}");
        }
    }

    #[test]
    fn a_phone_call_takes_what_is_left_and_interrupts_mail() {
        let plan = Plan::default();
        let cost = |c: &str| plan.cost(&Channel::new(c).unwrap());
        assert_eq!(cost("wechat"), Cost::units(Units::ONE));
        assert_eq!(cost("email"), Cost::units(Units::from_hundredths(50)));
        assert_eq!(cost("phone").units, Amount::All(All::All));
        assert_eq!(serde_json::to_string(&cost("phone")).unwrap(), r#"{"units":"all","interrupts":["email"]}"#);
    }
}
