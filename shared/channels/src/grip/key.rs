//! The key that gateway and components share. The gateway signs the requests that it forwards (`Grip-Sig`), and the
//! components sign their publications: a JSON web token with `iss` and `exp`, HS256. A client that reaches a component
//! directly therefore cannot pose as the gateway, and a client that reaches the gateway cannot publish.

use crate::hs256;
use crate::kit::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;
use warmline_model::Timestamp;
use zeroize::Zeroizing;

/// The time for which a signature is valid, in seconds.
const GOOD_FOR: i64 = 120;
/// The shortest key in bytes. Shorter keys can be guessed.
const LEAST: usize = 16;

#[derive(Serialize)]
struct Claims {
    iss: String,
    exp: i64,
}

/// The shared key.
pub struct Key(Zeroizing<Vec<u8>>);

impl Key {
    /// Reads the key in the form of Pushpin's configuration: bytes in base64 after `base64:`, or the text itself. `None` if
    /// it is empty, not base64, or shorter than 16 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = match text.strip_prefix("base64:") {
            Some(encoded) => STANDARD.decode(encoded.trim()).ok()?,
            None => text.as_bytes().to_vec(),
        };
        (bytes.len() >= LEAST).then(|| Self(Zeroizing::new(bytes)))
    }

    /// A signature that names the issuer.
    pub fn sign(&self, issuer: &str, now: Timestamp) -> String {
        // These claims can always be written.
        hs256::sign(&Claims { iss: issuer.to_owned(), exp: now.secs() + GOOD_FOR }, &self.0).unwrap_or_default()
    }

    /// Checks a signature.
    ///
    /// # Errors
    /// The signature is of another key, or has expired.
    pub fn check(&self, signature: &str, now: Timestamp) -> Result<(), Refusal> {
        let _: Value = hs256::verify(signature, &self.0, now)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    #[test]
    fn keys_as_pushpin_writes_them() {
        let text = Key::parse("sixteen or more bytes").unwrap();
        let same = Key::parse("base64:c2l4dGVlbiBvciBtb3JlIGJ5dGVz").unwrap();
        assert_eq!(same.check(&text.sign("pushpin", NOW), NOW), Ok(()));
        for bad in ["", "short", "base64:!!!", "base64:c2hvcnQ="] {
            assert!(Key::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn signatures_are_of_one_key_and_of_now() {
        let (key, other) = (Key::parse("sixteen or more bytes").unwrap(), Key::parse("sixteen or more bytez").unwrap());
        let signature = key.sign("pushpin", NOW);
        assert_eq!(other.check(&signature, NOW), Err(Refusal::SignatureWrong));
        assert_eq!(key.check(&signature, NOW.plus_millis(600_000)), Err(Refusal::Expired));
        assert_eq!(key.check("", NOW), Err(Refusal::SignatureWrong));
    }
}
