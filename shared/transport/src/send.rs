//! Sends a channel's messages from the outbox: a message that [`crate::deliver`] claims goes through the adapter to its
//! platform.

use crate::accounts::{self, Looked};
use crate::deliver::{self, Attempt, Job};
use crate::gateway::Gateway;
use crate::host::{Host, NoAnswer, all, within};
use crate::outgoing;
use crate::tokens::{self, Failure, Place};
use std::cell::Cell;
use warmline_channels::registry::Patience;
use warmline_channels::{Adapter, ApiResponse, Outbound, Outcome, Rendered, Undeliverable};
use warmline_endpoint::Problem;
use warmline_kernel::Ctx;
use warmline_model::{AccountId, Channel, Origin, Timestamp};

/// Messages sent at the same time.
const BATCH: i64 = 16;
/// The longest time of one run. The next run does the rest.
const RUN_MS: i64 = 10_000;
/// The longest time of one try with all its calls: less than the lease of its row, so that no other deliverer tries
/// meanwhile.
const TRY_MS: u64 = 17_000;

/// Sends due messages. Each account is handled by itself, so an account whose platform hangs delays no other. Concurrent
/// runs share the work: each row is claimed by one of them.
pub(crate) async fn run<A: Adapter>(host: &impl Host, ctx: &Ctx<'_>, adapter: &A) -> Result<(), Problem> {
    let channel = Channel::new(adapter.capabilities().channel).map_err(|_| Problem::internal())?;
    let deadline = ctx.now().plus_millis(RUN_MS);
    deliver::give_up_late(ctx, &channel, Patience::of(adapter))?;
    let due = deliver::due(ctx, &channel)?;
    let runs = due.iter().map(|id| of_account(host, ctx, adapter, &channel, id, deadline));
    all(runs.collect()).await.into_iter().collect()
}

async fn of_account<A: Adapter>(
    host: &impl Host,
    ctx: &Ctx<'_>,
    adapter: &A,
    channel: &Channel,
    id: &AccountId,
    deadline: Timestamp,
) -> Result<(), Problem> {
    // This comes before anything is claimed: a claimed row whose deliverer stopped counts as perhaps sent.
    let account = accounts::look(ctx, adapter, channel, id)?;
    while ctx.now() < deadline {
        let jobs = deliver::claim(ctx, (channel, id), Patience::of(adapter), BATCH)?;
        if jobs.is_empty() {
            break;
        }
        let tasks = jobs.iter().map(|job| one(host, ctx, adapter, account.as_ref(), job));
        all(tasks.collect()).await.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(())
}

async fn one<A: Adapter>(
    host: &impl Host,
    ctx: &Ctx<'_>,
    adapter: &A,
    account: Option<&Looked<A::Account>>,
    job: &Job,
) -> Result<(), Problem> {
    if account.is_some_and(|account| account.standing.disabled_at.is_some()) {
        return Ok(deliver::park(ctx, job)?);
    }
    let left = Cell::new(false);
    let open = account.and_then(|looked| Some((looked.account.as_ref()?, &looked.credentials)));
    let attempt = match open {
        Some((account, credentials)) => {
            let place = Place::of(&job.row.channel, &job.row.account, credentials);
            let sent = within(host, TRY_MS, send(host, ctx, adapter, (account, place), job, &left)).await;
            sent.unwrap_or(if left.get() { Attempt::Unknown("timeout") } else { Attempt::NotReached("timeout") })
        }
        None => Attempt::Answered(Undeliverable::AccountMissing.into()),
    };
    Ok(deliver::record(ctx, job, &attempt)?)
}

/// Sends a message. `left` tells afterwards whether a request with the message may have left, even if this future is
/// dropped.
async fn send<A: Adapter>(
    host: &impl Host,
    ctx: &Ctx<'_>,
    adapter: &A,
    (account, place): (&A::Account, Place<'_>),
    job: &Job,
    left: &Cell<bool>,
) -> Attempt {
    if let Err(why) = adapter.capabilities().check(&job.content) {
        return Attempt::Answered(why.into());
    }
    let id = job.row.message.to_string();
    let outbound = Outbound { to: &job.to, id: &id, content: &job.content, at: job.at, reply_to: job.reply_to.as_ref() };
    let sent = tokens::signed(host, ctx, adapter, place, account, async |call| {
        let rendered = match job.from {
            Origin::Agent => adapter.render(account, &outbound, call),
            _ => adapter.render_automatic(account, &outbound, call),
        };
        let request = match rendered {
            Ok(Rendered::Call(request)) => request,
            Ok(Rendered::Held) => {
                if let Some(gateway) = Gateway::configured(host) {
                    gateway.publish(host, ctx, job).await;
                }
                return Ok(Attempt::Answered(Outcome::Sent));
            }
            Err(why) => return Err(Outcome::from(why).into()),
        };
        // Each try of a message in doubt may reach the customer again, so no try is made while the platform is
        // unreachable.
        if job.row.doubts > 0 && !outgoing::is_there(host, &request).await {
            return Ok(Attempt::NotReached("platform_unreachable"));
        }
        left.set(true);
        match outgoing::call(host, &request).await {
            Ok(answer) => {
                let outcome = adapter.read_answer(&ApiResponse { status: answer.status, body: &answer.body });
                let refused = !matches!(outcome, Outcome::Sent) && !outcome.leaves_doubt();
                left.set(!refused);
                match outcome {
                    Outcome::Retry(_) if refused => Err(Failure::of(outcome, &answer, ctx.now())),
                    Outcome::RefreshToken => Err(outcome.into()),
                    outcome => Ok(Attempt::Answered(outcome)),
                }
            }
            Err(NoAnswer::NotReached(reason)) => {
                left.set(false);
                Ok(Attempt::NotReached(reason))
            }
            Err(NoAnswer::Unknown(reason)) => Ok(Attempt::Unknown(reason)),
        }
    });
    sent.await.unwrap_or_else(|failure| match (failure.outcome, failure.retry_at) {
        (Outcome::Retry(reason), Some(at)) => Attempt::NotBefore(reason, at),
        (outcome, _) => Attempt::Answered(outcome),
    })
}
