//! The list of capabilities, and everything made from it. No other list of the product names a capability: to add one, add
//! it here.
//!
//! * [`CAPABILITIES`], and one table for each part of them;
//! * [`routes`]: requests to the desk; [`openapi`]: their description, with the [`refusals`] of each, which cannot differ
//!   from the served routes;
//! * [`tick`]: the due steps; [`wake`]: the components that have something to do;
//! * [`system`]: the upkeep of the data that no capability owns; its routes are among [`routes`].

/// A table with one value of each capability. The compiler copies the value and nothing else, so a component that reads one
/// table does not link the values of the others.
macro_rules! table {
    ($(#[$doc:meta])* $visible:vis $name:ident: $of:ty = |$capability:ident| $value:expr, or $none:expr) => {
        $(#[$doc])*
        $visible static $name: [$of; $crate::CAPABILITIES.len()] = {
            const NONE: $of = $none;
            let mut all = [NONE; $crate::CAPABILITIES.len()];
            let mut i = 0;
            while i < all.len() {
                let $capability = $crate::CAPABILITIES[i];
                all[i] = $value;
                i += 1;
            }
            all
        };
    };
}

mod description;
pub mod events;
pub mod health;
pub mod limits;
pub mod openapi;
pub mod refusals;
pub mod retention;
pub mod routes;
pub mod system;
pub mod tick;
pub mod wake;

use system::SYSTEM;
use warmline_accounts::ACCOUNTS;
use warmline_compliance::COMPLIANCE;
use warmline_conversations::CONVERSATIONS;
use warmline_customers::CUSTOMERS;
use warmline_deadlines::DEADLINES;
use warmline_endpoint::capability::{Capability, Due};
use warmline_endpoint::route::Route;
use warmline_hooks::HOOKS;
use warmline_kernel::installed::{Installed, ReadGauges};
use warmline_kernel::personal::Personal;
use warmline_metrics::METRICS;
use warmline_model::Figure;
use warmline_quality::QUALITY;
use warmline_store::migrate::Migrations;

/// All capabilities. A capability comes after those that it builds on. Their due steps run in this order: those of
/// conversations before upkeep, and upkeep before retention and erasing.
pub const CAPABILITIES: &[&Capability] = &[
    // One to a line, so that a new one is one line more.
    &CUSTOMERS,
    &CONVERSATIONS,
    &ACCOUNTS,
    &SYSTEM,
    &COMPLIANCE,
    &METRICS,
    &QUALITY,
    &DEADLINES,
    &HOOKS,
];

table!(
    /// Their names.
    pub NAMES: &str = |capability| capability.name, or ""
);
table!(
    /// Their routes, resource by resource.
    pub ROUTES: &[&[Route]] = |capability| capability.routes, or &[]
);
table!(
    /// Their tables.
    pub MIGRATIONS: Migrations = |capability| Migrations { of: capability.name, files: capability.migrations },
    or Migrations { of: "", files: &[] }
);
table!(
    /// The latest version of each capability's tables, for components that do not contain its files.
    pub VERSIONS: (&str, i64) = |capability| (capability.name, capability.migrations.len() as i64), or ("", 0)
);
table!(
    /// The due steps of each.
    pub DUE: &[Due] = |capability| capability.due, or &[]
);
table!(
    /// The hooks by which each erases, exports and keeps personal data.
    pub PERSONAL: Personal = |capability| capability.personal, or Personal::None
);
table!(
    /// The same hooks without those that export, for components that would link them in vain.
    KEEPING: Personal = |capability| capability.personal.without_export(), or Personal::None
);
table!(
    /// The figures that each counts from its own events.
    pub FIGURES: &[Figure] = |capability| capability.figures, or &[]
);
table!(
    /// The gauges of each.
    pub GAUGES: ReadGauges = |capability| capability.gauges, or warmline_kernel::installed::no_gauges
);

/// For components that erase and let data age.
pub static WITH_DUTIES: Installed = Installed { names: &NAMES, personal: &KEEPING, figures: &[], gauges: &[] };
/// For components that also export.
pub static WITH_PERSONAL_DATA: Installed = Installed { names: &NAMES, personal: &PERSONAL, figures: &[], gauges: &[] };
/// For the metrics.
pub static WITH_FIGURES: Installed = Installed { names: &NAMES, personal: &[], figures: &FIGURES, gauges: &GAUGES };
/// The whole of it.
pub static WHOLE: Installed = Installed { names: &NAMES, personal: &PERSONAL, figures: &FIGURES, gauges: &GAUGES };

#[cfg(test)]
mod tests {
    use super::*;
    use warmline_store::migrate::CORE;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = NAMES.into_iter().chain([CORE.of, "needs"]).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CAPABILITIES.len() + 2);
    }
}
