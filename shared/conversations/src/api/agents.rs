//! Staff.

use crate::model::{AgentChange, AgentRequest, AgentView, CreatedAgent, GroupList, StateChange};
use crate::staff::{self, Duties, NewAgent};
use std::collections::BTreeMap;
use warmline_endpoint::page::{self, Page};
use warmline_endpoint::route::{ADMIN, Access, Answer, Call, PAGE, Route, STAFF, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_kernel::{Ctx, StepError, sealing};
use warmline_model::{AgentId, GroupId, Scope, Units};
use warmline_store::agents::{self, Can};

const MAX_CAPACITY: Units = Units::whole(1_000);

/// Shows an agent.
///
/// # Errors
/// The store fails, or the name does not open.
pub fn agent(ctx: &Ctx<'_>, stored: agents::Agent) -> Result<AgentView, StepError> {
    let groups = agents::groups_of(ctx.db, stored.id)?;
    Ok(AgentView {
        id: stored.id,
        name: sealing::open_name(ctx, stored.id, &stored.name)?,
        role: stored.role,
        state: stored.state,
        state_reason: stored.state_reason,
        state_since: stored.state_since,
        levels: groups.iter().map(|m| (m.group.clone(), m.level)).collect(),
        weights: groups.iter().filter(|m| m.weight != 0).map(|m| (m.group.clone(), m.weight)).collect(),
        groups: groups.into_iter().map(|m| m.group).collect(),
        ai: stored.ai,
        vip: stored.vip,
        capacity: stored.capacity,
        load: stored.load,
        skills: stored.can.skills,
        caps: stored.can.caps,
    })
}

/// An AI seat answers thousands of customers at once.
const MAX_AI_CAPACITY: Units = Units::whole(1_000_000);

impl GroupList {
    fn levels(self) -> BTreeMap<GroupId, u8> {
        match self {
            Self::Ids(ids) => ids.into_iter().map(|id| (id, 1)).collect(),
            Self::Levels(levels) => levels,
        }
    }
}

fn found(call: &Call<'_>, id: AgentId) -> Result<AgentView, Problem> {
    let stored = agents::get(call.ctx.db, id)?.filter(|a| a.removed_at.is_none());
    Ok(agent(&call.ctx, stored.ok_or(warmline_kernel::StepError::NotFound("agent"))?)?)
}

fn check(duties: &Duties, most: Units) -> Result<(), Problem> {
    if !(Units::ZERO..=most).contains(&duties.capacity) {
        return Err(Problem::field("bad_capacity", "capacity", format!("capacity is a number from 0 to {most}")));
    }
    for (skill, level) in &duties.can.skills {
        body::name("skills", skill, 64)?;
        if !(1..=100).contains(level) {
            return Err(Problem::field("bad_level", "skills", "a level is from 1 to 100"));
        }
    }
    if duties.groups.values().any(|level| !(1..=100).contains(level)) {
        return Err(Problem::field("bad_level", "groups", "a level is from 1 to 100"));
    }
    if duties.can.caps.values().any(|n| !(0..=1_000).contains(n)) {
        return Err(Problem::field("bad_capacity", "caps", "a channel's limit is from 0 to 1000"));
    }
    if duties.can.skills.len() > 100 || duties.can.caps.len() > 100 || duties.groups.len() > 100 {
        return Err(Problem::field("too_many", "skills", "at most 100 skills, limits and groups each"));
    }
    Ok(())
}

/// `POST /api/agents`
pub(crate) fn create(call: &Call<'_>) -> Result<Response, Problem> {
    let new: AgentRequest = body::read(call.request)?;
    body::name("name", &new.name, 100)?;
    let duties = Duties {
        groups: new.groups.map(GroupList::levels).unwrap_or_default(),
        capacity: new.capacity,
        vip: new.vip,
        can: Can { skills: new.skills, caps: new.caps },
    };
    check(&duties, if new.ai { MAX_AI_CAPACITY } else { MAX_CAPACITY })?;
    let (id, token) = staff::create(&call.ctx, &NewAgent { name: &new.name, role: new.role, ai: new.ai, can: duties })?;
    Ok(Response::json(201, &CreatedAgent { agent: found(call, id)?, token }))
}

/// `PUT /api/agents/{id}`
pub(crate) fn change(call: &Call<'_>) -> Result<Response, Problem> {
    let id: AgentId = call.id(0, "agent")?;
    let change: AgentChange = body::read(call.request)?;
    if let Some(name) = &change.name {
        body::name("name", name, 100)?;
    }
    let before = staff::duties(&call.ctx, id)?;
    let duties = Duties {
        groups: change.groups.map_or(before.groups, GroupList::levels),
        capacity: change.capacity.unwrap_or(before.capacity),
        vip: change.vip.unwrap_or(before.vip),
        can: Can { skills: change.skills.unwrap_or(before.can.skills), caps: change.caps.unwrap_or(before.can.caps) },
    };
    let ai = agents::get(call.ctx.db, id)?.is_some_and(|a| a.ai);
    check(&duties, if ai { MAX_AI_CAPACITY } else { MAX_CAPACITY })?;
    staff::change(&call.ctx, id, change.name.as_deref(), &duties)?;
    Ok(Response::json(200, &found(call, id)?))
}

/// `DELETE /api/agents/{id}`
pub(crate) fn remove(call: &Call<'_>) -> Result<Response, Problem> {
    let id: AgentId = call.id(0, "agent")?;
    let requeue = page::typed(call.request, "requeue", |t| t.parse().ok())?.unwrap_or(false);
    let shown = found(call, id)?;
    staff::remove(&call.ctx, id, requeue)?;
    Ok(Response::json(200, &shown))
}

/// `GET /api/agents`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let limit = page::limit(call.request, page::DEFAULT_LIMIT, page::MAX_LIMIT)?;
    let stored = agents::list(call.ctx.db, page::after(call.request)?, limit + 1)?;
    let items = stored.into_iter().map(|a| agent(&call.ctx, a)).collect::<Result<Vec<_>, _>>()?;
    Ok(Response::json(200, &Page::cut(items, limit, |a| a.id.to_string())))
}

