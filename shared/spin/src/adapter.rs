//! The shell of a channel's component: it receives a webhook, acknowledges it and wakes the router; it also serves
//! `/deliver`.

use crate::incoming::{self, IncomingRequest, ResponseOutparam, Unread, refuse, respond};
use crate::world::World;
use crate::{deliver, internal, media, outgoing, pull};
use http::Method;
use warmline_channels::common::Common;
use warmline_channels::{Adapter, Odd, Outbound, Refusal, Reply, Request as Webhook, Verified};
use warmline_endpoint::{Problem, Request, Response};
use warmline_kernel::{Ctx, StepError};
use warmline_model::{AccountId, Channel, Timestamp};
use warmline_store::{conversations, customers};
use warmline_transport::deliver::{self as outbox, Attempt};
use warmline_transport::ingest::{self, Ingested};
use warmline_transport::strangers::{self, Full};
use warmline_transport::{accounts, refused};

/// How long after its arrival a webhook can be answered with a reply: WeChat gives up after 5 s.
const ANSWER_MS: i64 = 4_500;
const LOOK_MS: u64 = 100;

/// Serves a channel's component.
pub async fn serve<A: Adapter>(adapter: &A, incoming: IncomingRequest, out: ResponseOutparam) {
    match incoming::read_into(incoming, |kind| adapter.gather(kind)).await {
        Ok(request) => serve_request(adapter, &request, out).await,
        Err(unread) => respond(out, refuse(not_read(adapter, unread))).await,
    }
}

/// Counts and logs a webhook that was refused before it was read.
pub(crate) fn not_read<A: Adapter>(adapter: &A, Unread { path, problem }: Unread) -> Problem {
    let mut parts = path.splitn(5, '/').skip(1);
    let (Some("channels"), Some(named), Some(id)) = (parts.next(), parts.next(), parts.next()) else { return problem };
    let (Ok(channel), Ok(id)) = (Channel::new(named), AccountId::new(id)) else { return problem };
    if let Ok(world) = World::open_ready()
        && let Ok(looked) = deliver::look(&world.ctx(), adapter, &channel, &id)
    {
        let (status, reason, proof) = (problem.status, problem.code, adapter.proof());
        let (account, known) = (Some(&id), looked.is_some());
        let told = refused::Webhook { channel: &channel, account, known, status, reason, ahead_secs: None, proof };
        note(&world.ctx(), &told);
    }
    problem
}

