//! Who is in a conversation.

use crate::model::{NewPresence, PresenceView};
use crate::presence;
use warmline_endpoint::route::{Access, Answer, Call, Route, STAFF, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{ConversationId, Scope};

fn id(call: &Call<'_>) -> Result<ConversationId, Problem> {
    call.id(0, "conversation")
}

/// `GET /api/conversations/{id}/presence`
fn get(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &presence::read(&call.ctx, &call.actor, id(call)?)?))
}

/// `PUT /api/conversations/{id}/presence`
fn put(call: &Call<'_>) -> Result<Response, Problem> {
    let NewPresence { doing, seen } = body::read(call.request)?;
    if seen.is_some_and(|seen| seen < 0) {
        return Err(Problem::field("invalid_field", "seen", "a message's number is 1 or more; 0 if none was seen"));
    }
    Ok(Response::json(200, &presence::note(&call.ctx, &call.actor, id(call)?, Some(doing), seen)?))
}

/// `DELETE /api/conversations/{id}/presence`
fn leave(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &presence::note(&call.ctx, &call.actor, id(call)?, None, None)?))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/conversations/{id}/presence",
        "Shows which colleagues look at a conversation now, or write in it.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<PresenceView>),
        get,
    )
    .agents("in those that they may read"),
    Route::change(
        Verb::Put,
        "/api/conversations/{id}/presence",
        "Says that the caller looks at a conversation or writes in it, for ten seconds, and how far they have read it.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<PresenceView>,
        put,
    )
    .taking(schema::<NewPresence>)
    .agents("in those that they may read"),
    Route::change(
        Verb::Delete,
        "/api/conversations/{id}/presence",
        "Says that the caller has left a conversation.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<PresenceView>,
        leave,
    )
    .agents("in those that they may read"),
];
