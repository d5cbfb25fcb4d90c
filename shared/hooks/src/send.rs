//! Sends the deliveries that are due. Each hook is served by itself, so one whose receiver hangs delays no other.

use crate::deliver::{self, Job, Outcome};
use crate::signature;
use crate::steps::{self, Hook};
use crate::store::hooks;
use crate::target::{self, Host as Kind, PrivateHosts};
use std::net::IpAddr;
use warmline_channels::{ApiRequest, retry_after};
use warmline_endpoint::Problem;
use warmline_kernel::{Ctx, StepError};
use warmline_model::{HookId, Timestamp};
use warmline_transport::host::{Body as _, Host, NoAnswer, Opened, all, within};

/// The longest time of one run, without its last try. The next run does the rest.
const RUN_MS: i64 = 8_000;
/// The longest time of one try, from looking the name up to the answer.
const TRY_MS: u64 = 10_000;
/// Hooks that one run serves.
const HOOKS: i64 = 16;
/// Deliveries of a hook that are sent at the same time.
const AT_ONCE: i64 = 4;
/// The bytes of an answer that are read, so that its connection can be used again. They are thrown away.
const ANSWER: usize = 1_024;

/// What looking a name up came to.
pub enum Looked {
    /// The name has these addresses.
    Found(Vec<IpAddr>),
    /// It has none.
    Nothing,
    /// The host lets nobody look names up. It checks the addresses itself.
    NotAllowed,
}

/// Sends what is due, for a limited time. `look` looks a name up.
///
/// # Errors
/// The store fails. What was claimed is tried again after its lease.
pub async fn run(host: &impl Host, ctx: &Ctx<'_>, look: impl AsyncFn(&str) -> Looked) -> Result<(), Problem> {
    let allowed = host.variable("hook_private_hosts");
    steps::note_private_hosts(ctx, &allowed)?;
    let allowed = PrivateHosts::parse(&allowed);
    let (now, look) = (ctx.now(), &look);
    let deadline = now.plus_millis(RUN_MS);
    let due = hooks::due(ctx.db, now, HOOKS)?;
    let runs = due.iter().map(|id| of_hook(host, ctx, look, &allowed, *id, deadline));
    Ok(all(runs.collect()).await.into_iter().collect::<Result<(), _>>()?)
}

async fn of_hook(
    host: &impl Host,
    ctx: &Ctx<'_>,
    look: &impl AsyncFn(&str) -> Looked,
    allowed: &PrivateHosts,
    id: HookId,
    deadline: Timestamp,
) -> Result<(), StepError> {
    let owner = ctx.owner();
    if !deliver::lease(ctx, id, &owner)? {
        return Ok(());
    }
    let Some(hook) = hooks::get(ctx.db, id)? else { return Ok(()) };
    let Ok(secrets) = steps::secrets(ctx, &hook) else {
        // The hook is looked at again after its lease. Nothing was claimed, and no other hook waits for this one.
        host.log("the secret of a hook does not open; nothing is sent to it");
        return Ok(());
    };
    let receiver = Receiver { hook: &hook, secrets, allowed };
    // One that fails is asked once a run: what waits for it waits as long in any order.
    let limit = if hook.failing_since.is_some() { 1 } else { AT_ONCE };
    while ctx.now() < deadline {
        let jobs = deliver::claim(ctx, id, &owner, limit)?;
        if jobs.is_empty() {
            break;
        }
        let tries = all(jobs.iter().map(|job| one(host, ctx, look, &receiver, job)).collect()).await;
        let tries: Vec<bool> = tries.into_iter().collect::<Result<_, _>>()?;
        if tries.contains(&false) {
            break;
        }
    }
    deliver::release(ctx, id, &owner)
}

/// A hook, ready to be called.
struct Receiver<'a> {
    hook: &'a Hook,
    secrets: Vec<Vec<u8>>,
    allowed: &'a PrivateHosts,
}

/// Makes one try and notes its outcome. True if the receiver took it.
async fn one(
    host: &impl Host,
    ctx: &Ctx<'_>,
    look: &impl AsyncFn(&str) -> Looked,
    receiver: &Receiver<'_>,
    job: &Job,
) -> Result<bool, StepError> {
    let made = within(host, TRY_MS, attempt(host, ctx, look, receiver, job)).await;
    let outcome = made.unwrap_or(Outcome::failed("timeout"));
    deliver::record(ctx, receiver.hook.id, job, outcome)?;
    Ok(matches!(outcome, Outcome::Delivered(_)))
}

async fn attempt(
    host: &impl Host,
    ctx: &Ctx<'_>,
    look: &impl AsyncFn(&str) -> Looked,
    receiver: &Receiver<'_>,
    job: &Job,
) -> Outcome {
    // The address was checked when it was saved. The rules, or the operator's list, may be others by now.
    let Ok(target) = target::parse(&receiver.hook.url, receiver.allowed) else {
        return Outcome::failed("url_not_allowed");
    };
    if let Kind::Name(name) = &target.host {
        match look(name).await {
            Looked::Found(addresses) if !target::are_public(&addresses) => return Outcome::failed("address_not_allowed"),
            Looked::Nothing => return Outcome::failed("name_unknown"),
            Looked::Found(_) | Looked::NotAllowed => {}
        }
    }
    let (id, at) = (job.id.to_string(), ctx.now().secs());
    let signature = signature::header(receiver.secrets.iter().map(Vec::as_slice), &id, at, &job.body);
    let request = ApiRequest {
        method: http::Method::POST,
        url: target.url,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("user-agent", "Warmline-Hooks/1".to_owned()),
            ("webhook-id", id),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", signature),
        ],
        body: job.body.clone().into_bytes(),
    };
    let mut opened = match host.send(&request).await {
        Ok(opened) => opened,
        Err(NoAnswer::NotReached("platform_unreachable")) => return Outcome::failed("unreachable"),
        Err(NoAnswer::NotReached(reason) | NoAnswer::Unknown(reason)) => return Outcome::failed(reason),
    };
    let outcome = read(&opened, ctx.now());
    let mut left = ANSWER;
    while let Some(Ok(chunk)) = opened.body.next().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => break,
        }
    }
    outcome
}

/// What the head of an answer means.
fn read<B>(opened: &Opened<B>, now: Timestamp) -> Outcome {
    let status = opened.status;
    let reason = match status {
        200..=299 => return Outcome::Delivered(status),
        410 => return Outcome::Gone,
        300..=399 => "redirected",
        429 | 503 => "busy",
        400..=499 => "refused",
        _ => "receiver_failed",
    };
    let asked = opened.header("retry-after").filter(|_| reason == "busy");
    Outcome::Failed { status: Some(status), reason, not_before: asked.and_then(|value| retry_after(value, now)) }
}
