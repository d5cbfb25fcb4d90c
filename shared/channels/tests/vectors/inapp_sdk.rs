//! The two algorithms of the app channel: JWT HS256 (RFC 7515) and HMAC-SHA256 (RFC 4231).

use crate::{Vector, Verdict};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use warmline_channels::digest::hmac_sha256;
use warmline_channels::hs256;
use warmline_model::Timestamp;

pub(crate) fn check(vector: &Vector) -> Verdict {
    match vector.algorithm() {
        "jwt_hs256" => {
            let key = URL_SAFE_NO_PAD.decode(vector.input("jwk_k")).unwrap();
            let token = vector.input("token");
            // The token expired on 2011-03-22. A minute before, it was valid.
            let at = |seconds: i64| hs256::verify::<Value>(token, &key, Timestamp::from_secs(1_300_819_380 + seconds));
            assert_eq!(at(-60).unwrap()["iss"], "joe");
            assert_eq!(at(60), Err(hs256::Error::Expired));
            assert_eq!(hs256::verify::<Value>(token, b"another key", Timestamp::from_secs(0)), Err(hs256::Error::Signature));
        }
        "hmac_sha256_raw" => {
            let bytes = |name| hex::decode(vector.input(name)).unwrap();
            let (key, data) = (bytes("key_hex"), bytes("data_hex"));
            let expected = vector.expected()["hmac_hex"].as_str().unwrap();
            assert_eq!(hex::encode(hmac_sha256(&key, &[&data])), expected);
            let (head, tail) = data.split_at(data.len() / 2);
            assert_eq!(hex::encode(hmac_sha256(&key, &[head, tail])), expected, "in parts");
        }
        other => panic!("{}: algorithm {other}", vector.id()),
    }
    Verdict::Passed
}
