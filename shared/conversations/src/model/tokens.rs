//! Tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{Scope, Timestamp, TokenId};

/// A token to be made.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// The number of days after which it ends by itself, 1 to 400. It never ends when this is left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 400))]
    pub days: Option<i64>,
    /// Whether the agent's other tokens end ten minutes from now. That is time enough to change to this one.
    #[serde(default)]
    pub replaces: bool,
    /// The scopes that it is narrowed to. When left out, it may do all that its role may.
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
    /// The time at which it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// The scopes that it is narrowed to; `null`: it may do all that its role may.
    pub scopes: Option<Vec<Scope>>,
}

/// A token just made.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CreatedToken {
    /// Its description, without the secret.
    #[serde(flatten)]
    pub about: TokenView,
    /// The token. It is shown this once and cannot be read again.
    pub token: String,
}
