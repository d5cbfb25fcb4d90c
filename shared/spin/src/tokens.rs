//! Platform access tokens: stored sealed in the key-value store, renewed before they expire, and fetched by one instance at
//! a time. Losing a stored token costs one call.

use crate::outgoing::{self, Answer, NoAnswer};
use warmline_channels::{Adapter, ApiRequest, ApiResponse, Call, Outcome, Token, retry_after};
use warmline_kernel::Ctx;
use warmline_model::{AccountId, Timestamp};
use warmline_store::leases;
use warmline_transport::tokens::{Kept, Place};

/// How long before its end a token is renewed.
const EARLY_MS: i64 = 300_000;
const LEASE_MS: i64 = 10_000;
/// How many times to look for a token that another instance is fetching, [`LOOK_MS`] apart.
const PATIENCE: u32 = 60;
const LOOK_MS: u64 = 100;
/// How long nobody asks again after the platform gave no token, if the platform does not say.
const PAUSE_MS: i64 = 2_000;
/// The longest such pause.
const PAUSE_MAX_MS: i64 = 3_600_000;

/// Why a call failed.
pub struct Failure {
    /// The outcome.
    pub outcome: Outcome,
    /// When the platform wants to be asked again, if it says so.
    pub retry_at: Option<Timestamp>,
}

impl From<Outcome> for Failure {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, retry_at: None }
    }
}

impl Failure {
    /// The failure that an answer means.
    pub fn of(outcome: Outcome, answer: &Answer, now: Timestamp) -> Self {
        Self { outcome, retry_at: answer.retry_after.as_deref().and_then(|value| retry_after(value, now)) }
    }
}

fn kept(token: &Token, now: Timestamp) -> Kept {
    let ends_at = now.plus_millis(token.expires_in.saturating_mul(1000)).millis();
    let early = EARLY_MS.min(token.expires_in.saturating_mul(500));
    Kept { value: token.value.clone(), renew_at: ends_at - early, ends_at }
}

/// Why there is no token, as a code, and until when nobody asks again.
fn refusal(failure: &Failure, now: Timestamp) -> (&'static str, Option<Timestamp>) {
    match failure.outcome {
        Outcome::Retry(reason) => {
            let until = failure.retry_at.map_or(now.plus_millis(PAUSE_MS), |at| at.min(now.plus_millis(PAUSE_MAX_MS)));
            (reason, Some(until))
        }
        Outcome::Permanent(reason) => (reason, None),
        Outcome::RefreshToken => ("token_refused", None),
        Outcome::Sent => ("answer_unreadable", None),
    }
}

/// An access token of the account; `None` on platforms without tokens. `refused` is a token that the platform has just
/// refused.
///
/// # Errors
/// The platform gives no token, for now or for good.
async fn get<A: Adapter>(
    ctx: &Ctx<'_>,
    adapter: &A,
    id: &AccountId,
    account: &A::Account,
    refused: Option<&str>,
) -> Result<Option<String>, Failure> {
    if request(ctx, adapter, account, false).is_none() {
        return Ok(None);
    }
    let place = Place::of(ctx, adapter.capabilities().channel, id);
    let owner = ctx.owner();
    for _ in 0..PATIENCE {
        let now = ctx.now();
        let cached = place.get(ctx).filter(|c| Some(c.value.as_str()) != refused && now.millis() < c.ends_at);
        if let Some(c) = cached.as_ref().filter(|c| now.millis() < c.renew_at) {
            return Ok(Some(c.value.clone()));
        }
        if cached.is_none() && place.problem().is_some_and(|problem| problem.until.is_some_and(|until| now.millis() < until))
        {
            return Err(Outcome::Retry("token_unavailable").into());
        }
        let claimed = leases::claim(ctx.db, place.key(), &owner, now, now.plus_millis(LEASE_MS));
        match (claimed, cached) {
            (Ok(true), cached) => {
                let fetched = fetch(ctx, adapter, account, refused).await;
                match &fetched {
                    // If the token cannot be stored, it is fetched again; nothing else is lost.
                    Ok(token) => place.put(ctx, &kept(token, ctx.now())),
                    Err(failure) => {
                        let (reason, until) = refusal(failure, ctx.now());
                        place.failed(reason, ctx.now(), until);
                    }
                }
                // If this fails, the lease ends by itself.
                let _ = leases::release(ctx.db, place.key(), &owner);
                return match (fetched, cached) {
                    (Ok(token), _) => Ok(Some(token.value)),
                    // The old token is due for renewal, and valid until it ends.
                    (Err(Failure { outcome: Outcome::Retry(_), .. }), Some(c)) => Ok(Some(c.value)),
                    (Err(failure), _) => Err(failure),
                };
            }
            // Another instance renews it; the old token is valid until then.
            (_, Some(c)) => return Ok(Some(c.value)),
            (Ok(false), None) => outgoing::sleep(LOOK_MS).await,
            (Err(_), None) => return Err(Outcome::Retry("store_busy").into()),
        }
    }
    Err(Outcome::Retry("token_busy").into())
}

/// Makes a call that is signed with a token. If the platform refuses the token, it is replaced, and the call is made once
/// more.
///
/// # Errors
/// The call's own failure, or that there is no token.
pub async fn signed<A: Adapter, T>(
    ctx: &Ctx<'_>,
    adapter: &A,
    id: &AccountId,
    account: &A::Account,
    call: impl AsyncFn(&Call<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut refused: Option<String> = None;
    for _ in 0..2 {
        let token = get(ctx, adapter, id, account, refused.as_deref()).await?;
        match call(&Call { token: token.as_deref(), now: ctx.now(), nonce: &ctx.owner() }).await {
            Err(Failure { outcome: Outcome::RefreshToken, .. }) if refused.is_none() => refused = token,
            result => return result,
        }
    }
    Err(Outcome::RefreshToken.into())
}

/// Fetches a token. Some platforms return the same token until it ends. These are asked for a new one only if they have
/// refused it.
async fn fetch<A: Adapter>(
    ctx: &Ctx<'_>,
    adapter: &A,
    account: &A::Account,
    refused: Option<&str>,
) -> Result<Token, Failure> {
    let token = ask(ctx, adapter, account, false).await?;
    if Some(token.value.as_str()) == refused { ask(ctx, adapter, account, true).await } else { Ok(token) }
}

fn request<A: Adapter>(ctx: &Ctx<'_>, adapter: &A, account: &A::Account, force: bool) -> Option<ApiRequest> {
    adapter.token_request(account, force, &Call { token: None, now: ctx.now(), nonce: &ctx.owner() })
}

async fn ask<A: Adapter>(ctx: &Ctx<'_>, adapter: &A, account: &A::Account, force: bool) -> Result<Token, Failure> {
    let request = request(ctx, adapter, account, force).ok_or(Outcome::Permanent("no_token_api"))?;
    match outgoing::call(&request).await {
        Ok(answer) => {
            let read = adapter.read_token(&ApiResponse { status: answer.status, body: &answer.body });
            read.map_err(|outcome| Failure::of(without_doubt(outcome), &answer, ctx.now()))
        }
        Err(NoAnswer::NotReached(reason) | NoAnswer::Unknown(reason)) => Err(without_doubt(Outcome::Retry(reason)).into()),
    }
}

/// A request for a token carries no message, so its outcome leaves no doubt about one.
fn without_doubt(outcome: Outcome) -> Outcome {
    if outcome.leaves_doubt() { Outcome::Retry("token_unavailable") } else { outcome }
}
