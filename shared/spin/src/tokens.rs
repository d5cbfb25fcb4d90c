//! Platform access tokens: cached sealed in the key-value store, renewed before they end, fetched by one instance at a time.
//! Losing the cache costs one call.

use crate::kv::SpinKv;
use crate::outgoing::{self, NoAnswer};
use serde::{Deserialize, Serialize};
use warmline_channels::{Adapter, ApiRequest, ApiResponse, Call, Outcome, Token};
use warmline_flow::Ctx;
use warmline_flow::context::Kv as _;
use warmline_model::{AccountId, Timestamp};
use warmline_privacy::Purpose;
use warmline_store::leases;

/// Renew this long before the end.
const EARLY_MS: i64 = 300_000;
const LEASE_MS: i64 = 10_000;
/// How long to wait for another instance that is fetching.
const PATIENCE: u32 = 60;
const LOOK_MS: u64 = 100;

#[derive(Serialize, Deserialize)]
struct Cached {
    value: String,
    renew_at: i64,
    ends_at: i64,
}

struct Cache<'a> {
    ctx: &'a Ctx<'a>,
    key: String,
}

impl Cache<'_> {
    fn get(&self) -> Option<Cached> {
        let sealed = SpinKv.get(&self.key)?;
        let plain = self.ctx.keys.purpose(Purpose::PlatformTokens).open(self.key.as_bytes(), &sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    fn put(&self, token: &Token, now: Timestamp) {
        let ends_at = now.plus_millis(token.expires_in.saturating_mul(1000)).millis();
        let early = EARLY_MS.min(token.expires_in.saturating_mul(500));
        let cached = Cached { value: token.value.clone(), renew_at: ends_at - early, ends_at };
        // A token that cannot be cached is fetched again; nothing else is lost.
        if let Ok(plain) = serde_json::to_vec(&cached)
            && let Ok(sealed) =
                self.ctx.keys.purpose(Purpose::PlatformTokens).seal(self.key.as_bytes(), &plain, self.ctx.rng)
        {
            SpinKv.set(&self.key, &sealed);
        }
    }
}

/// An access token of the account; `None` on platforms that have none. `refused` is one that the platform has just refused.
///
/// # Errors
/// The platform gives none: try later, or never.
async fn get<A: Adapter>(
    ctx: &Ctx<'_>,
    adapter: &A,
    id: &AccountId,
    account: &A::Account,
    refused: Option<&str>,
) -> Result<Option<String>, Outcome> {
    if request(ctx, adapter, account, false).is_none() {
        return Ok(None);
    }
    let key = format!("token/{}/{id}", adapter.capabilities().channel);
    let cache = Cache { ctx, key };
    let owner = ctx.owner();
    for _ in 0..PATIENCE {
        let now = ctx.now();
        let cached = cache.get().filter(|c| Some(c.value.as_str()) != refused && now.millis() < c.ends_at);
        if let Some(c) = cached.as_ref().filter(|c| now.millis() < c.renew_at) {
            return Ok(Some(c.value.clone()));
        }
        let claimed = leases::claim(ctx.db, &cache.key, &owner, now, now.plus_millis(LEASE_MS));
        match (claimed, cached) {
            (Ok(true), _) => {
                let fetched = fetch(ctx, adapter, account, refused).await;
                if let Ok(token) = &fetched {
                    cache.put(token, ctx.now());
                }
                // Where this fails, the lease ends by itself.
                let _ = leases::release(ctx.db, &cache.key, &owner);
                return fetched.map(|token| Some(token.value));
            }
            // Somebody else renews it; the old one is good until then.
            (_, Some(c)) => return Ok(Some(c.value)),
            (Ok(false), None) => outgoing::sleep(LOOK_MS).await,
            (Err(_), None) => return Err(Outcome::Retry("store_busy")),
        }
    }
    Err(Outcome::Retry("token_busy"))
}

/// Makes a call that is signed with a token. One that the platform refuses is replaced and the call made again at once, one time.
///
/// # Errors
/// What the call says, or that there is no token.
pub async fn signed<A: Adapter, T>(
    ctx: &Ctx<'_>,
    adapter: &A,
    id: &AccountId,
    account: &A::Account,
    call: impl AsyncFn(&Call<'_>) -> Result<T, Outcome>,
) -> Result<T, Outcome> {
    let mut refused: Option<String> = None;
    for _ in 0..2 {
        let token = get(ctx, adapter, id, account, refused.as_deref()).await?;
        match call(&Call { token: token.as_deref(), now: ctx.now(), nonce: &ctx.owner() }).await {
            Err(Outcome::RefreshToken) if refused.is_none() => refused = token,
            result => return result,
        }
    }
    Err(Outcome::RefreshToken)
}

/// Fetches a token. Platforms that hand out the same token until it ends are asked to replace it only when they refused it.
async fn fetch<A: Adapter>(
    ctx: &Ctx<'_>,
    adapter: &A,
    account: &A::Account,
    refused: Option<&str>,
) -> Result<Token, Outcome> {
    let token = ask(ctx, adapter, account, false).await?;
    if Some(token.value.as_str()) == refused { ask(ctx, adapter, account, true).await } else { Ok(token) }
}

fn request<A: Adapter>(ctx: &Ctx<'_>, adapter: &A, account: &A::Account, force: bool) -> Option<ApiRequest> {
    adapter.token_request(account, force, &Call { token: None, now: ctx.now(), nonce: &ctx.owner() })
}

async fn ask<A: Adapter>(ctx: &Ctx<'_>, adapter: &A, account: &A::Account, force: bool) -> Result<Token, Outcome> {
    let request = request(ctx, adapter, account, force).ok_or(Outcome::Permanent("no_token_api"))?;
    match outgoing::call(&request).await {
        Ok(answer) => adapter.read_token(&ApiResponse { status: answer.status, body: &answer.body }),
        // No message has left yet, so there is no doubt about one.
        Err(NoAnswer::NotReached(reason) | NoAnswer::Unknown(reason)) => Err(Outcome::Retry(reason)),
    }
}
