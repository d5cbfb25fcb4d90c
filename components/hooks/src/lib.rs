//! Hooks: writes deliveries from the event log, and sends those that are due. Private; `POST /follow` is called by the ticker.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_endpoint::capability::follow;
use warmline_endpoint::{Problem, Request, Response};
use warmline_hooks::VERSION;
use warmline_hooks::follow::follow as step;
use warmline_hooks::send::{self, Looked};
use warmline_spin::host::Spin;
use warmline_spin::incoming::serve;
use warmline_spin::outgoing::{NotFound, addresses};
use warmline_spin::{Environment, IncomingRequest, ResponseOutparam};

/// The time for which one call reads the log.
const BUDGET_MS: i64 = 3_000;

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    serve(request, out, answer).await;
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    if request.path != "/follow" {
        return Err(Problem::new(404, "not_found", "hooks has no such path"));
    }
    let world = Environment::open_current(&[VERSION])?;
    let ctx = world.ctx();
    // Whatever is the matter with the log, what was written before is sent. The failure is told after that.
    let followed = follow(&ctx, step, ctx.now().plus_millis(BUDGET_MS));
    send::run(&Spin, &ctx, look).await?;
    followed?;
    Ok(Response::empty(204))
}

async fn look(name: &str) -> Looked {
    match addresses(name).await {
        Ok(found) if found.is_empty() => Looked::Nothing,
        Ok(found) => Looked::Found(found),
        Err(NotFound::NoAddress) => Looked::Nothing,
        Err(NotFound::NotAllowed) => Looked::NotAllowed,
    }
}
