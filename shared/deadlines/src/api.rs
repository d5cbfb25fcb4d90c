//! The routes.

use crate::books;
use crate::clock::{Source, State};
use crate::list::{self, Cursor};
use crate::model::{DeadlineView, MovedPromise, NewPromise, PoliciesVersion, PoliciesView, PromiseView};
use crate::policy::Document;
use crate::promises;
use crate::store::deadlines::Ask;
use crate::store::documents;
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{AFTER, Access, Answer, Call, LIMIT, PAGE, Route, STAFF, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{AgentId, ConversationId, GroupId, PromiseId, Scope, Timestamp};

fn current(call: &Call<'_>) -> Result<Response, Problem> {
    let (document, version) = books::current(&call.ctx)?;
    Ok(Response::json(200, &PoliciesView { version, document }))
}

/// `GET /api/sla/policies`
fn get(call: &Call<'_>) -> Result<Response, Problem> {
    current(call)
}

/// `PUT /api/sla/policies`
fn put(call: &Call<'_>) -> Result<Response, Problem> {
    let base = page::typed(call.request, "base", |text| text.parse().ok())?;
    let document: Document = body::read(call.request)?;
    books::put(&call.ctx, call.actor.agent, &document, base)?;
    current(call)
}

/// `GET /api/sla/policies/versions`
fn versions(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let below: Option<u32> = page::after(call.request)?;
    let listed = documents::list(call.ctx.db, below.map_or(i64::MAX, i64::from), limit + 1)?;
    let items = listed.into_iter().map(|(version, at, author)| PoliciesVersion { version, at, author }).collect();
    Ok(Response::json(200, &Page::cut(items, limit, |version| version.version.to_string())))
}

/// `GET /api/sla/policies/versions/{version}`
fn version(call: &Call<'_>) -> Result<Response, Problem> {
    let version: i64 = call.id(0, "version of the policies")?;
    Ok(Response::json(200, &PoliciesView { version, document: books::of_version(&call.ctx, version)? }))
}

/// `POST /api/sla/policies/versions/{version}/restore`
fn restore(call: &Call<'_>) -> Result<Response, Problem> {
    let version: i64 = call.id(0, "version of the policies")?;
    let before = books::of_version(&call.ctx, version)?;
    books::put(&call.ctx, call.actor.agent, &before, None)?;
    current(call)
}

/// The agent whose deadlines are asked for.
///
/// # Errors
/// An agent asks for another one's.
fn whose(call: &Call<'_>) -> Result<Option<AgentId>, Problem> {
    let asked = page::typed(call.request, "agent", |text| text.parse::<AgentId>().ok())?;
    match call.actor.agent.filter(|_| !call.actor.supervises()) {
        None => Ok(asked),
        Some(me) if asked.is_some_and(|asked| asked != me) => {
            let detail = "agents list those of their own conversations; leave `agent` out";
            Err(Problem::new(403, "not_yours", detail))
        }
        Some(me) => Ok(Some(me)),
    }
}

/// `GET /api/deadlines`
fn deadlines(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let after: Option<Cursor> = page::after(call.request)?;
    let group = page::typed(call.request, "group", |text| GroupId::new(text).ok())?;
    let agent = whose(call)?;
    let ask = Ask {
        state: page::typed(call.request, "state", State::parse)?.unwrap_or(State::Running),
        source: page::typed(call.request, "source", Source::parse)?,
        agent,
        group: group.as_ref(),
        after: after.unwrap_or(Cursor((i64::MIN, Vec::new(), 0))).0,
        limit: limit + 1,
    };
    let items = list::of_state(&call.ctx, &ask)?;
    Ok(Response::json(200, &Page::cut(items, limit, |view| Cursor::of(view).to_string())))
}

/// `GET /api/conversations/{id}/deadlines`
fn of_conversation(call: &Call<'_>) -> Result<Response, Problem> {
    let id: ConversationId = call.id(0, "conversation")?;
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let after: Option<u32> = page::after(call.request)?;
    let items = list::of_conversation(&call.ctx, &call.actor, id, after.map_or(-1, i64::from), limit + 1)?;
    Ok(Response::json(200, &Page::cut(items, limit, |view| view.deadline.to_string())))
}

/// `GET /api/promises`
fn promised(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let after: Option<Cursor> = page::after(call.request)?;
    let state = page::typed(call.request, "state", |text| State::parse(text).filter(|state| *state != State::Paused))?;
    let ask = Ask {
        state: state.unwrap_or(State::Running),
        source: Some(Source::Promise),
        agent: whose(call)?,
        group: None,
        after: after.unwrap_or(Cursor((i64::MIN, Vec::new(), 0))).0,
        limit: limit + 1,
    };
    let found = promises::list(&call.ctx, &call.actor, &ask)?;
    let Page { items, next } = Page::cut(found, limit, |(place, _)| Cursor(place.clone()).to_string());
    let items = items.into_iter().map(|(_, view)| view).collect();
    Ok(Response::json(200, &Page::<PromiseView> { items, next }))
}

/// The longest time ahead for which something is promised, in days.
const MOST_DAYS: i64 = 366;

/// Checks the instant of a promise.
///
/// # Errors
/// It is past or too far ahead.
fn ahead(call: &Call<'_>, due_at: Timestamp) -> Result<(), Problem> {
    let now = call.ctx.now();
    if due_at <= now || due_at > now.plus_millis(MOST_DAYS * 86_400_000) {
        let detail = format!("a promise is due at an instant after now, at most {MOST_DAYS} days ahead");
        return Err(Problem::field("bad_time", "due_at", detail));
    }
    Ok(())
}

/// `POST /api/conversations/{id}/promises`
fn promise(call: &Call<'_>) -> Result<Response, Problem> {
    let NewPromise { text, due_at } = body::read(call.request)?;
    body::length("text", &text, 1, 200)?;
    due_at.map_or(Ok(()), |due_at| ahead(call, due_at))?;
    let id: ConversationId = call.id(0, "conversation")?;
    Ok(Response::json(201, &promises::make(&call.ctx, &call.actor, id, &text, due_at)?))
}

fn id(call: &Call<'_>) -> Result<PromiseId, Problem> {
    call.id(0, "promise")
}

/// `PUT /api/promises/{id}`
fn put_off(call: &Call<'_>) -> Result<Response, Problem> {
    let MovedPromise { due_at } = body::read(call.request)?;
    ahead(call, due_at)?;
    Ok(Response::json(200, &promises::put_off(&call.ctx, &call.actor, id(call)?, due_at)?))
}

/// `POST /api/promises/{id}/confirm`
fn confirm(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &promises::confirm(&call.ctx, &call.actor, id(call)?)?))
}

