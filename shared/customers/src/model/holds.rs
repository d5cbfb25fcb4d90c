//! Legal holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AgentId, Timestamp};

/// A hold to be placed.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// Why: `dispute`, `investigation`, `regulator` or `court`.
    pub reason: String,
    /// What it is filed under elsewhere, as a short code. No names: it is stored as it is.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub reference: Option<String>,
}

/// A hold.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct HoldView {
    /// Why.
    pub reason: String,
    /// What it is filed under elsewhere.
    pub reference: Option<String>,
    /// Who placed it; `null`: the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// Since when.
    pub at: Timestamp,
}