/// `GET /api/agents/{id}`
pub(crate) fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let id: AgentId = call.id(0, "agent")?;
    if !call.actor.supervises() && call.actor.agent != Some(id) {
        return Err(Problem::new(403, "not_yours", "agents see their own record; supervisors that of others"));
    }
    Ok(Response::json(200, &found(call, id)?))
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
    Ok(Response::json(200, &agent(&call.ctx, stored)?))
}

/// `POST /api/agents/{id}/heartbeat`: the request itself was the sign of life.
pub(crate) fn heartbeat(call: &Call<'_>) -> Result<Response, Problem> {
    let id: AgentId = call.id(0, "agent")?;
    if call.actor.agent != Some(id) {
        return Err(Problem::new(403, "not_yours", "a sign of life is given with the agent's own token"));
    }
    get(call)
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::change(
        Verb::Post,
        "/api/agents",
        "Adds a member of staff. The answer shows the token this once.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<CreatedAgent>,
        create,
    )
    .taking(schema::<AgentRequest>)
    .status(201),
    Route::get(
        "/api/agents",
        "Lists staff.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        Answer::Json(schema::<Page<AgentView>>),
        list,
    )
    .query(PAGE),
    Route::get(
        "/api/agents/{id}",
        "Shows a member of staff.",
        Access::Token(STAFF, Scope::Configuration),
        Answer::Json(schema::<AgentView>),
        get,
    )
    .agents("their own"),
    Route::change(
        Verb::Put,
        "/api/agents/{id}/state",
        "Sets presence. Becoming available takes from the queues what fits; going offline gives back what \
         was not accepted.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<AgentView>,
        set_state,
    )
    .taking(schema::<StateChange>)
    .agents("their own"),
    Route::change(
        Verb::Put,
        "/api/agents/{id}",
        "Changes what an agent can do. What is left out stays.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<AgentView>,
        change,
    )
    .taking(schema::<AgentChange>),
    Route::change(
        Verb::Delete,
        "/api/agents/{id}",
        "Removes an agent and revokes the token. Refused while the agent has conversations in hand.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<AgentView>,
        remove,
    )
    .query(&[("requeue", "true: what the agent has in hand goes back to the queues")])
    .refusing(&[(409, "agent_has_conversations")]),
    Route::change(
        Verb::Post,
        "/api/agents/{id}/heartbeat",
        "A sign of life. Every request with the agent's token is one.",
        Access::Token(STAFF, Scope::Conversations),
        schema::<AgentView>,
        heartbeat,
    )
    .agents("their own"),
];
