//! The audit log.

use crate::model::{CheckView, EntryView, FaultView};
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{Access, Answer, Call, PAGE, PRIVACY, Route, schema};
use warmline_endpoint::{Problem, Response};
use warmline_kernel::audit;
use warmline_model::Scope;
use warmline_store::audit as stored;

/// The most entries that one call checks.
const CHECKED: i64 = 5_000;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// `GET /api/audit`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let after = page::after::<i64>(call.request)?.unwrap_or(0);
    let entry = |stored::Stored { entry: e, hash }: stored::Stored| EntryView {
        seq: e.seq,
        at: e.at,
        agent: e.actor,
        role: e.role,
        action: e.action,
        customer: e.customer,
        customers: e.customers,
        conversation: e.conversation,
        reason: e.reason,
        hash: hex(&hash),
    };
    let items = stored::after(call.ctx.db, after, limit + 1)?.into_iter().map(entry).collect();
    Ok(Response::json(200, &Page::cut(items, limit, |e: &EntryView| e.seq.to_string())))
}

/// `GET /api/audit/check`
pub(crate) fn check(call: &Call<'_>) -> Result<Response, Problem> {
    let after = page::after::<i64>(call.request)?.unwrap_or(0);
    let checked = audit::check(&call.ctx, after, CHECKED)?;
    let view = CheckView {
        entries: checked.entries,
        last: checked.last.0,
        hash: hex(&checked.last.1),
        next: (!checked.end && checked.fault.is_none()).then_some(checked.last.0),
        fault: checked.fault.map(|(seq, fault)| FaultView { seq, problem: fault.to_string() }),
    };
    Ok(Response::json(200, &view))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/audit",
        "Lists who read what of whom, oldest first.",
        Access::Token(PRIVACY, Scope::Privacy),
        Answer::Json(schema::<Page<EntryView>>),
        list,
    )
    .query(PAGE),
    Route::get(
        "/api/audit/check",
        "Checks the next 5,000 entries of that log: whether each is as it was written, and none is \
         missing.",
        Access::Token(PRIVACY, Scope::Privacy),
        Answer::Json(schema::<CheckView>),
        check,
    )
    .query(&[("after", "the entry up to which it was checked before; 0 when left out")]),
];
