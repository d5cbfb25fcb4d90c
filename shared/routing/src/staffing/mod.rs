//! How many seats a group needs, and which agents to move before a queue grows. Pure: the history, the forecast's state, the
//! instant and the agents are all parameters, and the same ones give the same figures.
//!
//! * [`load`]: what comes in: contacts an hour, handle time, patience, checked once;
//! * [`erlang_c`]: the queue whose customers wait for ever (M/M/N);
//! * [`erlang_a`]: the queue whose customers give up (M/M/N+M).
//!
//! Both models assume one contact a seat at a time. An agent who chats with five customers at once is five slots, and the
//! handle time is the one that a customer sees while the agent attends to four others.

pub mod erlang_a;
pub mod erlang_c;
mod integrals;
pub mod load;

pub use erlang_a::{ErlangA, ServiceLevel};
pub use erlang_c::ErlangC;
pub use load::{Load, MAX_SEATS, StaffingError};
