//! All routes, and the dispatch of requests to the desk. Here and not beside the list of capabilities, because some of the
//! system's own routes read that list.

use crate::{ROUTES, description, events, health, limits, retention, wake};
use warmline_endpoint::route::{self, Reply, Route, Wake};
use warmline_endpoint::{Problem, Request};
use warmline_kernel::Ctx;

/// The routes that belong to no capability.
const OWN: &[&[Route]] =
    &[events::ROUTES, health::ROUTES, limits::ROUTES, description::ROUTES, retention::ROUTES, wake::ROUTES];

/// All routes: those of every capability, and the system's own.
pub fn all() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().copied().flatten().chain(OWN).copied().flatten()
}

/// Answers a request to the desk, and returns the channels to wake after the answer was sent.
pub fn dispatch(ctx: &Ctx<'_>, admin_token: &str, request: &Request) -> (Result<Reply, Problem>, Wake) {
    route::dispatch(ctx, admin_token, request, "desk", all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use warmline_endpoint::route::Access;
    use warmline_model::{Role, Scope};

    #[test]
    fn no_two_routes_are_the_same() {
        let mut all: Vec<_> = all().map(|r| (r.verb.as_str(), r.path)).collect();
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), n);
    }

    #[test]
    fn personal_data_in_the_clear_takes_the_scope_privacy() {
        let within = |path: &str| match all().find(|r| r.path == path).unwrap().access {
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
        let public: Vec<_> = all().filter(|r| r.access == Access::Public).map(|r| r.path).collect();
        assert_eq!(public, ["/healthz", "/readyz", "/api/openapi.json"]);
        // Operations have no access to customers' messages.
        for route in all() {
            if let Access::Token(roles, Scope::Customers | Scope::Privacy) = route.access {
                assert!(!roles.contains(&Role::Ops), "{}", route.path);
            }
        }
    }
}
