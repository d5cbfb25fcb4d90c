//! Each capability's duties for personal data. Erasing, exporting and retention go through these hooks and know no
//! table of a capability. A capability cannot leave a hook out: it declares [`Personal`] in full, or states that it
//! stores nothing about customers.

use crate::ctx::{Ctx, StepError};
use serde::Serialize;
use std::collections::BTreeMap;
use warmline_model::{CustomerId, Timestamp};
use warmline_privacy::SealError;
use warmline_store::StoreError;

/// Counts of a step's effects, by name.
pub type Counts = Vec<(&'static str, i64)>;

const DAY_MS: i64 = 86_400_000;

/// The personal data of a capability.
#[derive(Clone, Copy)]
pub enum Personal {
    /// The capability stores nothing about customers.
    None,
    /// The capability stores personal data, and these are its hooks.
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

/// The hooks of a capability that stores personal data. A hook touches the capability's own tables only.
///
/// A capability that forgets one does not compile:
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
    /// Runs in the transaction in which an erasure begins. It ends the work under way for these customers, and removes
    /// everything by which they can be found. Capabilities that build on others come first.
    pub begin: fn(&Ctx<'_>, &Erasing<'_>) -> Result<(), StepError>,
    /// Deletes a bounded part of the remaining data of one customer, in a transaction of its own. It is called until
    /// nothing is left. The customer's key is destroyed by then, so data that it sealed cannot be read. `None` if
    /// `begin` leaves nothing.
    pub erase: Option<Erase>,
    /// The next file of a person's export; `None` after the last. The first call gets no cursor. Each later call gets
    /// the cursor of the file before.
    pub export: Export,
    /// The data that is kept for a number of days only.
    pub retain: Retain,
}

/// Deletes a part of the remaining data of one customer.
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

/// The effect of one call of [`Hooks::erase`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// The number of messages deleted, for the receipt.
    pub messages: i64,
    /// Whether something is left.
    pub more: bool,
}

/// A file of a person's export.
pub struct Exported {
    /// Its name without extension. Several files of the same name are numbered.
    pub name: &'static str,
    /// Whether more files of this name may follow.
    pub numbered: bool,
    /// The number of things in it.
    pub items: usize,
    /// Its content: JSON.
    pub content: Vec<u8>,
    /// The place where the next file begins.
    pub cursor: String,
}

impl Exported {
    /// Makes a file with this content. If it has a cursor, more files of its name may follow.
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

/// The data that a capability keeps for a number of days only.
#[derive(Clone, Copy)]
pub struct Retain {
    /// The settings.
    pub days: &'static [Days],
    /// Removes or packs a bounded part of the data that is older than the settings allow. Data under a legal hold stays. A
    /// failure leaves nothing half done.
    pub step: fn(&Ctx<'_>, &Keeping) -> Result<Counts, StepError>,
}

/// One setting of retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// Its name, unique among all capabilities.
    pub name: &'static str,
    /// The data that it applies to, for the API's description.
    pub meaning: &'static str,
    /// The smallest value.
    pub least: i64,
    /// The default, which counts until somebody changes it.
    pub usual: i64,
}

/// The largest value of any setting: ten years.
pub const MOST_DAYS: i64 = 3_650;

/// The number of days for which data is kept, by the settings' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeping(pub BTreeMap<String, i64>);

impl Keeping {
    /// The value of a setting; 0 if there is none of that name.
    pub fn days(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// The instant that many days before `now`.
    pub fn before(now: Timestamp, days: i64) -> Timestamp {
        now.plus_millis(days.saturating_mul(-DAY_MS))
    }
}
