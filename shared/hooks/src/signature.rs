//! Signatures as [Standard Webhooks](https://www.standardwebhooks.com) has them: HMAC-SHA-256 of the id, the time of the try
//! and the body, with a dot between them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The prefix of a secret's text.
const PREFIX: &str = "whsec_";

/// The text of a secret, as a receiver is given it.
pub fn shown(secret: &[u8]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret))
}

/// The value of the header `webhook-signature`: one signature for each secret, with a space between them. `at` is in seconds
/// since 1970.
pub fn header<'s>(secrets: impl IntoIterator<Item = &'s [u8]>, id: &str, at: i64, body: &str) -> String {
    let all = secrets.into_iter().filter_map(|secret| {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        mac.update(id.as_bytes());
        mac.update(format!(".{at}.").as_bytes());
        mac.update(body.as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    });
    all.collect::<Vec<_>>().join(" ")
}

/// Whether one of the signatures in a header is that of the secret's text. For receivers in tests: it takes any time.
#[doc(hidden)]
pub fn is_signed(secret: &str, id: &str, at: i64, body: &str, signatures: &str) -> bool {
    let Some(key) = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok()) else { return false };
    let own = header([key.as_slice()], id, at, body);
    signatures.split(' ').any(|signature| signature == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that the project publishes for implementers to check themselves by.
    #[test]
    fn signs_like_the_published_example() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        let wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(header([secret.as_slice()], id, at, body), wanted);
        assert_eq!(shown(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }

    #[test]
    fn a_change_of_any_part_is_another_signature() {
        let sign = |secret: &[u8], id: &str, at, body: &str| header([secret], id, at, body);
        let all = [
            sign(b"k", "a", 1, "b"),
            sign(b"l", "a", 1, "b"),
            sign(b"k", "c", 1, "b"),
            sign(b"k", "a", 2, "b"),
            sign(b"k", "a", 1, "c"),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn each_secret_signs_for_itself() {
        let both = header([&b"new"[..], b"old"], "a", 1, "b");
        assert_eq!(both.split(' ').count(), 2);
        for secret in [&b"new"[..], b"old"] {
            assert!(is_signed(&shown(secret), "a", 1, "b", &both));
        }
        assert!(!is_signed(&shown(b"other"), "a", 1, "b", &both));
    }
}
