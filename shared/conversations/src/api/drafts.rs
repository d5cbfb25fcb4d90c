//! Drafts.

use crate::drafts;
use crate::model::{Drafts, NewDraft, SavedDraft};
use warmline_endpoint::route::{Access, Answer, Call, Route, STAFF, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{ConversationId, Scope};

/// The longest draft, in characters: that of a message.
const MAX_DRAFT: usize = 4_000;

fn id(call: &Call<'_>) -> Result<ConversationId, Problem> {
    call.id(0, "conversation")
}

/// `GET /api/conversations/{id}/draft`
fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let drafts = drafts::read(&call.ctx, &call.actor, id(call)?)?;
    Ok(Response::json(200, &Drafts { drafts }))
}

/// `PUT /api/conversations/{id}/draft`
fn put(call: &Call<'_>) -> Result<Response, Problem> {
    let NewDraft { mode, text, version } = body::read(call.request)?;
    if text.chars().count() > MAX_DRAFT {
        return Err(Problem::new(413, "text_too_long", format!("a draft takes at most {MAX_DRAFT} characters")));
    }
    if version.is_some_and(|version| version < 0) {
        return Err(Problem::field("invalid_field", "version", "a version is 1 or more; 0 if there was none"));
    }
    let saved = drafts::save(&call.ctx, &call.actor, id(call)?, mode, &text, version)?;
    Ok(Response::json(200, &saved))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/conversations/{id}/draft",
        "Shows what the caller has begun to write in a conversation, and what agents left there who no longer hold it.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<Drafts>),
        get,
    )
    .agents("in those that they may read"),
    Route::change(
        Verb::Put,
        "/api/conversations/{id}/draft",
        "Saves what the caller has begun to write: a reply or a note. An empty text removes it. The last writer wins.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<SavedDraft>,
        put,
    )
    .taking(schema::<NewDraft>)
    .refusing(&[(409, "conversation_closed"), (413, "text_too_long")])
    .agents("in those that they may read"),
];
