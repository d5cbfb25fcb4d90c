//! The audit log.

use schemars::JsonSchema;
use serde::Serialize;
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{Access, Answer, Call, PAGE, PRIVACY, Route, schema};
use warmline_endpoint::{Problem, Response};
use warmline_kernel::audit;
use warmline_model::{AgentId, ConversationId, CustomerId, Scope, Timestamp};
use warmline_store::audit as stored;

/// The most entries that one call checks.
const CHECKED: i64 = 5_000;

/// An entry of the audit log: who read or changed which data.
#[derive(Serialize, JsonSchema)]
pub struct EntryView {
    /// Number, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The member of staff; `null`: the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// The role of that member of staff.
    pub role: String,
    /// The action: `conversation.read`, `medium.read`, `timeline.read`, `summary.read`, `customer.unmasked`,
    /// `customer.exported`, `customer.corrected`, `customer.merged`, `customer.unmerged`, `customer.identified`,
    /// `customer.tagged`, `customer.owned`, `customer.erased`, `hold.placed`, `hold.lifted`, `consent.given`,
    /// `consent.withdrawn`, `retention.changed`, `deliveries.retried`, `account.created`, `account.changed`,
    /// `account.disabled`, `account.enabled`, `account.deleted`.
    pub action: String,
    /// The customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// All customers who were one person then; absent if there was only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub customers: Vec<CustomerId>,
    /// The conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// The reason that was given, a hold's reason and reference, a consent's purpose, or the account as
    /// `<channel>/<account>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entry's hash, in hexadecimal.
    pub hash: String,
}

/// A fault of the log, and its place.
#[derive(Serialize, JsonSchema)]
pub struct FaultView {
    /// The entry.
    pub seq: i64,
    /// The kind of fault.
    pub problem: String,
}

/// The result of checking a part of the log.
#[derive(Serialize, JsonSchema)]
pub struct CheckView {
    /// The number of entries that follow each other correctly.
    pub entries: i64,
    /// The number of the last of them; 0 if there are none.
    pub last: i64,
    /// Its hash. A copy of it elsewhere shows later that the log was not put back to an earlier day.
    pub hash: String,
    /// The number after which to continue; `null` at the end.
    pub next: Option<i64>,
    /// The first fault.
    pub fault: Option<FaultView>,
}

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
