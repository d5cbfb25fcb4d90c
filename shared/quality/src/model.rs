//! The shapes of sensitive words in the API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_language::SensitiveWord;

/// The sensitive words.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct WordsView {
    /// The words.
    pub words: Vec<SensitiveWord>,
    /// Rises with every change; 0 before the first.
    pub version: i64,
}

/// New sensitive words.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWords {
    /// All words from now on.
    #[schemars(length(max = 10_000))]
    pub words: Vec<SensitiveWord>,
}
