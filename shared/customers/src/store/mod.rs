//! Customers in the store: what links them, and what the law asks of us for them.

pub mod erasures;
pub mod holds;
pub mod people;
