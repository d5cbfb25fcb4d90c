//! Transient keys: for webhook payloads until they become messages, and for answers kept for retries. The keys come in
//! generations. New data gets the newest key, and an older key is destroyed once nothing needs it. Copies that remain
//! in a backup, or in the free pages of a file, therefore become unreadable without being touched.

use crate::ctx::{Ctx, StepError};
use crate::payload::{Payload, sender_lookup};
use crate::sealing::{from_vault, into_vault};
use warmline_model::CustomerId;
use warmline_privacy::{CustomerKey, Purpose, SealError, SealKey};
use warmline_store::vault::{self, Generation};
use warmline_store::{StoreError, customers, inbox};

/// The uses of transient keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransientPurpose {
    /// Webhook payloads.
    Inbox,
    /// Answers kept for retries of API calls.
    Answers,
}

/// How long a generation stays the newest.
const NEWEST_MS: i64 = 24 * 3600 * 1000;
/// How long answers are kept for retries of API calls.
pub const KEEP_ANSWERS_MS: i64 = 24 * 3600 * 1000;
/// The number of rows that are read at a time when rows set aside are sealed again.
const BATCH: i64 = 64;

impl TransientPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Answers => "answers",
        }
    }
}

/// The name that a generation's key is bound to.
pub fn name(n: i64, purpose: &str) -> Vec<u8> {
    [purpose.as_bytes(), &n.to_be_bytes()].concat()
}

/// The newest key for a purpose, with the number of its generation. Do not call it inside a transaction: the first call
/// makes one.
pub fn newest(ctx: &Ctx<'_>, of: TransientPurpose) -> Result<(i64, SealKey), StepError> {
    loop {
        // A key may not open, for example that of another store which used this vault before. It stays, because its
        // data needs it.
        match vault::newest(ctx.vault, of.as_str())?.map(|found| Ok((found.n, open(ctx, &found)?))) {
            Some(Err(StepError::Seal(_))) | None => renew(ctx, of)?,
            Some(found) => return found,
        }
    }
}

/// The key of a generation.
///
/// # Errors
/// The key was destroyed or does not open.
pub fn by_number(ctx: &Ctx<'_>, n: i64) -> Result<SealKey, StepError> {
    if n == 0 {
        return Ok(ctx.keys.purpose(Purpose::Inbox));
    }
    open(ctx, &vault::by_number(ctx.vault, n)?.ok_or(SealError::Erased)?)
}

/// The inbox key of a generation together with a customer's key, in one statement; `None` if either is missing or does not
/// open.
///
/// # Errors
/// The store fails.
pub fn with_customer(ctx: &Ctx<'_>, n: i64, customer: CustomerId) -> Result<Option<(SealKey, CustomerKey)>, StoreError> {
    let Some((generation, own)) = vault::both(ctx.vault, n, customer)? else { return Ok(None) };
    let open = |of: &[u8], key: &vault::Stored| ctx.keys.key(of, &from_vault(key).ok()?).ok();
    let inbox = open(&name(n, TransientPurpose::Inbox.as_str()), &generation);
    Ok(inbox.zip(open(customer.as_bytes(), &own)))
}

fn open(ctx: &Ctx<'_>, found: &Generation) -> Result<SealKey, StepError> {
    Ok(ctx.keys.key(&name(found.n, &found.purpose), &from_vault(&found.key)?)?)
}

/// Begins a new generation, whose key seals new data from now on. If two callers do so at once, the first one's key
/// stays.
fn renew(ctx: &Ctx<'_>, of: TransientPurpose) -> Result<(), StepError> {
    let n = vault::next(ctx.vault)?;
    let purpose = of.as_str().to_owned();
    let (_, wrapped) = ctx.keys.new_key(&name(n, &purpose), ctx.rng)?;
    vault::add(ctx.vault, &Generation { n, purpose, key: into_vault(wrapped), made_at: ctx.now() })?;
    Ok(())
}

