//! Messages that were given up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, Channel, ConversationId, MessageId, Page, Timestamp};

/// A message that was given up. What it says is in its conversation.
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
    /// Why, as a stable code.
    pub reason: String,
    /// Tries made.
    pub attempts: i64,
    /// When it was written.
    pub at: Timestamp,
    /// When it was given up.
    pub given_up_at: Timestamp,
}

/// A page of them.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct GivenUpPage {
    /// How many there are in all, as far as 10,000.
    pub count: i64,
    /// The page.
    #[serde(flatten)]
    pub page: Page<GivenUp>,
}

/// Which messages are to be tried again. At least one of the first five fields is named.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Only of this channel.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// Only of this account.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Only those given up for this reason. Those that the customer has perhaps are tried only where it is
    /// `perhaps_delivered`.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    pub reason: Option<String>,
    /// Only those given up at this instant or later.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// Only those given up before this instant.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Messages that this call looks at, 1 to 500; 100 when left out.
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<i64>,
    /// `next` of the answer before, to go on.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{1,19}$"))]
    pub after: Option<String>,
    /// Only says what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was done.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    /// Messages that are tried again, or would be.
    pub retried: i64,
    /// Messages that stay given up: the platform takes no reply any more, their time is over, or they are in the archive.
    pub too_late: i64,
    /// Whether nothing was changed, because that was asked for.
    pub dry_run: bool,
    /// Where the next call goes on: pass it as `after`. Absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
