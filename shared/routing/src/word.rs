//! Words that a plan has customers' messages searched for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_language::{Folded, Pattern};

/// A word as people wrote it into the plan. A decision names it in lower case; a message is searched for its folded form
/// ([`Pattern`]): width, case, traditional characters and signs do not matter, numbers and English words match whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Word {
    written: String,
    lower: String,
    pattern: Pattern,
}

/// A message to be searched for words.
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
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// As a decision names it.
    pub fn lower(&self) -> &str {
        &self.lower
    }

    /// Whether a message has it. What has no letter or digit (`？`) is looked for as it is written.
    pub(crate) fn is_in(&self, message: &Searched<'_>) -> bool {
        if self.pattern.is_empty() { message.text.contains(&self.written) } else { self.pattern.is_in(&message.folded) }
    }

    /// Whether it is among terms, which are in lower case already.
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
