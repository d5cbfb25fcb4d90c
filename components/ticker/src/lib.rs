//! The ticker: wakes whoever has something due. Called every second or so: by the embedded runner (`/tick`, private), elsewhere
//! by cron or a Kubernetes CronJob (`POST /api/tick` with the token of operations). It decides nothing itself, and what it
//! calls is safe to call at any time, so overlapping ticks do no harm.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_http::{Problem, Request, Response, auth};
use warmline_model::{Role, Scope};
use warmline_spin::incoming::serve_api;
use warmline_spin::outgoing::all;
use warmline_spin::world::variable;
use warmline_spin::{IncomingRequest, ResponseOutparam, World, internal};
use warmline_store::{outbox, pulls};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    serve_api(request, out, answer).await;
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    let mut calls = vec![("router".to_owned(), "/tick"), ("quality".into(), "/inspect"), ("metrics".into(), "/fold")];
    {
        let world = World::open()?;
        let ctx = world.ctx();
        match request.path.as_str() {
            "/tick" => {}
            "/api/tick" if request.method == http::Method::POST => {
                auth::admit(&ctx, &variable("admin_token"), request, &[Role::Ops], Scope::Configuration)?;
            }
            "/api/tick" => return Err(Problem::method(&["POST"])),
            _ => return Err(Problem::new(404, "not_found", "the ticker has no such path")),
        }
        let due = outbox::due_channels(ctx.db, ctx.now())?;
        calls.extend(due.into_iter().map(|channel| (format!("channel-{channel}"), "/deliver")));
        let due = pulls::due_channels(ctx.db, ctx.now())?;
        calls.extend(due.into_iter().map(|channel| (format!("channel-{channel}"), "/pull")));
        // The connection is closed before the others are called.
    }
    let answered = all(calls.iter().map(|(component, path)| internal::call(component, path)).collect()).await;
    let woken: serde_json::Map<String, serde_json::Value> =
        calls.iter().zip(answered).map(|((component, _), a)| (component.clone(), a.is_some().into())).collect();
    Ok(Response::json(200, &serde_json::json!({ "woken": woken })))
}
