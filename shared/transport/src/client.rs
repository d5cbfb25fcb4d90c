//! The shell of a channel whose customers use a client of the brand's own (app, web page). Besides the webhook, it
//! serves a session if the channel has one, a stream of replies, and the same replies by long polling.
//!
//! | below the account | |
//! |---|---|
//! | `POST /session` | starts a session: `{"token", "visitor"}` |
//! | `POST /messages` | a message of the customer |
//! | `GET /messages?after=&wait=` | replies after a cursor; waits up to `wait` seconds for the first |
//! | `GET /events` | the same as server-sent events; `Last-Event-ID` continues |
//! | `/ws` | a WebSocket, where a gateway holds them (the module `socket`) |
//!
//! If a gateway passes a stream on, it holds the stream too: the component answers with the present replies and ends.

use crate::adapter::{serve_request, webhook};
use crate::door::{Door, not_read};
use crate::gateway::{self, Gateway};
use crate::host::{Body, Host, pass, refuse, respond};
use crate::incoming::{Incoming, read};
use crate::stream::{self, Cursor, Replies, Streamed};
use crate::{socket, strangers};
use http::Method;
use warmline_channels::ClientAdapter;
use warmline_endpoint::sse::{self, Follow, New, Source};
use warmline_endpoint::{Problem, Request, Response, page};
use warmline_kernel::Ctx;
use warmline_model::{AccountId, Channel};

/// The most replies on a page.
const PAGE: i64 = 50;
/// The pause between two looks for the replies of a waiting client.
const LOOK_MS: u64 = 250;
/// The longest poll, in seconds.
const MAX_WAIT: i64 = 25;
/// The time after which a gateway that holds a stream asks for replies that it may have missed.
const LOOK_AGAIN_SECS: i64 = 25;
/// The start of a customer's stream, before all other places.
const NOWHERE: &str = "0";

/// Serves the component.
pub async fn serve<H: Host, A: ClientAdapter>(host: &H, adapter: &A, incoming: Incoming<impl Body>, out: H::Out) {
    let request = match read(host, incoming).await {
        Ok(request) => request,
        Err(unread) => return respond(host, out, refuse(host, not_read(host, adapter, unread))).await,
    };
    if let "/deliver" | "/pull" | "/media" = request.path.as_str() {
        return serve_request(host, adapter, &request, out).await;
    }
    let door = match Door::open(host, adapter, &request) {
        Ok(door) => door,
        Err(problem) => return respond(host, out, refuse(host, problem)).await,
    };
    if door.rest == "/ws" && socket::is_socket(&request) {
        return socket::serve(adapter, &door, &request, out).await;
    }
    let cors = cors(adapter, &door.account, &request);
    let answer = match (&request.method, door.rest.as_str()) {
        (&Method::OPTIONS, _) => Ok(preflight()),
        (&Method::POST, "/session") => session(adapter, &door, &request),
        (&Method::GET, "/messages") => poll(adapter, &door, &request).await,
        (&Method::GET, "/events") => match from(adapter, &door, &request) {
            Ok((open_id, cursor)) if through_gateway(&door, &request) => hold(&door, &request, &open_id, cursor),
            Ok((open_id, cursor)) => {
                let (ctx, channel, account) = (door.ctx(), &door.channel, &door.id);
                let source = Replying { channel, account, open_id: &open_id, cursor };
                return pass(host, &ctx, &mut Follow::new(source, ctx.now()), cors, out).await;
            }
            Err(problem) => Err(problem),
        },
        (_, "/ws") => {
            Err(Problem::new(426, "websocket_only", "this path takes WebSockets, through the gateway that holds them"))
        }
        _ => return webhook(adapter, &door, &request, out, cors).await,
    };
    let mut response = answer.unwrap_or_else(|problem| refuse(host, problem));
    response.headers.extend(cors);
    respond(host, out, response).await;
}

fn cors<A: ClientAdapter>(adapter: &A, account: &A::Account, request: &Request) -> Vec<(&'static str, String)> {
    match request.header("origin") {
        Some(origin) if adapter.allows_origin(account, origin) => {
            vec![("access-control-allow-origin", origin.to_owned()), ("vary", "origin".to_owned())]
        }
        _ => Vec::new(),
    }
}

fn preflight() -> Response {
    Response::empty(204)
        .with("access-control-allow-methods", "GET, POST")
        .with("access-control-allow-headers", "authorization, content-type, last-event-id")
        .with("access-control-max-age", "600")
}

fn session<A: ClientAdapter>(
    adapter: &A,
    door: &Door<'_, impl Host, A::Account>,
    request: &Request,
) -> Result<Response, Problem> {
    let ctx = door.ctx();
    let session = adapter.start_session(&door.account, &door.webhook(request), &ctx.owner(), ctx.now());
    let session = session.map_err(|e| door.refusal(e))?;
    if let Some(full) = strangers::begin(&ctx, &door.channel, &door.id, &door.routing)? {
        return Err(door.too_many(full));
    }
    Ok(Response::json(201, &serde_json::json!({ "token": session.token, "visitor": session.visitor })))
}

