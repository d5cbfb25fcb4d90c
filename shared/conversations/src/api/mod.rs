//! The routes of conversations, of agents, and of queues.

pub mod agents;
mod carry;
pub mod cases;
pub mod conversations;
pub mod gate;
pub mod groups;
pub mod handover;
pub mod held;
pub mod media;
pub mod queues;
pub mod routing;
pub mod seats;
pub mod tokens;
pub mod view;
