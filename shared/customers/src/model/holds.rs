//! Legal holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AgentId, Timestamp};

/// A hold to be placed.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// The reason: `dispute`, `investigation`, `regulator` or `court`.
    pub reason: String,
    /// The reference under which it is filed elsewhere, as a short code. It must not contain names, since it is stored in
    /// the clear.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub reference: Option<String>,
}

/// A hold.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct HoldView {
    /// The reason.
    pub reason: String,
    /// The reference under which it is filed elsewhere.
    pub reference: Option<String>,
    /// The member of staff who placed it; `null`: the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// The time since which it holds.
    pub at: Timestamp,
}
