//! Master keys, the root key, and the keys that depend on them.
//!
//! A master key wraps the root key, each customer's key, and the transient keys. It encrypts nothing else, so changing it
//! wraps those again and touches no content. Purpose keys, blind indexes, signatures and the audit chain are derived from
//! the root key, which stays the same.

use crate::audit::AuditChain;
use crate::index::BlindIndex;
use crate::receipt::Signer;
use crate::seal::{SealError, SealKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;
use std::cell::OnceCell;
use std::fmt;
use warmline_model::{CustomerId, Rng};
use zeroize::{Zeroize, Zeroizing};

/// The reason why the keys cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A variable does not hold a key.
    #[error("the variables master_key and master_key_previous take 32 random bytes in base64 (openssl rand -base64 32)")]
    Malformed,
    /// The store's keys are wrapped by another master key.
    #[error("the store belongs to master key {0}, which is neither master_key nor master_key_previous")]
    Wanted(KeyId),
    /// The root key in the store does not open.
    #[error("the root key in the store was altered")]
    Root,
}

/// The name of a master key: eight bytes that tell it from others and reveal nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// Reads the store's eight bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The eight bytes for the store.
    pub fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The purpose of a key. A key of one purpose opens nothing of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Secrets of channel accounts.
    Accounts,
    /// Names of staff.
    Staff,
    /// Platform access tokens.
    PlatformTokens,
    /// Sessions of WebSockets, which their gateway keeps between frames.
    Sockets,
    /// Secrets of subscriptions to events.
    Hooks,
    /// Webhook payloads of an earlier version, from before transient keys existed.
    Inbox,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Accounts => b"warmline/v1/accounts",
            Self::Staff => b"warmline/v1/staff",
            Self::PlatformTokens => b"warmline/v1/platform-tokens",
            Self::Sockets => b"warmline/v1/sockets",
            Self::Hooks => b"warmline/v1/hooks",
            Self::Inbox => b"warmline/v1/inbox",
        }
    }
}

/// A customer's own data key.
pub type CustomerKey = SealKey;

// HKDF-Expand (RFC 5869 section 2.3): the keys are uniformly random, so the extract step is not needed.
fn derive(key: &[u8; 32], label: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0u8; 32]);
    if let Ok(hkdf) = Hkdf::<Sha256>::from_prk(key) {
        // 32 bytes is within the 8,160 bytes that HKDF can produce, so this cannot fail.
        let _ = hkdf.expand(label, out.as_mut_slice());
    }
    out
}

struct Master {
    id: KeyId,
    key: Zeroizing<[u8; 32]>,
    /// Derived once: every message of a batch needs it.
    wrapping: OnceCell<SealKey>,
}

impl Master {
    fn from_base64(text: &str) -> Result<Self, KeyError> {
        let mut bytes = STANDARD.decode(text.trim()).map_err(|_| KeyError::Malformed)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map(Zeroizing::new).map_err(|_| KeyError::Malformed);
        bytes.zeroize();
        let key = key?;
        let mut id = [0u8; 8];
        id.copy_from_slice(&derive(&key, b"warmline/v1/fingerprint")[..8]);
        Ok(Self { id: KeyId(id), key, wrapping: OnceCell::new() })
    }

    fn wrapping(&self) -> &SealKey {
        self.wrapping.get_or_init(|| SealKey::new(*derive(&self.key, b"warmline/v1/wrap-customer-keys")))
    }
}

/// The master keys at hand: the one in force and, during a rotation, the previous one.
pub struct Masters {
    current: Master,
    previous: Option<Master>,
}

impl Masters {
    /// Reads the texts of the secret variables. Each is 32 bytes in base64; `previous` may be empty.
    ///
    /// # Errors
    /// A text is not base64, or not 32 bytes.
    pub fn from_base64(current: &str, previous: &str) -> Result<Self, KeyError> {
        let previous = if previous.trim().is_empty() { None } else { Some(Master::from_base64(previous)?) };
        Ok(Self { current: Master::from_base64(current)?, previous })
    }

    /// The master key in force.
    pub fn current(&self) -> KeyId {
        self.current.id
    }

    fn get(&self, id: KeyId) -> Option<&Master> {
        std::iter::once(&self.current).chain(&self.previous).find(|master| master.id == id)
    }

    /// A key for signing claims of that kind between components of one deployment. They share the variables and need no
    /// store for it.
    pub fn signing(&self, kind: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.current.key, format!("warmline/v1/signing/{kind}").as_bytes())
    }
}

/// A key in its stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// The master key that wraps it.
    pub master: KeyId,
    /// The key, sealed.
    pub sealed: Vec<u8>,
}

/// The name to which the root key's seal is bound.
const ROOT: &[u8] = b"root";

/// The master keys, and the root key of one store.
pub struct Keyring {
    masters: Masters,
    root: Zeroizing<[u8; 32]>,
    /// The master key that wraps the root key in the store.
    wrapped_by: KeyId,
}

