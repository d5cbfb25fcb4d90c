//! The router: drains the inbox into conversations and finds their agents. Private; called by adapters and by the ticker.
//!
//! * `POST /drain?shard=N`: one shard; answers `more` if time ran out before the shard was empty;
//! * `POST /tick`: time-outs, and every shard with waiting rows.
//!
//! If AI seats have something to answer, the component `bot` is called. It asks the API which conversations these are.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_app::{MIGRATIONS, WITH_DUTIES, tick};
use warmline_conversations::drain::{self, Distance};
use warmline_conversations::store::assignment;
use warmline_endpoint::{Problem, Request, Response, page};
use warmline_model::Timestamp;
use warmline_spin::environment::variable;
use warmline_spin::host::Spin;
use warmline_spin::incoming::serve;
use warmline_spin::outgoing::all;
use warmline_spin::{Environment, IncomingRequest, ResponseOutparam, internal};
use warmline_store::inbox::{SHARDS, waiting_shards};

/// The time for which one call drains: less than any platform's limit on a request.
const BUDGET_MS: i64 = 5_000;

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    serve(request, out, answer).await;
}

async fn answer(request: &Request) -> Result<Response, Problem> {
    let world = Environment::open(&MIGRATIONS, &WITH_DUTIES)?;
    let ctx = world.ctx();
    let deadline = ctx.now().plus_millis(BUDGET_MS);
    let distance = match variable("remote_store").as_str() {
        "true" => Distance::Far,
        _ if world.is_unqueued() => Distance::Unqueued,
        _ => Distance::Near,
    };
    let drain = async |shard| drain::run(&Spin, &ctx, (shard, distance), deadline, tell_ai_seats).await;
    let more = match request.path.as_str() {
        "/drain" => {
            let shard = page::typed(request, "shard", |t| t.parse().ok().filter(|n| (0..SHARDS).contains(n)))?;
            let shard = shard.ok_or_else(|| Problem::new(400, "bad_parameter", "shard is missing"))?;
            drain(shard).await?
        }
        "/tick" => {
            // Whatever else fails, messages are handled. The failure is told after that.
            let ticked = tick::tick(&ctx);
            // This reaches AI seats that missed an earlier call.
            if !assignment::ai_waiting(ctx.db, Timestamp::from_millis(i64::MAX), 1)?.is_empty() {
                tell_ai_seats().await;
            }
            let shards = waiting_shards(ctx.db)?;
            let drained = all(shards.into_iter().map(&drain).collect()).await;
            let more = drained.into_iter().collect::<Result<Vec<_>, _>>()?.contains(&true);
            let more = tick::follow(&ctx, deadline)? || more;
            ticked?;
            more
        }
        _ => return Err(Problem::new(404, "not_found", "the router has no such path")),
    };
    Ok(Response::text(200, "text/plain; charset=utf-8", if more { "more" } else { "done" }))
}

async fn tell_ai_seats() {
    internal::call("bot", "/turns").await;
}
