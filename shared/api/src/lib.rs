//! The REST API for agents, supervisors and operations.
//!
//! Each resource keeps its routes next to its handlers, and [`ROUTES`] lists all of them. Requests are dispatched from this
//! list and [`openapi`] is generated from it, so the description cannot differ from what is served. A handler is a function
//! from a [`Call`] to a response. It runs in a transaction if it writes.

pub mod account_health;
pub mod accounts;
pub mod agents;
pub mod audit;
pub mod body;
mod carry;
pub mod cases;
pub mod channels;
pub mod conversations;
pub mod customers;
pub mod documents;
pub mod duties;
pub mod erasures;
pub mod events;
pub mod export;
pub mod groups;
pub mod handover;
pub mod health;
pub mod keys;
pub mod media;
pub mod openapi;
pub mod outbox;
pub mod queues;
pub mod refusals;
pub mod routing;
pub mod seats;
pub mod tick;
pub mod tokens;
pub mod view;

use warmline_endpoint::Request;
pub use warmline_endpoint::route::Call;
use warmline_endpoint::route::{self, Reply, Route, Wake};
use warmline_kernel::Ctx;

/// All routes, resource by resource.
pub const ROUTES: &[&[Route]] = &[
    account_health::ROUTES,
    accounts::ROUTES,
    agents::ROUTES,
    audit::ROUTES,
    cases::ROUTES,
    channels::ROUTES,
    conversations::ROUTES,
    customers::ROUTES,
    documents::ROUTES,
    duties::ROUTES,
    erasures::ROUTES,
    events::ROUTES,
    export::ROUTES,
    groups::ROUTES,
    health::ROUTES,
    keys::ROUTES,
    media::ROUTES,
    warmline_metrics::api::ROUTES,
    openapi::ROUTES,
    outbox::ROUTES,
    queues::ROUTES,
    routing::ROUTES,
    seats::ROUTES,
    tick::ROUTES,
    tokens::ROUTES,
];

/// All routes.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().copied().flatten()
}

/// Answers a request to the desk, and returns the channels to wake after the answer was sent.
pub fn dispatch(ctx: &Ctx<'_>, admin_token: &str, request: &Request) -> (Result<Reply, warmline_endpoint::Problem>, Wake) {
    route::dispatch(ctx, admin_token, request, "desk", routes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use warmline_endpoint::route::Access;
    use warmline_model::{Role, Scope};

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
