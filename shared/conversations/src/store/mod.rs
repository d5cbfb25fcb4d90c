//! Conversations in the store: where they wait, who is asked about them, and the plan and figures by which seats are found.

pub mod cases;
pub mod consults;
pub mod erased;
pub mod groups;
pub mod placing;
pub mod plans;
pub mod queues;
pub mod rosters;
pub mod staffing;
