//! The policy by which an AI seat hands a conversation over to a human (转人工).

use crate::word::Word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A group's policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HandOver {
    /// The confidence, 0 to 1, below which an answer is not given and a human takes over.
    #[schemars(range(min = 0, max = 1))]
    pub min_confidence: f64,
    /// Turns in a row without an answer after which a human takes over; 0: any number.
    #[schemars(range(min = 0, max = 100))]
    pub failed_turns: i64,
    /// Whether an angry customer gets a human.
    pub anger: bool,
    /// Whether VIP customers always get a human.
    pub vip: bool,
    /// Words that get a human (转人工, 投诉, …), found in the same way as a rule's words.
    #[schemars(length(max = 500))]
    pub words: Vec<Word>,
}

impl Default for HandOver {
    fn default() -> Self {
        let words = ["转人工", "人工客服", "找人工", "投诉", "12315", "human agent"].map(Word::from).to_vec();
        Self { min_confidence: 0.5, failed_turns: 2, anger: true, vip: false, words }
    }
}

/// An AI seat's report of one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Turn {
    /// Its confidence in the answer, 0 to 1; `null` if it reports none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Whether it found no answer.
    pub failed: bool,
    /// Whether the customer is angry.
    pub anger: bool,
    /// Whether the customer asked for a human.
    pub asked: bool,
}

/// The reason why a conversation went from an AI seat to a human.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandOverReason {
    /// The customer asked for it.
    Asked,
    /// The customer's words are among those that get a human.
    Word,
    /// The customer is a VIP.
    Vip,
    /// The customer is angry.
    Anger,
    /// The answer was too unsure.
    LowConfidence,
    /// Too many turns without an answer.
    FailedTurns,
    /// The AI seat gave up, did not answer in time, or is gone.
    Unavailable,
}

impl HandOver {
    /// Checks the ranges.
    ///
    /// # Errors
    /// A field is out of its range. The error is its name.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(0.0..=1.0).contains(&self.min_confidence) {
            return Err("min_confidence");
        }
        if !(0..=100).contains(&self.failed_turns) {
            return Err("failed_turns");
        }
        if self.words.len() > 500
            || self.words.iter().any(|w| w.as_str().trim().is_empty() || w.as_str().chars().count() > 64)
        {
            return Err("words");
        }
        Ok(())
    }

    /// Whether this message goes to a human at once, checked before an AI seat is asked. `terms` are the plan's words found
    /// in it.
    pub fn before(&self, vip: bool, terms: &[String]) -> Option<HandOverReason> {
        if self.vip && vip {
            return Some(HandOverReason::Vip);
        }
        self.words.iter().any(|w| w.among(terms)).then_some(HandOverReason::Word)
    }

    /// Whether a human takes over after an AI seat's turn. `failed` counts the turns in a row without an answer, including
    /// this one.
    pub fn after(&self, turn: &Turn, failed: i64) -> Option<HandOverReason> {
        if turn.asked {
            Some(HandOverReason::Asked)
        } else if self.anger && turn.anger {
            Some(HandOverReason::Anger)
        } else if turn.confidence.is_some_and(|c| c < self.min_confidence) {
            Some(HandOverReason::LowConfidence)
        } else if self.failed_turns > 0 && failed >= self.failed_turns {
            Some(HandOverReason::FailedTurns)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_can_hand_over_and_each_can_be_switched_off() {
        let on = HandOver { vip: true, ..HandOver::default() };
        assert_eq!(on.before(true, &[]), Some(HandOverReason::Vip));
        assert_eq!(on.before(false, &["投诉".into()]), Some(HandOverReason::Word));
        assert_eq!(on.before(false, &["发货".into()]), None);
        let turn = Turn::default();
        assert_eq!(on.after(&Turn { asked: true, ..turn }, 0), Some(HandOverReason::Asked));
        assert_eq!(on.after(&Turn { anger: true, ..turn }, 0), Some(HandOverReason::Anger));
        assert_eq!(on.after(&Turn { confidence: Some(0.49), ..turn }, 0), Some(HandOverReason::LowConfidence));
        assert_eq!(on.after(&Turn { confidence: Some(0.5), ..turn }, 1), None);
        assert_eq!(on.after(&Turn { failed: true, ..turn }, 2), Some(HandOverReason::FailedTurns));
        let off = HandOver { min_confidence: 0.0, failed_turns: 0, anger: false, vip: false, words: Vec::new() };
        assert_eq!(off.before(true, &["投诉".into()]), None);
        assert_eq!(off.after(&Turn { confidence: Some(0.0), failed: true, anger: true, asked: false }, 99), None);
    }
}