/// Begins a new generation of both kinds, and destroys the keys of kept answers. The retry of a call then learns only
/// that the call was done. Returns the new generation of inbox keys. Pass it to [`gone`], after which no older data is
/// readable.
pub fn turn_over(ctx: &Ctx<'_>) -> Result<i64, StepError> {
    renew(ctx, TransientPurpose::Inbox)?;
    renew(ctx, TransientPurpose::Answers)?;
    let all = vault::generations(ctx.vault)?;
    let last = |of: TransientPurpose| all.iter().filter(|g| g.purpose == of.as_str()).map(|g| g.n).max();
    for old in all
        .iter()
        .filter(|g| g.purpose == TransientPurpose::Answers.as_str() && Some(g.n) != last(TransientPurpose::Answers))
    {
        vault::destroy_generation(ctx.vault, old.n)?;
    }
    Ok(last(TransientPurpose::Inbox).ok_or(StoreError::Missing("generation"))?)
}

/// Destroys the inbox keys before a generation as soon as no waiting row needs them. Returns whether they are
/// destroyed.
pub fn gone(ctx: &Ctx<'_>, before: i64) -> Result<bool, StepError> {
    // First, new data stops using these keys. Then the waiting rows must be handled. Then the rows set aside are sealed
    // again.
    inbox::retire(ctx.db, before)?;
    if inbox::waits_on(ctx.db, before)? {
        return Ok(false);
    }
    reseal(ctx, before)?;
    for old in
        vault::generations(ctx.vault)?.iter().filter(|g| g.purpose == TransientPurpose::Inbox.as_str() && g.n < before)
    {
        vault::destroy_generation(ctx.vault, old.n)?;
    }
    Ok(true)
}

/// Seals the rows that were set aside again, if they can be opened. Rows whose sender no longer exists lose their
/// payload. Items that could not be read name no sender, and stay.
fn reseal(ctx: &Ctx<'_>, before: i64) -> Result<(), StepError> {
    let (sealed_by, key) = newest(ctx, TransientPurpose::Inbox)?;
    let index = ctx.keys.index();
    let mut after = 0;
    loop {
        let rows = inbox::parked(ctx.db, before, after, BATCH)?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.seq;
        for row in &rows {
            let plain = by_number(ctx, row.sealed_by).and_then(|key| Ok(key.open(&row.dedup, &row.payload)?));
            // A row that does not open with its own key will never open.
            let Ok(plain) = plain else { continue };
            let payload = serde_json::from_slice::<Payload>(&plain);
            let lookup = payload.map(|p| sender_lookup(&index, &row.channel, &row.account, &p.inbound.sender.open_id));
            let known = match lookup {
                Ok(lookup) => customers::identity_by_lookup(ctx.db, &lookup)?.is_some(),
                Err(_) => true,
            };
            if known {
                inbox::reseal(ctx.db, row.seq, &key.seal(&row.dedup, &plain, ctx.rng)?, sealed_by)?;
            } else {
                inbox::drop_parked(ctx.db, row.seq)?;
            }
        }
    }
}

/// Begins a new generation once a day, and destroys the old ones that nothing needs.
pub fn tick(ctx: &Ctx<'_>) -> Result<(), StepError> {
    let all = vault::generations(ctx.vault)?;
    let now = ctx.now();
    for of in [TransientPurpose::Inbox, TransientPurpose::Answers] {
        let mine: Vec<&Generation> = all.iter().filter(|g| g.purpose == of.as_str()).collect();
        let Some((newest, older)) = mine.split_last() else { continue };
        if now.since(newest.made_at) > NEWEST_MS {
            renew(ctx, of)?;
        }
        match of {
            TransientPurpose::Inbox if !older.is_empty() => drop(gone(ctx, newest.n)?),
            // By now the answers that older keys seal have expired.
            TransientPurpose::Answers if now.since(newest.made_at) > KEEP_ANSWERS_MS => {
                older.iter().try_for_each(|old| vault::destroy_generation(ctx.vault, old.n))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Moves customers' wrapped keys into the vault from the database in which an earlier version stored them. Returns how
/// many keys it moved.
pub fn move_keys(ctx: &Ctx<'_>, limit: i64) -> Result<usize, StepError> {
    let unmoved = customers::unmoved(ctx.db, limit)?;
    let moved = unmoved.len();
    for (customer, sealed) in unmoved {
        let wrapped = crate::sealing::unmoved(ctx, sealed);
        vault::insert(ctx.vault, customer, &into_vault(wrapped))?;
        customers::moved(ctx.db, customer)?;
    }
    Ok(moved)
}
