//! Consent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AgentId, CustomerId, MessageId, Page, Timestamp};

/// What a customer said about a purpose.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// What for, as a code of the brand's own list: `marketing`, `callback`, …
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub purpose: String,
    /// The version of the text that the customer saw.
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub version: String,
    /// Whether it was given (`true`) or withdrawn.
    pub given: bool,
    /// Where it was said: a channel; `staff` where it is left out.
    #[serde(default)]
    pub source: Option<String>,
}

/// A record of consent.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ConsentView {
    /// Position among all records.
    pub seq: i64,
    /// The customer who said it.
    pub customer: CustomerId,
    /// What for.
    pub purpose: String,
    /// The version of the text.
    pub version: String,
    /// Given, or withdrawn.
    pub given: bool,
    /// A channel, or `staff`.
    pub source: String,
    /// Who noted it; `null`: the customer's own message, where `message` names it, else the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// The customer's own words (`stop`, `td`, `退订`, …), or the platform's event (`unsubscribe`, …).
    pub wording: Option<String>,
    /// The message that proves it.
    pub message: Option<MessageId>,
    /// When it was noted.
    pub at: Timestamp,
}

/// What a person said about purposes.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Consents {
    /// What stands now: the newest record of each purpose. A purpose that is not named was not agreed to.
    pub stands: Vec<ConsentView>,
    /// All records, newest first.
    #[serde(flatten)]
    pub records: Page<ConsentView>,
}
