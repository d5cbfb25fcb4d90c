//! Consent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AgentId, CustomerId, MessageId, Page, Timestamp};

/// A customer's statement about a purpose.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// The purpose: `marketing`, `service`, `survey` or one of these with a dot and the brand's own code (`marketing.event`);
    /// `contact` for all of them; `messages-<channel>` for a channel; or another code of the brand's own.
    #[schemars(regex(pattern = "^[a-z0-9_.-]{1,40}$"))]
    pub purpose: String,
    /// The version of the text that the customer saw.
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub version: String,
    /// Whether consent was given (`true`) or withdrawn.
    pub given: bool,
    /// The place where the customer said it: a channel; `staff` when left out.
    #[serde(default)]
    pub source: Option<String>,
}

/// A record of consent.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ConsentView {
    /// Position among all records.
    pub seq: i64,
    /// The customer who made the statement.
    pub customer: CustomerId,
    /// The purpose.
    pub purpose: String,
    /// The version of the text.
    pub version: String,
    /// Whether consent was given (`true`) or withdrawn.
    pub given: bool,
    /// A channel, or `staff`.
    pub source: String,
    /// The member of staff who noted it; `null`: the customer's own message, if `message` names one, or the administrator's
    /// token of the configuration.
    pub agent: Option<AgentId>,
    /// The customer's own words (`stop`, `td`, `退订`, …), or the platform's event (`unsubscribe`, …).
    pub wording: Option<String>,
    /// The message that proves it.
    pub message: Option<MessageId>,
    /// When it was noted.
    pub at: Timestamp,
}

/// A person's consent.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Consents {
    /// The newest record of each purpose. A purpose without a record was not agreed to.
    pub stands: Vec<ConsentView>,
    /// All records, newest first.
    #[serde(flatten)]
    pub records: Page<ConsentView>,
}
