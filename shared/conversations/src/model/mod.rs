//! The shapes of conversations, agents and groups in the API.

mod agents;
mod conversations;
mod gate;
mod groups;
mod handover;
mod held;
mod queues;
mod routing;
mod seats;
mod staffing;
mod tokens;

pub use agents::*;
pub use conversations::*;
pub use gate::*;
pub use groups::*;
pub use handover::*;
pub use held::*;
pub use queues::*;
pub use routing::*;
pub use seats::*;
pub use staffing::*;
pub use tokens::*;
