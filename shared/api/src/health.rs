//! Whether the process runs, and whether it can serve.

use crate::routes::Call;
use schemars::JsonSchema;
use serde::Serialize;
use warmline_http::{Problem, Response};
use warmline_store::meta;

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

/// `GET /readyz`: the store is migrated and takes writes, and the master key is the one that its data was sealed with.
pub(crate) fn ready(call: &Call<'_>) -> Result<Response, Problem> {
    let fingerprint = call.ctx.keys.fingerprint();
    if meta::get_or_put(call.ctx.db, "master_key_fingerprint", &fingerprint)? != fingerprint {
        let detail = "the master key is not the one that the stored data was sealed with; restore the right one";
        return Err(Problem::new(503, "wrong_master_key", detail));
    }
    meta::touch(call.ctx.db)?;
    Ok(Response::json(200, &Health { status: "ready" }))
}
