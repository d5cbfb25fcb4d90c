//! The legal duties of a keeper of personal data: legal holds, records of consent, and retention.

use crate::view::Page;
use crate::{body, customers};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_channels::registry;
use warmline_endpoint::route::{Access, Answer, Call, PAGE, PRIVACY, Route, STAFF_AND_PRIVACY, Verb, schema};
use warmline_endpoint::{Problem, Response, page};
use warmline_flow::retention::{self, Settings};
use warmline_flow::{hold, people};
use warmline_kernel::consent::{self, Said};
use warmline_model::{AgentId, CustomerId, MessageId, Role, Scope, Timestamp};
use warmline_store::consents::Consent;
use warmline_store::holds;

/// A hold to be placed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// Why: `dispute`, `investigation`, `regulator` or `court`.
    reason: String,
    /// What it is filed under elsewhere, as a short code. No names: it is stored as it is.
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    reference: Option<String>,
}

/// A hold.
#[derive(Serialize, JsonSchema)]
pub struct HoldView {
    /// Why.
    pub reason: String,
    /// What it is filed under elsewhere.
    pub reference: Option<String>,
    /// Who placed it; `null`: the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// Since when.
    pub at: Timestamp,
}

impl From<holds::Hold> for HoldView {
    fn from(h: holds::Hold) -> Self {
        Self { reason: h.reason, reference: h.reference, agent: h.by, at: h.at }
    }
}

/// What a customer said about a purpose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// What for, as a code of the brand's own list: `marketing`, `callback`, …
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    purpose: String,
    /// The version of the text that the customer saw.
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    version: String,
    /// Whether it was given (`true`) or withdrawn.
    given: bool,
    /// Where it was said: a channel; `staff` where it is left out.
    #[serde(default)]
    source: Option<String>,
}

/// A record of consent.
#[derive(Serialize, JsonSchema)]
pub struct ConsentView {
    /// Position among all records.
    pub seq: i64,
    /// The customer who said it.
    pub customer: CustomerId,
    /// What for.
    pub purpose: String,
    /// The version of the text.
    pub version: String,
    /// Given, or withdrawn.
    pub given: bool,
    /// A channel, or `staff`.
    pub source: String,
    /// Who noted it; `null`: the customer's own message, where `message` names it, else the administrator's token of the configuration.
    pub agent: Option<AgentId>,
    /// The customer's own words (`stop`, `td`, `退订`, …), or the platform's event (`unsubscribe`, …).
    pub wording: Option<String>,
    /// The message that proves it.
    pub message: Option<MessageId>,
    /// When it was noted.
    pub at: Timestamp,
}

impl From<Consent> for ConsentView {
    fn from(c: Consent) -> Self {
        Self {
            seq: c.seq,
            customer: c.customer,
            purpose: c.purpose,
            version: c.version,
            given: c.given,
            source: c.source,
            agent: c.by,
            wording: c.wording,
            message: c.message,
            at: c.at,
        }
    }
}

/// What a person said about purposes.
#[derive(Serialize, JsonSchema)]
pub struct Consents {
    /// What stands now: the newest record of each purpose. A purpose that is not named was not agreed to.
    pub stands: Vec<ConsentView>,
    /// All records, newest first.
    #[serde(flatten)]
    pub records: Page<ConsentView>,
}

/// For how long things are kept.
#[derive(Serialize, JsonSchema)]
pub struct RetentionView {
    /// Days.
    pub retention: Settings,
    /// Rises with every change; 0 before the first.
    pub version: i64,
}

/// `GET /api/retention`
pub(crate) fn retention(call: &Call<'_>) -> Result<Response, Problem> {
    let (retention, version) = retention::settings(&call.ctx)?;
    Ok(Response::json(200, &RetentionView { retention, version }))
}

/// `PUT /api/retention`
pub(crate) fn set_retention(call: &Call<'_>) -> Result<Response, Problem> {
    let retention: Settings = body::read(call.request)?;
    let version = retention::change(&call.ctx, &call.actor, &retention)?;
    Ok(Response::json(200, &RetentionView { retention, version }))
}

