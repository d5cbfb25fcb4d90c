//! Finds the actor of a request from its bearer token.
//!
//! Tokens are 256 random bits, so nobody finds one by guessing, but each guess costs us work. The sender of a request
//! can write any address into its headers. Failures are therefore counted by something that the sender cannot choose
//! freely: by the hash of the presented token, which catches a token that is tried again and again, and all together.
//! When there are many failures, an unknown token is answered with 429 and nothing more is written. A known token is
//! looked up first and passes whatever others do, so nobody can lock somebody else out.

use crate::message::Request;
use crate::pace::{self, Limits};
use crate::problem::Problem;
use subtle::ConstantTimeEq as _;
use warmline_kernel::Ctx;
use warmline_kernel::ctx::Actor;
use warmline_model::{Role, Scope};
use warmline_privacy::token_hash;
use warmline_store::tokens::{self, Found};
use warmline_store::{StoreError, agents, failures};

/// The longest time between two written signs of life of an agent, in milliseconds.
const SEEN_MS: i64 = 10_000;

/// The same, where the plan counts agents as lost after `heartbeat_secs`: a quarter of that time, at most [`SEEN_MS`].
/// The noted sign of life is then never so old that an agent who sends them in time counts as lost.
fn seen_ms(heartbeat_secs: Option<i64>) -> i64 {
    heartbeat_secs.filter(|secs| *secs > 0).map_or(SEEN_MS, |secs| (secs.saturating_mul(1_000) / 4).min(SEEN_MS))
}

/// The most failures in a minute with tokens whose hashes begin with the same byte.
const MOST_ALIKE: i64 = 64;
/// The most failures in a minute altogether.
const MOST: i64 = 1_024;

/// The callers who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without a token.
    Public,
    /// These roles, and always administrators, with a token whose scopes include this one.
    Token(&'static [Role], Scope),
}

/// The claim of a request to a route: the token and the route's access. A stream keeps it, and checks it again.
#[derive(Clone)]
pub struct Admission {
    access: Access,
    admin_token: String,
    token: Option<String>,
}

impl Admission {
    /// The admission of a request to a route with that access.
    pub fn of(request: &Request, admin_token: &str, access: Access) -> Self {
        Self { access, admin_token: admin_token.to_owned(), token: request.bearer().map(str::to_owned) }
    }
}

/// Finds the sender of the request: the administrator of the configuration, or the owner of a stored token. The route's
/// roles and the token's scopes must allow the request, and the token must keep its rate. Administrators may do
/// everything.
///
/// # Errors
/// - 401: there is no token, or it is unknown.
/// - 429: the token failed too often or sends too much.
/// - 403: the token may not do this.
pub fn admit(ctx: &Ctx<'_>, admission: &Admission) -> Result<Actor, Problem> {
    who(ctx, admission, true)
}

/// The same for an answer that continues and was counted when it began: a stream checks again whether its token is
/// still admitted.
///
/// # Errors
/// As for [`admit`], except for the rate.
pub fn still(ctx: &Ctx<'_>, admission: &Admission) -> Result<Actor, Problem> {
    who(ctx, admission, false)
}

fn who(ctx: &Ctx<'_>, admission: &Admission, counts: bool) -> Result<Actor, Problem> {
    let Access::Token(roles, scope) = admission.access else {
        // A public route shows no conversations and no customers. Neither does the operations role, so it fits.
        return Ok(Actor { agent: None, role: Role::Ops });
    };
    let token = admission.token.as_deref().ok_or_else(|| {
        Problem::new(401, "token_missing", "send the token of an agent or the administrator as `Authorization: Bearer …`")
    })?;
    let hash = token_hash(token);
    // Hashes are compared, so the time taken reveals nothing about the token.
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
    // The sign of life is written only if the noted one is old, not with every request.
    let now = ctx.now();
    if found.at_work && now.since(found.seen_at) > seen_ms(found.heartbeat_secs) {
        agents::touch(ctx.db, found.agent, now)?;
    }
    if found.role != Role::Admin && !roles.contains(&found.role) {
        let may: Vec<&str> = roles.iter().chain([&Role::Admin]).map(|role| role.as_str()).collect();
        let detail = format!("the role of this token may not do this; use a token of: {}", may.join(", "));
        return Err(Problem::new(403, "role_not_allowed", detail));
    }
    if found.scopes.as_ref().is_some_and(|scopes| !scopes.contains(&scope)) {
        let detail = format!("this token is narrowed to other scopes; this takes one with {}", scope.as_str());
        return Err(Problem::new(403, "scope_not_allowed", detail));
    }
    Ok(Actor { agent: Some(found.agent), role: found.role })
}

/// Counts a request towards its token's rate. AI seats are the brand's own programs, which answer thousands of
/// customers at once. They have no rate.
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

/// The answer to a refused token. As with requests, one failure in [`pace::STEP`] is written.
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
    // The count only protects against floods. If it fails, the token is still refused.
    if count().unwrap_or(false) {
        let seconds = u32::try_from(60 - now.secs().rem_euclid(60)).unwrap_or(60);
        let detail =
            "too many tokens were refused in this minute; look up the right one, and go on after the time in Retry-After";
        return Problem { retry_after: Some(seconds), ..Problem::new(429, "too_many_failures", detail) };
    }
    Problem::new(401, code, detail)
}
