//! Whether the process runs, and whether it can serve.

use crate::routes::Call;
use schemars::JsonSchema;
use serde::Serialize;
use warmline_http::{Problem, Response};
use warmline_store::{meta, vault};

/// A health answer.
#[derive(Serialize, JsonSchema)]
pub struct Health {
    /// `ok` or `ready`.
    pub status: &'static str,
}

/// `GET /healthz`
pub(crate) fn live(_: &Call<'_>) -> Result<Response, Problem> {
    Ok(Response::json(200, &Health { status: "ok" }))
}

/// `GET /readyz`: both stores are there and take writes. With another master key nothing is served at all.
pub(crate) fn ready(call: &Call<'_>) -> Result<Response, Problem> {
    meta::touch(call.ctx.db)?;
    vault::next(call.ctx.vault)?;
    Ok(Response::json(200, &Health { status: "ready" }))
}