/// The sender who asks for replies, and the cursor after which they start.
fn from<A: ClientAdapter>(
    adapter: &A,
    door: &Door<'_, impl Host, A::Account>,
    request: &Request,
) -> Result<(String, Option<Cursor>), Problem> {
    let sender = adapter.identify(&door.account, &door.webhook(request), door.ctx().now());
    let sender = sender.map_err(|e| door.refusal(e))?;
    let cursor = match request.header("last-event-id").filter(|id| !id.is_empty()) {
        Some(id) => Some(id.parse()?),
        None => page::after(request)?,
    };
    Ok((sender.open_id, cursor))
}

fn replies<T>(door: &Door<'_, impl Host, T>, open_id: &str, after: Option<Cursor>) -> Result<Replies, Problem> {
    Ok(stream::replies(&door.ctx(), &door.channel, &door.id, open_id, after, PAGE)?)
}

async fn poll<A: ClientAdapter>(
    adapter: &A,
    door: &Door<'_, impl Host, A::Account>,
    request: &Request,
) -> Result<Response, Problem> {
    let (open_id, after) = from(adapter, door, request)?;
    let wait = page::typed(request, "wait", |t| t.parse::<i64>().ok().filter(|n| (0..=MAX_WAIT).contains(n)))?;
    let ctx = door.ctx();
    let until = ctx.now().plus_millis(wait.unwrap_or(0) * 1000);
    loop {
        let Replies { items, next, .. } = replies(door, &open_id, after)?;
        if !items.is_empty() || ctx.now() >= until {
            let next = next.map(|cursor| cursor.to_string());
            return Ok(Response::json(200, &serde_json::json!({ "items": items, "next": next })));
        }
        door.host.sleep(LOOK_MS).await;
    }
}

fn through_gateway<T>(door: &Door<'_, impl Host, T>, request: &Request) -> bool {
    Gateway::configured(door.host).is_some_and(|gateway| gateway.check(request, door.ctx().now()).is_ok())
}

/// Answers with the replies after the place, and tells the gateway how to continue: with publications under the
/// customer's name, and after a while with another request. The place is sent with the hold, and each publication names
/// the place before it. A gateway that missed one therefore asks again at once, from the right place.
fn hold<T>(
    door: &Door<'_, impl Host, T>,
    request: &Request,
    open_id: &str,
    cursor: Option<Cursor>,
) -> Result<Response, Problem> {
    let ctx = door.ctx();
    let channel = gateway::subscription(&ctx, &door.channel, &door.id, open_id);
    let last = request.header("grip-last").and_then(|last| last.split_once("last-id="));
    let replies = replies(door, open_id, last.and_then(|(_, id)| id.parse().ok()).or(cursor))?;
    let mut body = String::new();
    if last.is_none() {
        body.push_str(&sse::comment("connected"));
    }
    body.push_str(&written(&replies.items).map_err(|_| Problem::internal())?);
    let next = replies.next.map(|cursor| cursor.to_string());
    // The gateway asks again without the client's headers. A verified token needs no escaping in a URL.
    let token = request.bearer().map(str::to_owned).or_else(|| request.param("access_token")).unwrap_or_default();
    let after = next.as_ref().map(|next| format!("&after={next}")).unwrap_or_default();
    let link = format!("<{}?access_token={token}{after}>; rel=next", request.path);
    let response = Response::text(200, "text/event-stream", body);
    if replies.more {
        return Ok(response.with("grip-link", link));
    }
    Ok(response
        .with("grip-hold", "stream")
        .with("grip-channel", format!("{channel}; prev-id={}", next.as_deref().unwrap_or(NOWHERE)))
        .with("grip-link", format!("{link}; timeout={LOOK_AGAIN_SECS}"))
        .with("grip-keep-alive", format!(": alive\\n\\n; format=cstring; timeout={}", sse::ALIVE_MS / 1000)))
}

/// The replies to a customer, as the source of a stream.
struct Replying<'a> {
    channel: &'a Channel,
    account: &'a AccountId,
    open_id: &'a str,
    cursor: Option<Cursor>,
}

impl Source for Replying<'_> {
    const LOOK_MS: u64 = LOOK_MS;

    fn read(&mut self, ctx: &Ctx<'_>) -> Option<New> {
        let found = stream::replies(ctx, self.channel, self.account, self.open_id, self.cursor, PAGE).unwrap_or_default();
        if !found.items.is_empty() {
            self.cursor = found.next;
        }
        Some(New { text: written(&found.items).ok()?, more: found.more })
    }
}

/// Replies as server-sent events.
fn written(items: &[Streamed]) -> serde_json::Result<String> {
    let events = items.iter().map(|reply| {
        let data = serde_json::to_string(reply)?;
        Ok(sse::event(Some(&reply.cursor.to_string()), &data))
    });
    events.collect()
}
