//! Queues played and replayed, on the router's own decisions ([`warmline_routing::decide`]) and seats and queues in memory
//! ([`warmline_routing::Memory`]).
//!
//! * [`simulate`]: a discrete-event simulator: `warmline simulate-queue`;
//! * [`replay`]: a log once more, with the same plan or another: `warmline replay`.

pub mod replay;
pub mod simulate;
