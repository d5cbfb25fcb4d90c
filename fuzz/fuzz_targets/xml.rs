#![no_main]
//! The reader of XML.

use warmline_channels::xml::Document;
use warmline_fuzz::libfuzzer_sys::fuzz_target;
use warmline_simulate::channels::protocols::memory::{limit, peak};

fuzz_target!(init: warmline_fuzz::seed(warmline_fuzz::payloads(b'<')), |data: &[u8]| {
    let (_, height) = peak(|| {
        let Ok(document) = Document::read(data) else { return };
        let root = document.root();
        assert!(root.children().all(|child| document.text(child.name()).is_some()));
        drop(root.to_json().to_string());
    });
    assert!(height <= limit(data.len()), "{height} bytes for {}", data.len());
});
