//! Metrics: folds the event log into rollups and serves figures.
//!
//! * `GET /metrics`: OpenMetrics text; `GET /api/metrics?hours=`: JSON; both fold what is new first;
//! * `POST /fold` (private): called by the ticker, so that a reading is never far behind.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use http::Method;
use warmline_flow::{Ctx, figures};
use warmline_http::{Problem, Request, Response, auth, page};
use warmline_model::{Role, Scope};
use warmline_spin::incoming::serve_api;
use warmline_spin::world::variable;
use warmline_spin::{IncomingRequest, ResponseOutparam, World};

/// How long one call folds.
const BUDGET_MS: i64 = 3_000;

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    serve_api(request, out, answer).await;
}

fn fold(ctx: &Ctx<'_>) -> Result<(), Problem> {
    let deadline = ctx.now().plus_millis(BUDGET_MS);
    while figures::advance(ctx)? && ctx.now() < deadline {}
    Ok(())
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    let world = World::open_ready()?;
    let ctx = world.ctx();
    match (&request.method, request.path.as_str()) {
        (&Method::POST, "/fold") => fold(&ctx).map(|()| Response::empty(204)),
        (&Method::GET | &Method::HEAD, path @ ("/metrics" | "/api/metrics")) => {
            let roles = [Role::Supervisor, Role::Ops];
            auth::admit(&ctx, &variable("admin_token"), request, &roles, Scope::Figures)?;
            fold(&ctx)?;
            let hours = page::typed(request, "hours", |t| t.parse().ok().filter(|n| *n > 0))?;
            let figures = figures::read(&ctx, hours)?;
            if path == "/metrics" {
                let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                return Ok(Response::text(200, media, figures.open_metrics()));
            }
            Ok(Response::json(200, &figures))
        }
        (_, "/fold") => Err(Problem::method(&["POST"])),
        (_, "/metrics" | "/api/metrics") => Err(Problem::method(&["GET", "HEAD"])),
        _ => Err(Problem::new(404, "not_found", "metrics serves GET /metrics and GET /api/metrics")),
    }
}
