//! The context that every step receives, and the errors of a step.

use crate::installed::Installed;
use crate::memo::Memo;
use warmline_model::{AgentId, Clock, CustomerId, Rng, Role, Timestamp};
use warmline_privacy::{Keyring, SealError};
use warmline_store::{Db, Kv, StoreError};

/// The databases, clock, randomness and keys that every step needs.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    /// The store.
    pub db: &'a dyn Db,
    /// The vault. Never write to it inside a transaction of the store: on some platforms both are one database.
    pub vault: &'a dyn Db,
    /// The key-value store. Its content may be lost at any time. If it is on another machine that is gone, a question takes
    /// minutes: never ask it inside a transaction, nor where somebody waits for more than its answer.
    pub kv: &'a dyn Kv,
    /// The most session contexts that the key-value store keeps; 0 keeps none. Components without that store have 0.
    pub contexts: u64,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The source of randomness.
    pub rng: &'a dyn Rng,
    /// The keys of the store.
    pub keys: &'a Keyring,
    /// The parts that the installed capabilities give to each other.
    pub installed: &'a Installed,
    /// Values that this request has read once and needs again.
    pub memo: &'a Memo,
}

impl Ctx<'_> {
    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A random name for the owner of a lease. Nobody else has the same one.
    pub fn owner(&self) -> [u8; 16] {
        let mut owner = [0; 16];
        self.rng.fill(&mut owner);
        owner
    }
}

/// The sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The member of staff; `None` for the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// The role, which says what they may do.
    pub role: Role,
}

impl Actor {
    /// Whether the actor may act on other agents' conversations.
    pub fn supervises(&self) -> bool {
        matches!(self.role, Role::Admin | Role::Supervisor)
    }
}

/// The reason why a step was not taken. The `code` texts are stable, because programs compare them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored value does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The request names something that does not exist, or that the actor may not see.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The actor may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The present state does not allow it.
    #[error("{detail}")]
    Conflict {
        /// Stable code.
        code: &'static str,
        /// The advice to the caller.
        detail: &'static str,
    },
    /// Merges made by hand would extend the erasure to these customers, so the caller has to name them.
    #[error("the erasure would take along customers who were merged by hand")]
    MergedByHand(Vec<CustomerId>),
    /// The request asks for something impossible.
    #[error("{field}: {problem}")]
    Invalid {
        /// Stable code.
        code: &'static str,
        /// The field.
        field: String,
        /// The fault of the field's value.
        problem: String,
    },
}

impl StepError {
    /// A conflict with the present state.
    pub fn conflict(code: &'static str, detail: &'static str) -> Self {
        Self::Conflict { code, detail }
    }

    /// A field with a value that is not accepted.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { code: "invalid_field", field: field.into(), problem: problem.into() }
    }
}
