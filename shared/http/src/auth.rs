//! From a bearer token to who asks.

use crate::message::Request;
use crate::problem::Problem;
use subtle::ConstantTimeEq as _;
use warmline_flow::Ctx;
use warmline_flow::ctx::Actor;
use warmline_model::Role;
use warmline_privacy::token_hash;
use warmline_store::{agents, tokens};

/// Milliseconds for which an agent who gave a sign of life need not be noted again.
const SEEN_MS: i64 = 10_000;

/// Who sends the request: the administrator of the configuration, or the owner of a stored token.
///
/// # Errors
/// No token, or one that is not known.
pub fn actor(ctx: &Ctx<'_>, admin_token: &str, request: &Request) -> Result<Actor, Problem> {
    let token = request.bearer().ok_or_else(|| {
        Problem::new(401, "token_missing", "send the token of an agent or the administrator as `Authorization: Bearer …`")
    })?;
    let hash = token_hash(token);
    // Hashes are compared, so the time taken tells nothing of the token.
    if !admin_token.is_empty() && bool::from(hash.ct_eq(&token_hash(admin_token))) {
        return Ok(Actor { agent: None, role: Role::Admin });
    }
    match tokens::find(ctx.db, &hash)? {
        Some(found) if found.expires_at.is_some_and(|end| end <= ctx.now()) => {
            Err(Problem::new(401, "token_expired", "the token has ended; ask for a new one"))
        }
        Some(found) => {
            // The sign of life is written when it is news, not with every request.
            let now = ctx.now();
            if found.at_work && now.since(found.seen_at) > SEEN_MS {
                agents::touch(ctx.db, found.agent, now)?;
            }
            Ok(Actor { agent: Some(found.agent), role: found.role })
        }
        None => Err(Problem::new(401, "token_unknown", "the token is not known or was revoked; ask for a new one")),
    }
}

/// Refuses actors whose role is not among the allowed. The administrator may everything.
///
/// # Errors
/// The role is not allowed.
pub fn allow(actor: &Actor, roles: &[Role]) -> Result<(), Problem> {
    if actor.role == Role::Admin || roles.contains(&actor.role) {
        return Ok(());
    }
    Err(Problem::new(403, "role_not_allowed", "the role of this token may not do this; use one that may"))
}
