//! Platforms' access tokens. They are stored sealed, renewed before they expire, and fetched by one instance at a time. Losing
//! a stored token costs one call.

use crate::host::{Host, NoAnswer};
use crate::outgoing::{self, Answer};
use serde::{Deserialize, Serialize};
use warmline_channels::{Adapter, ApiRequest, ApiResponse, Call, Outcome, Token, retry_after};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_model::{AccountId, Channel, Timestamp};
use warmline_privacy::Purpose;
use warmline_store::platform_tokens::{self, Owner, Problem};
use warmline_store::{StoreError, leases};

/// A token, as stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The token.
    pub value: String,
    /// The time at which to fetch another one, in milliseconds since 1970.
    pub renew_at: i64,
    /// The time at which it expires, in milliseconds since 1970.
    pub ends_at: i64,
}

/// The place of an account's token.
#[derive(Clone, Copy)]
pub struct Place<'a>(Owner<'a>);

impl<'a> Place<'a> {
    /// The place of this account with these [credentials](crate::accounts::credentials).
    pub fn of(channel: &'a Channel, account: &'a AccountId, credentials: &'a [u8; 16]) -> Self {
        Self(Owner { channel, account, credentials })
    }

    /// The name of the lease of the component that fetches a token. The sealed token is bound to it, too.
    fn name(&self) -> String {
        format!("token/{}/{}", self.0.channel, self.0.account)
    }

    /// The stored token, and the reason why the platform gave none the last time.
    ///
    /// # Errors
    /// The store fails. A token that does not open counts as none.
    pub fn read(&self, ctx: &Ctx<'_>) -> Result<(Option<Kept>, Option<Problem>), StoreError> {
        let stored = platform_tokens::get(ctx.db, self.0)?;
        let open = |sealed: Vec<u8>| {
            let plain = ctx.keys.purpose(Purpose::PlatformTokens).open(self.name().as_bytes(), &sealed).ok()?;
            serde_json::from_slice(&plain).ok()
        };
        Ok((stored.token.and_then(open), stored.problem))
    }

    /// Stores a token. If that fails, the next reader fetches one.
    fn put(&self, ctx: &Ctx<'_>, token: &Kept) {
        if let Ok(plain) = serde_json::to_vec(token)
            && let Ok(sealed) = ctx.keys.purpose(Purpose::PlatformTokens).seal(self.name().as_bytes(), &plain, ctx.rng)
        {
            let _ = platform_tokens::put(ctx.db, self.0, sealed);
        }
    }

    /// Notes that the platform gave no token. If that fails, the platform is asked again sooner.
    fn failed(&self, ctx: &Ctx<'_>, failure: &Failure) {
        let now = ctx.now();
        let (reason, retry_at) = reason(failure, now);
        let problem = Problem { reason: reason.to_owned(), at: now, retry_at };
        let _ = platform_tokens::failed(ctx.db, self.0, &problem);
    }
}

/// Drops an account's token. Call it when the account's secrets change, since the token was issued for the old ones.
///
/// # Errors
/// The store fails.
pub fn forget(ctx: &Ctx<'_>, channel: &Channel, account: &AccountId) -> Result<(), StepError> {
    Ok(platform_tokens::delete(ctx.db, channel, account)?)
}

/// The time before a token's end at which it is renewed, in milliseconds.
const EARLY_MS: i64 = 300_000;
const LEASE_MS: i64 = 10_000;
/// The number of looks for a token that another instance is fetching, [`LOOK_MS`] apart.
const PATIENCE: u32 = 60;
const LOOK_MS: u64 = 100;
/// The pause after the platform gave no token, if the platform does not name one.
const PAUSE_MS: i64 = 2_000;
/// The longest such pause.
const PAUSE_MAX_MS: i64 = 3_600_000;

/// A failed call.
pub(crate) struct Failure {
    /// The outcome.
    pub(crate) outcome: Outcome,
    /// The time at which the platform wants to be asked again, if it names one.
    pub(crate) retry_at: Option<Timestamp>,
}

impl From<Outcome> for Failure {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, retry_at: None }
    }
}

impl Failure {
    /// The failure that an answer means.
    pub(crate) fn of(outcome: Outcome, answer: &Answer, now: Timestamp) -> Self {
        Self { outcome, retry_at: answer.retry_after.as_deref().and_then(|value| retry_after(value, now)) }
    }
}

fn lasting(token: &Token, now: Timestamp) -> Kept {
    let ends_at = now.plus_millis(token.expires_in.saturating_mul(1000)).millis();
    let early = EARLY_MS.min(token.expires_in.saturating_mul(500));
    Kept { value: token.value.clone(), renew_at: ends_at - early, ends_at }
}

