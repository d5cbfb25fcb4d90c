//! Authenticated encryption of one value, bound to its row.
//!
//! Format: one version byte, 24 bytes of nonce, ciphertext with its 16-byte tag. We use XChaCha20-Poly1305 because its
//! nonce is long enough to be random, and because it is fast without AES instructions, as in WebAssembly.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use warmline_model::Rng;
use zeroize::ZeroizeOnDrop;

const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
/// The bytes that sealing adds.
pub const OVERHEAD: usize = 1 + NONCE + TAG;

/// A sealed value could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value is not in the format of any known version.
    #[error("the sealed value is not in a known format")]
    Format,
    /// The key or the row is another one, or the bytes were altered.
    #[error("the sealed value does not open: it was altered, moved, or sealed under another key")]
    Tampered,
    /// The key itself is wrapped by a master key that is not at hand.
    #[error("the key is wrapped by a master key that is not at hand")]
    Master,
    /// The key was destroyed: the customer was erased.
    #[error("the key was destroyed")]
    Erased,
}

/// A 256-bit key that seals and opens values.
#[derive(Clone, ZeroizeOnDrop)]
pub struct SealKey([u8; 32]);

impl SealKey {
    /// Makes a key from raw bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Seals `plain`. It opens only with the same `aad`, which names the row and the field.
    ///
    /// # Errors
    /// The value is larger than the cipher accepts at once (256 GiB).
    pub fn seal(&self, aad: &[u8], plain: &[u8], rng: &dyn Rng) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0u8; NONCE];
        rng.fill(&mut nonce);
        let mut out = Vec::with_capacity(OVERHEAD + plain.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let tag = XChaCha20Poly1305::new(&self.0.into())
            .encrypt_inout_detached(&XNonce::from(nonce), aad, out[1 + NONCE..].as_mut().into())
            .map_err(|_| SealError::Format)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// Opens a value that [`SealKey::seal`] made.
    ///
    /// # Errors
    /// [`SealError::Format`] or [`SealError::Tampered`].
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        if sealed.len() < OVERHEAD || sealed[0] != VERSION {
            return Err(SealError::Format);
        }
        let (head, tag) = sealed.split_at(sealed.len() - TAG);
        let nonce: [u8; NONCE] = head[1..1 + NONCE].try_into().map_err(|_| SealError::Format)?;
        let tag: [u8; TAG] = tag.try_into().map_err(|_| SealError::Format)?;
        let mut plain = head[1 + NONCE..].to_vec();
        XChaCha20Poly1305::new(&self.0.into())
            .decrypt_inout_detached(&XNonce::from(nonce), aad, plain.as_mut_slice().into(), &Tag::from(tag))
            .map_err(|_| SealError::Tampered)?;
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert_eq, proptest};
    use warmline_cases::cases;

    struct Count(std::cell::Cell<u8>);
    impl Rng for Count {
        fn fill(&self, out: &mut [u8]) {
            self.0.set(self.0.get().wrapping_add(1));
            out.fill(self.0.get());
        }
    }

    fn rng() -> Count {
        Count(std::cell::Cell::new(0))
    }

    #[test]
    fn another_row_or_key_does_not_open() {
        let key = SealKey::new([7; 32]);
        let sealed = key.seal(b"row 1", "王小明".as_bytes(), &rng()).unwrap();
        assert_eq!(key.open(b"row 1", &sealed).unwrap(), "王小明".as_bytes());
        assert_eq!(key.open(b"row 2", &sealed), Err(SealError::Tampered));
        assert_eq!(SealKey::new([8; 32]).open(b"row 1", &sealed), Err(SealError::Tampered));
    }

    // XChaCha20-Poly1305 of draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn matches_the_published_vector() {
        struct Nonce;
        impl Rng for Nonce {
            fn fill(&self, out: &mut [u8]) {
                for (i, b) in out.iter_mut().enumerate() {
                    *b = 0x40 + u8::try_from(i).unwrap();
                }
            }
        }
        let key: [u8; 32] = std::array::from_fn(|i| 0x80 + u8::try_from(i).unwrap());
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
        let sealed = SealKey::new(key).seal(&aad, plain, &Nonce).unwrap();
        let tag = &sealed[sealed.len() - TAG..];
        assert_eq!(tag, [0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79, 0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49]);
        assert_eq!(sealed[25..29], [0xbd, 0x6d, 0x17, 0x9d]);
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn round_trips(plain in any::<Vec<u8>>(), aad in any::<Vec<u8>>()) {
            let key = SealKey::new([1; 32]);
            let sealed = key.seal(&aad, &plain, &rng()).unwrap();
            prop_assert_eq!(key.open(&aad, &sealed).unwrap(), plain);
        }

        #[test]
        fn any_flipped_bit_is_noticed(plain in any::<Vec<u8>>(), at in any::<usize>(), bit in 0u8..8) {
            let key = SealKey::new([1; 32]);
            let mut sealed = key.seal(b"", &plain, &rng()).unwrap();
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            assert!(key.open(b"", &sealed).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_open_or_panic(bytes in any::<Vec<u8>>()) {
            assert!(SealKey::new([1; 32]).open(b"", &bytes).is_err());
        }
    }
}
