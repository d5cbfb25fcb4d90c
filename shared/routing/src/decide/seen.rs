//! The digest of everything that a decision saw, in the order in which it saw it. It is computed on the way, so that
//! nothing has to be stored for it.

use super::Contact;
use crate::digest::Words;
use crate::plan::Ready;
use crate::queue::Head;
use crate::seat::Seat;
use warmline_model::Timestamp;
use xxhash_rust::xxh3::Xxh3;

pub(super) struct Seen {
    hash: Xxh3,
    words: Words,
}

/// Space for words that are gathered before they are hashed: a small block, which every allocator has at hand.
const SPACE: usize = 125;
/// The space left, in words, at which the gathered words are hashed. Most heads of lanes need less.
const SPARE: usize = 60;
/// Seats whose digests are hashed at once.
const BLOCK: usize = 64;

impl Seen {
    pub(super) fn new(plan: &Ready, now: Timestamp) -> Self {
        let mut seen = Self { hash: Xxh3::new(), words: Words::with_capacity(SPACE) };
        seen.number(plan.version());
        seen.number(now.millis());
        seen
    }

    pub(super) fn number(&mut self, n: i64) {
        self.words.number(n);
    }

    fn take_in(&mut self) {
        self.hash.update(self.words.gathered());
        self.words.clear();
    }

    pub(super) fn contact(&mut self, contact: &Contact<'_>) {
        let words = &mut self.words;
        words.bytes(contact.id.as_bytes());
        words.text(contact.channel.as_str());
        words.number(contact.entered.millis());
        words.words([contact.except.is_some().into()]);
        if let Some(agent) = contact.except {
            words.bytes(agent.as_bytes());
        }
        // These are stored in the decision itself. Their JSON is the same text for the same values.
        let told = [
            serde_json::to_string(&contact.cause),
            serde_json::to_string(&contact.facts),
            serde_json::to_string(&contact.placement),
        ];
        for json in told {
            words.text(&json.unwrap_or_default());
        }
        self.take_in();
    }

    /// Each seat carries its digest, computed when the seat was read.
    pub(super) fn seats(&mut self, seats: &[Seat]) {
        self.words.words([seats.len() as u64]);
        self.take_in();
        let mut block = [[0; 16]; BLOCK];
        for seats in seats.chunks(BLOCK) {
            for (bytes, seat) in block.iter_mut().zip(seats) {
                *bytes = seat.digest().to_le_bytes();
            }
            self.hash.update(block.get(..seats.len()).unwrap_or(&block).as_flattened());
        }
    }

    pub(super) fn heads(&mut self, heads: &[&Head]) {
        self.words.words([heads.len() as u64]);
        for head in heads {
            let (lane, words) = (&head.lane, &mut self.words);
            words.bytes(head.conversation.as_bytes());
            words.text(head.group.as_str());
            words.text(lane.channel.as_str());
            words.words([lane.dedicated.into(), lane.skills.len() as u64]);
            for (skill, level) in &lane.skills {
                words.text(skill);
                words.words([u64::from(*level)]);
            }
            for n in [lane.priority_minutes, head.rank, head.entered.millis()] {
                words.number(n);
            }
            if self.words.gathered().len() > 8 * (SPACE - SPARE) {
                self.take_in();
            }
        }
    }

    pub(super) fn digest(mut self) -> String {
        self.hash.update(self.words.gathered());
        format!("{:032x}", self.hash.digest128())
    }
}
