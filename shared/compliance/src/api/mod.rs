//! The routes of the privacy officer and of auditors.

pub mod audit;
pub mod erasures;
pub mod export;
pub mod keys;
