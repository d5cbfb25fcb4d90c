//! A verified webhook into the inbox: the last step before the platform is told that its message was received.

use crate::ctx::{Ctx, FlowError};
use crate::passing::{self, Passing};
use serde::{Deserialize, Serialize};
use warmline_model::{AccountId, Channel, Inbound, Timestamp};
use warmline_privacy::{BlindIndex, SealError, SealKey};
use warmline_store::inbox::{self, NewRow, SHARDS, Stored};
use warmline_store::{StoreError, immediate, pulls};

/// What the inbox holds, sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) inbound: Inbound,
    /// Until when the webhook's own answer can still carry a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answer_by: Option<i64>,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingested {
    /// The inbox row.
    pub seq: i64,
    /// The platform had sent it before.
    pub duplicate: bool,
    /// The shard that has to be drained; `None` when nobody needs to be woken.
    pub wake: Option<i64>,
}

/// The blind index by which a sender is found.
pub fn sender_lookup(index: &BlindIndex, channel: &Channel, account: &AccountId, open_id: &str) -> [u8; 16] {
    index.of("identity", &[channel.as_str(), account.as_str(), open_id])
}

/// Stores the messages of one webhook, all or none, each once, and which sources it says hold something new.
///
/// # Errors
/// The store fails: then nothing may be acknowledged.
pub fn ingest(
    ctx: &Ctx<'_>,
    channel: &Channel,
    account: &AccountId,
    messages: Vec<Inbound>,
    answer_by: Option<Timestamp>,
    hints: &[String],
) -> Result<Vec<Ingested>, FlowError> {
    let now = ctx.now();
    let rows = prepare(ctx, channel, account, messages, answer_by)?;
    let store = |row: &Prepared| row.store(ctx, channel, account, now);
    let hint = |source: &String| pulls::hint(ctx.db, channel, account, source, now);
    // One message is one statement, which is a transaction by itself; so is one hint.
    match (rows.as_slice(), hints) {
        ([], []) => Ok(Vec::new()),
        ([one], []) => Ok(vec![store(one)?]),
        ([], [one]) => Ok(hint(one).map(|()| Vec::new())?),
        (rows, hints) => immediate(ctx.db, || {
            hints.iter().try_for_each(hint)?;
            rows.iter().map(store).collect()
        }),
    }
}

/// Seals messages for the inbox: all that needs no transaction.
pub(crate) fn prepare(
    ctx: &Ctx<'_>,
    channel: &Channel,
    account: &AccountId,
    messages: Vec<Inbound>,
    answer_by: Option<Timestamp>,
) -> Result<Vec<Prepared>, FlowError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let (index, key) = (ctx.keys.index(), passing::newest(ctx, Passing::Inbox)?);
    messages.into_iter().map(|inbound| Prepared::new(ctx, &index, &key, channel, account, inbound, answer_by)).collect()
}

/// A message as the inbox takes it.
pub(crate) struct Prepared {
    dedup: [u8; 16],
    shard: i64,
    payload: Vec<u8>,
    sealed_by: i64,
}

impl Prepared {
    fn new(
        ctx: &Ctx<'_>,
        index: &BlindIndex,
        (sealed_by, key): &(i64, SealKey),
        channel: &Channel,
        account: &AccountId,
        inbound: Inbound,
        answer_by: Option<Timestamp>,
    ) -> Result<Self, FlowError> {
        let dedup = index.of("message", &[channel.as_str(), account.as_str(), &inbound.key]);
        let sender = sender_lookup(index, channel, account, &inbound.sender.open_id);
        let payload = Payload { inbound, answer_by: answer_by.map(Timestamp::millis) };
        let plain = serde_json::to_vec(&payload).map_err(|_| SealError::Format)?;
        let shard = i64::from(sender[0]) % SHARDS;
        Ok(Self { dedup, shard, payload: key.seal(&dedup, &plain, ctx.rng)?, sealed_by: *sealed_by })
    }

    pub(crate) fn store(
        &self,
        ctx: &Ctx<'_>,
        channel: &Channel,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Ingested, FlowError> {
        let Self { dedup, shard, payload, sealed_by } = self;
        let row = NewRow { dedup, shard: *shard, channel, account, payload, sealed_by: *sealed_by, received_at: now };
        Ok(match inbox::insert(ctx.db, &row)? {
            Stored::New { seq, drained_until } => {
                Ingested { seq, duplicate: false, wake: (drained_until <= now).then_some(*shard) }
            }
            Stored::Duplicate { seq } => Ingested { seq, duplicate: true, wake: None },
            // Once a day, or when somebody is erased, for a moment: the platform tries again.
            Stored::Stale => return Err(StoreError::Busy.into()),
        })
    }
}
