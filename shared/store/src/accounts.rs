//! The brand's accounts on its channels: settings in the clear, secrets sealed.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AccountId, Channel, Timestamp};

/// A channel account as stored.
pub struct Account {
    /// The channel.
    pub channel: Channel,
    /// The account's id on the channel.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// Settings, as JSON.
    pub settings: String,
    /// Secrets, sealed.
    pub secrets: Vec<u8>,
    /// The time at which it was made.
    pub created_at: Timestamp,
    /// When it was disabled; `None` if it is enabled.
    pub disabled_at: Option<Timestamp>,
    /// The time of the platform's last sign of life, to the minute.
    pub heard_at: Option<Timestamp>,
    /// A number that tells it from a deleted account with the same id. 0 in accounts from before this column.
    pub epoch: i64,
}

fn read(row: &Row) -> Result<Account, StoreError> {
    Ok(Account {
        channel: row.made(0, Channel::new(row.text(0)?))?,
        account: row.made(1, AccountId::new(row.text(1)?))?,
        name: row.text(2)?.to_owned(),
        settings: row.text(3)?.to_owned(),
        secrets: row.blob(4)?.to_vec(),
        created_at: row.time(5)?,
        disabled_at: row.opt_time(6)?,
        heard_at: row.opt_time(7)?,
        epoch: row.int(8)?,
    })
}

const GET: &str = "SELECT channel, account, name, settings, secrets, created_at, disabled_at, heard_at, epoch FROM accounts \
                   WHERE channel = ?1 AND account = ?2";
const LIST: &str = "SELECT channel, account, name, settings, secrets, created_at, disabled_at, heard_at, epoch FROM accounts \
                    ORDER BY channel, account";
const INSERT: &str = "INSERT INTO accounts (channel, account, name, settings, secrets, created_at, updated_at, epoch) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6) ON CONFLICT DO NOTHING RETURNING 1";
const UPDATE: &str = "UPDATE accounts SET name = ?3, settings = ?4, secrets = ?5, updated_at = ?6 \
                      WHERE channel = ?1 AND account = ?2 RETURNING 1";
const DISABLE: &str =
    "UPDATE accounts SET disabled_at = coalesce(disabled_at, ?3) WHERE channel = ?1 AND account = ?2 RETURNING 1";
const ENABLE: &str = "UPDATE accounts SET disabled_at = NULL WHERE channel = ?1 AND account = ?2 RETURNING 1";
const IS_DISABLED: &str = "SELECT 1 FROM accounts WHERE channel = ?1 AND account = ?2 AND disabled_at IS NOT NULL";
const HEARD: &str = "UPDATE accounts SET heard_at = ?3 WHERE channel = ?1 AND account = ?2 AND coalesce(heard_at, 0) < ?3";
const DELETE: &str = "DELETE FROM accounts WHERE channel = ?1 AND account = ?2 RETURNING 1";
const DELETE_PULLS: &str = "DELETE FROM pulls WHERE channel = ?1 AND account = ?2";
const DELETE_REFUSALS: &str = "DELETE FROM refusals WHERE channel = ?1 AND account = ?2";
const DELETE_ODD: &str = "DELETE FROM odd_items WHERE channel = ?1 AND account = ?2";
const DELETE_OUTAGE: &str = "DELETE FROM outages WHERE channel = ?1 AND account = ?2";
const DELETE_STARTS: &str = "DELETE FROM session_starts WHERE channel = ?1 AND account = ?2";

/// Finds an account.
pub fn get(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<Option<Account>, StoreError> {
    db.first(GET, &[channel.as_str().into(), account.as_str().into()])?.as_ref().map(read).transpose()
}

/// All accounts. A brand has tens of them.
pub fn list(db: &dyn Db) -> Result<Vec<Account>, StoreError> {
    db.execute(LIST, &[])?.iter().map(read).collect()
}

fn params(a: &Account, now: Timestamp) -> [crate::db::Value; 6] {
    [
        a.channel.as_str().into(),
        a.account.as_str().into(),
        a.name.as_str().into(),
        a.settings.as_str().into(),
        a.secrets.as_slice().into(),
        now.into(),
    ]
}

/// Adds an account. Returns false if it exists.
pub fn insert(db: &dyn Db, account: &Account) -> Result<bool, StoreError> {
    Ok(db.first(INSERT, &params(account, account.created_at))?.is_some())
}

/// Replaces an account's name, settings and secrets. Returns false if it does not exist.
pub fn update(db: &dyn Db, account: &Account, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(UPDATE, &params(account, now))?.is_some())
}

/// Disables or enables an account. Returns false if it does not exist. A disabled account keeps the instant at which it was
/// first disabled.
pub fn set_disabled(
    db: &dyn Db,
    channel: &Channel,
    account: &AccountId,
    disabled: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (channel, account) = (channel.as_str(), account.as_str());
    let found = match disabled {
        true => db.first(DISABLE, &[channel.into(), account.into(), now.into()])?,
        false => db.first(ENABLE, &[channel.into(), account.into()])?,
    };
    Ok(found.is_some())
}

/// Whether an account exists and is disabled.
pub fn is_disabled(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<bool, StoreError> {
    Ok(db.first(IS_DISABLED, &[channel.as_str().into(), account.as_str().into()])?.is_some())
}

/// Notes a sign of life of the platform.
pub fn heard(db: &dyn Db, channel: &Channel, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
    db.execute(HEARD, &[channel.as_str().into(), account.as_str().into(), now.into()])?;
    Ok(())
}

/// Deletes an account with its secrets, its sources and its counters. Returns false if it does not exist. It runs in the
/// caller's transaction.
pub fn delete(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<bool, StoreError> {
    let key = [channel.as_str().into(), account.as_str().into()];
    for sql in [DELETE_PULLS, DELETE_REFUSALS, DELETE_STARTS, DELETE_ODD, DELETE_OUTAGE] {
        db.execute(sql, &key)?;
    }
    Ok(db.first(DELETE, &key)?.is_some())
}