/// `POST /api/promises/{id}/fulfil`
fn fulfil(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &promises::fulfil(&call.ctx, &call.actor, id(call)?)?))
}

/// `POST /api/promises/{id}/drop`
fn drop_it(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &promises::drop_it(&call.ctx, &call.actor, id(call)?)?))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/sla/policies",
        "Shows the service levels in force: policies, calendars, and platforms' clocks.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<PoliciesView>),
        get,
    ),
    Route::change(
        Verb::Put,
        "/api/sla/policies",
        "Replaces the service levels. Deadlines that run already keep theirs.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<PoliciesView>,
        put,
    )
    .taking(schema::<Document>)
    .query(&[("base", "the version that was edited; if another one has come since, nothing is overwritten")])
    .refusing(&[
        (409, "policies_changed"),
        (422, "bad_zone"),
        (422, "bad_hours"),
        (422, "calendar_never_open"),
        (422, "bad_name"),
        (422, "bad_seconds"),
        (422, "bad_minutes"),
        (422, "bad_percent"),
        (422, "bad_warning"),
        (422, "bad_escalation"),
        (422, "bad_code"),
        (422, "bad_window"),
        (422, "duplicate_name"),
        (422, "no_target"),
        (422, "too_many"),
        (422, "unknown_calendar"),
        (422, "policy_unreachable"),
    ]),
    Route::get(
        "/api/sla/policies/versions",
        "Lists the versions of the service levels, newest first.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<Page<PoliciesVersion>>),
        versions,
    )
    .query(PAGE),
    Route::get(
        "/api/sla/policies/versions/{version}",
        "Shows a version of the service levels.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<PoliciesView>),
        version,
    ),
    Route::change(
        Verb::Post,
        "/api/sla/policies/versions/{version}/restore",
        "Puts an earlier version of the service levels into force again, as a new version.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<PoliciesView>,
        restore,
    ),
    Route::get(
        "/api/deadlines",
        "Lists deadlines of a state, the first due at first.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<Page<DeadlineView>>),
        deadlines,
    )
    .query(&[
        LIMIT,
        AFTER,
        ("state", "running (also when left out), paused, met, missed or cancelled"),
        ("source", "only those that a policy, platform, law or promise set"),
        ("agent", "only those of conversations of that agent; agents see their own"),
        ("group", "only those of conversations of that group"),
    ])
    .agents("those of their own conversations"),
    Route::get(
        "/api/conversations/{id}/deadlines",
        "Lists the deadlines of a conversation, in the order in which they started.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<Page<DeadlineView>>),
        of_conversation,
    )
    .query(PAGE)
    .agents("of those that they may read"),
    Route::get(
        "/api/promises",
        "Lists promises of a state, the first due at first.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<Page<PromiseView>>),
        promised,
    )
    .query(&[
        LIMIT,
        AFTER,
        ("state", "running (also when left out), met, missed or cancelled"),
        ("agent", "only those in conversations of that agent; agents see their own"),
    ])
    .agents("those in their own conversations"),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/promises",
        "Notes by hand what was promised to the customer.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<PromiseView>,
        promise,
    )
    .taking(schema::<NewPromise>)
    .status(201)
    .refusing(&[(409, "conversation_closed"), (409, "not_yours"), (422, "bad_time")])
    .agents("their own"),
    Route::change(
        Verb::Put,
        "/api/promises/{id}",
        "Lets a promise be due at another instant.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<PromiseView>,
        put_off,
    )
    .taking(schema::<MovedPromise>)
    .refusing(&[(409, "not_yours"), (409, "promise_ended"), (409, "promise_missed"), (422, "bad_time")])
    .agents("their own, and those in their own conversations"),
    Route::change(
        Verb::Post,
        "/api/promises/{id}/confirm",
        "Confirms that what was found in a message is a promise.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<PromiseView>,
        confirm,
    )
    .refusing(&[(409, "not_yours"), (409, "promise_ended")])
    .agents("their own, and those in their own conversations"),
    Route::change(
        Verb::Post,
        "/api/promises/{id}/fulfil",
        "Notes that a promise was kept.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<PromiseView>,
        fulfil,
    )
    .refusing(&[(409, "not_yours"), (409, "promise_ended")])
    .agents("their own, and those in their own conversations"),
    Route::change(
        Verb::Post,
        "/api/promises/{id}/drop",
        "Drops a promise that is none, or is no longer owed. One that was missed stays missed.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<PromiseView>,
        drop_it,
    )
    .refusing(&[(409, "not_yours"), (409, "promise_ended")])
    .agents("their own, and those in their own conversations"),
];
