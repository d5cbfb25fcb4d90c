//! Erasing customers, and the receipts of erasures.

use crate::erase;
use crate::model::{ErasureView, ReceiptView};
use warmline_customers::store::erasures::{self, Erasure};
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{Access, Answer, Call, PAGE, PRIVACY, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_kernel::StepError;
use warmline_model::{CustomerId, Scope};

fn view(call: &Call<'_>, erasure: Erasure) -> ErasureView {
    let receipt = erasure.receipt.map(|text| {
        let signer = call.ctx.keys.receipts();
        ReceiptView { signature: signer.sign(text.as_bytes()), public_key: signer.public_key(), text }
    });
    ErasureView {
        id: erasure.id,
        customer: erasure.person,
        agent: erasure.asked_by,
        reason: erasure.reason,
        asked_at: erasure.asked_at,
        done_at: erasure.done_at,
        receipt,
    }
}

/// `DELETE /api/customers/{id}`
pub(crate) fn erase(call: &Call<'_>) -> Result<Response, Problem> {
    let ctx = &call.ctx;
    let reason = body::reason(call.request, &erase::REASONS)?;
    let customer: CustomerId = call.id(0, "customer")?;
    let read = |list: &str| list.split(',').map(|id| id.parse().ok()).collect::<Option<Vec<CustomerId>>>();
    let include = page::typed(call.request, "include", read)?;
    let erasure = erase::begin(ctx, customer, &call.actor, &reason, &include.unwrap_or_default())?;
    Ok(Response::json(202, &view(call, erasure)))
}

/// `GET /api/erasures/{id}`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let found = erasures::get(call.ctx.db, call.id(0, "erasure")?)?.ok_or(StepError::NotFound("erasure"))?;
    Ok(Response::json(200, &view(call, found)))
}

/// `GET /api/erasures`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let found = erasures::list(call.ctx.db, page::after(call.request)?, limit + 1)?;
    let items = found.into_iter().map(|erasure| view(call, erasure)).collect();
    Ok(Response::json(200, &Page::cut(items, limit, |erasure| erasure.id.to_string())))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::change(
        Verb::Delete,
        "/api/customers/{id}",
        "Erases a customer with all of the person's identities: from now on nobody finds or reads them; \
         their keys are destroyed and what they sealed is deleted within seconds, and then there is a \
         receipt.",
        Access::Token(PRIVACY, Scope::Privacy),
        schema::<ErasureView>,
        erase,
    )
    .status(202)
    .query(&[
        ("reason", "why: `request`, `consent_withdrawn`, `purpose_served`, `unlawful`; it is kept"),
        (
            "include",
            "customers merged by hand who are to go along, separated by commas: `customers` of the answer \
         `merged_by_hand`",
        ),
    ])
    .refusing(&[(409, "legal_hold"), (409, "merged_by_hand")]),
    Route::get(
        "/api/erasures",
        "Lists erasures, oldest first.",
        Access::Token(PRIVACY, Scope::Privacy),
        Answer::Json(schema::<Page<ErasureView>>),
        list,
    )
    .query(PAGE),
    Route::get(
        "/api/erasures/{id}",
        "Shows an erasure.",
        Access::Token(PRIVACY, Scope::Privacy),
        Answer::Json(schema::<ErasureView>),
        get,
    ),
];
