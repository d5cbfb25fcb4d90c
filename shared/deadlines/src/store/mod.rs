//! Deadlines in the store: the documents in versions, the deadlines, and what the fold knows of each conversation.

pub mod deadlines;
pub mod documents;
pub mod subjects;
