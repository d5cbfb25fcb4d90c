//! Hooks: writes deliveries from the event log, and sends those that are due. Private; `POST /follow` is called by the ticker.
//!
//! It answers before it sends: the tick waits for every component that it wakes, and a receiver may take ten seconds.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_endpoint::capability::follow;
use warmline_endpoint::{Problem, Request, Response};
use warmline_hooks::VERSION;
use warmline_hooks::follow::follow as step;
use warmline_hooks::send::{self, Looked};
use warmline_spin::host::Spin;
use warmline_spin::incoming::{read, refuse, respond};
use warmline_spin::outgoing::{NotFound, addresses};
use warmline_spin::{Environment, IncomingRequest, ResponseOutparam};

/// The time for which one call reads the log.
const BUDGET_MS: i64 = 3_000;

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let request = match read(request).await {
        Ok(request) => request,
        Err(problem) => return respond(out, refuse(problem)).await,
    };
    let world = match open(&request) {
        Ok(world) => world,
        Err(problem) => return respond(out, refuse(problem)).await,
    };
    let ctx = world.ctx();
    // Whatever is the matter with the log, what was written before is sent.
    let followed = follow(&ctx, step, ctx.now().plus_millis(BUDGET_MS));
    let answer = followed.map_or_else(|error| refuse(error.into()), |_| Response::empty(204));
    respond(out, answer).await;
    if let Err(problem) = send::run(&Spin, &ctx, look).await {
        // This logs it. Nobody waits for an answer any more, and the next run tries again.
        drop(refuse(problem));
    }
}

fn open(request: &Request) -> Result<Environment, Problem> {
    match request.path.as_str() {
        "/follow" => Environment::open_current(&[VERSION]),
        _ => Err(Problem::new(404, "not_found", "hooks has no such path")),
    }
}

async fn look(name: &str) -> Looked {
    match addresses(name).await {
        Ok(found) if found.is_empty() => Looked::Nothing,
        Ok(found) => Looked::Found(found),
        Err(NotFound::NoAddress) => Looked::Nothing,
        Err(NotFound::NotAllowed) => Looked::NotAllowed,
    }
}
