//! Platforms' access tokens, sealed, and why a platform gave none.

use crate::db::{Db, StoreError, Value};
use warmline_model::{AccountId, Channel, Timestamp};

/// A platform's refusal of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A stable code.
    pub reason: String,
    /// The time at which the platform was asked.
    pub at: Timestamp,
    /// The time until which no instance asks again.
    pub retry_at: Option<Timestamp>,
}

/// The stored state of an account's token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The sealed token. It may have ended.
    pub token: Option<Vec<u8>>,
    /// Why the platform gave no token the last time; `None` if it gave one.
    pub problem: Option<Problem>,
}

const GET: &str = "SELECT token, problem, problem_at, retry_at FROM platform_tokens \
                   WHERE channel = ?1 AND account = ?2 AND credentials = ?3";
const PUT: &str = "INSERT INTO platform_tokens (channel, account, credentials, token) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (channel, account) DO UPDATE SET credentials = ?3, token = ?4, problem = NULL, problem_at = NULL, retry_at = NULL";
const FAILED: &str = "INSERT INTO platform_tokens (channel, account, credentials, problem, problem_at, retry_at) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                      ON CONFLICT (channel, account) DO UPDATE SET token = CASE WHEN credentials = ?3 THEN token END, credentials = ?3, \
                      problem = ?4, problem_at = ?5, retry_at = ?6";
const DELETE: &str = "DELETE FROM platform_tokens WHERE channel = ?1 AND account = ?2";

/// Whose token it is: the account, and a keyed hash of its settings and secrets. A token that was asked for with other settings
/// does not count, whenever its answer came.
#[derive(Clone, Copy)]
pub struct Owner<'a> {
    /// The channel.
    pub channel: &'a Channel,
    /// The account.
    pub account: &'a AccountId,
    /// The keyed hash.
    pub credentials: &'a [u8; 16],
}

impl Owner<'_> {
    fn params(&self) -> [Value; 3] {
        [self.channel.as_str().into(), self.account.as_str().into(), self.credentials.into()]
    }
}

/// The stored token, and the last problem.
pub fn get(db: &dyn Db, owner: Owner<'_>) -> Result<Stored, StoreError> {
    let Some(row) = db.first(GET, &owner.params())? else {
        return Ok(Stored::default());
    };
    let problem = match (row.opt_text(1)?, row.opt_int(2)?) {
        (Some(reason), Some(at)) => Some(Problem {
            reason: reason.to_owned(),
            at: Timestamp::from_millis(at),
            retry_at: row.opt_int(3)?.map(Timestamp::from_millis),
        }),
        _ => None,
    };
    Ok(Stored { token: row.opt_blob(0)?.map(<[u8]>::to_vec), problem })
}

/// Stores a sealed token in the place of another one, and forgets the last problem.
pub fn put(db: &dyn Db, owner: Owner<'_>, token: Vec<u8>) -> Result<(), StoreError> {
    let [channel, account, credentials] = owner.params();
    db.execute(PUT, &[channel, account, credentials, token.into()])?;
    Ok(())
}

/// Notes that the platform gave no token. A token that is stored stays.
pub fn failed(db: &dyn Db, owner: Owner<'_>, problem: &Problem) -> Result<(), StoreError> {
    let Problem { reason, at, retry_at } = problem;
    let [channel, account, credentials] = owner.params();
    db.execute(FAILED, &[channel, account, credentials, reason.as_str().into(), (*at).into(), (*retry_at).into()])?;
    Ok(())
}

/// Drops everything stored for an account.
pub fn delete(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<(), StoreError> {
    db.execute(DELETE, &[channel.as_str().into(), account.as_str().into()])?;
    Ok(())
}
