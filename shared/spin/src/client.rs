//! The shell of a channel whose customers use a client of the brand's own (app, web page). Besides the webhook, it serves a
//! session if the channel has one, a stream of replies, and the same by long polling.
//!
//! | below the account | |
//! |---|---|
//! | `POST /session` | starts a session: `{"token", "visitor"}` |
//! | `POST /messages` | a message of the customer |
//! | `GET /messages?after=&wait=` | replies after a cursor; waits up to `wait` seconds for the first |
//! | `GET /events` | the same as server-sent events; `Last-Event-ID` continues |
//! | `/ws` | a WebSocket, where a gateway holds them ([`crate::socket`]) |
//!
//! If a gateway passes a stream on, it holds that too: the component answers with the replies there are and ends.

use crate::adapter::{Place, not_read, refusal, serve_request, too_many, webhook};
use crate::gateway::{self, Gateway};
use crate::incoming::{self, IncomingRequest, ResponseOutparam, refuse, respond};
use crate::{outgoing, socket};
use http::Method;
use warmline_channels::ClientAdapter;
use warmline_endpoint::{Problem, Request, Response, page, sse};
use warmline_transport::strangers;
use warmline_transport::stream::{self, Cursor, Replies};

/// The most replies on a page.
const PAGE: i64 = 50;
/// How often replies for a waiting client are looked for.
const LOOK_MS: u64 = 250;
/// The longest poll, in seconds.
const MAX_WAIT: i64 = 25;
/// How long a stream lasts before the client has to connect again: less than the platforms' limit of 30 s for a request.
const STREAM_MS: i64 = 25_000;
/// How often a silent stream sends a sign of life.
const ALIVE_MS: i64 = 10_000;

/// The time after which a gateway that holds a stream asks for replies that it may have missed.
const LOOK_AGAIN_SECS: i64 = 25;
/// The place in the stream of a customer who has none. It is before all others.
const NOWHERE: &str = "0";

/// Serves the component.
pub async fn serve<A: ClientAdapter>(adapter: &A, incoming: IncomingRequest, out: ResponseOutparam) {
    let request = match incoming::read_whole(incoming).await {
        Ok(request) => request,
        Err(unread) => return respond(out, refuse(not_read(adapter, unread))).await,
    };
    if let "/deliver" | "/pull" | "/media" = request.path.as_str() {
        return serve_request(adapter, &request, out).await;
    }
    let place = match Place::open(adapter, &request) {
        Ok(place) => place,
        Err(problem) => return respond(out, refuse(problem)).await,
    };
    if place.rest == "/ws" && socket::is_socket(&request) {
        return socket::serve(adapter, &place, &request, out).await;
    }
    let cors = cors(adapter, &place, &request);
    let answer = match (&request.method, place.rest.as_str()) {
        (&Method::OPTIONS, _) => Ok(preflight()),
        (&Method::POST, "/session") => session(adapter, &place, &request),
        (&Method::GET, "/messages") => poll(adapter, &place, &request).await,
        (&Method::GET, "/events") => match from(adapter, &place, &request) {
            Ok((open_id, cursor)) if through_gateway(&place, &request) => hold(&place, &request, &open_id, cursor),
            Ok((open_id, cursor)) => return follow(&place, &open_id, cursor, out, cors).await,
            Err(problem) => Err(problem),
        },
        (_, "/ws") => {
            Err(Problem::new(426, "websocket_only", "this path takes WebSockets, through the gateway that holds them"))
        }
        _ => return webhook(adapter, &place, &request, out, cors).await,
    };
    let mut response = answer.unwrap_or_else(refuse);
    response.headers.extend(cors);
    respond(out, response).await;
}

