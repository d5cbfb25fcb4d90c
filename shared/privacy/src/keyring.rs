//! The master key and what hangs from it.

use crate::audit::AuditChain;
use crate::index::BlindIndex;
use crate::seal::{SealError, SealKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;
use std::cell::OnceCell;
use warmline_model::{CustomerId, Rng};
use zeroize::{Zeroize, Zeroizing};

/// The master key variable does not hold a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the variable master_key must be 32 random bytes in base64 (openssl rand -base64 32)")]
pub struct KeyError;

/// What a purpose key is for. A key of one purpose opens nothing of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Webhook payloads in the inbox, until the router has stored them under the customer's key.
    Inbox,
    /// Secrets of channel accounts.
    Accounts,
    /// Names of staff, and stored answers of the API.
    Staff,
    /// Platform access tokens in the key-value store.
    PlatformTokens,
    /// Sessions of WebSockets, which their gateway keeps between frames.
    Sockets,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Inbox => b"warmline/v1/inbox",
            Self::Accounts => b"warmline/v1/accounts",
            Self::Staff => b"warmline/v1/staff",
            Self::PlatformTokens => b"warmline/v1/platform-tokens",
            Self::Sockets => b"warmline/v1/sockets",
        }
    }
}

/// A customer's own data key.
pub type CustomerKey = SealKey;

/// The master key, and the keys derived from it.
pub struct Keyring {
    master: Zeroizing<[u8; 32]>,
    /// Derived once: every message of a batch needs it.
    wrapping: OnceCell<SealKey>,
}

impl Keyring {
    /// From the secret variable's text: 32 bytes in base64.
    ///
    /// # Errors
    /// Not base64, or not 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let mut bytes = STANDARD.decode(text.trim()).map_err(|_| KeyError)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyError);
        bytes.zeroize();
        key.map(|key| Self { master: Zeroizing::new(key), wrapping: OnceCell::new() })
    }

    // HKDF-Expand (RFC 5869 section 2.3): the master key is uniformly random, so the extract step is not needed.
    fn derive(&self, label: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0u8; 32]);
        if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(self.master.as_slice()) {
            // 32 bytes is within what HKDF can expand to (8,160), so this cannot fail.
            let _ = hkdf.expand(label, out.as_mut_slice());
        }
        out
    }

    /// The key of a purpose.
    pub fn purpose(&self, purpose: Purpose) -> SealKey {
        SealKey::new(*self.derive(purpose.label()))
    }

    /// The keyed hash for look-ups of personal data.
    pub fn index(&self) -> BlindIndex {
        BlindIndex::new(*self.derive(b"warmline/v1/blind-index"))
    }

    /// The chain of the audit log.
    pub fn audit(&self) -> AuditChain {
        AuditChain::new(self.derive(b"warmline/v1/audit"))
    }

    /// A key for signing short-lived claims of that kind (web chat sessions, internal calls).
    pub fn signing(&self, kind: &str) -> Zeroizing<[u8; 32]> {
        self.derive(format!("warmline/v1/signing/{kind}").as_bytes())
    }

    /// Eight bytes that tell one master key from another and give nothing of it away.
    pub fn fingerprint(&self) -> [u8; 8] {
        let derived = self.derive(b"warmline/v1/fingerprint");
        let mut out = [0u8; 8];
        out.copy_from_slice(&derived[..8]);
        out
    }

    fn wrapping(&self) -> &SealKey {
        self.wrapping.get_or_init(|| SealKey::new(*self.derive(b"warmline/v1/wrap-customer-keys")))
    }

    /// A new customer's data key, and its wrapped form for the store.
    ///
    /// # Errors
    /// See [`SealKey::seal`].
    pub fn new_customer_key(&self, customer: CustomerId, rng: &dyn Rng) -> Result<(CustomerKey, Vec<u8>), SealError> {
        let mut bytes = [0u8; 32];
        rng.fill(&mut bytes);
        let key = SealKey::new(bytes);
        bytes.zeroize();
        let wrapped = self.wrapping().seal(customer.as_bytes(), key.bytes(), rng)?;
        Ok((key, wrapped))
    }

    /// Unwraps a customer's data key.
    ///
    /// # Errors
    /// The wrapped key was altered, belongs to another customer, or another master key wrapped it.
    pub fn customer_key(&self, customer: CustomerId, wrapped: &[u8]) -> Result<CustomerKey, SealError> {
        let plain = Zeroizing::new(self.wrapping().open(customer.as_bytes(), wrapped)?);
        let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| SealError::Format)?;
        Ok(SealKey::new(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Seq(std::cell::Cell<u8>);
    impl Rng for Seq {
        fn fill(&self, out: &mut [u8]) {
            for b in out {
                self.0.set(self.0.get().wrapping_mul(31).wrapping_add(7));
                *b = self.0.get();
            }
        }
    }

    fn ring(fill: u8) -> Keyring {
        Keyring::from_base64(&STANDARD.encode([fill; 32])).unwrap()
    }

    #[test]
    fn only_32_bytes_make_a_key() {
        assert!(Keyring::from_base64("").is_err());
        assert!(Keyring::from_base64(&STANDARD.encode([1; 31])).is_err());
        assert!(Keyring::from_base64("not base64!").is_err());
        assert!(Keyring::from_base64(&format!("{}\n", STANDARD.encode([1; 32]))).is_ok());
    }

    #[test]
    fn purposes_and_masters_do_not_open_each_other() {
        let rng = Seq(std::cell::Cell::new(1));
        let sealed = ring(1).purpose(Purpose::Inbox).seal(b"", b"x", &rng).unwrap();
        assert!(ring(1).purpose(Purpose::Inbox).open(b"", &sealed).is_ok());
        assert!(ring(1).purpose(Purpose::Accounts).open(b"", &sealed).is_err());
        assert!(ring(2).purpose(Purpose::Inbox).open(b"", &sealed).is_err());
        assert_ne!(ring(1).fingerprint(), ring(2).fingerprint());
    }

    #[test]
    fn a_customer_key_is_bound_to_its_customer() {
        let rng = Seq(std::cell::Cell::new(1));
        let (a, b) = (CustomerId::from_bytes(&[1; 16]).unwrap(), CustomerId::from_bytes(&[2; 16]).unwrap());
        let (key, wrapped) = ring(1).new_customer_key(a, &rng).unwrap();
        let sealed = key.seal(b"m", b"hello", &rng).unwrap();
        assert_eq!(ring(1).customer_key(a, &wrapped).unwrap().open(b"m", &sealed).unwrap(), b"hello");
        assert!(ring(1).customer_key(b, &wrapped).is_err());
        assert!(ring(2).customer_key(a, &wrapped).is_err());
    }
}
