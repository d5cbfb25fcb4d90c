//! Deadlines (时限): until when something is owed to a customer, by the brand's policies, by a platform, by law, or because
//! somebody promised it.
//!
//! The rules are pure, and work without the feature `server`: [`calendar`] counts business time, [`policy`] is the document
//! that a supervisor edits, [`platform`] has the platforms' clocks, [`clock`] folds what happens into deadlines, [`look`] says
//! when to look at a deadline again, and [`promise`] reads due instants from what staff write.

pub mod calendar;
pub mod clock;
mod fault;
pub mod look;
pub mod platform;
pub mod policy;
pub mod promise;

pub use fault::Fault;
