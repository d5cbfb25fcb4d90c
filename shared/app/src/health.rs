//! Whether the process runs, and whether it can serve requests.

use http::Method;
use schemars::JsonSchema;
use serde::Serialize;
use warmline_endpoint::route::{Access, Answer, Call, Route, schema};
use warmline_endpoint::{Problem, Request, Response};
use warmline_store::{StoreError, damage, meta, vault};

/// A health answer.
#[derive(Serialize, JsonSchema)]
pub struct Health {
    /// `ok` or `ready`.
    pub status: &'static str,
}

/// `GET /healthz`
pub(crate) fn live(_: &Call<'_>) -> Result<Response, Problem> {
    Ok(up())
}

fn up() -> Response {
    Response::json(200, &Health { status: "ok" })
}

/// The answer to `GET /healthz`, given before the store is opened. It shows that the process answers, whatever the state of
/// the store.
pub fn alive(request: &Request) -> Option<Response> {
    (matches!(request.method, Method::GET | Method::HEAD) && request.path == "/healthz").then(up)
}

/// `GET /readyz`: checks that both stores accept a commit, and that their files are still there. With another master key no
/// request gets this far.
pub(crate) fn ready(call: &Call<'_>) -> Result<Response, Problem> {
    let (ctx, mut value) = (&call.ctx, [0; 16]);
    ctx.rng.fill(&mut value);
    let ready = meta::touch(ctx.db, &value)
        .and_then(|()| vault::touch(ctx.vault, ctx.now()))
        .and_then(|()| damage::is_fresh(ctx.db, ctx.now()));
    match ready {
        Ok(false) => Ok(Response::json(200, &Health { status: "ready" })),
        Ok(true) | Err(StoreError::Damaged(_)) => {
            let detail = "requests met damaged pages in the store: stop, and restore a back-up (`warmline up --check` says whether it is whole)";
            Err(Problem::new(503, "store_damaged", detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// The routes of this resource.
pub const ROUTES: &[Route] = &[
    Route::get("/healthz", "Whether the process runs.", Access::Public, Answer::Json(schema::<Health>), live),
    Route::get(
        "/readyz",
        "Whether requests can be served: the store is migrated and takes writes, the master key fits, and no request met damaged \
         pages in the last minute.",
        Access::Public,
        Answer::Json(schema::<Health>),
        ready,
    )
    .refusing(&[(503, "store_damaged")]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m7_being_alive_asks_no_store() {
        let request = |method: Method, path: &str| Request {
            method,
            path: path.to_owned(),
            query: String::new(),
            headers: http::HeaderMap::new(),
            body: Vec::new(),
        };
        assert_eq!(alive(&request(Method::GET, "/healthz")).map(|answer| answer.status), Some(200));
        assert_eq!(alive(&request(Method::HEAD, "/healthz")).map(|answer| answer.status), Some(200));
        assert_eq!(alive(&request(Method::POST, "/healthz")), None);
        assert_eq!(alive(&request(Method::GET, "/readyz")), None);
    }
}
