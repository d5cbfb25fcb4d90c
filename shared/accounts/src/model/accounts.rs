//! Accounts.

use super::AccountState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use warmline_model::{AccountId, Channel, Timestamp};

/// A channel account. Secrets are never shown, only the names of those that are set.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct AccountView {
    /// Channel.
    pub channel: Channel,
    /// Id on the channel.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// Settings.
    pub settings: Value,
    /// Names of the secrets that are set.
    pub secrets: Vec<String>,
    /// The path for the platform's webhooks, below the public address.
    pub webhook: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it receives and sends messages.
    pub state: AccountState,
    /// The time since which it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
}

/// A new account.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Channel.
    pub channel: Channel,
    /// Id on the channel.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// The settings of the channel's adapter; docs/CHANNELS.md lists them per channel. For every channel, `group` names the
    /// skill group for conversations that no rule places, and `most_waiting` limits the conversations that may wait.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The secrets by name. They are write-only.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

/// An account's new values.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// The brand's name for it.
    pub name: String,
    /// All settings from now on.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// Secrets to replace, or to remove with `null`. Secrets that are not named keep their values.
    #[serde(default)]
    pub secrets: BTreeMap<String, Option<String>>,
}
