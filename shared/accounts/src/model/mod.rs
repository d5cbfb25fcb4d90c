//! The shapes of channel accounts in the API.

mod accounts;
mod health;
mod outbox;

pub use accounts::*;
pub use health::*;
pub use outbox::*;
