//! The shell of a channel's component: it receives a webhook, acknowledges it and wakes the router; it also serves
//! `/deliver`.

use crate::deliver::{self, Attempt};
use crate::door::{Door, not_read};
use crate::host::{Body, Environment as _, Host, refuse, respond};
use crate::incoming::{Incoming, read_into};
use crate::ingest::{self, Ingested};
use crate::odd::Counted;
use crate::strangers::{self, Full};
use crate::{internal, media, pull, send};
use http::Method;
use warmline_channels::{Adapter, Outbound, Outcome, Refusal, Reply, Verified};
use warmline_endpoint::{Problem, Request, Response};
use warmline_kernel::payload::sender_lookup;
use warmline_kernel::{Ctx, StepError};
use warmline_model::Timestamp;
use warmline_store::{conversations, customers};

/// How long after its arrival a webhook can be answered with a reply: WeChat gives up after 5 s.
const ANSWER_MS: i64 = 4_500;
const LOOK_MS: u64 = 100;

/// Serves a channel's component.
pub async fn serve<H: Host, A: Adapter>(host: &H, adapter: &A, incoming: Incoming<impl Body>, out: H::Out) {
    match read_into(host, incoming, |kind| adapter.gather(kind)).await {
        Ok(request) => serve_request(host, adapter, &request, out).await,
        Err(unread) => respond(host, out, refuse(host, not_read(host, adapter, unread))).await,
    }
}

pub(crate) async fn serve_request<H: Host, A: Adapter>(host: &H, adapter: &A, request: &Request, out: H::Out) {
    if let "/deliver" | "/pull" = request.path.as_str() {
        // This request is only a hint: its sender needs no result and should not wait for the platform.
        respond(host, out, Response::empty(202)).await;
        if let Err(problem) = match host.open() {
            Ok(world) if request.path == "/deliver" => send::run(host, &world.ctx(), adapter).await,
            Ok(world) => pull::run(host, &world.ctx(), adapter).await,
            Err(problem) => Err(problem),
        } {
            refuse(host, problem);
        }
        return;
    }
    if request.path == "/media" {
        return media::serve(host, adapter, request, out).await;
    }
    match Door::open(host, adapter, request) {
        Ok(door) => webhook(adapter, &door, request, out, Vec::new()).await,
        Err(problem) => respond(host, out, refuse(host, problem)).await,
    }
}

fn from_reply(reply: Reply, extra: Vec<(&'static str, String)>) -> Response {
    Response { status: reply.status, headers: extra, content_type: reply.content_type, body: reply.body }
}

/// The result of a webhook.
enum Received<'a> {
    Answered(Reply),
    Stored {
        verified: Verified,
        sender: String,
        rows: Vec<Ingested>,
        ctx: Ctx<'a>,
        answer_by: Option<Timestamp>,
        /// Whether the platform said that there is something to fetch.
        hinted: bool,
    },
}

