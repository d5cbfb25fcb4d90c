//! What every step needs: its context, sealing, transient keys, the audit log, and the parts of the store that all
//! capabilities share.
//!
//! * [`ctx`]: store, keys, clock and randomness; how a step fails; [`memo`]: what was read once in a request;
//! * [`sealed`]: what is sealed under which key, and bound to what; [`keys`]: rotation of the master key; [`passing`]:
//!   transient keys, with the [`payload`] of inbox rows;
//! * [`audit`]: who read which personal data; [`consent`]: what customers agreed to, checked before anything automatic is
//!   said;
//! * [`personal`]: what each capability does with personal data when the law asks for it; [`installed`]: what the installed
//!   capabilities give to each other;
//! * [`archive`]: packed messages; [`broken`]: values that were altered.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

pub mod archive;
pub mod audit;
pub mod broken;
pub mod consent;
pub mod ctx;
pub mod installed;
pub mod keys;
pub mod memo;
pub mod passing;
pub mod payload;
pub mod personal;
pub mod sealed;

pub use ctx::{Ctx, StepError};
