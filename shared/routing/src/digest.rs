//! The input of digests: numbers, and texts and lists with their lengths, as words of eight bytes in little-endian order.
//! Inputs that could lead to different decisions have different words.

use crate::seat::SeatFacts;
use smallvec::SmallVec;
use warmline_model::AgentState;
use xxhash_rust::xxh3::xxh3_128;

/// Words in order. Those of nearly every seat fit without an allocation.
#[derive(Default)]
pub(crate) struct Words(SmallVec<[[u8; 8]; 32]>);

impl Words {
    /// Makes a list with space for `words` words.
    pub(crate) fn with_capacity(space: usize) -> Self {
        Self(SmallVec::with_capacity(space))
    }

    #[inline]
    pub(crate) fn words<const N: usize>(&mut self, words: [u64; N]) {
        for word in words {
            self.0.push(word.to_le_bytes());
        }
    }

    pub(crate) fn number(&mut self, n: i64) {
        self.words([n.cast_unsigned()]);
    }

    /// Bytes whose number is known from the context.
    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let (whole, rest) = bytes.as_chunks();
        for word in whole {
            self.words([u64::from_le_bytes(*word)]);
        }
        if !rest.is_empty() {
            self.words([packed(rest)]);
        }
    }

    /// A short text is one word. A longer text begins with a word that no short text has.
    pub(crate) fn text(&mut self, text: &str) {
        match short(text) {
            Some(word) => self.words([word]),
            None => {
                self.words([!(text.len() as u64)]);
                self.bytes(text.as_bytes());
            }
        }
    }

    pub(crate) fn gathered(&self) -> &[u8] {
        self.0.as_flattened()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The digest of a seat. For an unavailable agent it covers only the id and the presence.
pub(crate) fn seat(seat: &SeatFacts) -> u128 {
    let mut seen = Words::default();
    seen.bytes(seat.id.as_bytes());
    if seat.state == AgentState::Available {
        let flags = u16::from(seat.ai) | u16::from(seat.dedicated) << 1 | (seat.state as u16) << 2;
        let [flags, level, groups] = [flags, seat.level.into(), seat.groups].map(u64::from);
        let [skills, channels] = [seat.levels.len(), seat.hands.len()].map(|n| n as u64 & 0xffff);
        seen.words([
            level << 56 | flags << 48 | groups << 32 | skills << 16 | channels,
            seat.capacity.hundredths().cast_unsigned(),
            seat.load.hundredths().cast_unsigned(),
            seat.last_assigned_at.millis().cast_unsigned(),
            seat.freed_at.millis().cast_unsigned(),
            seat.weight.cast_unsigned(),
        ]);
        seen.bytes(&seat.levels);
        for hand in &*seat.hands {
            seen.words([u64::from(hand.held) << 32 | u64::from(hand.most)]);
            seen.text(hand.channel.as_str());
        }
    } else {
        seen.words([seat.state as u64]);
    }
    xxh3_128(seen.gathered())
}

/// A text of up to seven bytes as one word, with its length in the highest byte.
#[inline]
fn short(text: &str) -> Option<u64> {
    (text.len() < 8).then(|| (text.len() as u64) << 56 | packed(text.as_bytes()))
}

/// Up to seven bytes as a number that differs for different bytes of the same length. Names of channels are short, so a few
/// loads cost less than a call that copies them.
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
