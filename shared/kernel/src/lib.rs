//! The ground of every step: its context, sealing, transient keys, the audit log, and the parts of the store that all
//! capabilities share.
//!
//! * [`ctx`]: store, keys, clock and randomness; how a step fails; [`memo`]: values that were read once in a request;
//! * [`sealing`]: sealing each kind of value under its key, bound to its row; [`keys`]: rotation of the master key;
//!   [`transient_keys`]: transient keys, with the [`payload`] of inbox rows;
//! * [`audit`]: the record of reads and changes of personal data; [`consent`]: the customers' consent, checked before
//!   anything automatic is sent;
//! * [`personal`]: each capability's hooks for personal data; [`installed`]: the parts that the installed capabilities
//!   give to each other;
//! * [`archive`]: packed messages; [`tampering`]: values that were altered.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

pub mod archive;
pub mod audit;
pub mod consent;
pub mod ctx;
pub mod installed;
pub mod keys;
pub mod memo;
pub mod payload;
pub mod personal;
pub mod sealing;
pub mod tampering;
pub mod transient_keys;

pub use ctx::{Ctx, StepError};
