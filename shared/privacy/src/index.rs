//! Keyed hashes: finding a row by a value that is not stored in the clear.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use warmline_model::Rng;
use zeroize::ZeroizeOnDrop;

/// A keyed hash for look-ups. Without the key, the hash of a phone number cannot be found by trying all phone numbers.
#[derive(ZeroizeOnDrop)]
pub struct BlindIndex([u8; 32]);

impl BlindIndex {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The index of a value made of parts, for one field: HMAC-SHA-256 cut to 128 bits. Parts are length-prefixed, so that
    /// ("ab", "c") and ("a", "bc") differ.
    pub fn of(&self, field: &str, parts: &[&str]) -> [u8; 16] {
        self.of_parts(field, parts.iter().map(|part| part.as_bytes()))
    }

    /// The same, for parts that need not be text.
    pub fn of_bytes(&self, field: &str, parts: &[&[u8]]) -> [u8; 16] {
        self.of_parts(field, parts.iter().copied())
    }

    fn of_parts<'p>(&self, field: &'p str, parts: impl Iterator<Item = &'p [u8]>) -> [u8; 16] {
        let mut out = [0u8; 16];
        // HMAC takes keys of every length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) {
            for part in std::iter::once(field.as_bytes()).chain(parts) {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part);
            }
            out.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        }
        out
    }
}

/// The stored form of a bearer token. Tokens are 256 random bits, so a plain hash cannot be reversed by guessing.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Makes a new bearer token: 256 random bits with a prefix that secret scanners can know.
pub fn random_token(rng: &dyn Rng) -> String {
    let mut bytes = [0u8; 32];
    rng.fill(&mut bytes);
    format!("wl_{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_fields_do_not_run_together() {
        let index = BlindIndex::new([3; 32]);
        assert_eq!(index.of("f", &["ab", "c"]), index.of("f", &["ab", "c"]));
        assert_ne!(index.of("f", &["ab", "c"]), index.of("f", &["a", "bc"]));
        assert_ne!(index.of("f", &["x"]), index.of("g", &["x"]));
        assert_eq!(index.of("f", &["ab", "c"]), index.of_bytes("f", &[b"ab", b"c"]));
        assert_ne!(index.of("f", &["x"]), BlindIndex::new([4; 32]).of("f", &["x"]));
    }
}
