//! RSA2: RSASSA-PKCS1-v1_5 with SHA-256, and the platform's forms of keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1::RsaPrivateKeyRef;
use rsa::pkcs8::der::Decode;
use rsa::pkcs8::{DecodePublicKey, EncodePublicKey, PrivateKeyInfoRef};
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256};

/// RSA2 needs 2,048 bits. Longer keys than 4,096 bits cost more than a webhook may.
const BITS: std::ops::RangeInclusive<u32> = 2_048..=4_096;

/// The DER inside a PEM block or bare base64.
fn der(text: &str) -> Option<Vec<u8>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).ok()
}

/// A key that verifies signatures.
pub struct PublicKey(RsaPublicKey);

impl PublicKey {
    /// Reads the base64 of a SubjectPublicKeyInfo, or a PEM block of it.
    pub fn read(text: &str) -> Option<Self> {
        let key = RsaPublicKey::from_public_key_der(&der(text)?).ok()?;
        BITS.contains(&key.n().bits()).then_some(Self(key))
    }

    /// Whether `signature` (base64) is a valid signature over the message.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
        self.0.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), &signature).is_ok()
    }
}

/// A key that signs messages. It is a secret, so it has no `Debug`. Its numbers are checked and prepared when it is used,
/// because that costs more than a forged webhook may.
pub struct PrivateKey {
    der: Vec<u8>,
}

impl PrivateKey {
    /// Reads the base64 of a PKCS#8 or PKCS#1 private key, or a PEM block of it.
    pub fn read(text: &str) -> Option<Self> {
        let der = der(text)?;
        let bits = u32::try_from(inner(&der)?.modulus.as_bytes().len()).ok()?.checked_mul(8)?;
        BITS.contains(&bits).then_some(Self { der })
    }

    fn key(&self) -> Option<RsaPrivateKey> {
        RsaPrivateKey::try_from(inner(&self.der)?).ok()
    }

    /// The signature over a message, in base64; `None` only if the key's numbers are invalid.
    pub fn sign(&self, message: &[u8]) -> Option<String> {
        let signature = self.key()?.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message)).ok()?;
        Some(STANDARD.encode(signature))
    }

    /// The public half, in the platform's form: base64 of a SubjectPublicKeyInfo.
    pub fn public(&self) -> String {
        let der = self.key().and_then(|key| key.to_public_key().to_public_key_der().ok());
        der.map(|der| STANDARD.encode(der.as_bytes())).unwrap_or_default()
    }
}

/// The numbers of a key, with or without PKCS#8 around them.
fn inner(der: &[u8]) -> Option<RsaPrivateKeyRef<'_>> {
    match PrivateKeyInfoRef::from_der(der) {
        Ok(info) => RsaPrivateKeyRef::from_der(info.private_key.as_bytes()).ok(),
        Err(_) => RsaPrivateKeyRef::from_der(der).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_every_form() {
        let text = include_str!("../../tests/keys/alipay_app.pkcs8");
        let key = PrivateKey::read(text).unwrap();
        let public = key.public();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &public[..64], &public[64..]);
        let signature = key.sign(b"abc").unwrap();
        for form in [public.as_str(), &pem] {
            let public = PublicKey::read(form).unwrap();
            assert!(public.verifies(b"abc", &signature));
            assert!(!public.verifies(b"abd", &signature));
            assert!(!public.verifies(b"abc", "AAAA") && !public.verifies(b"abc", "?") && !public.verifies(b"abc", ""));
        }
        // The same key without PKCS#8 around it, as OpenSSL writes it: it begins after 26 bytes.
        let inner = STANDARD.encode(&der(text).unwrap()[26..]);
        assert_eq!(PrivateKey::read(&inner).unwrap().public(), public);
        // A key in the right form with a wrong number is detected when it is used.
        let mut wrong = der(text).unwrap();
        wrong[720] ^= 1;
        let wrong = PrivateKey::read(&STANDARD.encode(wrong)).unwrap();
        assert!(wrong.sign(b"abc").is_none() && wrong.public().is_empty());
        assert!(PublicKey::read("").is_none() && PublicKey::read(text).is_none() && PrivateKey::read(&public).is_none());
    }
}
