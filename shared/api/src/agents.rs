//! Staff.

use crate::body;
use crate::routes::Call;
use crate::view::{self, AgentView, Page};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_flow::staff::{self, NewAgent};
use warmline_http::{Problem, Response, page};
use warmline_model::{AgentId, AgentState, GroupId, Role};
use warmline_store::agents;

const MAX_CAPACITY: i64 = 1_000;

/// A new member of staff.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRequest {
    name: String,
    role: Role,
    #[serde(default)]
    groups: Vec<GroupId>,
    /// Conversations at once.
    #[serde(default = "default_capacity")]
    #[schemars(range(min = 0, max = 1000))]
    capacity: i64,
    /// Serves VIP customers only.
    #[serde(default)]
    vip: bool,
}

fn default_capacity() -> i64 {
    5
}

/// A member of staff just added.
#[derive(Serialize, JsonSchema)]
pub struct CreatedAgent {
    /// The agent.
    #[serde(flatten)]
    pub agent: AgentView,
    /// The bearer token. It is shown this once and cannot be read again.
    pub token: String,
}

/// A new presence.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateChange {
    state: AgentState,
    /// Why, as a code of the brand's own list: `lunch`, `training`, …
    #[serde(default)]
    #[schemars(regex(pattern = "^[a-z0-9_-]{1,40}$"))]
    reason: Option<String>,
}

fn found(call: &Call<'_>, id: AgentId) -> Result<AgentView, Problem> {
    let stored = agents::get(call.ctx.db, id)?.ok_or(warmline_flow::FlowError::NotFound("agent"))?;
    Ok(view::agent(&call.ctx, stored)?)
}

/// `POST /api/agents`
pub(crate) fn create(call: &Call<'_>) -> Result<Response, Problem> {
    let new: AgentRequest = body::read(call.request)?;
    body::length("name", &new.name, 1, 100)?;
    if !(0..=MAX_CAPACITY).contains(&new.capacity) {
        return Err(Problem::field("bad_capacity", "capacity", format!("capacity is a number from 0 to {MAX_CAPACITY}")));
    }
    let new = NewAgent { name: &new.name, role: new.role, groups: &new.groups, capacity: new.capacity, vip: new.vip };
    let (id, token) = staff::create(&call.ctx, &new)?;
    Ok(Response::json(201, &CreatedAgent { agent: found(call, id)?, token }))
}

/// `GET /api/agents`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let stored = agents::list(call.ctx.db, page::after(call.request)?, limit + 1)?;
    let items = stored.into_iter().map(|a| view::agent(&call.ctx, a)).collect::<Result<Vec<_>, _>>()?;
    Ok(Response::json(200, &Page::cut(items, limit, |a| a.id.to_string())))
}

/// `GET /api/agents/{id}`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &found(call, call.id(0, "agent")?)?))
}

/// `PUT /api/agents/{id}/state`
pub(crate) fn set_state(call: &Call<'_>) -> Result<Response, Problem> {
    let id: AgentId = call.id(0, "agent")?;
    if !call.actor.supervises() && call.actor.agent != Some(id) {
        return Err(Problem::new(403, "not_yours", "agents set their own state; supervisors that of others"));
    }
    let change: StateChange = body::read(call.request)?;
    if let Some(reason) = &change.reason {
        body::code("reason", reason)?;
    }
    let stored = staff::set_state(&call.ctx, id, change.state, change.reason.as_deref())?;
    Ok(Response::json(200, &view::agent(&call.ctx, stored)?))
}
