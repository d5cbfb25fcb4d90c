//! Messages that were given up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, Channel, ConversationId, MessageId, Page, Timestamp};

/// A message that was given up. Its content is in its conversation.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct GivenUp {
    /// The message.
    pub id: MessageId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Channel.
    pub channel: Channel,
    /// Account.
    pub account: AccountId,
    /// The reason, as a stable code.
    pub reason: String,
    /// Tries made.
    pub attempts: i64,
    /// The time at which it was written.
    pub at: Timestamp,
    /// The time at which it was given up.
    pub given_up_at: Timestamp,
}

/// A page of messages that were given up.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct GivenUpPage {
    /// The number of such messages, counted up to 10,000.
    pub count: i64,
    /// The page.
    #[serde(flatten)]
    pub page: Page<GivenUp>,
}

/// Selects the messages to try again. At least one of the first five fields must be given.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Only of this channel.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// Only of this account.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Only messages given up for this reason. Messages that the customer may already have are tried only if this is
    /// `perhaps_delivered`.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub reason: Option<String>,
    /// Only messages given up at this instant or later.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Only messages given up before this instant.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// The number of messages that this call looks at, 1 to 500; 100 when left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<i64>,
    /// The `next` of the answer before, to continue.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{1,19}$"))]
    pub after: Option<String>,
    /// Whether the call only reports the messages that it would try again, and changes nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// The result of a call.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    /// Messages that are tried again, or would be.
    pub retried: i64,
    /// Messages that stay given up: their time or the platform's window is over, they are in the archive, or they are
    /// automatic and the customer wants no such messages.
    pub too_late: i64,
    /// Whether this was a dry run, which changed nothing.
    pub dry_run: bool,
    /// The position for the next call: pass it as `after`. Absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
