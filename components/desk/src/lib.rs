//! The desk: the API of agents and supervisors. The handlers are in `shared/api`; here is what needs a stream.

#![expect(unsafe_code, reason = "the entry point that Spin's macro writes")]

use futures::SinkExt as _;
use warmline_api::export::{self, Export};
use warmline_api::handover::HandOvers;
use warmline_api::{dispatch, events, health, media};
use warmline_http::Request;
use warmline_http::message::SECURITY;
use warmline_model::Channel;
use warmline_spin::incoming::{self, read, refuse, respond};
use warmline_spin::media::relay;
use warmline_spin::world::variable;
use warmline_spin::{IncomingRequest, ResponseOutparam, World, internal, outgoing};

/// How long a stream lasts before the client is to connect again: below the platforms' limit of 30 s a request.
const STREAM_MS: i64 = 25_000;
const LOOK_MS: u64 = 200;
const ALIVE_MS: i64 = 10_000;

#[spin_sdk::http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let request = match read(request).await {
        Ok(request) => request,
        Err(problem) => return respond(out, refuse(problem).secured()).await,
    };
    if let Some(alive) = health::alive(&request) {
        return respond(out, alive.secured()).await;
    }
    let world = match World::open() {
        Ok(world) => world,
        Err(problem) => return respond(out, refuse(problem).secured()).await,
    };
    let admin_token = variable("admin_token");
    if request.method.as_str() == "GET"
        && request.path == "/api/events"
        && request.header("accept").is_some_and(|a| a.contains("text/event-stream"))
    {
        return match events::start(&world.ctx(), &admin_token, &request) {
            Ok((_, seq)) => follow(&world, &admin_token, &request, seq, out).await,
            Err(problem) => respond(out, refuse(problem).secured()).await,
        };
    }
    match export::wanted(&world.ctx(), &admin_token, &request) {
        Ok(None) => {}
        Ok(Some(export)) => return pass(&world, export, out).await,
        Err(problem) => return respond(out, refuse(problem).secured()).await,
    }
    match media::wanted(&world.ctx(), &admin_token, &request) {
        Ok(None) => {}
        Ok(Some(wanted)) => {
            // The connection is given back before the platform is waited for.
            drop(world);
            return relay(&wanted.channel, &wanted.path, out).await;
        }
        Err(problem) => return respond(out, refuse(problem).secured()).await,
    }
    let (result, wake) = dispatch(&world.ctx(), &admin_token, &request);
    respond(out, result.unwrap_or_else(refuse).secured()).await;
    // After the answer: what the adapters are told now, the tick would find a second later.
    drop(world);
    outgoing::all(wake.iter().map(|channel: &Channel| internal::deliver(channel)).collect()).await;
}

/// Writes an export as it is made. One that cannot be finished breaks off, so that nobody takes it for whole.
async fn pass(world: &World, mut export: Export, out: ResponseOutparam) {
    let mut headers: Vec<_> = SECURITY.map(|(name, value)| (name, value.to_owned())).into();
    headers.push(("content-type", "application/zip".to_owned()));
    headers.push(("content-disposition", "attachment; filename=export.zip".to_owned()));
    headers.push(("cache-control", "no-store".to_owned()));
    let mut body = std::pin::pin!(incoming::open(out, 200, headers));
    loop {
        match export.next(&world.ctx()) {
            Ok(Some(piece)) => match body.send(piece).await {
                Ok(()) => {}
                Err(_) => return,
            },
            Ok(None) => return,
            Err(problem) => {
                refuse(problem);
                return;
            }
        }
    }
}

async fn follow(world: &World, admin_token: &str, request: &Request, mut seq: i64, out: ResponseOutparam) {
    let ctx = world.ctx();
    let mut stream = incoming::events(out, SECURITY.map(|(name, value)| (name, value.to_owned())).into());
    let until = ctx.now().plus_millis(STREAM_MS);
    let mut alive_at = ctx.now();
    if !stream.comment("connected").await {
        return;
    }
    while ctx.now() < until {
        // A store that is busy for a moment is looked at again.
        let page = events::after(ctx.db, seq, events::DEFAULT_LIMIT).unwrap_or_default();
        let full = page.len() == usize::try_from(events::DEFAULT_LIMIT).unwrap_or(usize::MAX);
        // A token that was revoked meanwhile gets nothing more.
        let actor = match page.is_empty() {
            true => None,
            false => match events::goes_on(&ctx, admin_token, request) {
                Ok(actor) => Some(actor),
                Err(_) => return,
            },
        };
        let hand_overs = actor.and_then(|actor| HandOvers::among(&ctx, actor, &page));
        for event in &page {
            // Before its event: who is cut off in between gets both again.
            if let Some(data) = hand_overs.as_ref().and_then(|h| h.of(event))
                && !stream.send_as("handover", &data).await
            {
                return;
            }
            let Ok(data) = serde_json::to_string(event) else { return };
            if !stream.send(Some(&event.seq.to_string()), &data).await {
                return;
            }
            seq = event.seq;
            alive_at = ctx.now();
        }
        if ctx.now().since(alive_at) > ALIVE_MS {
            if !stream.comment("alive").await {
                return;
            }
            alive_at = ctx.now();
        }
        if !full {
            outgoing::sleep(LOOK_MS).await;
        }
    }
}
