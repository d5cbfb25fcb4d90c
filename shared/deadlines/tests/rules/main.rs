//! The pure rules of deadlines.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on fails")]

mod calendar;
mod clock;
mod platform;
mod policy;
mod promise;

use warmline_model::Timestamp;
use warmline_routing::hours::Hours;

/// An instant in RFC 3339.
fn at(text: &str) -> Timestamp {
    serde_json::from_str(&format!("{text:?}")).unwrap()
}

fn hours(text: &str) -> Hours {
    serde_json::from_str(text).unwrap()
}
