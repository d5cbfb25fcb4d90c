//! Sources of messages that are fetched: when each is to be asked next, by whom, and from where on.

use crate::db::{Db, StoreError};
use warmline_model::{AccountId, Channel, Timestamp};

/// A source that somebody has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The account.
    pub account: AccountId,
    /// The source's name.
    pub source: String,
    /// Whether it is asked again and again.
    pub polled: bool,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// Hints that had come when it was claimed.
    pub hints: i64,
    /// Failures in a row before this turn.
    pub attempts: i64,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When the source is to be asked next; `None` waits for a hint.
    pub due_at: Option<Timestamp>,
    /// Failures in a row.
    pub attempts: i64,
    /// Why it failed, as a code.
    pub problem: Option<&'static str>,
}

const POLL: &str = "INSERT INTO pulls (channel, account, source, polled, due_at) VALUES (?1, ?2, ?3, 1, ?4) \
                    ON CONFLICT (channel, account, source) DO UPDATE SET polled = 1, due_at = coalesce(due_at, ?4)";
const UNPOLL: &str =
    "UPDATE pulls SET polled = 0, due_at = NULL WHERE channel = ?1 AND account = ?2 AND lease_owner IS NULL";
const HINT: &str = "INSERT INTO pulls (channel, account, source, polled, hints, due_at) VALUES (?1, ?2, ?3, 0, 1, ?4) \
                    ON CONFLICT (channel, account, source) DO UPDATE SET hints = hints + 1, \
                    due_at = CASE WHEN lease_owner IS NULL THEN ?4 ELSE due_at END";
const CLAIM: &str = "UPDATE pulls SET lease_owner = ?2, due_at = ?3 WHERE (channel, account, source) IN ( \
                       SELECT channel, account, source FROM pulls WHERE channel = ?1 AND due_at <= ?4 ORDER BY due_at LIMIT ?5) \
                     RETURNING account, source, polled, cursor, hints, attempts";
const ADVANCE: &str = "UPDATE pulls SET cursor = coalesce(?5, cursor), due_at = ?6 \
                       WHERE channel = ?1 AND account = ?2 AND source = ?3 AND lease_owner = ?4 RETURNING 1";
const END: &str = "UPDATE pulls SET lease_owner = NULL, attempts = ?7, problem = ?8, \
                   due_at = CASE WHEN hints > ?5 AND ?8 IS NULL THEN ?9 ELSE ?6 END \
                   WHERE channel = ?1 AND account = ?2 AND source = ?3 AND lease_owner = ?4";
const DUE: &str = "SELECT DISTINCT channel FROM pulls WHERE due_at <= ?1";
const PROBLEMS: &str =
    "SELECT source, problem FROM pulls WHERE channel = ?1 AND account = ?2 AND problem IS NOT NULL ORDER BY source";

/// Sets the sources of an account that are asked again and again. Runs in the caller's transaction.
///
/// # Errors
/// See [`StoreError`].
pub fn set_polled(
    db: &dyn Db,
    channel: &Channel,
    account: &AccountId,
    sources: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    db.execute(UNPOLL, &[channel.as_str().into(), account.as_str().into()])?;
    for source in sources {
        db.execute(POLL, &[channel.as_str().into(), account.as_str().into(), source.as_str().into(), now.into()])?;
    }
    Ok(())
}

/// Notes that a source has something new.
///
/// # Errors
/// See [`StoreError`].
pub fn hint(db: &dyn Db, channel: &Channel, account: &AccountId, source: &str, now: Timestamp) -> Result<(), StoreError> {
    db.execute(HINT, &[channel.as_str().into(), account.as_str().into(), source.into(), now.into()])?;
    Ok(())
}

/// Claims sources of a channel that are due, until `until`.
///
/// # Errors
/// See [`StoreError`].
pub fn claim(
    db: &dyn Db,
    channel: &Channel,
    owner: &[u8; 16],
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<Claimed>, StoreError> {
    let rows = db.execute(CLAIM, &[channel.as_str().into(), owner.into(), until.into(), now.into(), limit.into()])?;
    rows.iter()
        .map(|r| {
            Ok(Claimed {
                account: AccountId::new(r.text(0)?).map_err(|_| StoreError::Shape(0))?,
                source: r.text(1)?.to_owned(),
                polled: r.int(2)? != 0,
                cursor: r.opt_text(3)?.map(str::to_owned),
                hints: r.int(4)?,
                attempts: r.int(5)?,
            })
        })
        .collect()
}

/// Moves a claimed source's cursor on and prolongs its lease; false when the lease ran out and somebody else has it. In the
/// transaction that stores the page it is the proof that nobody else stores it.
///
/// # Errors
/// See [`StoreError`].
pub fn advance(
    db: &dyn Db,
    channel: &Channel,
    claimed: &Claimed,
    owner: &[u8; 16],
    cursor: Option<&str>,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let key = [channel.as_str().into(), claimed.account.as_str().into(), claimed.source.as_str().into(), owner.into()];
    let [channel, account, source, owner] = key;
    Ok(db.first(ADVANCE, &[channel, account, source, owner, cursor.into(), until.into()])?.is_some())
}

/// Gives a claimed source up.
///
/// # Errors
/// See [`StoreError`].
pub fn end(
    db: &dyn Db,
    channel: &Channel,
    claimed: &Claimed,
    owner: &[u8; 16],
    end: End,
    now: Timestamp,
) -> Result<(), StoreError> {
    db.execute(
        END,
        &[
            channel.as_str().into(),
            claimed.account.as_str().into(),
            claimed.source.as_str().into(),
            owner.into(),
            claimed.hints.into(),
            end.due_at.into(),
            end.attempts.into(),
            end.problem.into(),
            now.into(),
        ],
    )?;
    Ok(())
}

/// Channels with a source that is due.
///
/// # Errors
/// See [`StoreError`].
pub fn due_channels(db: &dyn Db, now: Timestamp) -> Result<Vec<String>, StoreError> {
    db.execute(DUE, &[now.into()])?.iter().map(|r| Ok(r.text(0)?.to_owned())).collect()
}

/// The sources of an account that could not be asked the last time, and why.
///
/// # Errors
/// See [`StoreError`].
pub fn problems(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<Vec<(String, String)>, StoreError> {
    let rows = db.execute(PROBLEMS, &[channel.as_str().into(), account.as_str().into()])?;
    rows.iter().map(|r| Ok((r.text(0)?.to_owned(), r.text(1)?.to_owned()))).collect()
}
