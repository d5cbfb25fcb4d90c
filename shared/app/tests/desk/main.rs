//! The API as its clients call it, over stores in memory: the rights of staff towards a person, and the description of
//! every answer.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod accounts;
mod deadlines;
mod described;
mod explained;
mod gate;
mod held;
mod pace;
mod touch;
mod valid;
mod worklist;
mod world;
