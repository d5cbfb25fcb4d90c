//! The protection of personal data: it is sealed, and found again only through keyed hashes.
//!
//! A master key (a secret variable) wraps one root key for the store and one random data key per customer. A customer's
//! messages are sealed under the customer's own key: destroying that key erases the customer. Data that belongs to no
//! customer (account secrets, staff names, cached platform tokens) is sealed under keys that [`Keyring`] derives from the
//! root key.
//!
//! * [`seal`]: XChaCha20-Poly1305 with the row's identity as associated data;
//! * [`keyring`]: master keys, the root key, purpose keys, customer keys;
//! * [`receipt`]: signatures that anybody can check;
//! * [`index`]: blind indexes and token hashes;
//! * [`audit`]: the chain of the audit log.

pub mod audit;
pub mod index;
pub mod keyring;
pub mod receipt;
pub mod seal;

pub use index::{BlindIndex, random_token, token_hash};
pub use keyring::{CustomerKey, KeyError, KeyId, Keyring, Masters, Purpose, Wrapped};
pub use seal::{SealError, SealKey};
