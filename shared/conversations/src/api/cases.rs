//! Cases: one person's conversations on one matter.

use crate::api::view::ConversationView;
use crate::cases;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_endpoint::route::{Access, Answer, Call, Route, STAFF, Verb, schema};
use warmline_endpoint::{Problem, Response, body, page};
use warmline_model::{CaseId, ConversationId, CustomerId, Scope};

/// The case to set for a conversation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCase {
    /// The case; `null` for a case of its own.
    case: Option<CaseId>,
}

/// A case.
#[derive(Serialize, JsonSchema)]
pub struct CaseView {
    /// Id.
    pub id: CaseId,
    /// The customer.
    pub customer: CustomerId,
    /// The conversations with this customer that belong to the case, oldest first; the first 200.
    pub conversations: Vec<ConversationView>,
}

/// `GET /api/cases/{id}`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let id: CaseId = call.id(0, "case")?;
    let wanted = page::typed(call.request, "customer", |t| t.parse::<CustomerId>().ok())?;
    let (customer, found) = cases::of(&call.ctx, &call.actor, id, wanted)?;
    let conversations = found.into_iter().map(ConversationView::from).collect();
    Ok(Response::json(200, &CaseView { id, customer, conversations }))
}

/// `POST /api/conversations/{id}/case`
pub(crate) fn set(call: &Call<'_>) -> Result<Response, Problem> {
    let SetCase { case } = body::read(call.request)?;
    let id: ConversationId = call.id(0, "conversation")?;
    Ok(Response::json(200, &ConversationView::from(cases::set(&call.ctx, &call.actor, id, case)?)))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/cases/{id}",
        "Shows a case: one person's conversations on one matter; for supervisors and those who talk with \
         them now.",
        Access::Token(STAFF, Scope::Conversations),
        Answer::Json(schema::<CaseView>),
        get,
    )
    .query(&[(
        "customer",
        "with whom, where a merge that was undone left it with two; when left out, the first whom one may \
         see",
    )])
    .agents("of those whom they serve"),
    Route::change(
        Verb::Post,
        "/api/conversations/{id}/case",
        "Says which case a conversation is: one of the same customer's, or with `null` one of its own.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<ConversationView>,
        set,
    )
    .taking(schema::<SetCase>)
    .refusing(&[(409, "not_yours"), (409, "other_person")])
    .agents("those that they hold or held"),
];
