//! The decisions of a log made again with the plan that was in force, and compared.
//!
//! The JSON text of the recorded decision is compared with that of the new one. The same code writes both, with their
//! members in order. A decision is written again in the form of its entry, since entries of earlier releases have another
//! form. The text holds the digest of all that was seen, so a differing seat or place in a queue is found even if the
//! outcome is the same.

use super::fold::{State, differing};
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use warmline_model::{ConversationId, Event, EventBody};

/// The differences that are kept. Further ones are only counted.
const KEPT: usize = 10;

/// A decision that came out differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The event.
    pub seq: i64,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// The reason why it could not be made again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The fields that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// Its path.
    pub field: String,
    /// The recorded value; null if there was none.
    pub recorded: Value,
    /// The new value.
    pub made: Value,
}

/// The result of making the decisions again.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Same {
    /// Decisions in the log.
    pub decisions: u64,
    /// The number that came out the same, byte for byte.
    pub identical: u64,
    /// The first of the differences.
    pub differences: Vec<Difference>,
}

impl Same {
    /// Whether every decision came out the same.
    pub const fn all(&self) -> bool {
        self.decisions == self.identical && self.differences.is_empty()
    }
}

/// Makes decisions again, event by event.
#[derive(Default)]
pub struct Replayer {
    state: State,
    same: Same,
}

impl Replayer {
    /// Takes the next event.
    pub fn see(&mut self, event: &Event) {
        if let EventBody::RoutingDecided(recorded) = &event.body {
            self.same.decisions += 1;
            match self.state.decide(event, recorded) {
                Ok(made) => {
                    if text(&made) == text(recorded) {
                        self.same.identical += 1;
                    } else {
                        self.differs(event, None, fields(recorded, &made));
                    }
                }
                Err(problem) => self.differs(event, Some(problem), Vec::new()),
            }
        }
        if let Err(problem) = self.state.apply(event) {
            self.differs(event, Some(problem), Vec::new());
        }
    }

    fn differs(&mut self, event: &Event, problem: Option<String>, fields: Vec<Field>) {
        if self.same.differences.len() < KEPT {
            let (seq, conversation) = (event.seq, event.conversation);
            self.same.differences.push(Difference { seq, conversation, problem, fields });
        }
    }

    /// Ends the log.
    pub fn finish(self) -> Same {
        self.same
    }
}

/// The value's text, whatever the order of its fields in memory.
fn text(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    value.to_string()
}

fn fields(recorded: &Value, made: &Value) -> Vec<Field> {
    let found = differing(recorded, made);
    found.into_iter().map(|(field, (recorded, made))| Field { field, recorded, made }).collect()
}

impl fmt::Display for Same {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} decisions, {} identical", self.decisions, self.identical)?;
        for difference in &self.differences {
            write!(f, "\nevent {}", difference.seq)?;
            if let Some(id) = difference.conversation {
                write!(f, ", {id}")?;
            }
            writeln!(f, "{}", difference.problem.as_ref().map(|p| format!(": {p}")).unwrap_or_default())?;
            for Field { field, recorded, made } in difference.fields.iter().take(8) {
                writeln!(f, "  {field}\n    recorded  {recorded}\n    made      {made}")?;
            }
            if let Some(more) = difference.fields.len().checked_sub(8).filter(|n| *n > 0) {
                writeln!(f, "  and {more} fields more")?;
            }
        }
        let told = u64::try_from(self.differences.len()).unwrap_or(u64::MAX);
        match (self.decisions - self.identical).checked_sub(told) {
            Some(more) if more > 0 => writeln!(f, "\nand {more} decisions more"),
            _ => Ok(()),
        }
    }
}
