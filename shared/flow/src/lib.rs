//! Customers, conversations, and what follows from them, step by step. Each step is one short transaction over the store; none does network
//! I/O, asks for the time, or draws randomness by itself ([`warmline_kernel::Ctx`] carries all three), so that every step runs in native tests.
//! Messages come in and go out in the crate `transport`.
//!
//! * [`drain`]: from the inbox into its conversation (the router's work), with [`place`] finding the agent by the [`plan`] in force
//!   and the [`floor`] of seats and queues, also for [`calls`] that ring;
//! * [`people`]: one person across channels; [`touch`]: who may read, join and part them; [`cases`]: their conversations on one matter;
//! * [`ai`]: turns of AI seats, and handing over to people;
//! * [`converse`]: what agents and supervisors do with a conversation; [`given_up`]: another try for what a platform did not take;
//! * [`timeline`]: all that was said with a person, on every channel; [`summary`]: what of it a colleague must know, with
//!   the [`context`] that is kept of it;
//! * [`quality`]: a follower of the event log;
//! * [`staffing`]: what will come, who is needed, and seats that move;
//! * [`tick`]: what happens because time passes; [`retention`]: how long what is stored is kept; [`erase`] and [`hold`]: what the law
//!   asks; [`staff`].
//!
//! Every step can fail because the store fails or a value does not open; its documentation says what else can.

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
