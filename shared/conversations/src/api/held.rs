//! Messages that wait to be sent: taking them back, releasing them, declining them.

use crate::held::{self, Released};
use crate::model::{Decline, HeldState, HeldView, HeldWhy};
use crate::store::held::{self as store, Held, State, Why};
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{AFTER, Access, Answer, Call, LIMIT, Route, STAFF, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{Content, MessageId, Scope};

/// A held message as the API shows it.
pub(crate) fn view(held: Held, contents: Vec<Content>) -> HeldView {
    HeldView {
        id: held.id,
        conversation: held.conversation,
        agent: held.agent,
        purpose: held.purpose,
        why: match held.why {
            Why::Undo => HeldWhy::Undo,
            Why::Later => HeldWhy::Later,
            Why::Quiet => HeldWhy::Quiet,
            Why::Approval => HeldWhy::Approval,
        },
        state: match held.state {
            State::Waiting => HeldState::Waiting,
            State::Declined => HeldState::Declined,
            State::Refused => HeldState::Refused,
        },
        held_at: held.held_at,
        release_at: held.release_at,
        reason: held.reason,
        contents,
    }
}

fn id(call: &Call<'_>) -> Result<MessageId, Problem> {
    call.id(0, "held message")
}

/// `GET /api/held`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let after: Option<MessageId> = page::after(call.request)?;
    let after = after.as_ref().map_or(&[] as &[u8], |id| id.as_bytes());
    let known = |view: &str| ["mine", "approvals", "all"].into_iter().find(|known| *known == view);
    let view_of = page::typed(call.request, "view", known)?.unwrap_or("mine");
    let db = call.ctx.db;
    let items = match (view_of, call.actor.agent) {
        ("mine", Some(me)) => store::of_agent(db, me, after, limit + 1)?,
        ("mine", None) => Vec::new(),
        _ if !call.actor.supervises() => {
            return Err(Problem::new(403, "not_yours", "agents list their own held messages; leave `view` out"));
        }
        ("approvals", _) => store::approvals(db, after, limit + 1)?,
        _ => store::all(db, after, limit + 1)?,
    };
    let items = items.into_iter().map(|held| view(held, Vec::new())).collect();
    Ok(Response::json(200, &Page::cut(items, limit, |held: &HeldView| held.id.to_string())))
}

/// `GET /api/held/{id}`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let (held, contents) = held::read(&call.ctx, &call.actor, id(call)?)?;
    Ok(Response::json(200, &view(held, contents)))
}

/// `DELETE /api/held/{id}`
pub(crate) fn withdraw(call: &Call<'_>) -> Result<Response, Problem> {
    let (held, contents) = held::withdraw(&call.ctx, &call.actor, id(call)?)?;
    Ok(Response::json(200, &view(held, contents)))
}

/// `POST /api/held/{id}/release`
pub(crate) fn release(call: &Call<'_>) -> Result<Response, Problem> {
    let id = id(call)?;
    match held::release(&call.ctx, &call.actor, id)? {
        Released::Sent(channel) => {
            call.deliver(&channel);
            Ok(Response::json(200, &serde_json::json!({ "id": id, "sent": true, "release_at": null })))
        }
        Released::Waits(held) => {
            Ok(Response::json(200, &serde_json::json!({ "id": id, "sent": false, "release_at": held.release_at })))
        }
    }
}

/// `POST /api/held/{id}/decline`
pub(crate) fn decline(call: &Call<'_>) -> Result<Response, Problem> {
    let id = id(call)?;
    let Decline { reason } = body::read(call.request)?;
    body::length("reason", &reason, 1, 500)?;
    Ok(Response::json(200, &view(held::decline(&call.ctx, &call.actor, id, &reason)?, Vec::new())))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/held",
        "Lists messages that were written and are not sent yet, or were declined, oldest first, without their texts.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<Page<HeldView>>),
        list,
    )
    .query(&[
        LIMIT,
        AFTER,
        ("view", "mine (the caller's own; also when left out), approvals (those that wait for a supervisor) or all"),
    ])
    .agents("their own"),
    Route::get(
        "/api/held/{id}",
        "Shows a held message with its text.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<HeldView>),
        get,
    )
    .refusing(&[(409, "already_sent")])
    .agents("their own, and those of conversations that they may read"),
    Route::change(
        Verb::Delete,
        "/api/held/{id}",
        "Takes back a message that is not sent yet. The answer has its text, for a draft.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<HeldView>,
        withdraw,
    )
    .refusing(&[(409, "already_sent"), (409, "not_yours")])
    .agents("their own, and those of their own conversations"),
    Route::change(
        Verb::Post,
        "/api/held/{id}/release",
        "Sends a held message before its time, or approves one that waits for a supervisor. The gate decides again.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<serde_json::Value>,
        release,
    )
    .refusing(&[
        (409, "already_sent"),
        (409, "already_decided"),
        (409, "content_unreadable"),
        (409, "conversation_closed"),
        (409, "not_yours"),
        (409, "account_disabled"),
        (409, "reply_window_closed"),
        (409, "reply_quota_used"),
        (409, "words_blocked"),
        (409, "legal_hold"),
        (409, "do_not_contact"),
        (409, "consent_missing"),
        (409, "contacted_too_often"),
    ])
    .agents("their own, if they do not wait for a supervisor"),
    Route::change(
        Verb::Post,
        "/api/held/{id}/decline",
        "Declines a message that waits for a supervisor. The reason becomes a note in the conversation.",
        Access::Token(SUPERVISOR, Scope::Conversations),
        schema::<HeldView>,
        decline,
    )
    .taking(schema::<Decline>)
    .refusing(&[
        (409, "already_sent"),
        (409, "already_decided"),
        (409, "no_approval_needed"),
        (409, "conversation_closed"),
    ]),
];
