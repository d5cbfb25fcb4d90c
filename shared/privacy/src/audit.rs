//! The chain of the audit log. Each entry's hash is an HMAC over the hash before it and the whole entry. Without the key
//! nobody can change, remove or move an entry so that the chain still holds. The newest hash is stored apart with a tag of
//! its own, so that a log that was cut off at its end is detected too. The chain cannot show that the whole database was
//! put back to an earlier day. For that, a person notes the newest hash elsewhere.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use warmline_model::AuditEntry;
use zeroize::Zeroizing;

/// The hash of an entry.
pub type AuditHash = [u8; 32];

/// The hash before the first entry.
pub const AUDIT_START: AuditHash = [0; 32];

/// Makes and checks the chain.
pub struct AuditChain(Zeroizing<[u8; 32]>);

/// The newest entry's number and hash.
pub type AuditHead = (i64, AuditHash);

/// The fault of an audit log's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// Entries before this one are missing.
    #[error("the entries before this one are missing")]
    Missing,
    /// This entry was altered, or was moved from its place.
    #[error("this entry was altered, or moved here")]
    Altered,
    /// The entries after this one are missing, or the note of the newest entry was altered.
    #[error("what came after this entry is missing")]
    CutOff,
}

impl AuditChain {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    fn mac(&self, parts: &[&[u8]]) -> AuditHash {
        let mut out = AUDIT_START;
        // HMAC takes keys of every length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_slice()) {
            for part in parts {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part);
            }
            out.copy_from_slice(&mac.finalize().into_bytes());
        }
        out
    }

    /// The hash of an entry after the one with the hash `before`.
    pub fn link(&self, before: &AuditHash, entry: &AuditEntry) -> AuditHash {
        let (seq, at) = (entry.seq.to_be_bytes(), entry.at.millis().to_be_bytes());
        let customers: Vec<u8> = entry.customers.iter().flat_map(|c| *c.as_bytes()).collect();
        let mut parts: Vec<&[u8]> = vec![
            b"entry",
            before,
            &seq,
            &at,
            entry.actor.as_ref().map_or(&[][..], |a| a.as_bytes()),
            entry.role.as_bytes(),
            entry.action.as_bytes(),
            entry.customer.as_ref().map_or(&[][..], |c| c.as_bytes()),
            entry.conversation.as_ref().map_or(&[][..], |c| c.as_bytes()),
            entry.reason.as_deref().unwrap_or_default().as_bytes(),
        ];
        // An entry about one customer hashes as it did before entries could name several.
        if !customers.is_empty() {
            parts.push(&customers);
        }
        self.mac(&parts)
    }

    /// Checks that an entry follows the one before, and returns the position of the chain after it.
    ///
    /// # Errors
    /// The entry does not follow.
    pub fn follow(&self, before: &AuditHead, entry: &AuditEntry, hash: &AuditHash) -> Result<AuditHead, AuditFault> {
        if entry.seq != before.0 + 1 {
            return Err(AuditFault::Missing);
        }
        if self.link(&before.1, entry) != *hash {
            return Err(AuditFault::Altered);
        }
        Ok((entry.seq, *hash))
    }

    /// The note of the newest entry, with its tag.
    pub fn note(&self, head: &AuditHead) -> Vec<u8> {
        let seq = head.0.to_be_bytes();
        let tag = self.mac(&[b"head", &seq, &head.1]);
        [&seq[..], &head.1, &tag].concat()
    }

    /// Reads such a note; `None` if it was altered.
    pub fn noted(&self, note: &[u8]) -> Option<AuditHead> {
        let (seq, rest) = note.split_first_chunk::<8>()?;
        let (hash, _) = rest.split_first_chunk::<32>()?;
        let head = (i64::from_be_bytes(*seq), *hash);
        (self.note(&head) == note).then_some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use warmline_model::{AgentId, CustomerId, Timestamp};

    fn chain() -> AuditChain {
        AuditChain::new(Zeroizing::new([9; 32]))
    }

    fn entry(seq: i64, what: u8) -> AuditEntry {
        AuditEntry {
            seq,
            at: Timestamp::from_millis(1_000 + seq),
            actor: AgentId::from_bytes(&[what; 16]).ok(),
            role: "agent".into(),
            action: "conversation.read".into(),
            customer: CustomerId::from_bytes(&[what; 16]).ok(),
            customers: Vec::new(),
            conversation: None,
            reason: None,
        }
    }

    type Log = Vec<(AuditEntry, AuditHash)>;

    fn log(whats: &[u8]) -> (Log, Vec<u8>) {
        let (chain, mut head) = (chain(), (0, AUDIT_START));
        let mut all = Vec::new();
        for (seq, what) in (1..).zip(whats) {
            let entry = entry(seq, *what);
            head = (seq, chain.link(&head.1, &entry));
            all.push((entry, head.1));
        }
        (all, chain.note(&head))
    }

    fn check(log: &Log, note: &[u8]) -> Result<(), (i64, AuditFault)> {
        let (chain, mut head) = (chain(), (0, AUDIT_START));
        for (entry, hash) in log {
            head = chain.follow(&head, entry, hash).map_err(|fault| (entry.seq, fault))?;
        }
        if chain.noted(note) == Some(head) { Ok(()) } else { Err((head.0, AuditFault::CutOff)) }
    }

    proptest! {
        #[test]
        fn every_change_deletion_and_move_is_found_where_it_is(
            whats in proptest::collection::vec(any::<u8>(), 2..20),
            at in any::<proptest::sample::Index>(),
            to in any::<proptest::sample::Index>(),
            kind in 0u8..7,
        ) {
            let (whole, note) = log(&whats);
            prop_assert_eq!(check(&whole, &note), Ok(()));
            let (i, j) = (at.index(whole.len()), to.index(whole.len()));
            let mut touched = whole.clone();
            let first = match kind {
                0 => {
                    touched[i].0.at = Timestamp::from_millis(5);
                    i
                }
                1 => {
                    touched[i].1[3] ^= 1;
                    i
                }
                2 => {
                    touched[i].0.reason = Some("other".into());
                    i
                }
                3 => {
                    touched.remove(i);
                    i
                }
                4 => {
                    touched.truncate(i);
                    i
                }
                5 => {
                    touched[i].0.customers = CustomerId::from_bytes(&[7; 16]).into_iter().collect();
                    i
                }
                _ => {
                    touched.swap(i, j);
                    i.min(j)
                }
            };
            if touched != whole {
                let found = check(&touched, &note);
                prop_assert!(found.is_err());
                // The fault is reported at the wrong entry, or at the entry after a gap.
                let seq = found.unwrap_err().0;
                let here = touched.get(first).map_or(i64::try_from(first).unwrap(), |(entry, _)| entry.seq);
                prop_assert_eq!(seq, here);
            }
            prop_assert!(AuditChain::new(Zeroizing::new([8; 32])).noted(&note).is_none());
        }
    }
}
