//! The words of a plan for which customers' messages are searched.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_language::{Folded, Pattern};

/// A word as written in the plan. A decision names it in lower case. A message is searched for its folded form
/// ([`Pattern`]): width, case, traditional characters and punctuation do not matter, and numbers and English words match
/// only as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Word {
    written: String,
    lower: String,
    pattern: Pattern,
}

/// A message, prepared for searching.
pub(crate) struct Searched<'t> {
    text: &'t str,
    folded: Folded,
}

impl<'t> Searched<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, folded: Folded::of(text) }
    }
}

impl Word {
    /// The word as written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The word as decisions name it.
    pub fn lower(&self) -> &str {
        &self.lower
    }

    /// Whether a message contains it. A word without letters and digits (`？`) is searched for as written.
    pub(crate) fn is_in(&self, message: &Searched<'_>) -> bool {
        if self.pattern.is_empty() { message.text.contains(&self.written) } else { self.pattern.is_in(&message.folded) }
    }

    /// Whether it is among terms, which are in lower case.
    pub(crate) fn among(&self, terms: &[String]) -> bool {
        terms.contains(&self.lower)
    }
}

impl From<String> for Word {
    fn from(written: String) -> Self {
        Self { lower: written.to_lowercase(), pattern: Pattern::of(&written), written }
    }
}

impl From<&str> for Word {
    fn from(written: &str) -> Self {
        written.to_owned().into()
    }
}

impl From<Word> for String {
    fn from(word: Word) -> Self {
        word.written
    }
}

impl JsonSchema for Word {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        String::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}
