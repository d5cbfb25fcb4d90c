//! Subscribing, and what goes with it. Each change is in the audit log, with the hook's id as its reason.
//!
//! All of these run in the caller's transaction.

use crate::follow;
use crate::model::{DeliveryView, NewHook, State};
use crate::payload::{self, TEST};
use crate::signature;
use crate::store::{deliveries, hooks};
use crate::target::{self, Fault, PrivateHosts};
use serde::Serialize;
use warmline_kernel::audit::{self, Action, Subject};
use warmline_kernel::ctx::Actor;
use warmline_kernel::{Ctx, StepError};
use warmline_model::{HookDeliveryId, HookId, Timestamp};
use warmline_privacy::{Purpose, SealError};
use warmline_store::{StoreError, config, events};

pub use crate::store::hooks::Hook;

/// The most hooks.
pub const MOST: i64 = 50;
/// The most deliveries that wait for one hook. One more disables it.
pub const MOST_WAITING: i64 = 20_000;
/// How long the secret before signs as well.
const ROTATION_MS: i64 = 24 * 3_600_000;
/// The bytes of a secret. Standard Webhooks wants 24 to 64.
const SECRET: usize = 32;
/// The document with the operator's list of private hosts, as the component that sends has read it.
const PRIVATE_HOSTS: &str = "hook_private_hosts";

/// The capability's own events.
#[derive(Serialize)]
#[serde(tag = "type", content = "data")]
enum Told<'a> {
    #[serde(rename = "hooks.disabled")]
    Disabled { hook: HookId, reason: &'a str },
}

/// A hook with its secret as its receiver is given it.
pub struct Shown {
    /// The hook.
    pub hook: Hook,
    /// The secret.
    pub secret: String,
}

/// The hosts that may be called although they are not public. The component that sends has them from the operator, and notes
/// them for the desk, which checks an address when it is saved.
pub fn private_hosts(ctx: &Ctx<'_>) -> Result<PrivateHosts, StepError> {
    let noted = config::get(ctx.db, PRIVATE_HOSTS)?;
    let text = noted.and_then(|(text, _)| serde_json::from_str::<String>(&text).ok()).unwrap_or_default();
    Ok(PrivateHosts::parse(&text))
}

/// Notes the operator's list of private hosts, if it is not the noted one.
pub fn note_private_hosts(ctx: &Ctx<'_>, text: &str) -> Result<(), StepError> {
    let json = serde_json::to_string(text).map_err(|_| StoreError::Shape(0))?;
    let noted = config::get(ctx.db, PRIVATE_HOSTS)?;
    match noted {
        Some((noted, _)) if noted == json => Ok(()),
        None if text.is_empty() => Ok(()),
        _ => Ok(config::put(ctx.db, PRIVATE_HOSTS, &json, ctx.now()).map(drop)?),
    }
}

/// Checks what a hook is to be, and returns its address in its one form.
fn check(ctx: &Ctx<'_>, new: &NewHook) -> Result<String, StepError> {
    let refuse =
        |code, field: &str, problem: &str| StepError::Invalid { code, field: field.into(), problem: problem.into() };
    if !(1..=50).contains(&new.types.len()) {
        return Err(refuse("bad_length", "types", "types takes 1 to 50 types of events"));
    }
    if let Some(i) = new.types.iter().position(|one| !is_type(one)) {
        let problem = "takes the type of an event, such as message.received, or the beginning of several: conversation.*";
        return Err(refuse("bad_type", &format!("types[{i}]"), problem));
    }
    if new.description.chars().count() > 200 {
        return Err(refuse("bad_length", "description", "description takes at most 200 characters"));
    }
    match target::parse(&new.url, &private_hosts(ctx)?) {
        Ok(target) => Ok(target.url),
        Err(Fault::Form) => Err(refuse("bad_url", "url", Fault::Form.advice())),
        Err(fault) => Err(refuse("url_not_allowed", "url", fault.advice())),
    }
}

