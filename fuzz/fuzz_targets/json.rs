#![no_main]
//! The reader of JSON: a text that it accepts is accepted again in the form in which it writes it.

use warmline_channels::json::{MAX_BYTES, holds_nul, read};
use warmline_fuzz::libfuzzer_sys::fuzz_target;
use warmline_simulate::channels::protocols::memory::{limit, peak};

fuzz_target!(init: warmline_fuzz::seed(warmline_fuzz::payloads(b'{')), |data: &[u8]| {
    let (value, height) = peak(|| read(data, MAX_BYTES));
    assert!(height <= limit(data.len()), "{height} bytes for {}", data.len());
    if let Ok(value) = value {
        assert!(!holds_nul(&value));
        assert!(read(value.to_string().as_bytes(), MAX_BYTES).is_ok());
    }
});
