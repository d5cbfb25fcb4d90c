//! Customers, conversations, and all that happens to them, step by step. Each step is one short transaction over the store.
//! No step does network I/O, and each gets the time and randomness from [`warmline_kernel::Ctx`], so every step runs in
//! native tests. Messages come in and go out in the crate `warmline-transport`.
//!
//! * [`drain`]: from the inbox into its conversation (the router's work); [`place`] finds the agent by the [`plan`] in force
//!   and the [`floor`] of seats and queues, also for [`calls`] that ring;
//! * [`people`]: one person across channels; [`touch`]: who may read, join and part persons; [`cases`]: a person's
//!   conversations on one matter;
//! * [`ai`]: turns of AI seats, and the hand-over to people;
//! * [`converse`]: what agents and supervisors do with a conversation; [`given_up`]: another try for messages that a
//!   platform did not accept;
//! * [`timeline`]: all that was said with a person, on every channel; [`summary`]: what a colleague must know about it, with
//!   its cache [`context`];
//! * [`quality`]: a follower of the event log;
//! * [`staffing`]: the expected contacts, the agents they need, and seats that move;
//! * [`tick`]: what happens because time passes; [`retention`]: how long data is kept; [`erase`] and [`hold`]: what the law
//!   requires; [`staff`]: agents and their presence.
//!
//! Every step fails if the store fails or a value does not open. Its documentation names only other errors.

pub mod ai;
pub mod calls;
pub mod cases;
pub mod context;
pub mod converse;
pub mod drain;
pub mod erase;
pub mod floor;
pub mod given_up;
pub mod hold;
mod orders;
pub mod people;
pub mod place;
pub mod plan;
pub mod quality;
pub mod retention;
pub mod staff;
pub mod staffing;
pub mod summary;
pub mod tick;
pub mod timeline;
pub mod touch;
