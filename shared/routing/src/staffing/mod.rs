//! Computes how many seats a group needs. It is pure: the load and the target are parameters, and the same ones give the
//! same figures.
//!
//! * [`load`]: the load: contacts an hour, handle time, patience, checked once;
//! * [`erlang_c`]: the queue whose customers wait for ever (M/M/N);
//! * [`erlang_a`]: the queue whose customers give up (M/M/N+M);
//! * [`required`]: the fewest slots that reach a target, and the agents that these slots take;
//! * [`work`](mod@work): a group's work, from the event log;
//! * [`forecast`](mod@forecast): the expected contacts, from past ones;
//! * [`moves`](mod@moves): the groups that seats should serve first, so that no queue runs away.
//!
//! Both models assume one contact a seat at a time. An agent who chats with five customers at once is five slots, and the
//! handle time is the time that a customer sees while the agent attends to four others: see [`Concurrency`].

pub mod erlang_a;
pub mod erlang_c;
pub mod forecast;
mod integrals;
pub mod load;
pub mod moves;
pub mod required;
pub mod work;

pub use erlang_a::{ErlangA, ServiceLevel};
pub use erlang_c::ErlangC;
pub use forecast::forecast;
pub use load::{Load, MAX_SEATS, StaffingError};
pub use moves::{Cover, Member, Move, cover, moves};
pub use required::{Concurrency, Outlook, Target, required, slots};