/// Receives a webhook. It verifies, parses and commits; only then does it acknowledge, and then it wakes the router.
pub(crate) async fn webhook<H: Host, A: Adapter>(
    adapter: &A,
    door: &Door<'_, H, A::Account>,
    request: &Request,
    out: H::Out,
    extra: Vec<(&'static str, String)>,
) {
    let host = door.host;
    if is_a_visit(request, &door.rest, adapter.has_secret_address(&door.account)) {
        return respond(host, out, address(adapter, door, request)).await;
    }
    match receive(adapter, door, request) {
        Ok(Received::Answered(reply)) => {
            respond(host, out, from_reply(reply, extra)).await;
            door.heard();
        }
        Ok(Received::Stored { verified, sender, rows, ctx, answer_by, hinted }) => {
            let wake: Vec<i64> = rows.iter().filter_map(|r| r.wake).collect();
            let Some(until) = answer_by else {
                respond(host, out, from_reply(adapter.acknowledge(&door.account, &verified), extra)).await;
                door.heard();
                internal::wake(host, wake).await;
                if hinted && let Err(problem) = pull::run(host, &door.ctx(), adapter).await {
                    refuse(host, problem);
                }
                return;
            };
            internal::wake(host, wake).await;
            let reply = match passive(adapter, door, &ctx, &verified, &sender, &rows, until).await {
                Ok(Some(reply)) => reply,
                // A reply that is not ready in time goes through the API. The message itself is committed, so it is
                // acknowledged.
                Ok(None) | Err(_) => adapter.acknowledge(&door.account, &verified),
            };
            respond(host, out, from_reply(reply, extra)).await;
            door.heard();
        }
        // A method that no adapter takes is a mistake of a person at a keyboard, and is no refused webhook.
        Err(Failure::Refused(Refusal::NotFound)) if !matches!(request.method, Method::GET | Method::HEAD | Method::POST) => {
            let mut response = Response::from(Problem::method(&["GET", "POST"]));
            response.headers.extend(extra);
            respond(host, out, response).await;
        }
        Err(Failure::Refused(reason)) => {
            let mut response = Response::from(door.refusal(reason));
            response.headers.extend(extra);
            respond(host, out, response).await;
        }
        Err(Failure::Full(full)) => {
            let mut response = Response::from(door.too_many(full));
            response.headers.extend(extra);
            respond(host, out, response).await;
        }
        Err(Failure::Ours(problem)) => respond(host, out, refuse(host, *problem)).await,
    }
}

/// Whether the sender is only a visitor, with a browser or on a command line. A platform signs, in the query or the
/// headers, or posts to an address that is a secret.
fn is_a_visit(request: &Request, rest: &str, secret_address: bool) -> bool {
    let looks = matches!(request.method, Method::GET | Method::HEAD);
    looks && (secret_address || (matches!(rest, "" | "/") && request.query.is_empty()))
}

/// Explains this address to a visitor. The answer is not a refusal and is not counted.
fn address<A: Adapter>(adapter: &A, door: &Door<'_, impl Host, A::Account>, request: &Request) -> Response {
    let (channel, id) = (&door.channel, &door.id);
    let name = adapter.capabilities().name_zh;
    let secret = if adapter.has_secret_address(&door.account) { "/<address_token>" } else { "" };
    let detail = format!(
        "this is the webhook of account `{id}` on {channel} ({name}): messages are posted to it. The sender needs the \
         address https://<public address>/channels/{channel}/{id}{secret}, and the same values as in {}; \
         /api/accounts/{channel}/{id}/health shows what came and what was refused",
        door.proof
    );
    let answer = match request.header("accept").is_some_and(|accept| accept.contains("text/html")) {
        true => Response::text(405, "text/plain; charset=utf-8", detail + "\n"),
        false => Problem::new(405, "webhook_address", detail).into(),
    };
    answer.with("allow", "POST")
}

enum Failure {
    Refused(Refusal),
    Full(Full),
    Ours(Box<Problem>),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StepError> for Failure {
    fn from(e: StepError) -> Self {
        Self::Ours(Box::new(e.into()))
    }
}

fn receive<'a, A: Adapter>(
    adapter: &A,
    door: &'a Door<'_, impl Host, A::Account>,
    request: &Request,
) -> Result<Received<'a>, Failure> {
    let ctx = door.ctx();
    let (webhook, now) = (door.webhook(request), ctx.now());
    if let Some(reply) = adapter.handshake(&door.account, &webhook, now)? {
        return Ok(Received::Answered(reply));
    }
    let verified = adapter.verify(&door.account, &webhook, now)?;
    let parsed = adapter.receive(&door.account, &verified)?;
    let odd = Counted::of(&parsed.odd);
    // A webhook can be answered with a reply only if all its messages are from one sender.
    let first = parsed.messages.first().map(|first| first.sender.open_id.as_str()).unwrap_or_default();
    let sender = if parsed.messages.iter().all(|m| m.sender.open_id == first) { first.to_owned() } else { String::new() };
    if adapter.anonymous()
        && let Some(full) = strangers::write(&ctx, &door.channel, &door.id, &door.routing, &sender)?
    {
        return Err(Failure::Full(full));
    }
    let passive = adapter.wants_passive(&door.account) && !sender.is_empty();
    let answer_by = passive.then(|| now.plus_millis(ANSWER_MS));
    let hints = adapter.pull().map(|pull| pull.hinted(&door.account, &verified)).unwrap_or_default();
    let rows = ingest::ingest(&ctx, &door.channel, &door.id, parsed, answer_by, &hints)?;
    odd.log(door.host, &door.channel, &door.id);
    Ok(Received::Stored { verified, sender, rows, ctx, answer_by, hinted: !hints.is_empty() })
}

/// Waits for a reply that the webhook's own answer can carry. A platform that did not receive the first answer sends
/// the webhook again and gets the same reply.
async fn passive<A: Adapter>(
    adapter: &A,
    door: &Door<'_, impl Host, A::Account>,
    ctx: &Ctx<'_>,
    verified: &Verified,
    sender: &str,
    rows: &[Ingested],
    until: Timestamp,
) -> Result<Option<Reply>, StepError> {
    let Some(row) = rows.first() else { return Ok(None) };
    let render = |job: &deliver::Job| {
        let mut nonce = [0; 16];
        ctx.rng.fill(&mut nonce);
        let id = job.row.message.to_string();
        let reply = Outbound { to: &job.to, id: &id, content: &job.content, at: job.at, reply_to: job.reply_to.as_ref() };
        adapter.passive(&door.account, verified, &reply, ctx.now(), &nonce)
    };
    if row.duplicate
        && let Some(job) = deliver::repeat_answer(ctx, row.seq)?
    {
        return Ok(render(&job));
    }
    let lookup = sender_lookup(&ctx.keys.index(), &door.channel, &door.id, sender);
    loop {
        if let Some(identity) = customers::identity_by_lookup(ctx.db, &lookup)?
            && let Some(conversation) = conversations::latest(ctx.db, identity)?
            && let Some(job) = deliver::claim_answer(ctx, conversation, row.seq)?
        {
            return match render(&job) {
                Some(reply) => {
                    deliver::record(ctx, &job, &Attempt::Answered(Outcome::Sent))?;
                    Ok(Some(reply))
                }
                None => {
                    deliver::put_back(ctx, &job)?;
                    Ok(None)
                }
            };
        }
        if ctx.now() >= until {
            return Ok(None);
        }
        door.host.sleep(LOOK_MS).await;
    }
}
