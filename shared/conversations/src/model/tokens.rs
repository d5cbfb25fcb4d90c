//! Tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{Scope, Timestamp, TokenId};

/// A token to be made.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// After how many days it ends by itself, 1 to 400; never where it is left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 400))]
    pub days: Option<i64>,
    /// Whether the tokens so far end, ten minutes from now: time enough to change to this one.
    #[serde(default)]
    pub replaces: bool,
    /// What it is narrowed to; all that its role may where it is left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = 5))]
    pub scopes: Option<Vec<Scope>>,
}

/// A token.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TokenView {
    /// Id.
    pub id: TokenId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// What it is narrowed to; `null`: all that its role may.
    pub scopes: Option<Vec<Scope>>,
}

/// A token just made.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CreatedToken {
    /// About it.
    #[serde(flatten)]
    pub about: TokenView,
    /// The token. It is shown this once and cannot be read again.
    pub token: String,
}
