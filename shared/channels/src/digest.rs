//! Small digests that several channels use: HMAC-SHA256, MD5 and SHA-1 for platforms that sign with nothing better,
//! comparison in constant time, and keys without personal data.

use hmac::digest::Output;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Compares two texts. The duration does not reveal the place of the first difference. Texts of different length are
/// unequal at once, because the length of a digest is no secret.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// HMAC-SHA256 over the parts, one after another.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    mac::<Hmac<Sha256>>(key, parts.iter().copied()).into()
}

/// Lower-case hexadecimal MD5 over the parts, one after another.
pub fn md5_hex(parts: &[&[u8]]) -> String {
    hex_of::<Md5>(parts)
}

/// Lower-case hexadecimal SHA-1 over the parts, one after another.
pub fn sha1_hex(parts: &[&[u8]]) -> String {
    hex_of::<Sha1>(parts)
}

fn hex_of<D: Digest>(parts: &[&[u8]]) -> String {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// HMAC-SHA1 over the parts, one after another, for older protocols.
pub fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    mac::<Hmac<Sha1>>(key, parts.iter().copied()).into()
}

/// An HMAC over the parts, one after another.
#[expect(clippy::expect_used, reason = "RFC 2104: a key may have any length")]
pub(crate) fn mac<'a, M: KeyInit + Mac>(key: &[u8], parts: impl IntoIterator<Item = &'a [u8]>) -> Output<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("an HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes()
}

/// A deduplication key from parts that may name a person (open ids, member ids). The same parts give the same key, and the
/// key reveals none of them. Each part is preceded by its length, so that no two lists of parts look alike.
pub fn opaque_key(prefix: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let mut key = String::with_capacity(prefix.len() + 33);
    key.push_str(prefix);
    key.push('-');
    key.push_str(&hex::encode(&digest[..16]));
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_keys_keep_parts_apart() {
        assert_ne!(opaque_key("k", &["ab", "c"]), opaque_key("k", &["a", "bc"]));
        assert_eq!(opaque_key("k", &["ab", "c"]), opaque_key("k", &["ab", "c"]));
        assert_eq!(opaque_key("k", &["oOpenId"]).len(), 34);
        assert!(!opaque_key("k", &["oOpenId"]).contains("oOpenId"));
    }

    #[test]
    fn md5_and_sha1_of_the_standards() {
        // RFC 1321, A.5, and FIPS 180, "abc".
        assert_eq!(md5_hex(&[b"message", b" digest"]), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(sha1_hex(&[b"a", b"bc"]), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn keys_longer_than_a_block_are_hashed() {
        // RFC 4231, test case 6.
        let mac = hmac_sha256(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(hex::encode(mac), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn hmac_sha1_of_rfc_2202() {
        let mac = hmac_sha1(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex::encode(mac), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let mac = hmac_sha1(&[0xaa; 80], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(hex::encode(mac), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    }

    #[test]
    fn same_needs_equal_length() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abcd"));
        assert!(!same(b"abc", b"abd"));
    }
}
