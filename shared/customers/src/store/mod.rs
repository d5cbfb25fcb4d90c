//! Customers in the store: the links between them, and the legal duties towards them.

pub mod erasures;
pub mod holds;
pub mod people;
