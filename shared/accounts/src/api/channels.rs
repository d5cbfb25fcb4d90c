//! The channels and their capabilities.

use warmline_channels::registry;
use warmline_endpoint::page::Page;
use warmline_endpoint::route::{ANYONE, Access, Answer, Call, Route, schema};
use warmline_endpoint::{Problem, Response};
use warmline_model::Scope;

/// `GET /api/channels`
pub(crate) fn list(_: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &Page { items: registry::all(), next: None }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[Route::get(
    "/api/channels",
    "Lists the channels and what each can carry: kinds, lengths, windows for replies.",
    Access::Token(ANYONE, Scope::Configuration),
    Answer::Json(schema::<Page<warmline_channels::Capabilities>>),
    list,
)];
