//! The API as it is called, over stores in memory: who may touch a person, and whether every answer is as described.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod described;
mod explained;
mod pace;
mod touch;
mod valid;
mod world;
