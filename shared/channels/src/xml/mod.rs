//! XML of messaging platforms: a flat element of named texts, sometimes with a list inside.
//!
//! [`Document`] reads within fixed bounds and accepts no document type and no own entities. [`readable`] runs before it.
//! [`Writer`] writes.

mod read;
mod write;

pub use read::{Document, Element, Error, MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, readable};
pub use write::Writer;
