//! The number of an account's waiting conversations, counted only up to a bound, by an index of waiting ones.

use crate::db::{Db, StoreError, Value};
use warmline_model::{AccountId, Channel};

const QUEUED: &str = "SELECT count(*) FROM (SELECT 1 FROM conversations INDEXED BY conversations_waiting \
                      WHERE channel = ?1 AND account = ?2 AND state IN ('open', 'queued') AND state = 'queued' LIMIT ?3)";
const WAITING: &str = "SELECT count(*) FROM (SELECT 1 FROM conversations INDEXED BY conversations_waiting \
                       WHERE channel = ?1 AND account = ?2 AND state IN ('open', 'queued') \
                       AND (state = 'queued' OR round_started_at IS NOT NULL) LIMIT ?3)";
const OPEN: &str = "SELECT count(*) FROM conversations INDEXED BY conversations_by_state \
                    WHERE state IN ('open', 'queued', 'assigned', 'waiting_on_customer', 'wrap_up') \
                    AND channel = ?1 AND account = ?2";

fn count(db: &dyn Db, sql: &'static str, params: &[Value]) -> Result<i64, StoreError> {
    db.first(sql, params)?.ok_or(StoreError::Missing("conversations"))?.int(0)
}

/// Conversations of an account in queues, counted up to `most`.
pub fn queued(db: &dyn Db, channel: &Channel, account: &AccountId, most: i64) -> Result<i64, StoreError> {
    count(db, QUEUED, &[channel.as_str().into(), account.as_str().into(), most.into()])
}

/// Conversations of an account in which a customer spoke and that no agent has, in a queue or before it, counted up to
/// `most`.
pub fn waiting(db: &dyn Db, channel: &Channel, account: &AccountId, most: i64) -> Result<i64, StoreError> {
    count(db, WAITING, &[channel.as_str().into(), account.as_str().into(), most.into()])
}

/// All open conversations of an account.
pub fn open(db: &dyn Db, channel: &Channel, account: &AccountId) -> Result<i64, StoreError> {
    count(db, OPEN, &[channel.as_str().into(), account.as_str().into()])
}
