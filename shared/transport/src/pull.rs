//! Messages that Warmline fetches. A fetcher claims a source, asks for page after page, and stores each page and its
//! cursor in one transaction. A message that is fetched twice (after a crash, or when a lease ran out) is stored once,
//! since the inbox knows its key.

use crate::deliver::{BACKOFF_MAX_MS, doubled, jittered};
use crate::host::{Host, NoAnswer, all};
use crate::ingest::{self, Ingested};
use crate::odd::{self, Counted};
use crate::tokens::{self, Failure, Place};
use crate::{accounts, internal, outgoing};
use std::collections::BTreeSet;
use warmline_channels::{Adapter, ApiResponse, Asked, Call, Outcome, Page, Pull, Undeliverable};
use warmline_endpoint::Problem;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::{Channel, Timestamp};
use warmline_store::immediate;
use warmline_store::pulls::{self, Claimed, End};

/// How long a claim lasts without a page: longer than any call to a platform can take.
const LEASE_MS: i64 = 20_000;
/// The pause between two questions to a polled source.
const POLL_MS: i64 = 5_000;
/// The longest that a source waits because its platform asked for a wait.
const HOLD_MAX_MS: i64 = 3_600_000;
/// The most sources that one run claims.
const BATCH: i64 = 8;
/// The longest time of one run. The next run does the rest.
const RUN_MS: i64 = 10_000;

/// A source that a fetcher holds.
pub struct Turn {
    /// The source.
    pub claimed: Claimed,
    channel: Channel,
    owner: [u8; 16],
}

/// Claims sources of a channel that are due.
pub fn claim(ctx: &Ctx<'_>, channel: &Channel, limit: i64) -> Result<Vec<Turn>, StepError> {
    let (owner, now) = (ctx.owner(), ctx.now());
    let claimed = pulls::claim(ctx.db, channel, &owner, now, now.plus_millis(LEASE_MS), limit)?;
    Ok(claimed.into_iter().map(|claimed| Turn { claimed, channel: channel.clone(), owner }).collect())
}

/// Stores a page: its messages, its unreadable items and its cursor, all or none. `None` if the lease has run out:
/// another fetcher has the source, and this one must stop.
///
/// # Errors
/// The store fails. The page is fetched again.
pub fn keep(ctx: &Ctx<'_>, turn: &mut Turn, page: &Page) -> Result<Option<Vec<Ingested>>, StepError> {
    let (channel, account, now) = (&turn.channel, &turn.claimed.account, ctx.now());
    let rows = ingest::prepare(ctx, channel, account, page.messages.clone(), None)?;
    let odd = odd::prepare(ctx, channel, account, page.odd.clone())?;
    let (cursor, until) = (page.cursor.as_deref(), now.plus_millis(LEASE_MS));
    let kept = immediate(ctx.db, || {
        if !pulls::advance(ctx.db, channel, &turn.claimed, &turn.owner, cursor, until)? {
            return Ok(None);
        }
        odd.iter().try_for_each(|item| item.store(ctx, channel, account, now))?;
        rows.iter().map(|row| row.store(ctx, channel, account, now)).collect::<Result<_, StepError>>().map(Some)
    })?;
    if kept.is_some() && page.cursor.is_some() {
        turn.claimed.cursor.clone_from(&page.cursor);
    }
    Ok(kept)
}

/// Releases a source after its last page.
///
/// # Errors
/// The store fails. The lease then runs out.
pub fn done(ctx: &Ctx<'_>, turn: &Turn) -> Result<(), StepError> {
    let now = ctx.now();
    let due_at = turn.claimed.polled.then(|| now.plus_millis(POLL_MS));
    end(ctx, turn, End { due_at, attempts: 0, problem: None, more: false }, now)
}

/// Releases a source before its last page, because this fetcher's time is over. The source is due again at once.
///
/// # Errors
/// The store fails. The lease then runs out.
pub fn pause(ctx: &Ctx<'_>, turn: &Turn) -> Result<(), StepError> {
    let now = ctx.now();
    end(ctx, turn, End { due_at: Some(now), attempts: 0, problem: None, more: true }, now)
}

/// Releases a source that could not be asked, until another try makes sense. If the platform named a time, the source
/// waits until then.
///
/// # Errors
/// The store fails. The lease then runs out.
pub fn failed(ctx: &Ctx<'_>, turn: &Turn, outcome: &Outcome, not_before: Option<Timestamp>) -> Result<(), StepError> {
    let (now, attempts) = (ctx.now(), turn.claimed.attempts + 1);
    let (pause, problem) = match outcome {
        // Waiting does not solve this problem. After somebody has solved it, the source should not wait long.
        Outcome::Permanent(reason) => (BACKOFF_MAX_MS, *reason),
        Outcome::Retry(reason) => (doubled(attempts), *reason),
        Outcome::RefreshToken => (doubled(attempts), "token_refused"),
        Outcome::Sent => (doubled(attempts), "answer_unreadable"),
    };
    let due_at = now.plus_millis(jittered(ctx, pause)).max(not_before.unwrap_or(now).min(now.plus_millis(HOLD_MAX_MS)));
    end(ctx, turn, End { due_at: Some(due_at), attempts, problem: Some(problem), more: false }, now)
}

