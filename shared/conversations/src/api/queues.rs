//! Queues: their length, age and pace; and staffing: the agents needed for the expected contacts.

use crate::model::QueueView;
use crate::store::queues;
use crate::{plan, staffing};
use warmline_endpoint::page::Page;
use warmline_endpoint::route::{Access, Answer, Call, Route, STAFF, SUPERVISOR, schema};
use warmline_endpoint::{Problem, Response};
use warmline_model::Scope;
use warmline_routing::estimate::Pace;

/// `GET /api/queues`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let (db, now) = (call.ctx.db, call.ctx.now());
    let stored = queues::list(db)?;
    let ready = plan::current(&call.ctx)?;
    let items = ready.groups.iter().map(|group| {
        let Some(q) = stored.iter().find(|q| q.group == group.id) else {
            return Ok(QueueView {
                group: group.id.clone(),
                waiting: 0,
                oldest_ms: None,
                gap_ms: None,
                estimate_ms: None,
                estimate_error_ms: None,
                estimates: 0,
            });
        };
        let pace = Pace { last: q.left_at, gap_ms: q.gap_ms };
        Ok(QueueView {
            group: group.id.clone(),
            waiting: q.waiting,
            oldest_ms: queues::oldest(db, &group.id)?.map(|since| now.since(since).max(0)),
            gap_ms: q.gap_ms,
            estimate_ms: pace.estimate(q.waiting, now),
            estimate_error_ms: (q.estimates > 0).then(|| q.error_ms / q.estimates),
            estimates: q.estimates,
        })
    });
    let items = items.collect::<Result<Vec<_>, Problem>>()?;
    Ok(Response::json(200, &Page { items, next: None }))
}

/// `GET /api/staffing`
pub(crate) fn staffing(call: &Call<'_>) -> Result<Response, Problem> {
    let refused = || {
        let detail = format!("a whole number of quarters of an hour, from 1 to {}", staffing::MOST_QUARTERS);
        Problem::field("invalid_field", "quarters", detail)
    };
    let quarters = match call.request.param("quarters") {
        None => 4,
        Some(text) => text.parse().ok().filter(|n| (1..=staffing::MOST_QUARTERS).contains(n)).ok_or_else(refused)?,
    };
    Ok(Response::json(200, &staffing::read(&call.ctx, quarters)?))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/queues",
        "Lists the groups' queues: length, age, pace, estimated wait and how far estimates were off.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<Page<QueueView>>),
        list,
    ),
    Route::get(
        "/api/staffing",
        "Says what will come to each group, how many slots that takes and work for it, and who should \
         serve which group first.",
        Access::Token(SUPERVISOR, Scope::Figures),
        Answer::Json(schema::<crate::model::Staffing>),
        staffing,
    )
    .query(&[("quarters", "quarters of an hour to look ahead, 1 to 96; 4 when left out")])
    .refusing(&[(422, "invalid_field")]),
];
