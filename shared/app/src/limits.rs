//! The limits of tokens.

use schemars::JsonSchema;
use serde::Serialize;
use warmline_endpoint::pace::{self, Limits};
use warmline_endpoint::route::{ADMIN, Access, Answer, Call, Route, Verb, schema};
use warmline_endpoint::{Problem, Response, body};
use warmline_model::Scope;
use warmline_store::config;

/// The rate limits of tokens.
#[derive(Serialize, JsonSchema)]
pub struct LimitsView {
    /// The limits of each token. The administrator's token of the configuration and those of AI seats have none.
    pub limits: Limits,
    /// Rises with every change; 0 before the first.
    pub version: i64,
}

/// `GET /api/limits`
pub(crate) fn limits(call: &Call<'_>) -> Result<Response, Problem> {
    let view = match config::get(call.ctx.db, pace::SETTINGS)? {
        Some((text, version)) => {
            LimitsView { limits: serde_json::from_str(&text).map_err(|_| Problem::internal())?, version }
        }
        None => LimitsView { limits: Limits::default(), version: 0 },
    };
    Ok(Response::json(200, &view))
}

/// `PUT /api/limits`
pub(crate) fn set_limits(call: &Call<'_>) -> Result<Response, Problem> {
    let limits: Limits = body::read(call.request)?;
    if !limits.are_valid() {
        let detail = "requests_per_second is 1 to 1000, or 0 for no limit; burst is 50 to 100000";
        return Err(Problem::field("bad_limits", "requests_per_second", detail));
    }
    let text = serde_json::to_string(&limits).map_err(|_| Problem::internal())?;
    let version = config::put(call.ctx.db, pace::SETTINGS, &text, call.ctx.now())?;
    Ok(Response::json(200, &LimitsView { limits, version }))
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get(
        "/api/limits",
        "Shows how many requests a token may send.",
        Access::Token(ADMIN, Scope::Configuration),
        Answer::Json(schema::<LimitsView>),
        limits,
    ),
    Route::change(
        Verb::Put,
        "/api/limits",
        "Changes how many requests a token may send.",
        Access::Token(ADMIN, Scope::Configuration),
        schema::<LimitsView>,
        set_limits,
    )
    .taking(schema::<warmline_endpoint::pace::Limits>),
];
