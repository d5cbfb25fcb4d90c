//! XML as messaging platforms speak it: a flat element of named texts, now and then with a list inside.
//!
//! [`Document`] reads within fixed bounds and knows no document type and no entity of its own making; [`readable`] comes before
//! it; [`Writer`] writes.

mod read;
mod write;

pub use read::{Document, Element, Error, MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, readable};
pub use write::Writer;
