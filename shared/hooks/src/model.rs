//! The shapes of hooks in the API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_model::{HookDeliveryId, HookId, Timestamp};

fn yes() -> bool {
    true
}

/// A hook to be made, or what a hook is to be from now on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = NewHook::example())]
pub struct NewHook {
    /// Where the events go: `https`, at a host on the public Internet. Put no secret into it.
    #[schemars(length(min = 1, max = 2000))]
    pub url: String,
    /// The types of events: one by its name, or all that begin alike, as `conversation.*`.
    #[schemars(
        length(min = 1, max = 50),
        inner(length(max = 64), regex(pattern = r"^[a-z0-9_]+(\.[a-z0-9_]+)*\.(\*|[a-z0-9_]+)$"))
    )]
    pub types: Vec<String>,
    /// What it is for, in the brand's own words.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub description: String,
    /// Whether events are sent.
    #[serde(default = "yes")]
    pub enabled: bool,
}

impl NewHook {
    /// An example.
    pub fn example() -> Self {
        Self {
            url: "https://hooks.example.com/warmline".to_owned(),
            types: vec!["conversation.*".to_owned(), "message.received".to_owned()],
            description: "CRM".to_owned(),
            enabled: true,
        }
    }
}

/// A hook.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HookView {
    /// Id.
    pub id: HookId,
    /// Where the events go.
    pub url: String,
    /// The types of events.
    pub types: Vec<String>,
    /// What it is for.
    pub description: String,
    /// Whether events are sent.
    pub enabled: bool,
    /// When it was disabled; `null`: it is enabled.
    pub disabled_at: Option<Timestamp>,
    /// Why it was disabled, as a code: `staff`; `gone`, since the receiver answered 410; `failing`, for five days;
    /// `too_many_waiting`.
    pub disabled_reason: Option<String>,
    /// Since when no try was a success; `null`: the last one was, or there was none.
    pub failing_since: Option<Timestamp>,
    /// Until when the secret before signs as well; `null`: it does not.
    pub previous_secret_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A hook with its secret, which is not shown again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HookSecret {
    /// The hook.
    #[serde(flatten)]
    pub hook: HookView,
    /// The secret by which its receiver checks signatures: `whsec_` and base64.
    pub secret: String,
}

/// The state of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for its first try or the next one.
    Waiting,
    /// The receiver took it.
    Delivered,
    /// It was given up.
    Dead,
}

impl State {
    /// The word used in JSON and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::Dead].into_iter().find(|state| state.as_str() == word)
    }
}

/// A delivery: one event on its way to one hook.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryView {
    /// Its id, which its receiver gets as `webhook-id`.
    pub id: HookDeliveryId,
    /// The hook.
    pub hook: HookId,
    /// The event's position in the log; `null`: it is a test.
    pub seq: Option<i64>,
    /// The event's type.
    pub r#type: String,
    /// Its state.
    pub state: State,
    /// Tries made.
    pub tries: i64,
    /// The status of the last answer; `null`: there was none.
    pub status: Option<i64>,
    /// Why the last try failed, as a code.
    pub reason: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last tried.
    pub tried_at: Option<Timestamp>,
    /// When it is tried next; `null`: not any more. While its hook is disabled, it waits.
    pub next_try: Option<Timestamp>,
}
