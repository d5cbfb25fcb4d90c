//! What every step needs: the world as a step sees it, sealing, the keys of what passes through, the audit log, and what stands in the
//! store below all capabilities.
//!
//! * [`ctx`]: store, keys, clock and randomness; how a step fails;
//! * [`sealed`]: what is sealed under which key, bound to what; [`keys`]: exchanging the master key; [`passing`]: keys of what passes
//!   through, with the [`payload`] of inbox rows;
//! * [`audit`]: who read what of whom; [`consent`]: what customers agreed to, which is asked before anything is said;
//! * [`archive`]: packed messages; [`broken`]: what was altered.
//!
//! Every step can fail because the store fails or a value does not open; its documentation says what else can.

pub mod archive;
pub mod audit;
pub mod broken;
pub mod consent;
pub mod ctx;
pub mod keys;
pub mod passing;
pub mod payload;
pub mod sealed;

pub use ctx::{Ctx, StepError};
