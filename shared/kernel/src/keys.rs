//! Rotation of the master key: it wraps keys again and does not touch sealed content.

use crate::ctx::{Ctx, StepError};
use crate::sealing::{from_vault, into_vault};
use crate::transient_keys;
use warmline_privacy::{KeyId, SealError};
use warmline_store::{StoreError, immediate, meta, vault};

/// The name under which the wrapped root key is stored.
pub const ROOT: &str = "root_key";

/// The result of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// The number of keys that this call wrapped with the master key in force.
    pub rewrapped: usize,
    /// Whether more keys may be left to wrap.
    pub more: bool,
}

/// Wraps the keys that another master key wraps with the one in force, at most `limit` of the customers' keys in a
/// call. It is safe to stop it, to repeat it and to run it twice at once, because a key is replaced only if it is still
/// the one that was read. Do not call it inside a transaction.
///
/// # Errors
/// A key is wrapped by a master key that is not configured.
pub fn rotate(ctx: &Ctx<'_>, limit: i64) -> Result<Rotated, StepError> {
    let mut done = Rotated::default();
    // Keys of an earlier version do not say which master key wraps them, so they move to the vault first.
    if transient_keys::move_keys(ctx, limit)? > 0 {
        return Ok(Rotated { more: true, ..done });
    }
    if ctx.keys.root_master() != ctx.keys.master() {
        meta::put(ctx.db, ROOT, &ctx.keys.store(ctx.rng)?)?;
        done.rewrapped += 1;
    }
    for old in vault::generations(ctx.vault)?.iter().filter(|g| g.key.master != ctx.keys.master().as_bytes()) {
        let new = rewrap(ctx, &transient_keys::name(old.n, &old.purpose), &old.key)?;
        done.rewrapped += usize::from(vault::rewrap_generation(ctx.vault, old.n, &old.key, &new)?);
    }
    let found = vault::of_other_masters(ctx.vault, ctx.keys.master().as_bytes(), limit)?;
    done.more = !found.is_empty();
    let new = found.into_iter().map(|(id, old)| Ok((id, rewrap(ctx, id.as_bytes(), &old)?, old)));
    let new = new.collect::<Result<Vec<_>, StepError>>()?;
    immediate(ctx.vault, || {
        for (id, new, old) in &new {
            done.rewrapped += usize::from(vault::rewrap(ctx.vault, *id, old, new)?);
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(done)
}

fn rewrap(ctx: &Ctx<'_>, name: &[u8], old: &vault::Stored) -> Result<vault::Stored, StepError> {
    match ctx.keys.rewrap(name, &from_vault(old)?, ctx.rng) {
        Ok(new) => Ok(into_vault(new)),
        Err(SealError::Master) => Err(StepError::conflict(
            "master_key_missing",
            "some keys are wrapped by a master key that is neither master_key nor master_key_previous; GET /api/keys names it",
        )),
        Err(e) => Err(e.into()),
    }
}

/// How many customers' keys each master key wraps.
pub fn by_master(ctx: &Ctx<'_>) -> Result<Vec<(KeyId, i64)>, StepError> {
    let known = |(id, n): (Vec<u8>, i64)| Ok((KeyId::from_bytes(&id).ok_or(StoreError::Shape(0))?, n));
    vault::by_master(ctx.vault)?.into_iter().map(known).collect()
}
