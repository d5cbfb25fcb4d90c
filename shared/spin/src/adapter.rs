//! The shell of a channel's component: webhook in, acknowledgement out, nudge; and `/deliver`.

use crate::incoming::{self, IncomingRequest, ResponseOutparam, refuse, respond};
use crate::world::World;
use crate::{deliver, internal, media, outgoing, pull};
use warmline_channels::{Adapter, Outbound, Refusal, Reply, Request as Webhook, Verified};
use warmline_flow::deliver::{self as outbox, Attempt};
use warmline_flow::ingest::{self, Ingested};
use warmline_flow::{Ctx, FlowError};
use warmline_http::{Problem, Request, Response};
use warmline_model::{AccountId, Channel, Inbound, Timestamp};
use warmline_store::{conversations, customers, refusals};

/// How long after its arrival a webhook can be answered with a reply: WeChat gives up after 5 s.
const ANSWER_MS: i64 = 4_500;
const LOOK_MS: u64 = 100;

/// Serves a channel's component.
pub async fn serve<A: Adapter>(adapter: &A, incoming: IncomingRequest, out: ResponseOutparam) {
    match incoming::read(incoming).await {
        Ok(request) => serve_request(adapter, &request, out).await,
        Err(problem) => respond(out, refuse(problem)).await,
    }
}

pub(crate) async fn serve_request<A: Adapter>(adapter: &A, request: &Request, out: ResponseOutparam) {
    if let "/deliver" | "/pull" = request.path.as_str() {
        // A hint needs no outcome: whoever gave it should not wait for the platform.
        respond(out, Response::empty(202)).await;
        if let Err(problem) = match World::open_ready() {
            Ok(world) if request.path == "/deliver" => deliver::run(&world, adapter).await,
            Ok(world) => pull::run(&world, adapter).await,
            Err(problem) => Err(problem),
        } {
            refuse(problem);
        }
        return;
    }
    if request.path == "/media" {
        return media::serve(adapter, request, out).await;
    }
    match Place::open(adapter, request) {
        Ok(place) => webhook(adapter, &place, request, out, Vec::new()).await,
        Err(problem) => respond(out, refuse(problem)).await,
    }
}

/// Where a request below `/channels/<channel>/<account>` arrived.
pub(crate) struct Place<T> {
    pub(crate) world: World,
    pub(crate) channel: Channel,
    pub(crate) id: AccountId,
    pub(crate) account: T,
    /// The path below the account.
    pub(crate) rest: String,
}

impl<T> Place<T> {
    pub(crate) fn open<A: Adapter<Account = T>>(adapter: &A, request: &Request) -> Result<Self, Problem> {
        let unknown = || Problem::new(404, "unknown_account", "no account of that name is connected on this channel");
        let mut parts = request.path.splitn(5, '/').skip(2);
        let channel = parts.next().and_then(|c| Channel::new(c).ok()).ok_or_else(unknown)?;
        let id = parts.next().and_then(|a| AccountId::new(a).ok()).ok_or_else(unknown)?;
        let rest = parts.next().map(|r| format!("/{r}")).unwrap_or_default();
        if channel.as_str() != adapter.capabilities().channel {
            return Err(unknown());
        }
        let world = World::open_ready()?;
        let account = deliver::open(&world.ctx(), adapter, &channel, &id)?.ok_or_else(unknown)?;
        Ok(Self { world, channel, id, account, rest })
    }

    pub(crate) fn webhook<'a>(&'a self, request: &'a Request) -> Webhook<'a> {
        Webhook {
            method: &request.method,
            rest: &self.rest,
            query: &request.query,
            headers: &request.headers,
            body: &request.body,
        }
    }
}

fn from_reply(reply: Reply, extra: Vec<(&'static str, String)>) -> Response {
    Response { status: reply.status, headers: extra, content_type: reply.content_type, body: reply.body }
}

/// What a webhook came to.
enum Received<'a> {
    Answered(Reply),
    Stored {
        verified: Verified,
        sender: String,
        rows: Vec<Ingested>,
        ctx: Ctx<'a>,
        answer_by: Option<Timestamp>,
        /// The platform said that there is something to fetch.
        hinted: bool,
    },
}

