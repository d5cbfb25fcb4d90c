//! The way out: sends what the outbox holds for a channel.

use crate::gateway::Gateway;
use crate::outgoing::{self, NoAnswer};
use crate::{tokens, world::World};
use std::collections::BTreeMap;
use warmline_channels::{Adapter, ApiResponse, Outbound, Outcome, Rendered, registry};
use warmline_flow::deliver::{self, Attempt, Job};
use warmline_flow::{Ctx, accounts};
use warmline_http::Problem;
use warmline_model::{AccountId, Channel};

/// Messages sent side by side.
const BATCH: i64 = 16;
/// How long one run takes at the most; what is left is for the next.
const RUN_MS: i64 = 10_000;

/// Sends what is due. Several runs side by side share the work: a row is claimed by one of them.
///
/// # Errors
/// The store fails.
pub async fn run<A: Adapter>(world: &World, adapter: &A) -> Result<(), Problem> {
    let ctx = world.ctx();
    let channel = Channel::new(adapter.capabilities().channel).map_err(|_| Problem::internal())?;
    let deadline = ctx.now().plus_millis(RUN_MS);
    let mut accounts = BTreeMap::new();
    while ctx.now() < deadline {
        let jobs = deliver::claim(&ctx, &channel, BATCH)?;
        if jobs.is_empty() {
            break;
        }
        for job in &jobs {
            let id = &job.row.account;
            if !accounts.contains_key(id) {
                accounts.insert(id.clone(), open(&ctx, adapter, &channel, id)?);
            }
        }
        let tasks = jobs.iter().map(|job| one(&ctx, adapter, accounts.get(&job.row.account).and_then(Option::as_ref), job));
        outgoing::all(tasks.collect()).await.into_iter().collect::<Result<Vec<()>, _>>()?;
    }
    Ok(())
}

/// Opens an account for the adapter; `None` where it is gone or no longer fits.
///
/// # Errors
/// The store fails, or the secrets do not open.
pub fn open<A: Adapter>(
    ctx: &Ctx<'_>,
    adapter: &A,
    channel: &Channel,
    id: &AccountId,
) -> Result<Option<A::Account>, Problem> {
    let Some(mut account) = accounts::load(ctx, channel, id)? else { return Ok(None) };
    if adapter.wants_derived_secrets() {
        let key = ctx.keys.signing("session");
        registry::derive_secrets(&mut account.secrets, &key, channel.as_str(), id.as_str());
    }
    // `group` is the router's.
    if let Some(settings) = account.settings.as_object_mut() {
        settings.remove("group");
    }
    Ok(adapter.account(&account.settings, &account.secrets).ok())
}

async fn one<A: Adapter>(ctx: &Ctx<'_>, adapter: &A, account: Option<&A::Account>, job: &Job) -> Result<(), Problem> {
    let attempt = match account {
        Some(account) => send(ctx, adapter, account, job).await,
        None => Attempt::Answered(Outcome::Permanent("account_missing")),
    };
    Ok(deliver::record(ctx, job, &attempt)?)
}

async fn send<A: Adapter>(ctx: &Ctx<'_>, adapter: &A, account: &A::Account, job: &Job) -> Attempt {
    if let Err(code) = adapter.capabilities().check(&job.content) {
        return Attempt::Answered(Outcome::Permanent(code));
    }
    let id = job.row.message.to_string();
    let outbound = Outbound { to: &job.to, id: &id, content: &job.content, at: job.at, reply_to: job.reply_to.as_ref() };
    let sent = tokens::signed(ctx, adapter, &job.row.account, account, async |call| {
        let request = match adapter.render(account, &outbound, call) {
            Ok(Rendered::Call(request)) => request,
            Ok(Rendered::Held) => {
                if let Some(gateway) = Gateway::configured() {
                    gateway.publish(ctx, job).await;
                }
                return Ok(Attempt::Answered(Outcome::Sent));
            }
            Err(code) => return Err(Outcome::Permanent(code)),
        };
        match outgoing::call(&request).await {
            Ok(answer) => match adapter.read_answer(&ApiResponse { status: answer.status, body: &answer.body }) {
                Outcome::RefreshToken => Err(Outcome::RefreshToken),
                outcome => Ok(Attempt::Answered(outcome)),
            },
            Err(NoAnswer::NotReached(reason)) => Ok(Attempt::NotReached(reason)),
            Err(NoAnswer::Unknown(reason)) => Ok(Attempt::Unknown(reason)),
        }
    });
    sent.await.unwrap_or_else(Attempt::Answered)
}
