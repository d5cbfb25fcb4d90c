//! A real HTTP server that plays the part of WeChat's API: it issues access tokens, takes customer-service messages and
//! remembers every one that it accepted, in order.
//!
//! What goes wrong is scripted by [`Rule`]s: error codes, failures, delays, and connections that break before the platform
//! read the request or after it had taken the message. The latter is the case that no sender can tell from the former, and
//! the reason why the record here, not the sender's, says what a customer saw.

mod record;
mod rules;
mod serve;

use crate::listen::Listening;
use anyhow::Result;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use record::{Counts, Sent};
pub use rules::{Behaviour, Endpoint, Rule};

use record::Record;
use rules::RuleSet;

/// The simulator's whole state.
#[derive(Default)]
struct State {
    rules: RuleSet,
    record: Record,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<State>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running simulator. It has a thread of its own and ends when dropped.
pub struct Platform {
    shared: Shared,
    listening: Listening,
}

impl Platform {
    /// Listens on 127.0.0.1; port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken.
    pub fn start(port: u16) -> Result<Self> {
        let shared = Shared::default();
        let state = shared.clone();
        let listening = Listening::start(port, move |request| serve::handle(request, state.clone()))?;
        Ok(Self { shared, listening })
    }

    /// The address to give an account as its `api_base`.
    pub fn url(&self) -> String {
        format!("http://{}", self.listening.address)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.listening.address.port()
    }

    /// Adds a rule behind those that are there.
    pub fn script(&self, rule: Rule) {
        self.shared.lock().rules.add(rule);
    }

    /// Drops all rules: everything works again.
    pub fn clear_script(&self) {
        self.shared.lock().rules = RuleSet::default();
    }

    /// Takes only this app with this secret from now on (an app that was never registered may use any secret).
    pub fn register(&self, app_id: &str, secret: &str) {
        self.shared.lock().record.register(app_id, secret);
    }

    /// How long tokens issued from now on are valid.
    pub fn set_token_life(&self, life: Duration) {
        self.shared.lock().record.token_life = life;
    }

    /// Makes every token invalid, as the platform does when another system fetches one.
    pub fn expire_tokens(&self) {
        self.shared.lock().record.expire_tokens();
    }

    /// Every accepted message, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.shared.lock().record.sent().to_vec()
    }

    /// Accepted messages from number `first` on, in order.
    pub fn sent_since(&self, first: usize) -> Vec<Sent> {
        self.shared.lock().record.sent().get(first..).unwrap_or_default().to_vec()
    }

    /// What one customer was sent, in order.
    pub fn sent_to(&self, open_id: &str) -> Vec<Sent> {
        self.shared.lock().record.sent_to(open_id, 0)
    }

    /// What one customer was sent after the first `seen` messages.
    pub fn sent_after(&self, open_id: &str, seen: usize) -> Vec<Sent> {
        self.shared.lock().record.sent_to(open_id, seen)
    }

    /// The texts that one customer was sent, in order.
    pub fn texts_to(&self, open_id: &str) -> Vec<String> {
        self.sent_to(open_id).into_iter().filter_map(|sent| sent.text).collect()
    }

    /// How the simulator was used.
    pub fn counts(&self) -> Counts {
        self.shared.lock().record.counts
    }

    /// Blocks until so many messages were accepted in all, and tells whether that happened in time.
    pub fn wait_for(&self, messages: usize, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        loop {
            if self.shared.lock().record.sent().len() >= messages {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
mod tests;
