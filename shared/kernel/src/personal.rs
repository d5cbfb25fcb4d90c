//! What each capability does with personal data when the law asks for it. Erasing, exporting and retention go through these
//! hooks and know no table of a capability. A capability cannot leave a hook out: it declares [`Personal`] in full, or says
//! that it stores nothing about customers.

use crate::ctx::{Ctx, StepError};
use serde::Serialize;
use std::collections::BTreeMap;
use warmline_model::{CustomerId, Timestamp};
use warmline_privacy::SealError;
use warmline_store::StoreError;

/// Counts of what a step did, by name.
pub type Counts = Vec<(&'static str, i64)>;

const DAY_MS: i64 = 86_400_000;

/// The personal data of a capability.
#[derive(Clone, Copy)]
pub enum Personal {
    /// The capability stores nothing about customers.
    None,
    /// It does, and this is what it does with that.
    Kept(Hooks),
}

impl Personal {
    /// The same without the hook that exports: a component that exports nothing need not link what it calls.
    #[must_use]
    pub const fn without_export(self) -> Self {
        match self {
            Self::None => Self::None,
            Self::Kept(hooks) => Self::Kept(Hooks { export: no_export, ..hooks }),
        }
    }
}

fn no_export(_: &Ctx<'_>, _: CustomerId, _: Option<&str>) -> Result<Option<Exported>, StepError> {
    Err(StoreError::Other("this component exports nothing".into()).into())
}

/// What a capability does with the personal data that it stores. A hook touches the capability's own tables only.
///
/// Whoever forgets one is told by the compiler:
///
/// ```compile_fail,E0063
/// use warmline_kernel::personal::{Hooks, Retain};
///
/// const FORGETFUL: Hooks = Hooks {
///     begin: |_, _| Ok(()),
///     erase: None,
///     retain: Retain { days: &[], step: |_, _| Ok(Vec::new()) },
/// };
/// ```
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Runs in the transaction in which an erasure begins: ends what is under way for these customers, and removes everything
    /// by which they can be found. Capabilities that build on others come first.
    pub begin: fn(&Ctx<'_>, &Erasing<'_>) -> Result<(), StepError>,
    /// Deletes a bounded part of what is left of one customer, in a transaction of its own. It is called until nothing is
    /// left. The customer's key is destroyed by then, so nothing that it sealed can be read. `None` if `begin` leaves nothing.
    pub erase: Option<Erase>,
    /// The next file of a person's export; `None` after the last. The first call gets no cursor, each later one that of the
    /// file before.
    pub export: Export,
    /// What is kept for a number of days only.
    pub retain: Retain,
}

/// Deletes a part of what is left of one customer.
pub type Erase = fn(&Ctx<'_>, CustomerId) -> Result<Erased, StepError>;

/// Writes the next file of a person's export: the person, and the cursor of the file before.
pub type Export = fn(&Ctx<'_>, CustomerId, Option<&str>) -> Result<Option<Exported>, StepError>;

/// The person whose erasure begins.
#[derive(Clone, Copy)]
pub struct Erasing<'a> {
    /// The erasure.
    pub id: warmline_model::ErasureId,
    /// The person's customers.
    pub customers: &'a [CustomerId],
}

/// What one call of [`Hooks::erase`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Messages deleted, for the receipt.
    pub messages: i64,
    /// Whether something is left.
    pub more: bool,
}

/// A file of a person's export.
pub struct Exported {
    /// Its name without extension. Files of the same name are numbered.
    pub name: &'static str,
    /// Whether more files of this name may follow.
    pub numbered: bool,
    /// How many things it contains.
    pub items: usize,
    /// Its content: JSON.
    pub content: Vec<u8>,
    /// Where the next file begins.
    pub cursor: String,
}

impl Exported {
    /// A file with this content, which may be followed by more of its name if it has a cursor.
    ///
    /// # Errors
    /// The content cannot be written as JSON.
    pub fn json(
        name: &'static str,
        items: usize,
        content: &impl Serialize,
        cursor: Option<String>,
    ) -> Result<Self, StepError> {
        let content = serde_json::to_vec_pretty(content).map_err(|_| SealError::Format)?;
        Ok(Self { name, numbered: cursor.is_some(), items, content, cursor: cursor.unwrap_or_default() })
    }
}

/// What a capability keeps for a number of days only.
#[derive(Clone, Copy)]
pub struct Retain {
    /// The settings.
    pub days: &'static [Days],
    /// Removes a bounded part of what is older than the settings allow. A legal hold keeps what it covers. Nothing is half
    /// done when it fails.
    pub step: fn(&Ctx<'_>, &Keeping) -> Result<Counts, StepError>,
}

/// One setting of retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// Its name, unique among all capabilities.
    pub name: &'static str,
    /// What it applies to, for the API's description.
    pub meaning: &'static str,
    /// The smallest value.
    pub least: i64,
    /// The value before anybody changed it.
    pub usual: i64,
}

/// The largest value of any setting: ten years.
pub const MOST_DAYS: i64 = 3_650;

/// For how many days things are kept, by the settings' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeping(pub BTreeMap<String, i64>);

impl Keeping {
    /// The value of a setting; 0 if there is none of that name.
    pub fn days(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// The instant that many days ago.
    pub fn before(now: Timestamp, days: i64) -> Timestamp {
        now.plus_millis(days.saturating_mul(-DAY_MS))
    }
}
