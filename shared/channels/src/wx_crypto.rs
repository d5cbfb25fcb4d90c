//! The cryptography of the WeChat family (official accounts, mini programs, WeCom, and ByteDance with a longer prefix).
//!
//! * Signature: hexadecimal SHA-1 over the parts, sorted and joined. The token among the parts is the secret.
//! * Envelope: AES-256-CBC, IV = the key's first 16 bytes, plaintext = random prefix | length as big-endian u32 | message |
//!   receive-id. The padding is PKCS#7 over 32 bytes (1 to 32). AES alone would pad 1 to 16, so this is done by hand.
//! * Key: `EncodingAESKey`, 43 characters of base64 for 32 bytes. Its last character often carries bits that base64 leaves
//!   unused. A strict decoder refuses such keys, the platform does not.
//!
//! The envelope authenticates nothing. Check the signature over the ciphertext first, so that the padding of a forged
//! message is never looked at.

use crate::digest::same;
use crate::kit::Refusal;
use aes::Aes256;
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};
use cbc::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use sha1::{Digest, Sha1};

/// The length of the random prefix in WeChat's and WeCom's envelopes.
pub const WECHAT_PREFIX: usize = 16;
/// The length of the random prefix in ByteDance's mini-app envelopes.
pub const BYTEDANCE_PREFIX: usize = 32;

/// The block to which PKCS#7 padding rounds the length up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// AES's own block.
    Block16 = 16,
    /// The WeChat family's block for messages.
    Block32 = 32,
}

const HEX: &[u8; 16] = b"0123456789abcdef";

const LENIENT: GeneralPurpose = GeneralPurpose::new(&ALPHABET, NO_PAD.with_decode_allow_trailing_bits(true));

/// Lower-case hexadecimal SHA-1 over the parts, sorted by their bytes and joined by `separator` (none in webhooks, `&` in
/// the signatures of web pages). It sorts the caller's slice in place.
pub fn sorted_sha1(parts: &mut [&str], separator: &str) -> [u8; 40] {
    parts.sort_unstable();
    let mut hash = Sha1::new();
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            hash.update(separator.as_bytes());
        }
        hash.update(part.as_bytes());
    }
    let mut out = [0; 40];
    for (pair, byte) in out.chunks_exact_mut(2).zip(hash.finalize()) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    out
}

/// Whether `signature` is the [`sorted_sha1`] of the parts. The comparison takes constant time.
pub fn signature_matches(signature: &str, parts: &mut [&str]) -> bool {
    same(&sorted_sha1(parts, ""), signature.as_bytes())
}

/// A decoded `EncodingAESKey`.
#[derive(Clone)]
pub struct AesKey([u8; 32]);

impl AesKey {
    /// Decodes the 43 characters; `None` if they are invalid.
    pub fn decode(encoded: &str) -> Option<Self> {
        if encoded.len() != 43 {
            return None;
        }
        LENIENT.decode(encoded).ok()?.try_into().ok().map(Self)
    }

    fn iv(&self) -> [u8; 16] {
        let mut iv = [0; 16];
        iv.copy_from_slice(&self.0[..16]);
        iv
    }
}

/// The reason why an envelope is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not base64, not whole blocks, or wrong padding or length after decryption: the key does not fit, or it is not an
    /// envelope. This is deliberately one variant.
    #[error("the envelope cannot be opened")]
    Unreadable,
    /// The envelope opens, but is addressed to another receiver.
    #[error("the envelope is addressed to another receiver")]
    WrongReceiver,
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Unreadable => Self::Undecryptable,
            OpenError::WrongReceiver => Self::WrongRecipient,
        }
    }
}

/// Opens an envelope and checks its receive-id (app id, corp id).
///
/// # Errors
/// The envelope cannot be opened, or is for another receiver.
pub fn decrypt(key: &AesKey, prefix: usize, envelope: &str, receive_id: &str) -> Result<Vec<u8>, OpenError> {
    let sealed = STANDARD.decode(envelope.trim()).map_err(|_| OpenError::Unreadable)?;
    let mut plain = decrypt_bare(key, sealed)?;
    let start = prefix + 4;
    let length: [u8; 4] = plain.get(prefix..start).and_then(|b| b.try_into().ok()).ok_or(OpenError::Unreadable)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| OpenError::Unreadable)?;
    let end = start.checked_add(length).ok_or(OpenError::Unreadable)?;
    let receiver = plain.get(end..).ok_or(OpenError::Unreadable)?;
    if !same(receiver, receive_id.as_bytes()) {
        return Err(OpenError::WrongReceiver);
    }
    plain.truncate(end);
    plain.drain(..start);
    Ok(plain)
}

/// Removes the padding in place, in either size.
pub(crate) fn strip_padding(plain: &mut Vec<u8>) -> Result<(), OpenError> {
    let pad = usize::from(*plain.last().ok_or(OpenError::Unreadable)?);
    if !(1..=Padding::Block32 as usize).contains(&pad) || pad > plain.len() {
        return Err(OpenError::Unreadable);
    }
    let kept = plain.len() - pad;
    if plain[kept..].iter().any(|&b| usize::from(b) != pad) {
        return Err(OpenError::Unreadable);
    }
    plain.truncate(kept);
    Ok(())
}

/// Makes an envelope. `prefix` is fresh randomness of the platform's length ([`WECHAT_PREFIX`], [`BYTEDANCE_PREFIX`]). The
/// IV is fixed, so the prefix keeps equal messages from looking equal.
pub fn encrypt(key: &AesKey, prefix: &[u8], message: &[u8], receive_id: &str) -> String {
    let mut plain = Vec::with_capacity(prefix.len() + 4 + message.len() + receive_id.len() + 32);
    plain.extend_from_slice(prefix);
    plain.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    plain.extend_from_slice(message);
    plain.extend_from_slice(receive_id.as_bytes());
    STANDARD.encode(encrypt_bare(key, plain, Padding::Block32))
}

