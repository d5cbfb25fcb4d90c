//! Fetches messages: asks a channel's due sources, stores what they hold, and wakes the router.

use crate::adapter::OddItems;
use crate::outgoing::{self, NoAnswer};
use crate::tokens::{self, Failure};
use crate::world::World;
use crate::{deliver, internal};
use std::collections::BTreeSet;
use warmline_channels::{Adapter, ApiResponse, Asked, Outcome, Page, Pull};
use warmline_endpoint::Problem;
use warmline_kernel::Ctx;
use warmline_model::{Channel, Timestamp};
use warmline_transport::pull::{self, Turn};

/// The most sources that one run claims.
const BATCH: i64 = 8;
/// The longest that one run takes; the rest is left to the next run.
const RUN_MS: i64 = 10_000;

/// Asks the due sources. Concurrent runs share the work: each source is claimed by one of them.
pub async fn run<A: Adapter>(world: &World, adapter: &A) -> Result<(), Problem> {
    let Some(puller) = adapter.pull() else { return Ok(()) };
    let ctx = world.ctx();
    let channel = Channel::new(adapter.capabilities().channel).map_err(|_| Problem::internal())?;
    let deadline = ctx.now().plus_millis(RUN_MS);
    let turns = pull::claim(&ctx, &channel, BATCH)?;
    // Each source is handled by itself, so a source whose platform hangs delays no other.
    let runs = turns.into_iter().map(|turn| of_source(&ctx, adapter, puller, &channel, turn, deadline));
    let mut failed = None;
    let mut wake = BTreeSet::new();
    for ran in outgoing::all(runs.collect()).await {
        match ran {
            Ok(shards) => wake.extend(shards),
            Err(problem) => failed = Some(problem),
        }
    }
    outgoing::all(wake.into_iter().map(internal::drain).collect()).await;
    failed.map_or(Ok(()), Err)
}

/// Asks a source, page by page. Returns the inbox shards that have something new.
async fn of_source<A: Adapter>(
    ctx: &Ctx<'_>,
    adapter: &A,
    puller: &dyn Pull<Account = A::Account>,
    channel: &Channel,
    mut turn: Turn,
    deadline: Timestamp,
) -> Result<BTreeSet<i64>, Problem> {
    let mut wake = BTreeSet::new();
    let Some(account) = deliver::open(ctx, adapter, channel, &turn.claimed.account)? else {
        pull::failed(ctx, &turn, &Outcome::Permanent("account_missing"), None)?;
        return Ok(wake);
    };
    let asker = Asker { ctx, adapter, puller, account: &account };
    loop {
        let page = match asker.ask(&turn).await {
            Ok(page) => page,
            Err(failure) => {
                pull::failed(ctx, &turn, &failure.outcome, failure.retry_at)?;
                break;
            }
        };
        let Some(rows) = pull::keep(ctx, &mut turn, &page)? else { break };
        wake.extend(rows.iter().filter_map(|row| row.wake));
        OddItems::of(&page.odd).log(channel, &turn.claimed.account);
        // An unconfirmed page comes again, and its messages are recognised.
        asker.confirm(&turn, &page).await;
        if !page.more {
            pull::done(ctx, &turn)?;
            break;
        }
        if ctx.now() >= deadline {
            pull::pause(ctx, &turn)?;
            break;
        }
    }
    Ok(wake)
}

struct Asker<'a, A: Adapter> {
    ctx: &'a Ctx<'a>,
    adapter: &'a A,
    puller: &'a dyn Pull<Account = A::Account>,
    account: &'a A::Account,
}

impl<A: Adapter> Asker<'_, A> {
    /// Asks for one page.
    async fn ask(&self, turn: &Turn) -> Result<Page, Failure> {
        let at = &turn.claimed;
        let page = tokens::signed(self.ctx, self.adapter, &at.account, self.account, async |call| {
            let cursor = at.cursor.as_deref();
            let request = match &at.token {
                Some(token) => self.puller.request_hinted(self.account, &at.source, cursor, token, call),
                None => self.puller.request(self.account, &at.source, cursor, call),
            };
            match outgoing::page(&request.map_err(Outcome::Permanent)?).await {
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
        let at = &turn.claimed;
        let confirmed = tokens::signed(self.ctx, self.adapter, &at.account, self.account, async |call| {
            if let Some(request) = self.puller.confirm(self.account, &at.source, &page.receipts, call) {
                let _ = outgoing::call(&request).await;
            }
            Ok(())
        });
        let _ = confirmed.await;
    }
}
