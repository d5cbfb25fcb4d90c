//! How personal data is kept: sealed, and found again only through keyed hashes.
//!
//! One master key (a secret variable) is the root. [`Keyring`] derives a purpose key from it for everything that belongs to no
//! customer yet (the inbox, account secrets, staff names, cached platform tokens) and wraps one random data key per customer.
//! What a customer wrote is sealed under the customer's own key: destroying that key is erasing the customer.
//!
//! * [`seal`]: XChaCha20-Poly1305 with the row's identity as associated data;
//! * [`keyring`]: purpose keys, customer keys;
//! * [`index`]: blind indexes and token hashes;
//! * [`audit`]: the chain of the audit log.

pub mod audit;
pub mod index;
pub mod keyring;
pub mod seal;

pub use index::{BlindIndex, random_token, token_hash};
pub use keyring::{CustomerKey, KeyError, Keyring, Purpose};
pub use seal::{SealError, SealKey};
