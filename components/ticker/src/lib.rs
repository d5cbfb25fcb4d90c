//! The ticker: wakes each component that has something due. It is called about every second: by the embedded runner
//! (`/tick`, private), elsewhere by cron or a Kubernetes CronJob (`POST /api/tick` with the operations token). It decides
//! nothing itself, and its calls are safe at any time, so overlapping ticks do no harm.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_app::MIGRATIONS;
use warmline_app::wake::{ROUTES, calls};
use warmline_endpoint::route::{Reply, dispatch};
use warmline_endpoint::{Problem, Request, Response};
use warmline_kernel::installed::NOTHING;
use warmline_spin::environment::variable;
use warmline_spin::incoming::serve_api;
use warmline_spin::outgoing::all;
use warmline_spin::{Environment, IncomingRequest, ResponseOutparam, internal};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    serve_api(request, out, answer).await;
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    let world = Environment::open(&MIGRATIONS, &NOTHING)?;
    let due = match request.path.as_str() {
        "/tick" => Reply::Calls(calls(&world.ctx())?),
        _ => dispatch(&world.ctx(), &variable("admin_token"), request, "ticker", ROUTES).0?,
    };
    // The connection is closed before the other components are called.
    drop(world);
    let Reply::Calls(due) = due else {
        // No route of the ticker gives any other answer.
        return Err(Problem::internal());
    };
    let answered = all(due.iter().map(|(component, path)| internal::call(component, path)).collect()).await;
    let woken: serde_json::Map<String, serde_json::Value> =
        due.iter().zip(answered).map(|((component, _), a)| (component.clone(), a.is_some().into())).collect();
    Ok(Response::json(200, &serde_json::json!({ "woken": woken })))
}
