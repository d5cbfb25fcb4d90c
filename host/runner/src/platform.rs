//! Platforms whose bounds the runner can impose, so that an application is tried within them before it is deployed there.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Profile {
    /// Fermyon Cloud: one database, no calls between components, no WebSockets, 1,024 keys, 30 s and 10 MB a request, 500 outbound calls an hour
    FermyonCloud,
}

/// What a platform allows, beside the bounds of each request. The default is this runner itself.
#[derive(Debug, Default)]
pub struct Platform {
    /// Whether components cannot call each other in process.
    pub unchained: bool,
    /// Whether nothing holds WebSockets.
    pub socketless: bool,
    /// Whether all labels of databases mean the same database.
    pub one_database: bool,
    /// The most keys in all key-value stores together.
    pub keys: Option<i64>,
    /// The calls to other hosts.
    pub outbound: Option<Quota>,
}

impl Profile {
    /// The longest time of a request, in seconds.
    pub fn answer_timeout(self) -> u32 {
        match self {
            Self::FermyonCloud => 30,
        }
    }

    /// The largest request body, in bytes.
    pub fn max_body(self) -> u64 {
        match self {
            Self::FermyonCloud => 10_000_000,
        }
    }
}

impl From<Profile> for Platform {
    /// The numbers are those of developer.fermyon.com/cloud/faq, read in November 2026.
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::FermyonCloud => Self {
                unchained: true,
                socketless: true,
                one_database: true,
                keys: Some(1_024),
                outbound: Some(Quota::new(500, Duration::from_secs(3_600))),
            },
        }
    }
}

/// So many within a time, which moves on with each.
#[derive(Debug)]
pub struct Quota {
    most: usize,
    within: Duration,
    taken: Mutex<VecDeque<Instant>>,
}

impl Quota {
    /// A quota of which nothing is taken.
    pub fn new(most: usize, within: Duration) -> Self {
        Self { most, within, taken: Mutex::default() }
    }

    /// Takes one. Returns false if none is left.
    pub fn take(&self) -> bool {
        let now = Instant::now();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.front().is_some_and(|first| now.duration_since(*first) >= self.within) {
            taken.pop_front();
        }
        let left = taken.len() < self.most;
        if left {
            taken.push_back(now);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_gives_so_many_and_comes_back() {
        let quota = Quota::new(2, Duration::from_millis(200));
        assert!(quota.take() && quota.take() && !quota.take());
        std::thread::sleep(Duration::from_millis(250));
        assert!(quota.take() && quota.take() && !quota.take());
    }
}
