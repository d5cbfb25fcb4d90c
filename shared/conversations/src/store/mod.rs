//! Conversations in the store: their places, the colleagues asked about them, and the plan and figures by which seats are
//! found.

pub mod assignment;
pub mod cases;
pub mod consults;
pub mod erased;
pub mod groups;
pub mod held;
pub mod plans;
pub mod queues;
pub mod rosters;
pub mod staffing;
