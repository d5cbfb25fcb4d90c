//! The routes.

use crate::books;
use crate::clock::{Source, State};
use crate::list::{self, Cursor};
use crate::model::{DeadlineView, PoliciesVersion, PoliciesView};
use crate::policy::Document;
use crate::store::deadlines::Ask;
use crate::store::documents;
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{AFTER, Access, Answer, Call, LIMIT, PAGE, Route, STAFF, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{AgentId, ConversationId, GroupId, Scope};

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

/// `GET /api/deadlines`
fn deadlines(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let after: Option<Cursor> = page::after(call.request)?;
    let asked = page::typed(call.request, "agent", |text| text.parse::<AgentId>().ok())?;
    let group = page::typed(call.request, "group", |text| GroupId::new(text).ok())?;
    let agent = match call.actor.agent.filter(|_| !call.actor.supervises()) {
        None => asked,
        Some(me) if asked.is_some_and(|asked| asked != me) => {
            return Err(Problem::new(
                403,
                "not_yours",
                "agents list the deadlines of their own conversations; leave `agent` out",
            ));
        }
        Some(me) => Some(me),
    };
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
];
