#![no_main]
//! The tokens of our own clients: a text that was not signed is never accepted.

use serde_json::Value;
use warmline_channels::hs256::verify;
use warmline_fuzz::libfuzzer_sys::fuzz_target;
use warmline_model::Timestamp;

fuzz_target!(|data: &[u8]| {
    if let Ok(token) = std::str::from_utf8(data) {
        assert!(verify::<Value>(token, b"a key that nobody has", Timestamp::from_secs(0)).is_err());
    }
});
