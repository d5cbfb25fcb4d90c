//! Customers.

use crate::body;
use crate::routes::Call;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_http::{Problem, Response};
use warmline_model::{AccountId, AgentId, Channel, CustomerId, Timestamp};
use warmline_store::{agents, customers};

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
    /// The customer's own agent, who is asked before all others.
    pub owner: Option<AgentId>,
    /// Since when.
    pub created_at: Timestamp,
}

/// A customer's own agent.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The agent; `null`: none.
    agent: Option<AgentId>,
}

/// `GET /api/customers/{id}`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let id: CustomerId = call.id(0, "customer")?;
    let customer = customers::get(call.ctx.db, id)?.ok_or(warmline_flow::FlowError::NotFound("customer"))?;
    let identities = customers::identities(call.ctx.db, id)?
        .into_iter()
        .map(|(_, channel, account)| IdentityView { channel, account })
        .collect();
    let (tags, owner, created_at) = (customer.tags, customer.owner, customer.created_at);
    Ok(Response::json(200, &CustomerView { id, tags, identities, owner, created_at }))
}

/// `PUT /api/customers/{id}/owner`
pub(crate) fn set_owner(call: &Call<'_>) -> Result<Response, Problem> {
    let id: CustomerId = call.id(0, "customer")?;
    let Owner { agent } = body::read(call.request)?;
    if let Some(agent) = agent
        && agents::get(call.ctx.db, agent)?.is_none_or(|a| a.removed_at.is_some())
    {
        return Err(warmline_flow::FlowError::invalid("agent", "there is no such agent").into());
    }
    if !customers::set_owner(call.ctx.db, id, agent)? {
        return Err(warmline_flow::FlowError::NotFound("customer").into());
    }
    get(call)
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
