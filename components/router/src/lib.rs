//! The router: drains the inbox into conversations and finds their agents. Private; called by adapters and by the ticker.
//!
//! * `POST /drain?shard=N`: one shard; answers `more` when time ran out before the shard was empty;
//! * `POST /tick`: time-outs, and every shard that waits.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use warmline_flow::{drain, tick};
use warmline_http::{Problem, Request, Response, page};
use warmline_spin::incoming::{read, refuse, respond};
use warmline_spin::{IncomingRequest, ResponseOutparam, World};
use warmline_store::inbox::{SHARDS, waiting_shards};

/// How long one call drains: short enough for any platform's limit on a request.
const BUDGET_MS: i64 = 5_000;

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let response = read(request).await.and_then(|r| answer(&r)).unwrap_or_else(refuse);
    respond(out, response).await;
}

fn answer(request: &Request) -> Result<Response, Problem> {
    let world = World::open()?;
    let ctx = world.ctx();
    let deadline = ctx.now().plus_millis(BUDGET_MS);
    let said = |more| Response::text(200, "text/plain; charset=utf-8", if more { "more" } else { "done" });
    match request.path.as_str() {
        "/drain" => {
            let shard = page::typed(request, "shard", |t| t.parse().ok().filter(|n| (0..SHARDS).contains(n)))?;
            let shard = shard.ok_or_else(|| Problem::new(400, "bad_parameter", "shard is missing"))?;
            Ok(said(drain::drain(&ctx, shard, deadline)?.more))
        }
        "/tick" => {
            tick::tick(&ctx)?;
            let mut more = false;
            for shard in waiting_shards(ctx.db)? {
                more |= drain::drain(&ctx, shard, deadline)?.more;
            }
            Ok(said(more))
        }
        _ => Err(Problem::new(404, "not_found", "the router has no such path")),
    }
}
