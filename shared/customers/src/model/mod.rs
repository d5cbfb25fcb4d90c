//! The shapes of customers in the API.

mod consents;
mod customers;
mod holds;
mod messages;
mod summary;

pub use consents::*;
pub use customers::*;
pub use holds::*;
pub use messages::*;
pub use summary::*;
