//! Conversations: from the inbox to a seat, and all actions of agents, supervisors and AI seats on them.
//!
//! * [`drain`]: from the inbox into its conversation (the router's work); [`place`] finds the agent by the [`plan`] in force
//!   and the view of [`seats`] and queues, also for [`calls`] that ring; `outgoing` is the one way out to customers;
//! * [`contact`]: the rules for messages that answer nobody; [`cases`]: a person's conversations on one matter; [`ai`]: turns of AI seats, and the hand-over to people;
//! * [`converse`]: the actions of agents and supervisors on a conversation; [`held`]: messages that wait to be sent; [`staff`]:
//!   agents and their presence;
//! * [`staffing`]: the expected contacts, the agents they need, and seats that move; [`aging`]: the ageing of messages;
//! * [`store`]: their tables; [`api`]: their routes.
//!
//! Each step is one short transaction over the store. No step does network I/O, and each gets the time and randomness from
//! [`warmline_kernel::Ctx`], so every step runs in native tests. Every step fails if the store fails or a value does not
//! open. Its documentation names only other errors.

#[cfg(feature = "server")]
pub mod aging;
#[cfg(feature = "server")]
pub mod ai;
#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod calls;
#[cfg(feature = "server")]
mod capability;
#[cfg(feature = "server")]
pub mod cases;
#[cfg(feature = "server")]
pub mod contact;
#[cfg(feature = "server")]
pub mod converse;
#[cfg(feature = "server")]
pub mod drain;
#[cfg(feature = "server")]
mod due;
#[cfg(feature = "server")]
pub mod held;
pub mod model;
#[cfg(feature = "server")]
mod outgoing;
#[cfg(feature = "server")]
mod personal;
#[cfg(feature = "server")]
pub mod place;
#[cfg(feature = "server")]
pub mod plan;
#[cfg(feature = "server")]
mod receive;
#[cfg(feature = "server")]
pub mod seats;
#[cfg(feature = "server")]
pub mod staff;
#[cfg(feature = "server")]
pub mod staffing;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
mod words;

#[cfg(feature = "server")]
pub use capability::CONVERSATIONS;
