//! Cases: one person's conversations on one matter.

use crate::body;
use crate::routes::Call;
use crate::view::ConversationView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_flow::cases;
use warmline_http::{Problem, Response, page};
use warmline_model::{CaseId, ConversationId, CustomerId};

/// Which case a conversation is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCase {
    /// The case; `null`: one of its own.
    case: Option<CaseId>,
}

/// A case.
#[derive(Serialize, JsonSchema)]
pub struct CaseView {
    /// Id.
    pub id: CaseId,
    /// The customer.
    pub customer: CustomerId,
    /// The conversations with this customer that are it, oldest first; the first 200.
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