/// Decrypts a message without an envelope, in either padding.
///
/// # Errors
/// There are not whole blocks, or the padding is wrong after decryption.
pub fn decrypt_bare(key: &AesKey, mut sealed: Vec<u8>) -> Result<Vec<u8>, OpenError> {
    let mut cbc = cbc::Decryptor::<Aes256>::new(&key.0.into(), &key.iv().into());
    let (blocks, rest) = Block::<cbc::Decryptor<Aes256>>::slice_as_chunks_mut(&mut sealed);
    if !rest.is_empty() {
        return Err(OpenError::Unreadable);
    }
    cbc.decrypt_blocks(blocks);
    strip_padding(&mut sealed)?;
    Ok(sealed)
}

/// Encrypts without an envelope. The IV is the key's, so equal messages look equal. This is only for platforms that require
/// it.
pub fn encrypt_bare(key: &AesKey, mut plain: Vec<u8>, padding: Padding) -> Vec<u8> {
    let block = padding as usize;
    let pad = block - plain.len() % block;
    plain.resize(plain.len() + pad, u8::try_from(pad).unwrap_or(0));
    let mut cbc = cbc::Encryptor::<Aes256>::new(&key.0.into(), &key.iv().into());
    let (blocks, _) = Block::<cbc::Encryptor<Aes256>>::slice_as_chunks_mut(&mut plain);
    cbc.encrypt_blocks(blocks);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The last character of this key has unused bits set. A strict decoder refuses it.
    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

    fn key() -> AesKey {
        AesKey::decode(KEY).unwrap()
    }

    #[test]
    fn key_with_trailing_bits_decodes() {
        assert!(STANDARD.decode(format!("{KEY}=")).is_err());
        assert!(AesKey::decode(KEY).is_some());
        assert!(AesKey::decode(&KEY[1..]).is_none());
        assert!(AesKey::decode(&format!("{KEY}=")).is_none());
        assert!(AesKey::decode("abcdefghijklmnopqrstuvwxyz0123456789ABCDE€").is_none());
    }

    #[test]
    fn padding_is_checked_whole() {
        for (bytes, kept) in
            [(vec![1], Some(0)), (vec![9, 2, 2], Some(1)), (vec![9, 1, 2], None), (vec![0], None), (vec![33; 64], None)]
        {
            let mut plain = bytes;
            assert_eq!(strip_padding(&mut plain).ok().map(|()| plain.len()), kept);
        }
        assert_eq!(strip_padding(&mut Vec::new()), Err(OpenError::Unreadable));
    }

    #[test]
    fn a_length_beyond_the_end_is_refused() {
        // A prefix of 16 zeros, length u32::MAX, and nothing else.
        let mut raw = vec![0u8; 16];
        raw.extend_from_slice(&[255; 4]);
        raw.extend_from_slice(&[12; 12]);
        let mut cbc = cbc::Encryptor::<Aes256>::new(&key().0.into(), &key().iv().into());
        let (blocks, _) = Block::<cbc::Encryptor<Aes256>>::slice_as_chunks_mut(&mut raw);
        cbc.encrypt_blocks(blocks);
        assert_eq!(decrypt(&key(), WECHAT_PREFIX, &STANDARD.encode(raw), ""), Err(OpenError::Unreadable));
    }

    #[test]
    fn another_receiver_is_told_apart_from_another_key() {
        let sealed = encrypt(&key(), &[7; 16], b"hello", "wxA");
        assert_eq!(decrypt(&key(), WECHAT_PREFIX, &sealed, "wxA").unwrap(), b"hello");
        assert_eq!(decrypt(&key(), WECHAT_PREFIX, &sealed, "wxB"), Err(OpenError::WrongReceiver));
        let other = AesKey::decode(&KEY.to_uppercase()).unwrap();
        assert!(decrypt(&other, WECHAT_PREFIX, &sealed, "wxA").is_err());
    }

    proptest! {
        #[test]
        fn round_trip(message: Vec<u8>, prefix: [u8; 32], id in "[a-zA-Z0-9]{0,40}", long: bool) {
            let prefix = if long { &prefix[..] } else { &prefix[..WECHAT_PREFIX] };
            let sealed = encrypt(&key(), prefix, &message, &id);
            prop_assert_eq!(decrypt(&key(), prefix.len(), &sealed, &id).unwrap(), message);
        }

        #[test]
        fn arbitrary_envelopes_do_not_panic(bytes: Vec<u8>, prefix in 0usize..64, text in ".*") {
            let _ = decrypt(&key(), prefix, &STANDARD.encode(bytes), "wx");
            let _ = decrypt(&key(), prefix, &text, "wx");
            let _ = AesKey::decode(&text);
        }

        #[test]
        fn only_the_right_signature_matches(token in "[a-z0-9]{3,32}", nonce in "[0-9]{1,12}", wrong in "[0-9a-f]{40}") {
            let good = sorted_sha1(&mut [&token, "1410685589", &nonce], "");
            prop_assert!(signature_matches(std::str::from_utf8(&good).unwrap(), &mut [&nonce, &token, "1410685589"]));
            prop_assert_eq!(signature_matches(&wrong, &mut [&nonce, &token, "1410685589"]), wrong.as_bytes() == good);
        }
    }
}
