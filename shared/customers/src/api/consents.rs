//! Records of consent.

use crate::api::customers;
use crate::people;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_channels::registry;
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{Access, Answer, Call, PAGE, Route, STAFF_AND_PRIVACY, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_kernel::consent::{self, Said};
use warmline_model::{AgentId, CustomerId, MessageId, Role, Scope, Timestamp};
use warmline_store::consents::Consent;

/// A customer's statement about a purpose.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsent {
    /// The purpose, as a code of the brand's own list: `marketing`, `callback`, …
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    purpose: String,
    /// The version of the text that the customer saw.
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    version: String,
    /// Whether consent was given (`true`) or withdrawn.
    given: bool,
    /// The place where the customer said it: a channel; `staff` when left out.
    #[serde(default)]
    source: Option<String>,
}

/// A record of consent.
#[derive(Serialize, JsonSchema)]
pub struct ConsentView {
    /// Position among all records.
    pub seq: i64,
    /// The customer who made the statement.
    pub customer: CustomerId,
    /// The purpose.
    pub purpose: String,
    /// The version of the text.
    pub version: String,
    /// Whether consent was given (`true`) or withdrawn.
    pub given: bool,
    /// A channel, or `staff`.
    pub source: String,
    /// The member of staff who noted it; `null`: the customer's own message, if `message` names one, or the administrator's
    /// token of the configuration.
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

/// A person's consent.
#[derive(Serialize, JsonSchema)]
pub struct Consents {
    /// The newest record of each purpose. A purpose without a record was not agreed to.
    pub stands: Vec<ConsentView>,
    /// All records, newest first.
    #[serde(flatten)]
    pub records: Page<ConsentView>,
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