impl Keyring {
    /// Makes the keys of a new store. `belongs` is the master key of a store from before there were root keys. Its root key
    /// is that master key, from which everything in it was derived.
    ///
    /// # Errors
    /// The store belongs to another master key than the one in force.
    pub fn create(masters: Masters, belongs: Option<KeyId>, rng: &dyn Rng) -> Result<Self, KeyError> {
        let wrapped_by = masters.current();
        let mut root = Zeroizing::new([0u8; 32]);
        match belongs {
            Some(id) if id == wrapped_by => root.copy_from_slice(masters.current.key.as_slice()),
            Some(id) => return Err(KeyError::Wanted(id)),
            None => rng.fill(root.as_mut_slice()),
        }
        Ok(Self { masters, root, wrapped_by })
    }

    /// Opens the keys of a store that has a root key.
    ///
    /// # Errors
    /// Another master key wraps it, or it was altered.
    pub fn open(masters: Masters, stored: &[u8]) -> Result<Self, KeyError> {
        let (id, sealed) = stored.split_at_checked(8).ok_or(KeyError::Root)?;
        let wrapped_by = KeyId::from_bytes(id).ok_or(KeyError::Root)?;
        let master = masters.get(wrapped_by).ok_or(KeyError::Wanted(wrapped_by))?;
        let plain = Zeroizing::new(master.wrapping().open(ROOT, sealed).map_err(|_| KeyError::Root)?);
        let root = Zeroizing::new(plain.as_slice().try_into().map_err(|_| KeyError::Root)?);
        Ok(Self { masters, root, wrapped_by })
    }

    /// The root key for the store, wrapped by the master key in force.
    ///
    /// # Errors
    /// The errors of [`SealKey::seal`].
    pub fn store(&self, rng: &dyn Rng) -> Result<Vec<u8>, SealError> {
        let sealed = self.masters.current.wrapping().seal(ROOT, self.root.as_slice(), rng)?;
        Ok([self.masters.current().as_bytes().as_slice(), &sealed].concat())
    }

    /// The master key in force.
    pub fn master(&self) -> KeyId {
        self.masters.current()
    }

    /// The master key that wraps the root key in the store.
    pub fn root_master(&self) -> KeyId {
        self.wrapped_by
    }

    /// The key of a purpose.
    pub fn purpose(&self, purpose: Purpose) -> SealKey {
        SealKey::new(*derive(&self.root, purpose.label()))
    }

    /// The keyed hash for look-ups of personal data.
    pub fn index(&self) -> BlindIndex {
        BlindIndex::new(*derive(&self.root, b"warmline/v1/blind-index"))
    }

    /// The chain of the audit log.
    pub fn audit(&self) -> AuditChain {
        AuditChain::new(derive(&self.root, b"warmline/v1/audit"))
    }

    /// The signer of erasure receipts.
    pub fn receipts(&self) -> Signer {
        Signer::new(&derive(&self.root, b"warmline/v1/receipts"))
    }

