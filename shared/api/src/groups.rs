//! Skill groups.

use crate::body;
use crate::routes::Call;
use crate::view::Page;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use warmline_http::{Problem, Response};
use warmline_model::{GroupId, Timestamp};
use warmline_routing::GroupSettings;
use warmline_store::groups::{self, Group};

/// A new skill group.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    id: GroupId,
    name: String,
    #[serde(default)]
    settings: GroupSettings,
}

/// A skill group.
#[derive(Serialize, JsonSchema)]
pub struct GroupView {
    /// Id.
    pub id: GroupId,
    /// Name.
    pub name: String,
    /// Settings.
    pub settings: GroupSettings,
    /// When it was made.
    pub created_at: Timestamp,
}

fn view(group: Group) -> GroupView {
    let settings = serde_json::from_str(&group.settings).unwrap_or_default();
    GroupView { id: group.id, name: group.name, settings, created_at: group.created_at }
}

/// `POST /api/groups`
pub(crate) fn create(call: &Call<'_>) -> Result<Response, Problem> {
    let new: NewGroup = body::read(call.request)?;
    body::length("name", &new.name, 1, 100)?;
    new.settings.check().map_err(|field| {
        Problem::field(
            "bad_setting",
            format!("settings.{field}"),
            "the value is outside of its range; see the API description",
        )
    })?;
    let settings = serde_json::to_string(&new.settings).map_err(|_| Problem::internal())?;
    let group = Group { id: new.id, name: new.name, settings, created_at: call.ctx.now() };
    if !groups::insert(call.ctx.db, &group)? {
        return Err(Problem::new(409, "group_exists", "there is a group of that id"));
    }
    Ok(Response::json(201, &view(group)))
}

/// `GET /api/groups`
pub(crate) fn list(call: &Call<'_>) -> Result<Response, Problem> {
    let items = groups::list(call.ctx.db)?.into_iter().map(view).collect();
    Ok(Response::json(200, &Page::<GroupView> { items, next: None }))
}
