//! The machine of a measurement.

use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine and the moment.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// Their model.
    pub cpu: String,
    /// Kernel.
    pub kernel: String,
    /// Load average at the start. Above about 0.5, other programs were at work.
    pub load_average: String,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Seconds since the epoch.
    pub at: u64,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn field(text: &str, name: &str) -> String {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

impl Machine {
    /// This machine, now.
    pub fn here() -> Self {
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let load = read("/proc/loadavg");
        Self {
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_average: load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
            memory_mib: memory.trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024,
            at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        }
    }
}