    /// A key for signing short-lived claims of that kind (web chat sessions).
    pub fn signing(&self, kind: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.root, format!("warmline/v1/signing/{kind}").as_bytes())
    }

    fn wrap(&self, name: &[u8], key: &[u8], rng: &dyn Rng) -> Result<Wrapped, SealError> {
        let master = &self.masters.current;
        Ok(Wrapped { master: master.id, sealed: master.wrapping().seal(name, key, rng)? })
    }

    fn unwrap(&self, name: &[u8], wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let master = self.masters.get(wrapped.master).ok_or(SealError::Master)?;
        master.wrapping().open(name, &wrapped.sealed).map(Zeroizing::new)
    }

    /// Makes a new random key, and its wrapped form for the store. `name` is the key's name: wrapped under another name it
    /// does not open.
    ///
    /// # Errors
    /// The errors of [`SealKey::seal`].
    pub fn new_key(&self, name: &[u8], rng: &dyn Rng) -> Result<(SealKey, Wrapped), SealError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        rng.fill(bytes.as_mut_slice());
        let wrapped = self.wrap(name, bytes.as_slice(), rng)?;
        Ok((SealKey::new(*bytes), wrapped))
    }

    /// Unwraps a key.
    ///
    /// # Errors
    /// The key was altered, has another name, or is wrapped by a master key that is not at hand.
    pub fn key(&self, name: &[u8], wrapped: &Wrapped) -> Result<SealKey, SealError> {
        let bytes = self.unwrap(name, wrapped)?.as_slice().try_into().map_err(|_| SealError::Format)?;
        Ok(SealKey::new(bytes))
    }

    /// The same key, wrapped by the master key in force.
    ///
    /// # Errors
    /// The errors of [`Keyring::key`].
    pub fn rewrap(&self, name: &[u8], wrapped: &Wrapped, rng: &dyn Rng) -> Result<Wrapped, SealError> {
        self.wrap(name, &self.unwrap(name, wrapped)?, rng)
    }

    /// Makes a new customer's data key.
    ///
    /// # Errors
    /// The errors of [`SealKey::seal`].
    pub fn new_customer_key(&self, customer: CustomerId, rng: &dyn Rng) -> Result<(CustomerKey, Wrapped), SealError> {
        self.new_key(customer.as_bytes(), rng)
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

    fn rng() -> Seq {
        Seq(std::cell::Cell::new(1))
    }

    fn text(fill: u8) -> String {
        STANDARD.encode([fill; 32])
    }

    fn masters(current: u8, previous: Option<u8>) -> Masters {
        Masters::from_base64(&text(current), &previous.map(text).unwrap_or_default()).unwrap()
    }

    fn ring(fill: u8) -> Keyring {
        Keyring::create(masters(fill, None), None, &rng()).unwrap()
    }

    #[test]
    fn only_32_bytes_make_a_key() {
        let ok = |text: &str| Masters::from_base64(text, "").is_ok();
        assert!(!ok("") && !ok(&STANDARD.encode([1; 31])) && !ok("not base64!"));
        assert!(ok(&format!("{}\n", text(1))));
        assert!(Masters::from_base64(&text(1), "x").is_err());
    }

    #[test]
    fn purposes_and_roots_do_not_open_each_other() {
        let other = Keyring::create(masters(1, None), None, &Seq(std::cell::Cell::new(9))).unwrap();
        let sealed = ring(1).purpose(Purpose::Staff).seal(b"", b"x", &rng()).unwrap();
        assert!(ring(1).purpose(Purpose::Staff).open(b"", &sealed).is_ok());
        assert!(ring(1).purpose(Purpose::Accounts).open(b"", &sealed).is_err());
        assert!(other.purpose(Purpose::Staff).open(b"", &sealed).is_err());
        assert_ne!(ring(1).master(), ring(2).master());
    }

    #[test]
    fn a_customer_key_is_bound_to_its_customer() {
        let (a, b) = (CustomerId::from_bytes(&[1; 16]).unwrap(), CustomerId::from_bytes(&[2; 16]).unwrap());
        let (key, wrapped) = ring(1).new_customer_key(a, &rng()).unwrap();
        let sealed = key.seal(b"m", b"hello", &rng()).unwrap();
        assert_eq!(ring(1).key(a.as_bytes(), &wrapped).unwrap().open(b"m", &sealed).unwrap(), b"hello");
        assert!(ring(1).key(b.as_bytes(), &wrapped).is_err());
        assert_eq!(ring(2).key(a.as_bytes(), &wrapped).err(), Some(SealError::Master));
    }

    #[test]
    fn another_master_key_takes_over_and_nothing_that_is_derived_changes() {
        let customer = CustomerId::from_bytes(&[1; 16]).unwrap();
        let before = ring(1);
        let stored = before.store(&rng()).unwrap();
        let (_, old) = before.new_customer_key(customer, &rng()).unwrap();
        // Both master keys are at hand, and the new one is in force.
        let during = Keyring::open(masters(2, Some(1)), &stored).unwrap();
        assert_eq!((during.root_master(), during.master()), (before.master(), ring(2).master()));
        assert_eq!(during.index().of("f", &["x"]), before.index().of("f", &["x"]));
        let new = during.rewrap(customer.as_bytes(), &old, &rng()).unwrap();
        let stored_anew = during.store(&rng()).unwrap();
        // The old master key is gone.
        let after = Keyring::open(masters(2, None), &stored_anew).unwrap();
        assert!(after.key(customer.as_bytes(), &old).is_err());
        let sealed = before.key(customer.as_bytes(), &old).unwrap().seal(b"", b"x", &rng()).unwrap();
        assert!(after.key(customer.as_bytes(), &new).unwrap().open(b"", &sealed).is_ok());
        // If it is too early, the error names the missing master key.
        assert_eq!(Keyring::open(masters(2, None), &stored).err(), Some(KeyError::Wanted(before.master())));
        assert_eq!(Keyring::open(masters(2, None), b"short").err(), Some(KeyError::Root));
    }

    #[test]
    fn a_store_from_before_there_were_root_keys_keeps_what_was_derived() {
        let own = Keyring::create(masters(1, None), Some(ring(1).master()), &rng()).unwrap();
        assert_eq!(
            own.index().of("f", &["x"]),
            BlindIndex::new(*derive(&[1; 32], b"warmline/v1/blind-index")).of("f", &["x"])
        );
        let belongs = Keyring::create(masters(2, Some(1)), Some(ring(1).master()), &rng());
        assert_eq!(belongs.err(), Some(KeyError::Wanted(ring(1).master())));
    }
}