/// Whether a text is the type of an event, or the beginning of several with a star.
fn is_type(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let Some((last, first)) = parts.split_last() else { return false };
    let word =
        |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    text.len() <= 64 && !first.is_empty() && first.iter().all(word) && (*last == "*" || word(last))
}

fn new_secret(ctx: &Ctx<'_>, id: HookId) -> Result<(Vec<u8>, String), StepError> {
    let mut secret = [0; SECRET];
    ctx.rng.fill(&mut secret);
    Ok((ctx.keys.purpose(Purpose::Hooks).seal(id.as_bytes(), &secret, ctx.rng)?, signature::shown(&secret)))
}

/// The secrets that sign for a hook now: its own, and the one before for a day.
///
/// # Errors
/// A secret does not open.
pub fn secrets(ctx: &Ctx<'_>, hook: &Hook) -> Result<Vec<Vec<u8>>, SealError> {
    let key = ctx.keys.purpose(Purpose::Hooks);
    let previous = hook.previous.iter().filter(|(_, until)| ctx.now() < *until).map(|(sealed, _)| sealed);
    std::iter::once(&hook.secret).chain(previous).map(|sealed| key.open(hook.id.as_bytes(), sealed)).collect()
}

fn note(ctx: &Ctx<'_>, actor: &Actor, action: &'static str, hook: HookId) -> Result<(), StepError> {
    let reason = hook.to_string();
    audit::append(ctx, actor, Action::Other(action), Subject { reason: Some(&reason), ..Subject::default() })
}

/// Finds a hook.
///
/// # Errors
/// There is no such hook.
pub fn get(ctx: &Ctx<'_>, id: HookId) -> Result<Hook, StepError> {
    hooks::get(ctx.db, id)?.ok_or(StepError::NotFound("hook"))
}

/// Makes a hook. It gets the events from now on.
///
/// # Errors
/// There are as many hooks as there can be, or a field is not valid.
pub fn create(ctx: &Ctx<'_>, actor: &Actor, new: &NewHook) -> Result<Shown, StepError> {
    let url = check(ctx, new)?;
    if hooks::count(ctx.db)? >= MOST {
        return Err(StepError::conflict("too_many_hooks", "there are 50 hooks, which is the most; delete one"));
    }
    let now = ctx.now();
    let id = HookId::new(now, ctx.rng);
    let (secret, shown) = new_secret(ctx, id)?;
    follow::begin(ctx)?;
    let hook = Hook {
        id,
        url,
        types: new.types.clone(),
        description: new.description.clone(),
        secret,
        previous: None,
        after: events::last(ctx.db)?,
        created_at: now,
        disabled: (!new.enabled).then(|| (now, "staff".to_owned())),
        failing_since: None,
    };
    hooks::insert(ctx.db, &hook)?;
    note(ctx, actor, "hooks.created", id)?;
    Ok(Shown { hook, secret: shown })
}

/// Replaces what a hook is. One that becomes enabled gets the events from now on, and what still waited for it is sent.
///
/// # Errors
/// There is no such hook, or a field is not valid.
pub fn change(ctx: &Ctx<'_>, actor: &Actor, id: HookId, new: &NewHook) -> Result<Hook, StepError> {
    let old = get(ctx, id)?;
    let url = check(ctx, new)?;
    hooks::change(ctx.db, id, &url, &new.types, &new.description)?;
    match (old.disabled.is_some(), new.enabled) {
        (true, true) => {
            follow::begin(ctx)?;
            hooks::enable(ctx.db, id, events::last(ctx.db)?)?;
        }
        (false, false) => disable(ctx, id, "staff")?,
        _ => {}
    }
    note(ctx, actor, "hooks.changed", id)?;
    get(ctx, id)
}

/// Gives a hook another secret. The present one signs as well for a day. The one before that ends at once.
///
/// # Errors
/// There is no such hook.
pub fn rotate(ctx: &Ctx<'_>, actor: &Actor, id: HookId) -> Result<Shown, StepError> {
    get(ctx, id)?;
    let (secret, shown) = new_secret(ctx, id)?;
    hooks::rotate(ctx.db, id, secret, ctx.now().plus_millis(ROTATION_MS))?;
    note(ctx, actor, "hooks.rotated", id)?;
    Ok(Shown { hook: get(ctx, id)?, secret: shown })
}

