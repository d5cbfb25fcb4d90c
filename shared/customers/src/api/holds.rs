//! Legal holds.

use crate::api::customers;
use crate::hold;
use crate::model::{CustomerView, HoldView, NewHold};
use crate::store::holds;
use warmline_endpoint::route::{Access, Call, PRIVACY, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::Scope;

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
        "Places a legal hold. Nothing that is stored about the person is removed: the hold covers all their customers.",
        Access::Token(PRIVACY, Scope::Privacy),
        schema::<CustomerView>,
        place_hold,
    )
    .taking(schema::<NewHold>),
    Route::change(
        Verb::Delete,
        "/api/customers/{id}/hold",
        "Lifts the legal hold.",
        Access::Token(PRIVACY, Scope::Privacy),
        schema::<CustomerView>,
        lift_hold,
    ),
];
