//! Level 1: which skill group a conversation belongs to. Rules are tried in order; the first that fits decides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, Channel, GroupId};

/// One rule. Conditions that are absent fit everything; all that are present must fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The kind of the first message (`text`, `image`, `order_card`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Words, one of which must be in the first message; compared in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// Whether the customer is a VIP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vip: Option<bool>,
    /// The group it leads to.
    pub group: GroupId,
}

/// The rules in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The rules, first to last.
    pub rules: Vec<Rule>,
}

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The account.
    pub account: &'a AccountId,
    /// Kind of the message.
    pub kind: &'a str,
    /// The words in it.
    pub words: Option<&'a str>,
    /// Whether the customer is a VIP.
    pub vip: bool,
}

impl Rule {
    fn fits(&self, facts: &Facts<'_>, lower: &str) -> bool {
        self.channel.as_ref().is_none_or(|c| c == facts.channel)
            && self.account.as_ref().is_none_or(|a| a == facts.account)
            && self.kind.as_deref().is_none_or(|k| k == facts.kind)
            && self.vip.is_none_or(|v| v == facts.vip)
            && (self.contains.is_empty() || self.contains.iter().any(|w| lower.contains(&w.to_lowercase())))
    }
}

impl Rules {
    /// The group of the first rule that fits, and which rule that was (from 1).
    pub fn group(&self, facts: &Facts<'_>) -> Option<(&GroupId, usize)> {
        let lower = facts.words.map(str::to_lowercase).unwrap_or_default();
        self.rules.iter().enumerate().find(|(_, r)| r.fits(facts, &lower)).map(|(i, r)| (&r.group, i + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str) -> GroupId {
        GroupId::new(id).unwrap()
    }

    #[test]
    fn the_first_fitting_rule_decides() {
        let rules: Rules = serde_json::from_str(
            r#"{"rules":[{"contains":["物流","EMS"],"group":"order"},{"channel":"app","vip":true,"group":"care"},{"group":"presale"}]}"#,
        )
        .unwrap();
        let (wechat, app) = (Channel::new("wechat").unwrap(), Channel::new("app").unwrap());
        let account = AccountId::new("a").unwrap();
        let facts = Facts { channel: &wechat, account: &account, kind: "text", words: Some("查一下 ems"), vip: true };
        assert_eq!(rules.group(&facts), Some((&group("order"), 1)));
        assert_eq!(rules.group(&Facts { words: None, channel: &app, ..facts }), Some((&group("care"), 2)));
        assert_eq!(rules.group(&Facts { words: None, ..facts }), Some((&group("presale"), 3)));
        assert_eq!(Rules::default().group(&facts), None);
    }
}
