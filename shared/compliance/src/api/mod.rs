//! The routes of the privacy officer, and of who checks what was read.

pub mod audit;
pub mod erasures;
pub mod export;
pub mod keys;
