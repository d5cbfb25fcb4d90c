//! Three-level routing as pure functions: what goes in is all that decides.
//!
//! 1. [`rules`]: the skill group, by channel, account, kind and words;
//! 2. and 3. [`choose`]: the agent, by the customer's tags, then by load.
//!
//! [`group`] has a group's settings and the place in its queue.

pub mod choose;
pub mod group;
pub mod rules;
pub mod staffing;

pub use choose::{Candidate, Choice, choose};
pub use group::{GroupSettings, rank};
pub use rules::{Facts, Rule, Rules};
