//! Three-level routing as pure functions: only the inputs decide.
//!
//! 1. and 2. [`Plan::place`]: the skill group, the contact's needs there and its urgency, from the [`rules`] and the
//!    customer's standing;
//! 3. [`decide`]: the seat ([`choose()`]) or the place in the [`queue`]; and, for a seat that becomes free, its next
//!    contact.
//!
//! [`plan`] is the document that operations staff edit, with [`group`]s, [`rules`] and [`hours`]. [`case`] decides which
//! conversations are one matter. [`seat`] is the capacity model, and [`staffing`] computes how many seats are needed.
//! [`handover`] decides when an AI seat gives way to people, and [`estimate`] how long a contact will wait.

pub mod case;
pub mod choose;
pub mod decide;
mod digest;
pub mod estimate;
pub mod group;
pub mod handover;
pub mod hours;
pub mod locate;
pub mod memory;
pub mod plan;
pub mod queue;
pub mod rules;
pub mod seat;
pub mod staffing;
pub mod word;

pub use choose::choose;
pub use decide::{Cause, Contact, Decision, Entry, Outcome, Roster, Rosters, SeatsAndQueues};
pub use group::{Group, GroupSettings};
pub use memory::Memory;
pub use plan::{Plan, Ready};
pub use queue::{Head, rank};
pub use rules::{Facts, Placement, Rule, VIP};
pub use seat::{Hand, Hands, Levels, Seat, SeatFacts};

/// Whether a value is the default, so that it need not be written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
