//! The routes of customers.

pub mod consents;
pub mod customers;
pub mod holds;
pub mod messages;
