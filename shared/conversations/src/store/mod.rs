//! Conversations in the store: their places, the colleagues asked about them, what agents have read and begun to
//! write, worklists, and the plan and figures by which seats are found.

pub mod assignment;
pub mod cases;
pub mod consults;
pub mod drafts;
pub mod erased;
pub mod groups;
pub mod held;
pub mod marks;
pub mod plans;
pub mod queues;
pub mod rosters;
pub mod staffing;
pub mod worklist;
