//! The routes of channel accounts.

pub mod account_health;
pub mod accounts;
pub mod channels;
pub mod outbox;
