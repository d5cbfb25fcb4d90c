//! Records of consent.

use crate::api::customers;
use crate::model::{ConsentView, Consents, NewConsent};
use crate::{consents, people};
use warmline_channels::registry;
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{Access, Answer, Call, PAGE, Route, STAFF_AND_PRIVACY, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_kernel::consent::{self, Said};
use warmline_model::{CustomerId, Role, Scope};
use warmline_store::consents::Consent;

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

/// `POST /api/customers/{id}/consents`
pub(crate) fn note_consent(call: &Call<'_>) -> Result<Response, Problem> {
    let NewConsent { purpose, version, given, source } = body::read(call.request)?;
    body::purpose("purpose", &purpose)?;
    body::code("version", &version)?;
    let source = source.as_deref().unwrap_or(people::STAFF);
    if source != people::STAFF && registry::capabilities(source).is_none() {
        return Err(Problem::field("unknown_channel", "source", "source is a channel, or staff"));
    }
    let person = touch(call)?;
    let said = Said { purpose: &purpose, version: &version, given, source };
    consents::note(&call.ctx, &call.actor, (person, call.id(0, "customer")?), &said)?;
    shown(call, 201)
}

/// The person, if the actor may note their consent: privacy officers, supervisors, and agents who talk with the person now.
fn touch(call: &Call<'_>) -> Result<CustomerId, Problem> {
    if call.actor.role == Role::Privacy { customers::person(call) } else { customers::served(call) }
}

/// `GET /api/customers/{id}/consents`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
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
        list,
    )
    .query(PAGE)
    .agents("those whom they may see"),
];
