//! What the installed capabilities give to each other. It is put together in `warmline-app`, from its list of capabilities; a
//! component gets the parts that it needs.

use crate::ctx::{Ctx, StepError};
use crate::personal::{Hooks, Personal};
use warmline_model::figure::{Figure, Gauge};
use warmline_store::StoreError;

/// The parts of the installed capabilities.
pub struct Installed {
    /// Their names.
    pub names: &'static [&'static str],
    /// What each does with personal data, those that others build on first.
    pub personal: &'static [Personal],
    /// What each counts from its own events.
    pub figures: &'static [&'static [Figure]],
    /// What is true of each now.
    pub gauges: &'static [ReadGauges],
}

/// For components that neither erase nor count.
pub static NOTHING: Installed = Installed { names: &[], personal: &[], figures: &[], gauges: &[] };

/// Reads what is true of a capability now.
pub type ReadGauges = fn(&Ctx<'_>) -> Result<Vec<Gauge>, StepError>;

/// For capabilities without gauges.
pub const fn no_gauges(_: &Ctx<'_>) -> Result<Vec<Gauge>, StepError> {
    Ok(Vec::new())
}

/// The hooks of all installed capabilities that store personal data, those that others build on first.
///
/// # Errors
/// Nothing is installed: the component was put together without the list, and must not take that for "nothing to do".
pub fn hooks(ctx: &Ctx<'_>) -> Result<impl DoubleEndedIterator<Item = &'static Hooks>, StepError> {
    if ctx.installed.personal.is_empty() {
        return Err(StoreError::Other("this component does not know where personal data is".into()).into());
    }
    Ok(ctx.installed.personal.iter().filter_map(|personal| match personal {
        Personal::None => None,
        Personal::Kept(hooks) => Some(hooks),
    }))
}
