//! How an account does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, Channel, Timestamp};

/// Whether an account takes and sends messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It does.
    Enabled,
    /// Its webhooks are refused, its sources are not asked, replies wait.
    Disabled,
}

/// Webhooks that were refused for one reason.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct RefusedView {
    /// Why, as a stable code.
    pub reason: String,
    /// How many there were.
    pub count: i64,
    /// The last one.
    pub last_at: Timestamp,
    /// What to look at.
    pub check: String,
}

/// A setting or secret that does not fit.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct UnfitView {
    /// Which.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The platform's access token.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TokenHealth {
    /// Whether this account's calls take one that is fetched.
    pub wanted: bool,
    /// When the one that is kept ends; `null` where none is kept: it is fetched with the next call.
    pub expires_at: Option<Timestamp>,
    /// Why the platform gave none the last time; `null` where it did, or was not asked.
    pub problem: Option<TokenProblem>,
}

/// Why a platform gave no access token.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TokenProblem {
    /// A stable code.
    pub reason: String,
    /// When it was asked.
    pub at: Timestamp,
}

/// A source of messages that are fetched.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SourceView {
    /// Its name.
    pub source: String,
    /// Whether it is asked again and again, or only when a webhook says that it holds something.
    pub polled: bool,
    /// Where the last page ended, in the platform's words.
    pub cursor: Option<String>,
    /// When it was asked last.
    pub asked_at: Option<Timestamp>,
    /// When it is asked next; `null`: when a webhook says so.
    pub due_at: Option<Timestamp>,
    /// Failures in a row.
    pub attempts: i64,
    /// Why it could not be asked the last time, as a code.
    pub problem: Option<String>,
}

/// Items of webhooks and pages that could not be read.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct OddItemsView {
    /// How many.
    pub count: i64,
    /// When the last of them came.
    pub last_at: Timestamp,
    /// What was wrong with it, as a code.
    pub last_reason: String,
}

/// Replies on their way.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct OutboxHealth {
    /// How many wait.
    pub waiting: i64,
    /// How many were given up.
    pub given_up: i64,
}

/// The account's conversations.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ConversationsHealth {
    /// Those that are not closed.
    pub open: i64,
    /// Those of them in which a customer waits for somebody, counted up to 1,000,000.
    pub waiting: i64,
    /// Those of them that may stand in queues; what comes beyond waits outside, and strangers of web chat are refused.
    pub most_waiting: i64,
}

/// How an account does.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct AccountHealth {
    /// Channel.
    pub channel: Channel,
    /// Id on the channel.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// Whether it takes and sends messages.
    pub state: AccountState,
    /// Since when it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// Where the platform sends its webhooks, below the public address.
    pub webhook: String,
    /// When the platform's last good webhook came, to the minute; `null`: none came.
    pub last_webhook_at: Option<Timestamp>,
    /// The refusals of the reason that came last; `null`: nothing was refused.
    pub last_refused: Option<RefusedView>,
    /// All refusals by reason, the latest first.
    pub refused: Vec<RefusedView>,
    /// Where the stored settings and secrets do not fit this version: what is wrong.
    pub unfit: Option<UnfitView>,
    /// Settings and secrets without which no reply, or not every kind of reply, leaves; empty where nothing is missing or the channel takes no replies.
    pub missing_for_sending: Vec<String>,
    /// The platform's access token.
    pub token: TokenHealth,
    /// Where messages are fetched.
    pub sources: Vec<SourceView>,
    /// Items that could not be read, kept sealed; `null` where all could.
    pub odd_items: Option<OddItemsView>,
    /// Replies on their way.
    pub outbox: OutboxHealth,
    /// Conversations.
    pub conversations: ConversationsHealth,
}
