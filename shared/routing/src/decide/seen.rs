//! The digest of all that a decision saw, in the order in which it saw it: numbers, and texts and lists with their length, as words of
//! eight bytes in little-endian order. Nothing that could fall otherwise has the same words. It is taken as it comes: ten thousand seats
//! are a megabyte that nobody has to keep.

use super::Contact;
use crate::plan::Ready;
use crate::queue::Head;
use crate::seat::Seat;
use warmline_model::{AgentState, Timestamp};
use xxhash_rust::xxh3::Xxh3;

pub(super) struct Seen {
    hash: Xxh3,
    pending: Vec<u8>,
}

/// Space for what is gathered before it is taken in: a small piece of memory, of which every allocator has one at hand.
const SPACE: usize = 1000;
/// The space for many seats, still small enough for the fastest cache.
const LARGE: usize = 8 * 1024;
/// What is left of the space when it is taken in: most seats need less.
const SPARE: usize = 480;

impl Seen {
    pub(super) fn new(plan: &Ready, now: Timestamp) -> Self {
        let mut seen = Self { hash: Xxh3::new(), pending: Vec::with_capacity(SPACE) };
        seen.number(plan.version());
        seen.number(now.millis());
        seen
    }

    #[inline]
    fn words<const N: usize>(&mut self, words: [u64; N]) {
        self.pending.extend_from_slice(words.map(u64::to_le_bytes).as_flattened());
    }

    pub(super) fn number(&mut self, n: i64) {
        self.words([n.cast_unsigned()]);
    }

    /// Bytes whose number is known from elsewhere.
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        let (whole, rest) = bytes.as_chunks();
        for word in whole {
            self.words([u64::from_le_bytes(*word)]);
        }
        if !rest.is_empty() {
            self.words([packed(rest)]);
        }
    }

    /// A short text is one word; before a longer one stands a word that no short one has.
    fn text(&mut self, text: &str) {
        match short(text) {
            Some(word) => self.words([word]),
            None => {
                self.words([!(text.len() as u64)]);
                self.bytes(text.as_bytes());
            }
        }
    }

    #[inline]
    fn take_in(&mut self) {
        if self.pending.capacity() - self.pending.len() < SPARE {
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
        if seats.len() > 256 {
            self.pending.reserve(LARGE);
        }
        for seat in seats {
            self.take_in();
            let [low, high] = halves(seat.id.as_bytes());
            // Of somebody who is not available no more is looked at.
            if seat.state != AgentState::Available {
                self.words([low, high, seat.state as u64]);
                continue;
            }
            let flags = u16::from(seat.ai) | u16::from(seat.dedicated) << 1 | (seat.state as u16) << 2;
            let (levels, further) = seat.levels.split_at_checked(8).unwrap_or((&seat.levels, &[]));
            let [flags, level, groups] = [flags, seat.level.into(), seat.groups].map(u64::from);
            let [skills, channels] = [seat.levels.len(), seat.hands.len()].map(|n| n as u64 & 0xffff);
            // Few and large steps: where the next begins is known only after the one before.
            self.words([
                low,
                high,
                level << 56 | flags << 48 | groups << 32 | skills << 16 | channels,
                seat.capacity.hundredths().cast_unsigned(),
                seat.load.hundredths().cast_unsigned(),
                seat.last_assigned_at.millis().cast_unsigned(),
                seat.freed_at.millis().cast_unsigned(),
                seat.weight.cast_unsigned(),
                levels.first_chunk().map_or_else(|| packed(levels), |eight| u64::from_le_bytes(*eight)),
            ]);
            self.bytes(further);
            for hand in &*seat.hands {
                let counts = u64::from(hand.held) << 32 | u64::from(hand.most);
                match short(hand.channel.as_str()) {
                    Some(name) => self.words([counts, name]),
                    None => {
                        self.words([counts]);
                        self.text(hand.channel.as_str());
                    }
                }
            }
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

/// A text of up to seven bytes as one word, with its length in the highest byte.
#[inline]
fn short(text: &str) -> Option<u64> {
    (text.len() < 8).then(|| (text.len() as u64) << 56 | packed(text.as_bytes()))
}

/// Up to seven bytes as a number that is another for other bytes of the same length. Channels' names are short: a few loads cost less
/// than a call that copies them.
#[inline]
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
