//! The routing plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, AgentId, Channel, Timestamp};
use warmline_routing::{Decision, Plan, Rule};

/// The routing plan.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// Its version; 0 before the first.
    pub version: i64,
    /// The plan.
    pub plan: Plan,
}

/// A version of the plan.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct VersionView {
    /// The version.
    pub version: i64,
    /// The time since which it was in force.
    pub at: Timestamp,
    /// The author; `null`: the administrator.
    pub author: Option<AgentId>,
}

/// The routing rules.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct RulesView {
    /// First to last; the first that fits decides.
    pub rules: Vec<Rule>,
    /// The plan's version.
    pub version: i64,
}

/// New routing rules.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRules {
    /// First to last; the first that fits decides.
    pub rules: Vec<Rule>,
}

/// A contact that might come.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DryRun {
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountId,
    /// Kind of the message.
    #[serde(default = "text_kind")]
    pub kind: String,
    /// The message's words.
    #[serde(default)]
    pub text: String,
    /// The status of its order or case.
    #[serde(default)]
    pub status: Option<String>,
    /// The customer's intent.
    #[serde(default)]
    pub intent: Option<String>,
    /// The customer's language.
    #[serde(default)]
    pub language: Option<String>,
    /// The customer's tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The time at which it comes; now when left out.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// A plan to use instead of the one in force.
    #[serde(default)]
    pub plan: Option<Plan>,
}

/// The decision that would be made.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct DryRunView {
    /// The decision, with the seats and queues as they are now; `null` while the plan has no group.
    pub decision: Option<Decision>,
    /// The text that the customer would get.
    pub say: Option<String>,
}

fn text_kind() -> String {
    "text".to_owned()
}
