//! The bounds of each request.

use std::time::Duration;

/// The bounds of each request.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Instances for requests from outside; as many again are kept for chained calls.
    pub instances: usize,
    /// Memory of one instance in bytes.
    pub memory: usize,
    /// WebSockets held at once.
    pub sockets: usize,
    /// How long a client may take to send a request's head, and be silent between two requests.
    pub head: Duration,
    /// Ticks of CPU time for one request.
    pub cpu_ticks: u64,
    /// How long a component may take to begin its answer, and to go on after it.
    pub answer: Duration,
    /// How long an outbound call may take.
    pub outbound: Duration,
}