/// Deletes a hook. Its deliveries go with it, a part at each tick.
///
/// # Errors
/// There is no such hook.
pub fn delete(ctx: &Ctx<'_>, actor: &Actor, id: HookId) -> Result<Hook, StepError> {
    let hook = get(ctx, id)?;
    hooks::delete(ctx.db, id, ctx.now())?;
    note(ctx, actor, "hooks.deleted", id)?;
    Ok(hook)
}

/// Makes a delivery without an event, and returns it.
///
/// # Errors
/// There is no such hook, it is disabled, or too much waits for it.
pub fn test(ctx: &Ctx<'_>, actor: &Actor, id: HookId) -> Result<DeliveryView, StepError> {
    if get(ctx, id)?.disabled.is_some() {
        return Err(StepError::conflict("hook_disabled", "the hook is disabled; enable it first"));
    }
    if deliveries::is_overfull(ctx.db, id, MOST_WAITING - 1)? {
        return Err(StepError::conflict("too_many_waiting", "too many deliveries wait for this hook already"));
    }
    let at = ctx.now();
    let body = payload::test(id, at).ok_or(StoreError::Shape(4))?;
    let delivery = HookDeliveryId::new(at, ctx.rng);
    deliveries::insert(ctx.db, &deliveries::New { id: delivery, hook: id, seq: None, kind: TEST, body: &body, at })?;
    note(ctx, actor, "hooks.tested", id)?;
    delivery_of(ctx, delivery)
}

fn delivery_of(ctx: &Ctx<'_>, id: HookDeliveryId) -> Result<DeliveryView, StepError> {
    deliveries::get(ctx.db, id)?.ok_or(StepError::NotFound("delivery"))
}

/// The deliveries of a hook before one of them, newest first.
///
/// # Errors
/// There is no such hook.
pub fn list(
    ctx: &Ctx<'_>,
    id: HookId,
    state: Option<State>,
    before: Option<HookDeliveryId>,
    limit: i64,
) -> Result<Vec<DeliveryView>, StepError> {
    get(ctx, id)?;
    Ok(deliveries::list(ctx.db, id, state, before, limit)?)
}

/// Makes a dead delivery due again, with all its tries, and returns it.
///
/// # Errors
/// There is no such delivery, or it is not dead.
pub fn retry(ctx: &Ctx<'_>, actor: &Actor, id: HookDeliveryId) -> Result<DeliveryView, StepError> {
    let delivery = delivery_of(ctx, id)?;
    // The deliveries of a deleted hook are on their way out.
    hooks::get(ctx.db, delivery.hook)?.ok_or(StepError::NotFound("delivery"))?;
    if !deliveries::revive(ctx.db, id, ctx.now())? {
        return Err(StepError::conflict("not_dead", "only a delivery that was given up is tried again by hand"));
    }
    note(ctx, actor, "hooks.retried", delivery.hook)?;
    delivery_of(ctx, id)
}

/// Disables a hook, and tells it in the log. It changes nothing if the hook is disabled already.
pub(crate) fn disable(ctx: &Ctx<'_>, hook: HookId, reason: &str) -> Result<(), StepError> {
    let now: Timestamp = ctx.now();
    if hooks::disable(ctx.db, hook, now, reason)? {
        events::append(ctx.db, now, None, &Told::Disabled { hook, reason })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_type;

    #[test]
    fn a_type_is_words_with_dots_and_a_star_at_most_at_the_end() {
        for good in ["message.received", "conversation.*", "a.b.c", "delivery.in_doubt", "a.b.*"] {
            assert!(is_type(good), "{good}");
        }
        for bad in ["", "*", "message", ".", "a.", ".a", "a..b", "a.*.b", "a.b*", "A.b", "a.b ", "投诉.a", &"a.".repeat(40)]
        {
            assert!(!is_type(bad), "{bad}");
        }
    }
}