pub(crate) async fn serve_request<A: Adapter>(adapter: &A, request: &Request, out: ResponseOutparam) {
    if let "/deliver" | "/pull" = request.path.as_str() {
        // A hint needs no result: its sender should not wait for the platform.
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

/// The account for which a request below `/channels/<channel>/<account>` arrived.
pub(crate) struct Place<T> {
    pub(crate) world: World,
    pub(crate) channel: Channel,
    pub(crate) id: AccountId,
    pub(crate) account: T,
    /// The account's settings that all channels share.
    pub(crate) common: Common,
    /// When the platform was last heard from.
    heard_at: Option<Timestamp>,
    /// What the channel's webhooks are verified with.
    proof: &'static str,
    /// The path below the account.
    pub(crate) rest: String,
}

impl<T> Place<T> {
    pub(crate) fn open<A: Adapter<Account = T>>(adapter: &A, request: &Request) -> Result<Self, Problem> {
        let mut parts = request.path.splitn(5, '/').skip(2);
        let named = parts.next();
        let id = parts.next().and_then(|a| AccountId::new(a).ok());
        let rest = parts.next().map(|r| format!("/{r}")).unwrap_or_default();
        let channel = Channel::new(adapter.capabilities().channel).map_err(|_| Problem::internal())?;
        let world = World::open_ready()?;
        let proof = adapter.proof();
        let tell = |id: Option<&AccountId>, known, problem: Problem| {
            let (status, reason, ahead_secs) = (problem.status, problem.code, None);
            let told = refused::Webhook { channel: &channel, account: id, known, status, reason, ahead_secs, proof };
            note(&world.ctx(), &told);
            problem
        };
        let Some(id) = id.filter(|_| named == Some(channel.as_str())) else { return Err(tell(None, false, unknown())) };
        let Some(looked) = deliver::look(&world.ctx(), adapter, &channel, &id)? else {
            return Err(tell(Some(&id), false, unknown()));
        };
        if looked.standing.disabled_at.is_some() {
            return Err(tell(Some(&id), true, disabled()));
        }
        let Some(account) = looked.account else { return Err(tell(Some(&id), true, unfit())) };
        let (common, heard_at) = (looked.common, looked.standing.heard_at);
        Ok(Self { world, channel, id, account, common, heard_at, proof, rest })
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

fn unknown() -> Problem {
    let detail = "no account of that name is connected on this channel; compare the address with the accounts that are \
                  (`GET /api/accounts`)";
    Problem::new(404, "unknown_account", detail)
}

fn disabled() -> Problem {
    Problem::new(403, "account_disabled", "this account is disabled; it takes nothing until an administrator enables it")
}

fn unfit() -> Problem {
    let detail = "the account's stored settings or secrets do not fit this version; store them anew \
                  (`PUT /api/accounts/{channel}/{account}` says which)";
    Problem::new(503, "account_unfit", detail)
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

/// Receives a webhook: it verifies, parses and commits, only then acknowledges, and then wakes the router.
pub(crate) async fn webhook<A: Adapter>(
    adapter: &A,
    place: &Place<A::Account>,
    request: &Request,
    out: ResponseOutparam,
    extra: Vec<(&'static str, String)>,
) {
    if is_a_visit(request, &place.rest, adapter.has_secret_address(&place.account)) {
        return respond(out, address(adapter, place, request)).await;
    }
    match receive(adapter, place, request) {
        Ok(Received::Answered(reply)) => {
            respond(out, from_reply(reply, extra)).await;
            heard(place);
        }
        Ok(Received::Stored { verified, sender, rows, ctx, answer_by, hinted }) => {
            let wake: Vec<i64> = rows.iter().filter_map(|r| r.wake).collect();
            let Some(until) = answer_by else {
                respond(out, from_reply(adapter.acknowledge(&place.account, &verified), extra)).await;
                heard(place);
                outgoing::all(wake.into_iter().map(internal::drain).collect()).await;
                if hinted && let Err(problem) = pull::run(&place.world, adapter).await {
                    refuse(problem);
                }
                return;
            };
            outgoing::all(wake.into_iter().map(internal::drain).collect()).await;
            let reply = match passive(adapter, place, &ctx, &verified, &sender, &rows, until).await {
                Ok(Some(reply)) => reply,
                // A reply that is not ready in time goes through the API. The message itself is committed, so it is
                // acknowledged.
                Ok(None) | Err(_) => adapter.acknowledge(&place.account, &verified),
            };
            respond(out, from_reply(reply, extra)).await;
            heard(place);
        }
        Err(Failure::Refused(reason)) => {
            let mut response = Response::from(refusal(place, reason));
            response.headers.extend(extra);
            respond(out, response).await;
        }
        Err(Failure::Full(full)) => {
            let mut response = Response::from(too_many(place, full));
            response.headers.extend(extra);
            respond(out, response).await;
        }
        Err(Failure::Ours(problem)) => respond(out, refuse(*problem)).await,
    }
}

/// Whether somebody only visits the address: with a browser or on a command line. A platform signs, in the query or the
/// headers, or posts to an address that is a secret.
fn is_a_visit(request: &Request, rest: &str, secret_address: bool) -> bool {
    let looks = matches!(request.method, Method::GET | Method::HEAD);
    looks && (secret_address || (matches!(rest, "" | "/") && request.query.is_empty()))
}

/// Explains this address to a visitor. That is not a refusal and is not counted.
fn address<A: Adapter>(adapter: &A, place: &Place<A::Account>, request: &Request) -> Response {
    let (channel, id) = (&place.channel, &place.id);
    let name = adapter.capabilities().name_zh;
    let secret = if adapter.has_secret_address(&place.account) { "/<address_token>" } else { "" };
    let detail = format!(
        "this is the webhook of account `{id}` on {channel} ({name}): messages are posted to it. Whoever sends them has to know the \
         address https://<public address>/channels/{channel}/{id}{secret}, and the same values as in {}; \
         /api/accounts/{channel}/{id}/health shows what came and what was refused",
        place.proof
    );
    let answer = match request.header("accept").is_some_and(|accept| accept.contains("text/html")) {
        true => Response::text(405, "text/plain; charset=utf-8", detail + "\n"),
        false => Problem::new(405, "webhook_address", detail).into(),
    };
    answer.with("allow", "POST")
}

/// Notes that the platform was heard from: after the answer, once a minute. A store that fails here changes nothing else.
fn heard<T>(place: &Place<T>) {
    let _ = accounts::heard(&place.world.ctx(), &place.channel, &place.id, place.heard_at);
}

/// Counts the refusal before answering, so that a client that then reads the metrics sees it. A failing store does not
/// change the answer.
pub(crate) fn refusal<T>(place: &Place<T>, reason: Refusal) -> Problem {
    let ahead_secs = match reason {
        Refusal::Stale(ahead) => Some(ahead),
        _ => None,
    };
    note_known(place, Problem::from(reason), ahead_secs)
}

/// Counts a stranger for whom there is no room.
pub(crate) fn too_many<T>(place: &Place<T>, full: Full) -> Problem {
    let detail = match full {
        Full::Sessions(_) => "too many visitors began a chat in this minute; begin one after the time in Retry-After",
        Full::Waiting => "too many visitors wait for somebody; write again after the time in Retry-After",
    };
    note_known(place, Problem { retry_after: Some(full.retry_after()), ..Problem::new(429, full.code(), detail) }, None)
}

fn note_known<T>(place: &Place<T>, problem: Problem, ahead_secs: Option<i64>) -> Problem {
    note(
        &place.world.ctx(),
        &refused::Webhook {
            channel: &place.channel,
            account: Some(&place.id),
            known: true,
            status: problem.status,
            reason: problem.code,
            ahead_secs,
            proof: place.proof,
        },
    );
    problem
}

/// Counts a refused webhook, and logs it unless this minute has its lines already.
fn note(ctx: &Ctx<'_>, webhook: &refused::Webhook<'_>) {
    if let Ok(Some(line)) = refused::note(ctx, webhook) {
        eprintln!("{line}");
    }
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

fn receive<'a, A: Adapter>(adapter: &A, place: &'a Place<A::Account>, request: &Request) -> Result<Received<'a>, Failure> {
    let ctx = place.world.ctx();
    let (webhook, now) = (place.webhook(request), ctx.now());
    if let Some(reply) = adapter.handshake(&place.account, &webhook, now)? {
        return Ok(Received::Answered(reply));
    }
    let verified = adapter.verify(&place.account, &webhook, now)?;
    let parsed = adapter.receive(&place.account, &verified)?;
    let odd = OddItems::of(&parsed.odd);
    // A webhook can be answered with a reply only if all its messages are from one sender.
    let first = parsed.messages.first().map(|first| first.sender.open_id.as_str()).unwrap_or_default();
    let sender = if parsed.messages.iter().all(|m| m.sender.open_id == first) { first.to_owned() } else { String::new() };
    if adapter.anonymous()
        && let Some(full) = strangers::write(&ctx, &place.channel, &place.id, &place.common, &sender)?
    {
        return Err(Failure::Full(full));
    }
    let passive = adapter.wants_passive(&place.account) && !sender.is_empty();
    let answer_by = passive.then(|| now.plus_millis(ANSWER_MS));
    let hints = adapter.pull().map(|pull| pull.hinted(&place.account, &verified)).unwrap_or_default();
    let rows = ingest::ingest(&ctx, &place.channel, &place.id, parsed, answer_by, &hints)?;
    odd.log(&place.channel, &place.id);
    Ok(Received::Stored { verified, sender, rows, ctx, answer_by, hinted: !hints.is_empty() })
}

/// The unreadable items of a body or page: their number, and the reason of the first.
pub(crate) struct OddItems(Option<(usize, &'static str)>);

impl OddItems {
    pub(crate) fn of(odd: &[Odd]) -> Self {
        Self(odd.first().map(|first| (odd.len(), first.reason)))
    }

    /// Logs them, once they are stored. The text is ours: nothing from an item is logged.
    pub(crate) fn log(&self, channel: &Channel, account: &AccountId) {
        if let Some((count, reason)) = self.0 {
            eprintln!(
                "{channel}/{account}: kept {count} item(s) sealed that cannot be read ({reason}); see intake_odd_items"
            );
        }
    }
}

/// Waits for a reply that the webhook's own answer can carry. A platform that did not receive the first answer sends the
/// webhook again and gets the same reply.
async fn passive<A: Adapter>(
    adapter: &A,
    place: &Place<A::Account>,
    ctx: &Ctx<'_>,
    verified: &Verified,
    sender: &str,
    rows: &[Ingested],
    until: Timestamp,
) -> Result<Option<Reply>, StepError> {
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
    let lookup = warmline_kernel::payload::sender_lookup(&ctx.keys.index(), &place.channel, &place.id, sender);
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
