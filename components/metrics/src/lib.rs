//! Metrics: folds the event log into rollups and serves figures.
//!
//! * `GET /metrics`, `GET /api/metrics`: the routes of the crate `warmline-metrics`; both fold new events first;
//! * `POST /fold` (private): called by the ticker, so that folding never lags far behind.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use http::Method;
use warmline_app::{VERSIONS, WITH_FIGURES};
use warmline_endpoint::route::{Reply, dispatch};
use warmline_endpoint::{Problem, Request, Response};
use warmline_metrics::api::ROUTES;
use warmline_metrics::steps::catch_up;
use warmline_spin::environment::variable;
use warmline_spin::incoming::serve_api;
use warmline_spin::{Environment, IncomingRequest, ResponseOutparam};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    serve_api(request, out, answer).await;
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    let world = Environment::open_current(&VERSIONS)?.knowing(&WITH_FIGURES);
    match (&request.method, request.path.as_str()) {
        (&Method::POST, "/fold") => {
            catch_up(&world.ctx())?;
            Ok(Response::empty(204))
        }
        (_, "/fold") => Err(Problem::method(&["POST"])),
        _ => match dispatch(&world.ctx(), &variable("admin_token"), request, "metrics", ROUTES).0? {
            Reply::Whole(response) => Ok(response),
            // No route of metrics gives any other answer.
            _ => Err(Problem::internal()),
        },
    }
}
