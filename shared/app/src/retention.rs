//! The number of days for which data is kept. This resource is here and not with the steps, because its description names
//! the settings of every capability.

use crate::PERSONAL;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use warmline_compliance::retention;
use warmline_endpoint::route::{Access, Answer, Call, PRIVACY, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_kernel::personal::{Days, Keeping, MOST_DAYS, Personal};
use warmline_model::Scope;

/// The retention settings.
#[derive(Serialize, JsonSchema)]
struct RetentionView {
    /// The number of days of each setting.
    #[schemars(with = "Settings")]
    retention: BTreeMap<String, i64>,
    /// Rises with every change; 0 before the first.
    version: i64,
}

/// The schema of the settings.
struct Settings;

impl JsonSchema for Settings {
    fn schema_name() -> Cow<'static, str> {
        "Settings".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let bounds = |days: &Days| {
            let schema = json!({
                "description": days.meaning, "type": "integer", "format": "int64", "minimum": days.least, "maximum": MOST_DAYS,
            });
            (days.name.to_owned(), schema)
        };
        json_schema!({
            "description": "For how many days things are kept.",
            "type": "object",
            "properties": Value::Object(days().map(bounds).collect::<Map<_, _>>()),
            "required": days().map(|days| days.name).collect::<Vec<_>>(),
            "additionalProperties": false,
        })
    }
}

/// The settings of every capability.
fn days() -> impl Iterator<Item = &'static Days> {
    let kept = PERSONAL.iter().filter_map(|personal| match personal {
        Personal::Kept(hooks) => Some(hooks.retain.days),
        Personal::None => None,
    });
    kept.flatten()
}

/// `GET /api/retention`
fn get(call: &Call<'_>) -> Result<Response, Problem> {
    let (Keeping(retention), version) = retention::settings(&call.ctx)?;
    Ok(Response::json(200, &RetentionView { retention, version }))
}

/// `PUT /api/retention`
fn put(call: &Call<'_>) -> Result<Response, Problem> {
    let keeping = Keeping(body::read(call.request)?);
    let version = retention::change(&call.ctx, &call.actor, &keeping)?;
    Ok(Response::json(200, &RetentionView { retention: keeping.0, version }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/retention",
        "Shows for how many days things are kept.",
        Access::Token(PRIVACY, Scope::Privacy),
        Answer::Json(schema::<RetentionView>),
        get,
    ),
    Route::change(
        Verb::Put,
        "/api/retention",
        "Changes for how many days things are kept; the tick does what became due.",
        Access::Token(PRIVACY, Scope::Privacy),
        schema::<RetentionView>,
        put,
    )
    .taking(schema::<Settings>),
];