fn end(ctx: &Ctx<'_>, turn: &Turn, end: End, now: Timestamp) -> Result<(), StepError> {
    Ok(pulls::end(ctx.db, &turn.channel, &turn.claimed, &turn.owner, end, now)?)
}

/// Asks the due sources. Concurrent runs share the work: each source is claimed by one of them.
pub(crate) async fn run<A: Adapter>(host: &impl Host, ctx: &Ctx<'_>, adapter: &A) -> Result<(), Problem> {
    let Some(puller) = adapter.pull() else { return Ok(()) };
    let channel = Channel::new(adapter.capabilities().channel).map_err(|_| Problem::internal())?;
    let deadline = ctx.now().plus_millis(RUN_MS);
    let turns = claim(ctx, &channel, BATCH)?;
    // Each source is handled by itself, so a source whose platform hangs delays no other.
    let runs = turns.into_iter().map(|turn| of_source(host, ctx, adapter, puller, &channel, turn, deadline));
    let mut failed = None;
    let mut wake = BTreeSet::new();
    for ran in all(runs.collect()).await {
        match ran {
            Ok(shards) => wake.extend(shards),
            Err(problem) => failed = Some(problem),
        }
    }
    internal::wake(host, wake.into_iter().collect()).await;
    failed.map_or(Ok(()), Err)
}

/// Asks a source, page by page. Returns the inbox shards that have new rows.
async fn of_source<A: Adapter>(
    host: &impl Host,
    ctx: &Ctx<'_>,
    adapter: &A,
    puller: &dyn Pull<Account = A::Account>,
    channel: &Channel,
    mut turn: Turn,
    deadline: Timestamp,
) -> Result<BTreeSet<i64>, Problem> {
    let mut wake = BTreeSet::new();
    let Some(accounts::Open { account, credentials }) = accounts::open(ctx, adapter, channel, &turn.claimed.account)? else {
        failed(ctx, &turn, &Undeliverable::AccountMissing.into(), None)?;
        return Ok(wake);
    };
    let asker = Asker { host, ctx, adapter, puller, account: &account, credentials };
    loop {
        let page = match asker.ask(&turn).await {
            Ok(page) => page,
            Err(failure) => {
                failed(ctx, &turn, &failure.outcome, failure.retry_at)?;
                break;
            }
        };
        let Some(rows) = keep(ctx, &mut turn, &page)? else { break };
        wake.extend(rows.iter().filter_map(|row| row.wake));
        Counted::of(&page.odd).log(host, channel, &turn.claimed.account);
        // An unconfirmed page comes again, and its messages are recognised.
        asker.confirm(&turn, &page).await;
        if !page.more {
            done(ctx, &turn)?;
            break;
        }
        if ctx.now() >= deadline {
            pause(ctx, &turn)?;
            break;
        }
    }
    Ok(wake)
}

struct Asker<'a, H: Host, A: Adapter> {
    host: &'a H,
    ctx: &'a Ctx<'a>,
    adapter: &'a A,
    puller: &'a dyn Pull<Account = A::Account>,
    account: &'a A::Account,
    credentials: [u8; 16],
}

impl<H: Host, A: Adapter> Asker<'_, H, A> {
    /// Makes a call that is signed with the account's token.
    async fn signed<T>(&self, turn: &Turn, call: impl AsyncFn(&Call<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let place = Place::of(&turn.channel, &turn.claimed.account, &self.credentials);
        tokens::signed(self.host, self.ctx, self.adapter, place, self.account, call).await
    }

    /// Asks for one page.
    async fn ask(&self, turn: &Turn) -> Result<Page, Failure> {
        let at = &turn.claimed;
        let page = self.signed(turn, async |call| {
            let cursor = at.cursor.as_deref();
            let request = match &at.token {
                Some(token) => self.puller.request_hinted(self.account, &at.source, cursor, token, call),
                None => self.puller.request(self.account, &at.source, cursor, call),
            };
            match outgoing::page(self.host, &request.map_err(Outcome::from)?).await {
                Ok(answer) => {
                    let page = ApiResponse { status: answer.status, body: &answer.body };
                    let asked = Asked { source: &at.source, cursor, now: call.now };
                    let read = self.puller.read(self.account, &asked, &page);
                    read.map_err(|outcome| Failure::of(outcome, &answer, self.ctx.now()))
                }
                Err(NoAnswer::NotReached(reason) | NoAnswer::Unknown(reason)) => Err(Outcome::Retry(reason).into()),
            }
        });
        page.await
    }

    async fn confirm(&self, turn: &Turn, page: &Page) {
        if page.receipts.is_empty() {
            return;
        }
        let confirmed = self.signed(turn, async |call| {
            if let Some(request) = self.puller.confirm(self.account, &turn.claimed.source, &page.receipts, call) {
                let _ = outgoing::call(self.host, &request).await;
            }
            Ok(())
        });
        let _ = confirmed.await;
    }
}
