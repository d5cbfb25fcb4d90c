//! The brand's accounts on its channels: settings in the clear, secrets sealed.

use crate::db::{Db, Row, StoreError};
use warmline_model::{AccountId, Channel, Timestamp};

/// A channel account as stored.
pub struct Account {
    /// The channel.
    pub channel: Channel,
    /// The account's id on it.
    pub account: AccountId,
    /// The brand's name for it.
    pub name: String,
    /// Settings, as JSON.
    pub settings: String,
    /// Secrets, sealed.
    pub secrets: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

fn read(row: &Row) -> Result<Account, StoreError> {
    Ok(Account {
        channel: row.made(0, Channel::new(row.text(0)?))?,
        account: row.made(1, AccountId::new(row.text(1)?))?,
        name: row.text(2)?.to_owned(),
        settings: row.text(3)?.to_owned(),
        secrets: row.blob(4)?.to_vec(),
        created_at: row.time(5)?,
    })
}

const GET: &str = "SELECT channel, account, name, settings, secrets, created_at FROM accounts \
                   WHERE channel = ?1 AND account = ?2";
const LIST: &str = "SELECT channel, account, name, settings, secrets, created_at FROM accounts ORDER BY channel, account";
const INSERT: &str = "INSERT INTO accounts (channel, account, name, settings, secrets, created_at, updated_at) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT DO NOTHING RETURNING 1";
const UPDATE: &str = "UPDATE accounts SET name = ?3, settings = ?4, secrets = ?5, updated_at = ?6 \
                      WHERE channel = ?1 AND account = ?2 RETURNING 1";

/// Finds an account.
///
/// # Errors
/// See [`StoreError`].
pub fn get(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<Option<Account>, StoreError> {
    db.first(GET, &[channel.as_str().into(), account.as_str().into()])?.as_ref().map(read).transpose()
}

/// All accounts. A brand has tens of them.
///
/// # Errors
/// See [`StoreError`].
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

/// Adds an account; false when it exists.
///
/// # Errors
/// See [`StoreError`].
pub fn insert(db: &dyn Db, account: &Account) -> Result<bool, StoreError> {
    Ok(db.first(INSERT, &params(account, account.created_at))?.is_some())
}

/// Replaces an account's name, settings and secrets; false when there is none.
///
/// # Errors
/// See [`StoreError`].
pub fn update(db: &dyn Db, account: &Account, now: Timestamp) -> Result<bool, StoreError> {
    Ok(db.first(UPDATE, &params(account, now))?.is_some())
}
