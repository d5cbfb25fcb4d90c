//! The bounds of each request.

use std::time::Duration;

/// The bounds of each request.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Instances for requests from outside. As many again are kept for chained calls.
    pub instances: usize,
    /// Memory of one instance in bytes.
    pub memory: usize,
    /// WebSockets held at once.
    pub sockets: usize,
    /// The longest time for a client to send a request's head, and the longest silence between two requests.
    pub head: Duration,
    /// Ticks of CPU time for one request.
    pub cpu_ticks: u64,
    /// The longest time for a component to begin its answer, and to continue after it.
    pub answer: Duration,
    /// The longest time of an outbound call.
    pub outbound: Duration,
}
