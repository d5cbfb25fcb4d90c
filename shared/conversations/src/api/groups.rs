//! Skill groups: a view of the plan, and adding a group to it.

use crate::plan;
use crate::store::groups;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use warmline_endpoint::page::Page;
use warmline_endpoint::route::{Access, Answer, Call, Route, STAFF, SUPERVISOR, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::{GroupId, Scope, Timestamp};
use warmline_routing::{Group, GroupSettings, Plan};

/// A skill group.
#[derive(Serialize, JsonSchema)]
pub struct GroupView {
    /// Id.
    pub id: GroupId,
    /// Name.
    pub name: String,
    /// Settings.
    pub settings: GroupSettings,
    /// The time at which it was made.
    pub created_at: Timestamp,
}

/// `POST /api/groups`
pub(crate) fn create(call: &Call<'_>) -> Result<Response, Problem> {
    let new: Group = body::read(call.request)?;
    body::name("name", &new.name, 100)?;
    let ready = plan::current(&call.ctx)?;
    if ready.group(&new.id).is_some() {
        return Err(Problem::new(409, "group_exists", "there is a group of that id"));
    }
    new.settings.check().map_err(|field| {
        Problem::field(
            "bad_setting",
            format!("settings.{field}"),
            "the value is outside of its range; see the API description",
        )
    })?;
    let view =
        GroupView { id: new.id.clone(), name: new.name.clone(), settings: new.settings.clone(), created_at: call.ctx.now() };
    let mut changed = Plan::clone(&ready);
    changed.groups.push(new);
    plan::put(&call.ctx, call.actor.agent, &changed, Some(ready.version()))?;
    Ok(Response::json(201, &view))
}

/// `GET /api/groups`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let made: BTreeMap<GroupId, Timestamp> = groups::list(call.ctx.db)?.into_iter().collect();
    let ready = plan::current(&call.ctx)?;
    let view = |g: &Group| GroupView {
        id: g.id.clone(),
        name: g.name.clone(),
        settings: g.settings.clone(),
        created_at: made.get(&g.id).copied().unwrap_or_default(),
    };
    Ok(Response::json(200, &Page { items: ready.groups.iter().map(view).collect(), next: None }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::change(
        Verb::Post,
        "/api/groups",
        "Adds a skill group.",
        Access::Token(SUPERVISOR, Scope::Configuration),
        schema::<GroupView>,
        create,
    )
    .taking(schema::<warmline_routing::Group>)
    .status(201)
    .refusing(&[(409, "group_exists"), (409, "plan_changed")]),
    Route::get(
        "/api/groups",
        "Lists skill groups.",
        Access::Token(STAFF, Scope::Configuration),
        Answer::Json(schema::<Page<GroupView>>),
        list,
    ),
];
