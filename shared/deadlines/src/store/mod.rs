//! Deadlines in the store: the documents in versions, the deadlines, the promises, and what the fold knows of each conversation.

pub mod deadlines;
pub mod documents;
pub mod promises;
pub mod subjects;
