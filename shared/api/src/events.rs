//! The event log: a page of it as NDJSON. The endless form (server-sent events) is made of the same pages by the component.

use crate::routes::Call;
use warmline_flow::Ctx;
use warmline_flow::ctx::Actor;
use warmline_http::{Problem, Request, Response, auth, page};
use warmline_model::{Event, Role, Scope};
use warmline_store::{Db, events};

/// Events on a page when no number is asked for.
pub const DEFAULT_LIMIT: i64 = 200;
/// The most events on a page.
pub const MAX_LIMIT: i64 = 1_000;

/// Who follows the log, and from where.
///
/// # Errors
/// The token may not, or the position is none.
pub fn start(ctx: &Ctx<'_>, admin_token: &str, request: &Request) -> Result<(Actor, i64), Problem> {
    let actor = auth::admit(ctx, admin_token, request, &ROLES, Scope::Figures)?;
    Ok((actor, position(request)?))
}

/// Whether a stream that began may go on, for whom. A stream counts once against its token's rate.
///
/// # Errors
/// The token may not any more.
pub fn goes_on(ctx: &Ctx<'_>, admin_token: &str, request: &Request) -> Result<Actor, Problem> {
    auth::still(ctx, admin_token, request, &ROLES, Scope::Figures)
}

const ROLES: [Role; 3] = [Role::Supervisor, Role::Agent, Role::Ops];

/// The position to go on from: `after`, or `Last-Event-ID` where a browser reconnects.
///
/// # Errors
/// It is not a position.
fn position(request: &Request) -> Result<i64, Problem> {
    let wrong = || Problem::new(400, "bad_cursor", "after takes the `seq` of an event");
    let text = match request.header("last-event-id") {
        Some(text) => Some(text.to_owned()),
        None => page::param(request, "after")?,
    };
    match text.filter(|t| !t.is_empty()) {
        None => Ok(0),
        Some(text) => text.parse().ok().filter(|seq| *seq >= 0).ok_or_else(wrong),
    }
}

/// The events after a position.
///
/// # Errors
/// The store fails.
pub fn after(db: &dyn Db, seq: i64, limit: i64) -> Result<Vec<Event>, Problem> {
    Ok(events::after(db, seq, limit)?)
}

/// `GET /api/events`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, DEFAULT_LIMIT, MAX_LIMIT)?;
    let mut body = String::new();
    for event in after(call.ctx.db, position(call.request)?, limit)? {
        body.push_str(&serde_json::to_string(&event).map_err(|_| Problem::internal())?);
        body.push('\n');
    }
    Ok(Response::text(200, "application/x-ndjson", body))
}
