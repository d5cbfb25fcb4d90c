//! Skill groups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{GroupId, Timestamp};
use warmline_routing::GroupSettings;

/// A skill group.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct GroupView {
    /// Id.
    pub id: GroupId,
    /// Name.
    pub name: String,
    /// Settings.
    pub settings: GroupSettings,
    /// The time at which it was made.
    pub created_at: Timestamp,
}
