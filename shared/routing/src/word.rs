//! Words that a plan has customers' messages searched for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A word as people wrote it into the plan. It is compared in lower case, which is made once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Word {
    written: String,
    lower: String,
}

impl Word {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// As it is compared.
    pub fn lower(&self) -> &str {
        &self.lower
    }

    /// Whether it is among terms, which are in lower case already.
    pub(crate) fn among(&self, terms: &[String]) -> bool {
        terms.contains(&self.lower)
    }
}

impl From<String> for Word {
    fn from(written: String) -> Self {
        Self { lower: written.to_lowercase(), written }
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
