//! Customers.

use crate::body;
use crate::routes::Call;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_http::{Problem, Response};
use warmline_model::{AccountId, Channel, CustomerId, Timestamp};
use warmline_store::customers;

/// A customer's tags.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tags {
    /// At most 20, each of 1 to 40 characters. `vip` makes the customer a VIP.
    #[schemars(length(max = 20))]
    tags: Vec<String>,
}

/// Where a customer is known.
#[derive(Serialize, JsonSchema)]
pub struct IdentityView {
    /// Channel.
    pub channel: Channel,
    /// The brand's account.
    pub account: AccountId,
}

/// A customer.
#[derive(Serialize, JsonSchema)]
pub struct CustomerView {
    /// Id.
    pub id: CustomerId,
    /// Tags.
    pub tags: Vec<String>,
    /// Where the customer is known.
    pub identities: Vec<IdentityView>,
    /// Since when.
    pub created_at: Timestamp,
}

/// `GET /api/customers/{id}`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let id: CustomerId = call.id(0, "customer")?;
    let customer = customers::get(call.ctx.db, id)?.ok_or(warmline_flow::FlowError::NotFound("customer"))?;
    let identities = customers::identities(call.ctx.db, id)?
        .into_iter()
        .map(|(_, channel, account)| IdentityView { channel, account })
        .collect();
    Ok(Response::json(200, &CustomerView { id, tags: customer.tags, identities, created_at: customer.created_at }))
}

/// `PUT /api/customers/{id}/tags`
pub(crate) fn set_tags(call: &Call<'_>) -> Result<Response, Problem> {
    let id: CustomerId = call.id(0, "customer")?;
    let Tags { mut tags } = body::read(call.request)?;
    if tags.len() > 20 {
        return Err(Problem::field("too_many_tags", "tags", "a customer takes at most 20 tags"));
    }
    for tag in &mut tags {
        *tag = tag.trim().to_lowercase();
        body::length("tags", tag, 1, 40)?;
    }
    tags.sort();
    tags.dedup();
    if !customers::set_tags(call.ctx.db, id, &tags)? {
        return Err(warmline_flow::FlowError::NotFound("customer").into());
    }
    get(call)
}
