//! Unreadable items from a platform. Each is stored as it came, sealed, set aside in the inbox, and counted. It is
//! therefore not lost, and the platform learns that it was received: a retry would not be more readable.
//!
//! An item is sealed under the inbox's keys and kept for as many days as rows that the router set aside
//! (`parked_days`). Its sender is unknown, so the erasure of any person empties all items that came before it.

use crate::host::Host;
use warmline_channels::Odd;
use warmline_kernel::ctx::{Ctx, StepError};
use warmline_kernel::transient_keys::{self, TransientPurpose};
use warmline_model::{AccountId, Channel, Timestamp};
use warmline_store::inbox::{self, NewOdd, StoredOdd};
use warmline_store::{StoreError, odd_items};

/// The most bytes kept of an item; a mark at the end gives the full length.
const MAX_RAW: usize = 64 * 1024;
/// The most items of one body or page that are kept one by one; the rest are kept as one item.
const MAX_ITEMS: usize = 256;

/// The number of unreadable items of a body or page, and the reason of the first.
pub(crate) struct Counted(Option<(usize, &'static str)>);

impl Counted {
    pub(crate) fn of(odd: &[Odd]) -> Self {
        Self(odd.first().map(|first| (odd.len(), first.reason)))
    }

    /// Logs the items after they were stored. The text is our own: no part of an item is logged.
    pub(crate) fn log(&self, host: &impl Host, channel: &Channel, account: &AccountId) {
        if let Some((count, reason)) = self.0 {
            host.log(&format!(
                "{channel}/{account}: kept {count} item(s) sealed that cannot be read ({reason}); see intake_odd_items"
            ));
        }
    }
}

/// An item, sealed for the inbox.
pub(crate) struct Prepared {
    dedup: [u8; 16],
    reason: &'static str,
    payload: Vec<u8>,
    sealed_by: i64,
}

/// Seals items. This part needs no transaction.
pub(crate) fn prepare(
    ctx: &Ctx<'_>,
    channel: &Channel,
    account: &AccountId,
    mut items: Vec<Odd>,
) -> Result<Vec<Prepared>, StepError> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    if items.len() > MAX_ITEMS {
        let rest = items.split_off(MAX_ITEMS - 1);
        let raw = rest.into_iter().map(|odd| odd.raw).collect::<Vec<_>>().join(&b'\n');
        items.push(Odd { reason: "too_many_odd_items", raw });
    }
    let (index, (sealed_by, key)) = (ctx.keys.index(), transient_keys::newest(ctx, TransientPurpose::Inbox)?);
    let seal = |Odd { reason, raw }: Odd| {
        // This key recognises a repeat of the item.
        let dedup = index.of_bytes("odd", &[channel.as_str().as_bytes(), account.as_str().as_bytes(), &raw]);
        let payload = key.seal(&dedup, &written(reason, raw), ctx.rng)?;
        Ok(Prepared { dedup, reason, payload, sealed_by })
    };
    items.into_iter().map(seal).collect()
}

impl Prepared {
    /// Stores and counts the item, unless it came before.
    pub(crate) fn store(
        &self,
        ctx: &Ctx<'_>,
        channel: &Channel,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<(), StepError> {
        let Self { dedup, reason, payload, sealed_by } = self;
        let row = NewOdd { dedup, channel, account, payload, sealed_by: *sealed_by, received_at: now };
        match inbox::insert_odd(ctx.db, &row)? {
            StoredOdd::New => Ok(odd_items::count(ctx.db, channel, account, reason, now)?),
            StoredOdd::Known => Ok(()),
            StoredOdd::Stale => Err(StoreError::Busy.into()),
        }
    }
}

/// The text of an item that is sealed: `odd`, the reason and the bytes, with a NUL between them. It is not JSON, so
/// nobody takes it for a message.
fn written(reason: &str, mut raw: Vec<u8>) -> Vec<u8> {
    let length = raw.len();
    raw.truncate(MAX_RAW);
    let mut out = [b"odd\0", reason.as_bytes(), b"\0", &raw].concat();
    if length > MAX_RAW {
        out.extend_from_slice(format!("… [{MAX_RAW} of {length} bytes]").as_bytes());
    }
    out
}

/// The reason and the bytes of an unsealed item; `None` if it is not such an item.
pub fn read(plain: &[u8]) -> Option<(&str, &[u8])> {
    let rest = plain.strip_prefix(b"odd\0")?;
    let end = rest.iter().position(|b| *b == 0)?;
    Some((std::str::from_utf8(rest.get(..end)?).ok()?, rest.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_with_a_mark() {
        assert_eq!(read(&written("not_json", b"\0{".to_vec())), Some(("not_json", &b"\0{"[..])));
        let long = written("too_long", vec![b'a'; MAX_RAW + 1]);
        let (reason, raw) = read(&long).unwrap();
        assert_eq!(reason, "too_long");
        assert!(raw.ends_with("a… [65536 of 65537 bytes]".as_bytes()));
        assert_eq!(read(b"{\"inbound\":{}}"), None);
    }
}
