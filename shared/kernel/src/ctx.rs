//! What every step receives, and how a step can fail.

use crate::installed::Installed;
use crate::memo::Memo;
use warmline_model::{AgentId, Clock, CustomerId, Rng, Role, Timestamp};
use warmline_privacy::{Keyring, SealError};
use warmline_store::{Db, Kv, StoreError};

/// What every step needs: databases, clock, randomness, keys.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    /// The store.
    pub db: &'a dyn Db,
    /// The vault. Never write to it inside a transaction of the store: on some platforms both are one database.
    pub vault: &'a dyn Db,
    /// The key-value store. Its content may be lost at any time.
    pub kv: &'a dyn Kv,
    /// The most session contexts that the key-value store keeps; 0 keeps none. The same for every component that writes or
    /// drops one.
    pub contexts: u64,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Randomness.
    pub rng: &'a dyn Rng,
    /// Keys.
    pub keys: &'a Keyring,
    /// What the installed capabilities give to each other.
    pub installed: &'a Installed,
    /// What was read once in this request and is needed again.
    pub memo: &'a Memo,
}

impl Ctx<'_> {
    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A random name that nobody else has, for the owner of a lease.
    pub fn owner(&self) -> [u8; 16] {
        let mut owner = [0; 16];
        self.rng.fill(&mut owner);
        owner
    }
}

/// Who asks.
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

/// Why a step was not taken. Programs compare the `code` texts, so these are stable.
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
        /// What to do about it.
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
        /// What is wrong with it.
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
