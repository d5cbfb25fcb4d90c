//! The desk: the API of agents and supervisors. Its routes and their handlers are in the capabilities' crates; `shared/app`
//! lists them.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_app::routes::dispatch;
use warmline_app::{MIGRATIONS, WITH_PERSONAL_DATA, health};
use warmline_endpoint::route::Reply;
use warmline_model::Channel;
use warmline_spin::environment::variable;
use warmline_spin::incoming::{pass, read, refuse, respond};
use warmline_spin::media::relay;
use warmline_spin::{Environment, IncomingRequest, ResponseOutparam, internal, outgoing};

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let request = match read(request).await {
        Ok(request) => request,
        Err(problem) => return respond(out, refuse(problem).secured()).await,
    };
    if let Some(alive) = health::alive(&request) {
        return respond(out, alive.secured()).await;
    }
    let world = match Environment::open(&MIGRATIONS, &WITH_PERSONAL_DATA) {
        Ok(world) => world,
        Err(problem) => return respond(out, refuse(problem).secured()).await,
    };
    let (reply, wake) = dispatch(&world.ctx(), &variable("admin_token"), &request);
    match reply {
        Ok(Reply::Whole(response)) => respond(out, response.secured()).await,
        Ok(Reply::Pieces(pieces)) => return pass(&world, pieces, out).await,
        Ok(Reply::Relay { channel, path }) => {
            // The connection is closed before the component waits for the platform.
            drop(world);
            return relay(&channel, &path, out).await;
        }
        // No route of the desk answers with calls.
        Ok(Reply::Calls(_)) => respond(out, refuse(warmline_endpoint::Problem::internal()).secured()).await,
        Err(problem) => respond(out, refuse(problem).secured()).await,
    }
    // The adapters are woken after the answer. Without this, the tick would find the rows a second later.
    drop(world);
    outgoing::all(wake.iter().map(|channel: &Channel| internal::deliver(channel)).collect()).await;
}
