//! From a bearer token to who asks.
//!
//! Tokens are 256 random bits, so nobody finds one by trying; what trying costs is ours. Where a request comes from stands in a header that
//! its sender writes, so failures are counted by what cannot be chosen freely: by the hash of the token that was presented (one that is
//! tried again and again), and all together. Where they are many, whoever presents a token that is not known is answered 429 and
//! nothing more is written. A token that is known is looked up first and passes, whatever others do: nobody can lock another out.

use crate::message::Request;
use crate::pace::{self, Limits};
use crate::problem::Problem;
use crate::route::Access;
use subtle::ConstantTimeEq as _;
use warmline_kernel::Ctx;
use warmline_kernel::ctx::Actor;
use warmline_model::Role;
use warmline_privacy::token_hash;
use warmline_store::tokens::{self, Found};
use warmline_store::{StoreError, agents, failures};

/// Milliseconds for which an agent who gave a sign of life need not be noted again, at the most.
const SEEN_MS: i64 = 10_000;

/// The same, where the plan takes agents for lost after so many seconds: a quarter of them, so that a noted sign is never so old that one
/// who sends them in time is lost.
fn seen_ms(heartbeat_secs: Option<i64>) -> i64 {
    heartbeat_secs.filter(|secs| *secs > 0).map_or(SEEN_MS, |secs| (secs.saturating_mul(1_000) / 4).min(SEEN_MS))
}

/// Failures in a minute with tokens whose hashes begin alike.
const MOST_ALIKE: i64 = 64;
/// Failures in a minute of all.
const MOST: i64 = 1_024;

/// What a request brings to be admitted to a route. An answer that goes on keeps it, and asks again.
#[derive(Clone)]
pub struct Admission {
    access: Access,
    admin_token: String,
    token: Option<String>,
}

impl Admission {
    /// Of a request, for a route that these may use.
    pub fn of(request: &Request, admin_token: &str, access: Access) -> Self {
        Self { access, admin_token: admin_token.to_owned(), token: request.bearer().map(str::to_owned) }
    }
}

/// Who sends the request: the administrator of the configuration, or the owner of a stored token; where the route's roles and the token's
/// scopes allow it and its rate is kept. Administrators may do everything.
///
/// # Errors
/// No token or one that is not known (401), one that was tried too often or sent too much (429), or one that may not do this (403).
pub fn admit(ctx: &Ctx<'_>, admission: &Admission) -> Result<Actor, Problem> {
    who(ctx, admission, true)
}

/// The same for a request that goes on and was counted when it began: a stream looks again whether its token still may.
///
/// # Errors
/// As for [`admit`], but for the rate.
pub fn still(ctx: &Ctx<'_>, admission: &Admission) -> Result<Actor, Problem> {
    who(ctx, admission, false)
}

fn who(ctx: &Ctx<'_>, admission: &Admission, counts: bool) -> Result<Actor, Problem> {
    let Access::Token(roles, scope) = admission.access else {
        // What everybody may see looks at nobody's conversations or customers: operations may not, either.
        return Ok(Actor { agent: None, role: Role::Ops });
    };
    let token = admission.token.as_deref().ok_or_else(|| {
        Problem::new(401, "token_missing", "send the token of an agent or the administrator as `Authorization: Bearer …`")
    })?;
    let hash = token_hash(token);
    // Hashes are compared, so the time taken tells nothing of the token.
    if !admission.admin_token.is_empty() && bool::from(hash.ct_eq(&token_hash(&admission.admin_token))) {
        return Ok(Actor { agent: None, role: Role::Admin });
    }
    let found = match tokens::find(ctx.db, &hash)? {
        Some(found) if found.expires_at.is_some_and(|end| end <= ctx.now()) => {
            return Err(refused(ctx, &hash, "token_expired", "the token has ended; ask for a new one"));
        }
        Some(found) => found,
        None => {
            return Err(refused(ctx, &hash, "token_unknown", "the token is not known or was revoked; ask for a new one"));
        }
    };
    if counts {
        keep_pace(ctx, &hash, &found)?;
    }
    // The sign of life is written when it is news, not with every request.
    let now = ctx.now();
    if found.at_work && now.since(found.seen_at) > seen_ms(found.heartbeat_secs) {
        agents::touch(ctx.db, found.agent, now)?;
    }
    if found.role != Role::Admin && !roles.contains(&found.role) {
        return Err(Problem::new(403, "role_not_allowed", "the role of this token may not do this; use one that may"));
    }
    if found.scopes.as_ref().is_some_and(|scopes| !scopes.contains(&scope)) {
        let detail = format!("this token is narrowed to other scopes; this takes one with {}", scope.as_str());
        return Err(Problem::new(403, "scope_not_allowed", detail));
    }
    Ok(Actor { agent: Some(found.agent), role: found.role })
}

/// Counts a request towards its token's rate. AI seats are programs of the house that answer thousands at once, and have none.
fn keep_pace(ctx: &Ctx<'_>, hash: &[u8; 32], found: &Found) -> Result<(), Problem> {
    let limits = match &found.limits {
        Some(text) => serde_json::from_str(text).map_err(|_| Problem::from(StoreError::Shape(8)))?,
        None => Limits::default(),
    };
    if found.ai || limits.requests_per_second == 0 {
        return Ok(());
    }
    if let Some(seconds) = limits.wait(found.paced_to, ctx.now()) {
        let detail = "this token sends more requests than it may; send fewer, and go on after the time in Retry-After";
        return Err(Problem { retry_after: Some(seconds), ..Problem::new(429, "rate_limited", detail) });
    }
    if pace::counts(ctx.rng) {
        tokens::pace(ctx.db, hash, ctx.now(), limits.step_ms())?;
    }
    Ok(())
}

/// The answer to a token that is not good, counted in steps as requests are.
fn refused(ctx: &Ctx<'_>, hash: &[u8; 32], code: &'static str, detail: &'static str) -> Problem {
    let (now, [first, ..]) = (ctx.now(), *hash);
    let slots = [(i64::from(first), MOST_ALIKE), (failures::ALL, MOST)];
    let count = || -> Result<bool, StoreError> {
        for (slot, most) in slots {
            if failures::count(ctx.db, slot, now)? >= most {
                return Ok(true);
            }
        }
        if pace::counts(ctx.rng) {
            failures::add(ctx.db, i64::from(first), pace::STEP, now)?;
        }
        Ok(false)
    };
    // The count is for whoever watches; where it fails, the token is no better.
    if count().unwrap_or(false) {
        let seconds = u32::try_from(60 - now.secs().rem_euclid(60)).unwrap_or(60);
        let detail =
            "too many tokens were refused in this minute; look up the right one, and go on after the time in Retry-After";
        return Problem { retry_after: Some(seconds), ..Problem::new(429, "too_many_failures", detail) };
    }
    Problem::new(401, code, detail)
}
