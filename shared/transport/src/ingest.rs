//! From a verified webhook into the inbox: the last step before the platform is told that its message was received.
//!
//! Messages and unreadable items ([`crate::odd`]) are stored in one transaction.

use crate::odd;
use warmline_channels::Parsed;
use warmline_channels::kit::{HINT_FRESH_MS, Hint};
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::payload::{Payload, sender_lookup};
use warmline_kernel::transient_keys::{self, TransientPurpose};
use warmline_model::{AccountId, Channel, Inbound, Timestamp};
use warmline_privacy::{BlindIndex, SealError, SealKey};
use warmline_store::inbox::{self, NewRow, SHARDS, Stored};
use warmline_store::pulls::{self, HintToken};
use warmline_store::{StoreError, immediate};

/// The time after an upgrade in which a repeat is also looked up under the previous release's deduplication key.
/// Platforms repeat an unacknowledged message for about as long.
const EARLIER_MS: i64 = 24 * 3600 * 1000;

/// The result for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingested {
    /// The inbox row.
    pub seq: i64,
    /// Whether the platform had sent it before.
    pub duplicate: bool,
    /// The shard to drain; `None` if no router has to be woken.
    pub wake: Option<i64>,
}

/// Stores a webhook's messages, each once, its unreadable items, and its hints about which sources hold something new.
/// It stores all of these or none.
///
/// # Errors
/// The store fails. The caller must then not acknowledge anything.
pub fn ingest(
    ctx: &Ctx<'_>,
    channel: &Channel,
    account: &AccountId,
    parsed: impl Into<Parsed>,
    answer_by: Option<Timestamp>,
    hints: &[Hint],
) -> Result<Vec<Ingested>, StepError> {
    let (now, Parsed { messages, odd }) = (ctx.now(), parsed.into());
    let rows = prepare(ctx, channel, account, messages, answer_by)?;
    let odd = odd::prepare(ctx, channel, account, odd)?;
    let store = |row: &Prepared| row.store(ctx, channel, account, now);
    let hint = |hint: &Hint| {
        let token = hint.token.as_deref().map(|token| HintToken { token, until: now.plus_millis(HINT_FRESH_MS) });
        pulls::hint(ctx.db, channel, account, &hint.source, token, now)
    };
    // One message is one statement, which is its own transaction. So is one hint.
    match (rows.as_slice(), odd.as_slice(), hints) {
        ([], [], []) => Ok(Vec::new()),
        ([one], [], []) => Ok(vec![store(one)?]),
        ([], [], [one]) => Ok(hint(one).map(|()| Vec::new())?),
        (rows, odd, hints) => immediate(ctx.db, || {
            hints.iter().try_for_each(hint)?;
            odd.iter().try_for_each(|item| item.store(ctx, channel, account, now))?;
            rows.iter().map(store).collect()
        }),
    }
}

/// Seals messages for the inbox. This part needs no transaction.
pub(crate) fn prepare(
    ctx: &Ctx<'_>,
    channel: &Channel,
    account: &AccountId,
    messages: Vec<Inbound>,
    answer_by: Option<Timestamp>,
) -> Result<Vec<Prepared>, StepError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let (index, key) = (ctx.keys.index(), transient_keys::newest(ctx, TransientPurpose::Inbox)?);
    messages.into_iter().map(|inbound| Prepared::new(ctx, &index, &key, channel, account, inbound, answer_by)).collect()
}

/// A message in the form of an inbox row.
pub(crate) struct Prepared {
    dedup: [u8; 16],
    earlier: Option<[u8; 16]>,
    shard: i64,
    sender: [u8; 16],
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
        mut inbound: Inbound,
        answer_by: Option<Timestamp>,
    ) -> Result<Self, StepError> {
        let of = |key: &str| index.of("message", &[channel.as_str(), account.as_str(), key]);
        let (dedup, earlier) = (of(&inbound.key), inbound.earlier_key.take().map(|key| of(&key)));
        let sender = sender_lookup(index, channel, account, &inbound.sender.open_id);
        let payload = Payload { inbound, answer_by: answer_by.map(Timestamp::millis) };
        let plain = serde_json::to_vec(&payload).map_err(|_| SealError::Format)?;
        let shard = i64::from(sender[0]) % SHARDS;
        Ok(Self { dedup, earlier, shard, sender, payload: key.seal(&dedup, &plain, ctx.rng)?, sealed_by: *sealed_by })
    }

    pub(crate) fn store(
        &self,
        ctx: &Ctx<'_>,
        channel: &Channel,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Ingested, StepError> {
        let Self { dedup, earlier, shard, sender, payload, sealed_by } = self;
        let earlier = earlier.as_ref().map(|dedup| (dedup, now.plus_millis(-EARLIER_MS)));
        let (shard, sealed_by) = (*shard, *sealed_by);
        let row = NewRow { dedup, shard, channel, account, sender, payload, sealed_by, received_at: now, earlier };
        Ok(match inbox::insert(ctx.db, &row)? {
            Stored::New { seq, drained_until } => {
                Ingested { seq, duplicate: false, wake: (drained_until <= now).then_some(shard) }
            }
            Stored::Duplicate { seq } => Ingested { seq, duplicate: true, wake: None },
            // This lasts a moment, once a day or when a person is erased. The platform tries again.
            Stored::Stale => return Err(StoreError::Busy.into()),
        })
    }
}