/// Receives a webhook: verify, parse, commit; only then acknowledge; then nudge the router.
pub(crate) async fn webhook<A: Adapter>(
    adapter: &A,
    place: &Place<A::Account>,
    request: &Request,
    out: ResponseOutparam,
    extra: Vec<(&'static str, String)>,
) {
    match receive(adapter, place, request) {
        Ok(Received::Answered(reply)) => respond(out, from_reply(reply, extra)).await,
        Ok(Received::Stored { verified, sender, rows, ctx, answer_by, hinted }) => {
            let wake: Vec<i64> = rows.iter().filter_map(|r| r.wake).collect();
            let Some(until) = answer_by else {
                respond(out, from_reply(adapter.acknowledge(&place.account, &verified), extra)).await;
                outgoing::all(wake.into_iter().map(internal::drain).collect()).await;
                if hinted && let Err(problem) = pull::run(&place.world, adapter).await {
                    refuse(problem);
                }
                return;
            };
            outgoing::all(wake.into_iter().map(internal::drain).collect()).await;
            let reply = match passive(adapter, place, &ctx, &verified, &sender, &rows, until).await {
                Ok(Some(reply)) => reply,
                // What is not ready in time goes through the API; the message itself is committed, so it is acknowledged.
                Ok(None) | Err(_) => adapter.acknowledge(&place.account, &verified),
            };
            respond(out, from_reply(reply, extra)).await;
        }
        Err(Failure::Refused(reason)) => {
            respond(out, Response { headers: extra, ..refusal(place, reason).into() }).await;
        }
        Err(Failure::Ours(problem)) => respond(out, refuse(*problem)).await,
    }
}

/// Counts a refusal. That stands before the answer, so that who reads the figures after it finds the refusal there; a store that
/// cannot count is no reason to answer anything else.
pub(crate) fn refusal<T>(place: &Place<T>, reason: Refusal) -> Problem {
    let (ctx, problem) = (place.world.ctx(), Problem::from(reason));
    let _ = refusals::count(ctx.db, place.channel.as_str(), place.id.as_str(), problem.code, ctx.now());
    problem
}

enum Failure {
    Refused(Refusal),
    Ours(Box<Problem>),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<FlowError> for Failure {
    fn from(e: FlowError) -> Self {
        Self::Ours(Box::new(e.into()))
    }
}

fn receive<'a, A: Adapter>(adapter: &A, place: &'a Place<A::Account>, request: &Request) -> Result<Received<'a>, Failure> {
    let ctx = place.world.ctx();
    let (webhook, now) = (place.webhook(request), ctx.now());
    if let Some(reply) = adapter.handshake(&place.account, &webhook, now)? {
        return Ok(Received::Answered(reply));
    }
    let verified = adapter.verify(&place.account, &webhook, now)?;
    let messages: Vec<Inbound> = adapter.parse(&place.account, &verified)?;
    // Only a webhook of one sender can be answered to that sender.
    let sender = match messages.as_slice() {
        [one] => one.sender.open_id.clone(),
        _ => String::new(),
    };
    let passive = adapter.wants_passive(&place.account) && !sender.is_empty();
    let answer_by = passive.then(|| now.plus_millis(ANSWER_MS));
    let hints = adapter.pull().map(|pull| pull.hinted(&place.account, &verified)).unwrap_or_default();
    let rows = ingest::ingest(&ctx, &place.channel, &place.id, messages, answer_by, &hints)?;
    Ok(Received::Stored { verified, sender, rows, ctx, answer_by, hinted: !hints.is_empty() })
}

/// Waits for a reply that the webhook's own answer can carry. A platform that did not hear the first answer sends the webhook
/// again and gets the same reply.
async fn passive<A: Adapter>(
    adapter: &A,
    place: &Place<A::Account>,
    ctx: &Ctx<'_>,
    verified: &Verified,
    sender: &str,
    rows: &[Ingested],
    until: Timestamp,
) -> Result<Option<Reply>, FlowError> {
    let Some(row) = rows.first() else { return Ok(None) };
    let render = |job: &outbox::Job| {
        let mut nonce = [0; 16];
        ctx.rng.fill(&mut nonce);
        let id = job.row.message.to_string();
        let reply = Outbound { to: &job.to, id: &id, content: &job.content, at: job.at, reply_to: job.reply_to.as_ref() };
        adapter.passive(&place.account, verified, &reply, ctx.now(), &nonce)
    };
    if row.duplicate
        && let Some(job) = outbox::repeat_answer(ctx, row.seq)?
    {
        return Ok(render(&job));
    }
    let lookup = ingest::sender_lookup(&ctx.keys.index(), &place.channel, &place.id, sender);
    loop {
        if let Some(identity) = customers::identity_by_lookup(ctx.db, &lookup)?
            && let Some(conversation) = conversations::latest(ctx.db, identity)?
            && let Some(job) = outbox::claim_answer(ctx, conversation, row.seq)?
        {
            return match render(&job) {
                Some(reply) => {
                    outbox::record(ctx, &job, &Attempt::Answered(warmline_channels::Outcome::Sent))?;
                    Ok(Some(reply))
                }
                None => {
                    outbox::put_back(ctx, &job)?;
                    Ok(None)
                }
            };
        }
        if ctx.now() >= until {
            return Ok(None);
        }
        outgoing::sleep(LOOK_MS).await;
    }
}
