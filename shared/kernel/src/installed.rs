//! The parts that the installed capabilities give to each other. `warmline-app` puts them together from its list of
//! capabilities. A component gets the parts that it needs.

use crate::ctx::{Ctx, StepError};
use crate::personal::{Hooks, Personal};
use warmline_model::figure::{Figure, Gauge};
use warmline_store::StoreError;

/// The parts of the installed capabilities.
pub struct Installed {
    /// The names of the capabilities.
    pub names: &'static [&'static str],
    /// The personal data of each. A capability comes after those that it builds on.
    pub personal: &'static [Personal],
    /// The figures that each counts from its own events.
    pub figures: &'static [&'static [Figure]],
    /// The gauges of each.
    pub gauges: &'static [ReadGauges],
}

/// For components that neither erase nor count.
pub static NOTHING: Installed = Installed { names: &[], personal: &[], figures: &[], gauges: &[] };

/// Reads the present gauges of a capability.
pub type ReadGauges = fn(&Ctx<'_>) -> Result<Vec<Gauge>, StepError>;

/// For capabilities without gauges.
pub const fn no_gauges(_: &Ctx<'_>) -> Result<Vec<Gauge>, StepError> {
    Ok(Vec::new())
}

/// The hooks of all installed capabilities that store personal data. A capability comes after those that it builds on.
///
/// # Errors
/// Nothing is installed. The component was put together without the list, and must not conclude that there is nothing
/// to do.
pub fn hooks(ctx: &Ctx<'_>) -> Result<impl DoubleEndedIterator<Item = &'static Hooks>, StepError> {
    if ctx.installed.personal.is_empty() {
        return Err(StoreError::Other("this component does not know where personal data is".into()).into());
    }
    Ok(ctx.installed.personal.iter().filter_map(|personal| match personal {
        Personal::None => None,
        Personal::Kept(hooks) => Some(hooks),
    }))
}
