//! The list of capabilities, and what is made from it. No other list of the product names a capability: to add one, add it
//! here.
//!
//! * [`CAPABILITIES`], and one table for each part of them;
//! * [`dispatch`]: requests to the desk; [`openapi`]: their description, with the [`refusals`] of each, which cannot differ from
//!   what is served;
//! * [`tick`]: what is due; [`wake`]: which components have something to do;
//! * [`system`]: what belongs to no capability.

/// A table with one value of each capability. The compiler copies the value and nothing else, so a component that reads one
/// table does not link what is only in the others.
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

pub mod events;
pub mod health;
pub mod limits;
pub mod openapi;
pub mod refusals;
pub mod retention;
pub mod system;
pub mod tick;
pub mod wake;

use system::SYSTEM;
use warmline_accounts::ACCOUNTS;
use warmline_compliance::COMPLIANCE;
use warmline_conversations::CONVERSATIONS;
use warmline_customers::CUSTOMERS;
use warmline_endpoint::capability::{Capability, Due};
use warmline_endpoint::route::{self, Reply, Route, Wake};
use warmline_endpoint::{Problem, Request};
use warmline_kernel::Ctx;
use warmline_kernel::installed::{Gauges, Installed};
use warmline_kernel::personal::Personal;
use warmline_metrics::METRICS;
use warmline_model::Figure;
use warmline_quality::QUALITY;
use warmline_store::migrate::Migrations;

/// All capabilities, those that others build on first. Their due steps run in this order: what conversations need comes before
/// upkeep, and upkeep before retention and erasing.
pub const CAPABILITIES: &[&Capability] = &[
    // One to a line, so that a new one is one line more.
    &CUSTOMERS,
    &CONVERSATIONS,
    &ACCOUNTS,
    &SYSTEM,
    &COMPLIANCE,
    &METRICS,
    &QUALITY,
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
    pub MIGRATIONS: Migrations = |capability| capability.migrations, or Migrations::none("")
);
table!(
    /// The latest version of each capability's tables, for components that do not contain its files.
    pub VERSIONS: (&str, i64) = |capability| (capability.migrations.of, capability.migrations.latest()), or ("", 0)
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
    /// The figures that each counts from its own events.
    pub FIGURES: &[Figure] = |capability| capability.figures, or &[]
);
table!(
    /// The gauges of each.
    pub GAUGES: Gauges = |capability| capability.gauges, or warmline_kernel::installed::no_gauges
);

/// For components that erase, export or let data age.
pub static WITH_PERSONAL_DATA: Installed = Installed { names: &NAMES, personal: &PERSONAL, figures: &[], gauges: &[] };
/// For the metrics.
pub static WITH_FIGURES: Installed = Installed { names: &NAMES, personal: &[], figures: &FIGURES, gauges: &GAUGES };
/// All of it.
pub static WHOLE: Installed = Installed { names: &NAMES, personal: &PERSONAL, figures: &FIGURES, gauges: &GAUGES };

/// All routes.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().copied().flatten().copied().flatten()
}

/// Answers a request to the desk, and returns the channels to wake after the answer was sent.
pub fn dispatch(ctx: &Ctx<'_>, admin_token: &str, request: &Request) -> (Result<Reply, Problem>, Wake) {
    route::dispatch(ctx, admin_token, request, "desk", routes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use warmline_endpoint::route::Access;
    use warmline_model::{Role, Scope};
    use warmline_store::migrate::CORE;

    #[test]
    fn names_are_unique_and_say_whose_tables_they_are() {
        let mut names: Vec<_> = NAMES.into_iter().chain([CORE.of, "needs"]).collect();
        assert!(CAPABILITIES.iter().all(|c| c.migrations.of == c.name));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CAPABILITIES.len() + 2);
    }

    #[test]
    fn no_two_routes_are_the_same() {
        let mut all: Vec<_> = routes().map(|r| (r.verb.as_str(), r.path)).collect();
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), n);
    }

    #[test]
    fn personal_data_in_the_clear_takes_the_scope_privacy() {
        let within = |path: &str| match routes().find(|r| r.path == path).unwrap().access {
            Access::Token(_, scope) => scope,
            Access::Public => panic!("{path}"),
        };
        assert_eq!(within("/api/customers/{id}/timeline"), Scope::Customers);
        for path in ["/hold", "/export", "/unmasked", "/consents"] {
            assert_eq!(within(&format!("/api/customers/{{id}}{path}")), Scope::Privacy, "{path}");
        }
        // An agent's own presence is part of the work with conversations.
        assert_eq!(within("/api/agents/{id}/state"), Scope::Conversations);
        assert_eq!(within("/api/agents/{id}"), Scope::Configuration);
    }

    #[test]
    fn what_needs_no_token_is_known() {
        let public: Vec<_> = routes().filter(|r| r.access == Access::Public).map(|r| r.path).collect();
        assert_eq!(public, ["/healthz", "/readyz", "/api/openapi.json"]);
        // Operations have no access to what customers say.
        for route in routes() {
            if let Access::Token(roles, Scope::Customers | Scope::Privacy) = route.access {
                assert!(!roles.contains(&Role::Ops), "{}", route.path);
            }
        }
    }
}
