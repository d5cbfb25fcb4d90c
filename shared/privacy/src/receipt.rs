//! Signatures on receipts: ECDSA with P-256 and SHA-256. Anybody can check them with the public key (`openssl dgst
//! -verify`), without our help.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::EncodePublicKey as _;
use sha2::{Digest, Sha256};

/// Signs receipts.
pub struct Signer(SigningKey);

impl Signer {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        // A random 256-bit number is a key of this curve except once in 2^32. The next number is taken then.
        let mut next: [u8; 32] = *seed;
        loop {
            if let Ok(key) = SigningKey::from_bytes(&next.into()) {
                return Self(key);
            }
            next = Sha256::digest(next).into();
        }
    }

    /// The signature of a text: DER in base64. The same text has the same signature (RFC 6979).
    pub fn sign(&self, text: &[u8]) -> String {
        let signature: Signature = self.0.sign(text);
        STANDARD.encode(signature.to_der().as_bytes())
    }

    /// The public key, PEM.
    pub fn public_key(&self) -> String {
        let der = self.0.verifying_key().to_public_key_der();
        let text = der.map(|der| STANDARD.encode(der.as_bytes())).unwrap_or_default();
        let lines: String =
            text.as_bytes().chunks(64).flat_map(|line| line.iter().map(|b| char::from(*b)).chain(['\n'])).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{lines}-----END PUBLIC KEY-----\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier as _;
    use p256::pkcs8::DecodePublicKey as _;

    #[test]
    fn whoever_has_the_public_key_can_check() {
        let signer = Signer::new(&[7; 32]);
        let pem = signer.public_key();
        let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        assert!(pem.lines().all(|line| line.len() <= 64));
        let key = VerifyingKey::from_public_key_der(&STANDARD.decode(der).unwrap()).unwrap();
        let signature = Signature::from_der(&STANDARD.decode(signer.sign(b"receipt")).unwrap()).unwrap();
        assert!(key.verify(b"receipt", &signature).is_ok());
        assert!(key.verify(b"receipts", &signature).is_err());
        assert_eq!(signer.sign(b"receipt"), Signer::new(&[7; 32]).sign(b"receipt"));
        assert_ne!(signer.public_key(), Signer::new(&[8; 32]).public_key());
        // Zero is no key of the curve.
        assert_ne!(Signer::new(&[0; 32]).sign(b"x"), signer.sign(b"x"));
    }
}
