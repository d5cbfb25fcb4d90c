//! Messages that are fetched: asks a channel's sources that are due, keeps what they hold, wakes the router.

use crate::outgoing::{self, Answer, NoAnswer};
use crate::world::World;
use crate::{deliver, internal, tokens};
use std::collections::BTreeSet;
use warmline_channels::{Adapter, ApiResponse, Outcome, Page, Pull};
use warmline_flow::Ctx;
use warmline_flow::pull::{self, Turn};
use warmline_http::Problem;
use warmline_model::Channel;

/// Sources that one run claims.
const BATCH: i64 = 8;
/// How long one run takes at the most; what is left is for the next.
const RUN_MS: i64 = 10_000;

/// Asks what is due. Several runs side by side share the work: a source is claimed by one of them.
///
/// # Errors
/// The store fails.
pub async fn run<A: Adapter>(world: &World, adapter: &A) -> Result<(), Problem> {
    let Some(puller) = adapter.pull() else { return Ok(()) };
    let ctx = world.ctx();
    let channel = Channel::new(adapter.capabilities().channel).map_err(|_| Problem::internal())?;
    let deadline = ctx.now().plus_millis(RUN_MS);
    let turns = pull::claim(&ctx, &channel, BATCH)?;
    let mut wake = BTreeSet::new();
    for mut turn in turns {
        let Some(account) = deliver::open(&ctx, adapter, &channel, &turn.claimed.account)? else {
            pull::failed(&ctx, &turn, &Outcome::Permanent("account_missing"))?;
            continue;
        };
        let asker = Asker { ctx: &ctx, adapter, puller, account: &account };
        loop {
            let page = match asker.ask(&turn).await {
                Ok(page) => page,
                Err(outcome) => {
                    pull::failed(&ctx, &turn, &outcome)?;
                    break;
                }
            };
            let Some(rows) = pull::keep(&ctx, &mut turn, &page)? else { break };
            wake.extend(rows.iter().filter_map(|row| row.wake));
            // What is not confirmed comes again and is known.
            asker.confirm(&turn, &page).await;
            if !page.more || ctx.now() >= deadline {
                pull::done(&ctx, &turn)?;
                break;
            }
        }
    }
    outgoing::all(wake.into_iter().map(internal::drain).collect()).await;
    Ok(())
}

struct Asker<'a, A: Adapter> {
    ctx: &'a Ctx<'a>,
    adapter: &'a A,
    puller: &'a dyn Pull<Account = A::Account>,
    account: &'a A::Account,
}

impl<A: Adapter> Asker<'_, A> {
    /// One page.
    async fn ask(&self, turn: &Turn) -> Result<Page, Outcome> {
        let at = &turn.claimed;
        let page = tokens::signed(self.ctx, self.adapter, &at.account, self.account, async |call| {
            let request = self.puller.request(self.account, &at.source, at.cursor.as_deref(), call);
            match outgoing::call(&request.map_err(Outcome::Permanent)?).await {
                Ok(Answer { status, body }) => {
                    self.puller.read(self.account, &at.source, &ApiResponse { status, body: &body })
                }
                Err(NoAnswer::NotReached(reason) | NoAnswer::Unknown(reason)) => Err(Outcome::Retry(reason)),
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