fn cors<A: ClientAdapter>(adapter: &A, place: &Place<A::Account>, request: &Request) -> Vec<(&'static str, String)> {
    match request.header("origin") {
        Some(origin) if adapter.allows_origin(&place.account, origin) => {
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

fn session<A: ClientAdapter>(adapter: &A, place: &Place<A::Account>, request: &Request) -> Result<Response, Problem> {
    let ctx = place.world.ctx();
    let session = adapter.start_session(&place.account, &place.webhook(request), &ctx.owner(), ctx.now());
    let session = session.map_err(|e| refusal(place, e))?;
    if let Some(full) = strangers::begin(&ctx, &place.channel, &place.id, &place.common)? {
        return Err(too_many(place, full));
    }
    Ok(Response::json(201, &serde_json::json!({ "token": session.token, "visitor": session.visitor })))
}

/// The sender whose replies are asked for, and the cursor after which they are.
fn from<A: ClientAdapter>(
    adapter: &A,
    place: &Place<A::Account>,
    request: &Request,
) -> Result<(String, Option<Cursor>), Problem> {
    let sender = adapter.identify(&place.account, &place.webhook(request), place.world.ctx().now());
    let sender = sender.map_err(|e| refusal(place, e))?;
    let cursor = match request.header("last-event-id").filter(|id| !id.is_empty()) {
        Some(id) => Some(id.parse()?),
        None => page::after(request)?,
    };
    Ok((sender.open_id, cursor))
}

fn replies<T>(place: &Place<T>, open_id: &str, after: Option<Cursor>) -> Result<Replies, Problem> {
    Ok(stream::replies(&place.world.ctx(), &place.channel, &place.id, open_id, after, PAGE)?)
}

async fn poll<A: ClientAdapter>(adapter: &A, place: &Place<A::Account>, request: &Request) -> Result<Response, Problem> {
    let (open_id, after) = from(adapter, place, request)?;
    let wait = page::typed(request, "wait", |t| t.parse::<i64>().ok().filter(|n| (0..=MAX_WAIT).contains(n)))?;
    let ctx = place.world.ctx();
    let until = ctx.now().plus_millis(wait.unwrap_or(0) * 1000);
    loop {
        let Replies { items, next, .. } = replies(place, &open_id, after)?;
        if !items.is_empty() || ctx.now() >= until {
            let next = next.map(|cursor| cursor.to_string());
            return Ok(Response::json(200, &serde_json::json!({ "items": items, "next": next })));
        }
        outgoing::sleep(LOOK_MS).await;
    }
}

fn through_gateway<T>(place: &Place<T>, request: &Request) -> bool {
    Gateway::configured().is_some_and(|gateway| gateway.check(request, place.world.ctx().now()).is_ok())
}

/// Answers with the replies after the place, and tells the gateway how to go on: with publications under the customer's
/// name, and after a while with another request. The place is sent with the hold, and each publication says after which
/// place it comes. If the gateway missed one, it therefore asks again at once, from the right place.
fn hold<T>(place: &Place<T>, request: &Request, open_id: &str, cursor: Option<Cursor>) -> Result<Response, Problem> {
    let ctx = place.world.ctx();
    let channel = gateway::subscription(&ctx, &place.channel, &place.id, open_id);
    let last = request.header("grip-last").and_then(|last| last.split_once("last-id="));
    let replies = replies(place, open_id, last.and_then(|(_, id)| id.parse().ok()).or(cursor))?;
    let mut body = String::new();
    if last.is_none() {
        body.push_str(": connected\n\n");
    }
    for message in &replies.items {
        let data = serde_json::to_string(message).map_err(|_| Problem::internal())?;
        body.push_str(&sse::event(Some(&message.cursor.to_string()), &data));
    }
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
        .with("grip-keep-alive", format!(": alive\\n\\n; format=cstring; timeout={}", ALIVE_MS / 1000)))
}

async fn follow<T>(
    place: &Place<T>,
    open_id: &str,
    mut cursor: Option<Cursor>,
    out: ResponseOutparam,
    cors: Vec<(&'static str, String)>,
) {
    let ctx = place.world.ctx();
    let mut events = incoming::events(out, cors);
    let until = ctx.now().plus_millis(STREAM_MS);
    let mut alive_at = ctx.now();
    if !events.comment("connected").await {
        return;
    }
    while ctx.now() < until {
        // If the store is busy for a moment, it is read again later; a client that waits in vain reconnects.
        for message in replies(place, open_id, cursor).unwrap_or_default().items {
            let Ok(data) = serde_json::to_string(&message) else { return };
            if !events.send(Some(&message.cursor.to_string()), &data).await {
                return;
            }
            cursor = Some(message.cursor);
            alive_at = ctx.now();
        }
        if ctx.now().since(alive_at) > ALIVE_MS {
            if !events.comment("alive").await {
                return;
            }
            alive_at = ctx.now();
        }
        outgoing::sleep(LOOK_MS).await;
    }
}
