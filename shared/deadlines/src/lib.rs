//! Deadlines (时限): until when something is owed to a customer, by the brand's policies, by a platform, by law, or because
//! somebody promised it.
//!
//! The rules are pure, and work without the feature `server`: [`calendar`] counts business time, [`policy`] is the document
//! that a supervisor edits, [`platform`] has the platforms' clocks, [`clock`] folds what happens into deadlines, [`look`] says
//! when to look at a deadline again, and [`promise`] reads due instants from what staff write.
//!
//! * [`promises`]: the ledger; [`books`]: the document and its versions; [`follow`]: from the event log to deadlines; [`due`]: warnings, misses and
//!   escalations in their time; [`list`]: what the API shows.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod books;
pub mod calendar;
#[cfg(feature = "server")]
mod capability;
pub mod clock;
#[cfg(feature = "server")]
pub mod due;
mod fault;
#[cfg(feature = "server")]
pub mod follow;
#[cfg(feature = "server")]
pub mod list;
pub mod look;
pub mod model;
#[cfg(feature = "server")]
mod personal;
pub mod platform;
pub mod policy;
pub mod promise;
#[cfg(feature = "server")]
pub mod promises;
#[cfg(feature = "server")]
mod settle;
#[cfg(feature = "server")]
pub mod store;

#[cfg(feature = "server")]
pub use capability::DEADLINES;
pub use fault::Fault;
