//! How an account does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, Channel, Timestamp};

/// Whether an account receives and sends messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It receives and sends messages.
    Enabled,
    /// Its webhooks are refused, its sources are not asked, and its replies wait.
    Disabled,
}

/// Webhooks that were refused for one reason.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct RefusedView {
    /// The reason, as a stable code.
    pub reason: String,
    /// The number of refusals.
    pub count: i64,
    /// The time of the last one.
    pub last_at: Timestamp,
    /// The advice for the administrator.
    pub check: String,
}

/// A setting or secret that does not fit.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct UnfitView {
    /// The name of the setting or secret.
    pub field: String,
    /// The fault of its value.
    pub problem: String,
}

/// The platform's access token.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TokenHealth {
    /// Whether this account's calls need a token that is fetched.
    pub wanted: bool,
    /// The time at which the stored token ends; `null` if none is stored. It is then fetched with the next call.
    pub expires_at: Option<Timestamp>,
    /// The reason why the platform gave none the last time; `null` if it gave one, or was not asked.
    pub problem: Option<TokenProblem>,
}

/// A platform's refusal of an access token.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TokenProblem {
    /// A stable code.
    pub reason: String,
    /// The time at which the platform was asked.
    pub at: Timestamp,
}

/// A source of messages that are fetched.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SourceView {
    /// Its name.
    pub source: String,
    /// Whether it is asked regularly; otherwise it is asked only when a webhook says that it holds something.
    pub polled: bool,
    /// The place where the last page ended, in the platform's words.
    pub cursor: Option<String>,
    /// The time of the last question.
    pub asked_at: Option<Timestamp>,
    /// The time of the next question; `null` if it waits for a webhook.
    pub due_at: Option<Timestamp>,
    /// Failures in a row.
    pub attempts: i64,
    /// The reason why it could not be asked the last time, as a code.
    pub problem: Option<String>,
}

/// Items of webhooks and pages that could not be read.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct OddItemsView {
    /// The number of items.
    pub count: i64,
    /// The time at which the last of them came.
    pub last_at: Timestamp,
    /// The fault of the last item, as a code.
    pub last_reason: String,
}

/// Replies on their way.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct OutboxHealth {
    /// The number of waiting replies.
    pub waiting: i64,
    /// The number of replies that were given up.
    pub given_up: i64,
}

/// The account's conversations.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ConversationsHealth {
    /// The conversations that are not closed.
    pub open: i64,
    /// The open conversations in which a customer waits for an agent, counted up to 1,000,000.
    pub waiting: i64,
    /// The most conversations that may stand in queues. Further ones wait outside, and strangers of web chat are refused.
    pub most_waiting: i64,
}

/// The health of an account.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct AccountHealth {
    /// Channel.
    pub channel: Channel,
    /// Id on the channel.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// Whether it receives and sends messages.
    pub state: AccountState,
    /// The time since which it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// The path for the platform's webhooks, below the public address.
    pub webhook: String,
    /// The time of the platform's last good webhook, to the minute; `null` if none came.
    pub last_webhook_at: Option<Timestamp>,
    /// The refusals of the latest reason; `null` if nothing was refused.
    pub last_refused: Option<RefusedView>,
    /// All refusals by reason, the latest first.
    pub refused: Vec<RefusedView>,
    /// The faults of the stored settings and secrets, if they do not fit this version. A router's setting, such as `group`, is
    /// ignored then, and the account works. Any other fault stops the account.
    pub unfit: Option<UnfitView>,
    /// Settings and secrets that are missing for sending replies, or some kinds of reply. Empty if nothing is missing or
    /// the channel takes no replies.
    pub missing_for_sending: Vec<String>,
    /// The platform's access token.
    pub token: TokenHealth,
    /// The sources from which messages are fetched.
    pub sources: Vec<SourceView>,
    /// Items that could not be read, kept sealed; `null` if there are none.
    pub odd_items: Option<OddItemsView>,
    /// Replies on their way.
    pub outbox: OutboxHealth,
    /// Conversations.
    pub conversations: ConversationsHealth,
}
