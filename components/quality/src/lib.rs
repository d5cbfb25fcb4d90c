//! Quality: inspects every message from the event log. Private; `POST /inspect` is called by the ticker.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_endpoint::capability::follow;
use warmline_endpoint::{Problem, Request, Response};
use warmline_quality::steps;
use warmline_spin::incoming::serve;
use warmline_spin::{Environment, IncomingRequest, ResponseOutparam};

/// The time for which one call inspects.
const BUDGET_MS: i64 = 5_000;

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    serve(request, out, answer).await;
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    if request.path != "/inspect" {
        return Err(Problem::new(404, "not_found", "quality has no such path"));
    }
    let world = Environment::open_ready()?;
    let ctx = world.ctx();
    follow(&ctx, steps::inspect, ctx.now().plus_millis(BUDGET_MS))?;
    Ok(Response::empty(204))
}