/// `PUT /api/customers/{id}/hold`
pub(crate) fn place_hold(call: &Call<'_>) -> Result<Response, Problem> {
    let NewHold { reason, reference } = body::read(call.request)?;
    if let Some(reference) = &reference {
        body::code("reference", reference)?;
    }
    hold::place(&call.ctx, &call.actor, customers::person(call)?, &reason, reference.as_deref())?;
    customers::get(call)
}

/// `DELETE /api/customers/{id}/hold`
pub(crate) fn lift_hold(call: &Call<'_>) -> Result<Response, Problem> {
    hold::lift(&call.ctx, &call.actor, customers::person(call)?)?;
    customers::get(call)
}

/// `POST /api/customers/{id}/consents`
pub(crate) fn note_consent(call: &Call<'_>) -> Result<Response, Problem> {
    let NewConsent { purpose, version, given, source } = body::read(call.request)?;
    body::code("purpose", &purpose)?;
    body::code("version", &version)?;
    let source = source.as_deref().unwrap_or(people::STAFF);
    if source != people::STAFF && registry::capabilities(source).is_none() {
        return Err(Problem::field("unknown_channel", "source", "source is a channel, or staff"));
    }
    touch(call)?;
    let said = Said { purpose: &purpose, version: &version, given, source };
    consent::note(&call.ctx, &call.actor, call.id(0, "customer")?, &said)?;
    shown(call, 201)
}

/// The person, if the actor may note their consent: privacy officers, supervisors, and agents who talk with the person now.
fn touch(call: &Call<'_>) -> Result<CustomerId, Problem> {
    if call.actor.role == Role::Privacy { customers::person(call) } else { customers::served(call) }
}

/// `GET /api/customers/{id}/consents`
pub(crate) fn consents(call: &Call<'_>) -> Result<Response, Problem> {
    shown(call, 200)
}

fn shown(call: &Call<'_>, status: u16) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let before = page::after::<i64>(call.request)?.unwrap_or(i64::MAX);
    let person = customers::seen(call)?;
    let views = |records: Vec<Consent>| records.into_iter().map(ConsentView::from).collect::<Vec<_>>();
    let stands = views(consent::standing(&call.ctx, person)?);
    let records = views(consent::before(&call.ctx, person, before, limit + 1)?);
    let records = Page::cut(records, limit, |c| c.seq.to_string());
    Ok(Response::json(status, &Consents { stands, records }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/retention",
        "Shows for how many days things are kept.",
        Access::Token(PRIVACY, Scope::Privacy),
        Answer::Json(schema::<RetentionView>),
        retention,
    ),
    Route::change(
        Verb::Put,
        "/api/retention",
        "Changes for how many days things are kept; the tick does what became due.",
        Access::Token(PRIVACY, Scope::Privacy),
        schema::<RetentionView>,
        set_retention,
    )
    .taking(schema::<warmline_flow::retention::Settings>),
    Route::change(
        Verb::Put,
        "/api/customers/{id}/hold",
        "Places a legal hold: nothing that is stored of the customer is removed, nor of whoever is one \
         person with them.",
        Access::Token(PRIVACY, Scope::Privacy),
        schema::<customers::CustomerView>,
        place_hold,
    )
    .taking(schema::<NewHold>),
    Route::change(
        Verb::Delete,
        "/api/customers/{id}/hold",
        "Lifts the legal hold.",
        Access::Token(PRIVACY, Scope::Privacy),
        schema::<customers::CustomerView>,
        lift_hold,
    ),
    Route::change(
        Verb::Post,
        "/api/customers/{id}/consents",
        "Notes that a customer agreed to a purpose, or withdrew.",
        Access::Token(STAFF_AND_PRIVACY, Scope::Privacy),
        schema::<Consents>,
        note_consent,
    )
    .taking(schema::<NewConsent>)
    .status(201)
    .agents("those whom they serve"),
    Route::get(
        "/api/customers/{id}/consents",
        "Shows what a customer agreed to and withdrew, newest first, and what stands now.",
        Access::Token(STAFF_AND_PRIVACY, Scope::Privacy),
        Answer::Json(schema::<Consents>),
        consents,
    )
    .query(PAGE)
    .agents("those whom they may see"),
];