/// The reason why there is no token, as a code, and the time until which no instance asks again.
fn reason(failure: &Failure, now: Timestamp) -> (&'static str, Option<Timestamp>) {
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
    host: &impl Host,
    ctx: &Ctx<'_>,
    adapter: &A,
    place: Place<'_>,
    account: &A::Account,
    refused: Option<&str>,
) -> Result<Option<String>, Failure> {
    if request(ctx, adapter, account, false).is_none() {
        return Ok(None);
    }
    let (owner, busy) = (ctx.owner(), || Failure::from(Outcome::Retry("store_busy")));
    for _ in 0..PATIENCE {
        let now = ctx.now();
        let (kept, problem) = place.read(ctx).map_err(|_| busy())?;
        let kept = kept.filter(|c| Some(c.value.as_str()) != refused && now.millis() < c.ends_at);
        if let Some(c) = kept.as_ref().filter(|c| now.millis() < c.renew_at) {
            return Ok(Some(c.value.clone()));
        }
        // An instant that is too far away is one of a clock that was wrong.
        let paused = |at: Timestamp| now < at && at <= now.plus_millis(PAUSE_MAX_MS);
        if kept.is_none() && problem.and_then(|problem| problem.retry_at).is_some_and(paused) {
            return Err(Outcome::Retry("token_unavailable").into());
        }
        let claimed = leases::claim(ctx.db, &place.name(), &owner, now, now.plus_millis(LEASE_MS));
        match (claimed, kept) {
            (Ok(true), kept) => {
                let fetched = fetch(host, ctx, adapter, account, refused).await;
                match &fetched {
                    // If the token cannot be stored, it is fetched again; nothing else is lost.
                    Ok(token) => place.put(ctx, &lasting(token, ctx.now())),
                    Err(failure) => place.failed(ctx, failure),
                }
                // If this fails, the lease ends by itself.
                let _ = leases::release(ctx.db, &place.name(), &owner);
                return match (fetched, kept) {
                    (Ok(token), _) => Ok(Some(token.value)),
                    // The old token is due for renewal, and valid until it ends.
                    (Err(Failure { outcome: Outcome::Retry(_), .. }), Some(c)) => Ok(Some(c.value)),
                    (Err(failure), _) => Err(failure),
                };
            }
            // Another instance renews it; the old token is valid until then.
            (_, Some(c)) => return Ok(Some(c.value)),
            (Ok(false), None) => host.sleep(LOOK_MS).await,
            (Err(_), None) => return Err(busy()),
        }
    }
    Err(Outcome::Retry("token_busy").into())
}

/// Makes a call that is signed with a token. If the platform refuses the token, the token is replaced, and the call is
/// made once more.
///
/// # Errors
/// The call fails, or there is no token.
pub(crate) async fn signed<A: Adapter, T>(
    host: &impl Host,
    ctx: &Ctx<'_>,
    adapter: &A,
    place: Place<'_>,
    account: &A::Account,
    call: impl AsyncFn(&Call<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut refused: Option<String> = None;
    for _ in 0..2 {
        let token = get(host, ctx, adapter, place, account, refused.as_deref()).await?;
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
    host: &impl Host,
    ctx: &Ctx<'_>,
    adapter: &A,
    account: &A::Account,
    refused: Option<&str>,
) -> Result<Token, Failure> {
    let token = ask(host, ctx, adapter, account, false).await?;
    if Some(token.value.as_str()) == refused { ask(host, ctx, adapter, account, true).await } else { Ok(token) }
}

fn request<A: Adapter>(ctx: &Ctx<'_>, adapter: &A, account: &A::Account, force: bool) -> Option<ApiRequest> {
    adapter.token_request(account, force, &Call { token: None, now: ctx.now(), nonce: &ctx.owner() })
}

async fn ask<A: Adapter>(
    host: &impl Host,
    ctx: &Ctx<'_>,
    adapter: &A,
    account: &A::Account,
    force: bool,
) -> Result<Token, Failure> {
    let request = request(ctx, adapter, account, force).ok_or(Outcome::Permanent("no_token_api"))?;
    match outgoing::call(host, &request).await {
        Ok(answer) => {
            let read = adapter.read_token(&ApiResponse { status: answer.status, body: &answer.body });
            read.map_err(|outcome| Failure::of(without_doubt(outcome), &answer, ctx.now()))
        }
        Err(NoAnswer::NotReached(reason) | NoAnswer::Unknown(reason)) => Err(without_doubt(Outcome::Retry(reason)).into()),
    }
}

/// A request for a token carries no message, so its outcome leaves no doubt about a message.
fn without_doubt(outcome: Outcome) -> Outcome {
    if outcome.leaves_doubt() { Outcome::Retry("token_unavailable") } else { outcome }
}
