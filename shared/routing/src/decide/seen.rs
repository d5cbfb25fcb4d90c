//! The digest of all that a decision saw, in the order in which it saw it: numbers, and texts and lists with their length, as words of
//! eight bytes in little-endian order. Nothing that could fall otherwise has the same words. It is taken as it comes: ten thousand seats
//! are a megabyte that nobody has to keep.

use super::Contact;
use crate::plan::Ready;
use crate::queue::Head;
use crate::seat::Seat;
use warmline_model::Timestamp;
use xxhash_rust::xxh3::Xxh3;

pub(super) struct Seen {
    hash: Xxh3,
    pending: Vec<u8>,
}

/// What is gathered before it is taken in: small enough for the fastest cache.
const GATHERED: usize = 8 * 1024;

impl Seen {
    pub(super) fn new(plan: &Ready, now: Timestamp) -> Self {
        let mut seen = Self { hash: Xxh3::new(), pending: Vec::with_capacity(GATHERED + 1024) };
        seen.number(plan.version());
        seen.number(now.millis());
        seen
    }

    fn words<const N: usize>(&mut self, words: [u64; N]) {
        self.pending.extend_from_slice(words.map(u64::to_le_bytes).as_flattened());
    }

    pub(super) fn number(&mut self, n: i64) {
        self.words([n.cast_unsigned()]);
    }

    /// Bytes whose number is known from elsewhere.
    fn bytes(&mut self, bytes: &[u8]) {
        let (whole, rest) = bytes.as_chunks();
        for word in whole {
            self.words([u64::from_le_bytes(*word)]);
        }
        if !rest.is_empty() {
            self.words([packed(rest)]);
        }
    }

    /// A short text is one word with its length in the highest byte; before a longer one stands a word that no short one has.
    fn text(&mut self, text: &str) {
        match text.len() {
            n @ 0..8 => self.words([(n as u64) << 56 | packed(text.as_bytes())]),
            n => {
                self.words([!(n as u64)]);
                self.bytes(text.as_bytes());
            }
        }
    }

    fn take_in(&mut self) {
        if self.pending.len() >= GATHERED {
            self.hash.update(&self.pending);
            self.pending.clear();
        }
    }

    pub(super) fn contact(&mut self, contact: &Contact<'_>) {
        self.words(halves(contact.id.as_bytes()));
        self.text(contact.channel.as_str());
        self.number(contact.entered.millis());
        self.words([contact.except.is_some().into()]);
        if let Some(agent) = contact.except {
            self.words(halves(agent.as_bytes()));
        }
        // They stand in the decision itself; what is said in JSON is the same text for the same values.
        let told = [
            serde_json::to_string(&contact.cause),
            serde_json::to_string(&contact.facts),
            serde_json::to_string(&contact.placement),
        ];
        for json in told {
            self.text(&json.unwrap_or_default());
        }
        self.take_in();
    }

    pub(super) fn seats(&mut self, seats: &[Seat]) {
        self.words([seats.len() as u64]);
        for seat in seats {
            let [low, high] = halves(seat.id.as_bytes());
            let flags = [seat.ai.into(), seat.dedicated.into(), seat.state as u8, seat.level];
            let lists = [seat.levels.len(), seat.held.len(), seat.caps.len()].map(|n| (n as u64) & 0xffff);
            self.words([
                low,
                high,
                u64::from(u32::from_le_bytes(flags)) << 32 | u64::from(seat.groups),
                lists[0] << 32 | lists[1] << 16 | lists[2],
                seat.capacity.hundredths().cast_unsigned(),
                seat.load.hundredths().cast_unsigned(),
                seat.last_assigned_at.millis().cast_unsigned(),
                seat.freed_at.millis().cast_unsigned(),
                seat.weight.cast_unsigned(),
            ]);
            self.bytes(&seat.levels);
            for (channel, n) in seat.held.iter().chain(&seat.caps) {
                self.text(channel.as_str());
                self.number(*n);
            }
            self.take_in();
        }
    }

    pub(super) fn heads(&mut self, heads: &[&Head]) {
        self.words([heads.len() as u64]);
        for head in heads {
            let lane = &head.lane;
            self.words(halves(head.conversation.as_bytes()));
            self.text(head.group.as_str());
            self.text(lane.channel.as_str());
            self.words([lane.dedicated.into(), lane.skills.len() as u64]);
            for (skill, level) in &lane.skills {
                self.text(skill);
                self.words([u64::from(*level)]);
            }
            for n in [lane.priority_minutes, head.rank, head.entered.millis()] {
                self.number(n);
            }
            self.take_in();
        }
    }

    pub(super) fn digest(mut self) -> String {
        self.hash.update(&self.pending);
        format!("{:032x}", self.hash.digest128())
    }
}

/// Up to seven bytes as a number that is another for other bytes of the same length. Channels' names are short: a few loads cost less
/// than a call that copies them.
fn packed(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk(), bytes.last_chunk(), bytes) {
        (Some(first), Some(last), _) => {
            let shift = 8 * (bytes.len() as u64 - 4);
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << shift
        }
        (.., [a, b, c]) => u64::from(u32::from_le_bytes([*a, *b, *c, 0])),
        (.., [a, b]) => u64::from(u16::from_le_bytes([*a, *b])),
        (.., [a]) => u64::from(*a),
        _ => 0,
    }
}

fn halves(id: &[u8; 16]) -> [u64; 2] {
    let n = u128::from_le_bytes(*id);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
    [n as u64, (n >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::packed;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    proptest! {
        #[test]
        fn packing_keeps_every_byte(bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(&bytes);
            prop_assert_eq!(packed(&bytes), u64::from_le_bytes(whole));
        }
    }
}
