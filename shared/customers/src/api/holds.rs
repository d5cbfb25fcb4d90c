//! Legal holds.

use crate::api::customers;
use crate::hold;
use crate::store::holds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_endpoint::route::{Access, Call, PRIVACY, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{AgentId, Scope, Timestamp};

/// A hold to be placed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// The reason: `dispute`, `investigation`, `regulator` or `court`.
    reason: String,
    /// The reference under which it is filed elsewhere, as a short code. It must not contain names, since it is stored in
    /// the clear.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    reference: Option<String>,
}

/// A hold.
#[derive(Serialize, JsonSchema)]
pub struct HoldView {
    /// The reason.
    pub reason: String,
    /// The reference under which it is filed elsewhere.
    pub reference: Option<String>,
    /// The member of staff who placed it; `null`: the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// The time since which it holds.
    pub at: Timestamp,
}

impl From<holds::Hold> for HoldView {
    fn from(h: holds::Hold) -> Self {
        Self { reason: h.reason, reference: h.reference, agent: h.by, at: h.at }
    }
}

/// `PUT /api/customers/{id}/hold`
pub(crate) fn place_hold(call: &Call<'_>) -> Result<Response, Problem> {
    let NewHold { reason, reference } = body::read(call.request)?;
    if let Some(reference) = &reference {
        body::code("reference", reference)?;
    }
    hold::place(&call.ctx, &call.actor, customers::person(call)?, &reason, reference.as_deref())?;
    customers::get(call)
}

/// `DELETE /api/customers/{id}/hold`
pub(crate) fn lift_hold(call: &Call<'_>) -> Result<Response, Problem> {
    hold::lift(&call.ctx, &call.actor, customers::person(call)?)?;
    customers::get(call)
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::change(
        Verb::Put,
        "/api/customers/{id}/hold",
        "Places a legal hold: nothing that is stored of the customer is removed, nor of whoever is one \
         person with them.",
        Access::Token(PRIVACY, Scope::Privacy),
        schema::<customers::CustomerView>,
        place_hold,
    )
    .taking(schema::<NewHold>),
    Route::change(
        Verb::Delete,
        "/api/customers/{id}/hold",
        "Lifts the legal hold.",
        Access::Token(PRIVACY, Scope::Privacy),
        schema::<customers::CustomerView>,
        lift_hold,
    ),
];
