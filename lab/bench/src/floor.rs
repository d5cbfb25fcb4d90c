//! Watches a measurement: the event log, for the time at which each message became visible, and the server's memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use warmline_client::Api;
use warmline_client::Tail;
use warmline_model::{ConversationId, Event, EventBody, MessageId};

/// The times of the events.
#[derive(Default)]
pub struct Seen {
    /// Each message: its conversation, and the time at which its event was first read.
    pub messages: HashMap<MessageId, (ConversationId, Instant)>,
    /// Each conversation: the time at which its first assignment was read.
    pub assigned: HashMap<ConversationId, Instant>,
}

#[derive(Default)]
struct Shared {
    received: AtomicU64,
    parked: AtomicU64,
    seen: Mutex<Seen>,
}

/// The watcher. It ends when dropped.
pub struct Floor {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Floor {
    /// Begins to watch. `pause` is the time between two looks at a log without new events. With `keep` the instants are
    /// kept, which takes memory; without it messages are only counted.
    pub fn watch(runtime: &Runtime, api: &Api, pause: Duration, keep: bool) -> Self {
        let shared = Arc::new(Shared::default());
        let (mut tail, state) = (Tail::new(api.clone(), 0, pause), shared.clone());
        let task = runtime.spawn(async move {
            loop {
                let events = tail.next(|_| {}).await;
                let now = Instant::now();
                for event in events {
                    note(&state, &event, now, keep);
                }
            }
        });
        Self { shared, task }
    }

    /// Messages stored in their conversations so far.
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::Relaxed)
    }

    /// Messages that could not be handled and were set aside.
    pub fn parked(&self) -> u64 {
        self.shared.parked.load(Ordering::Relaxed)
    }

    /// Waits until this many messages are stored. Returns the number at its end.
    pub fn wait_for(&self, messages: u64, timeout: Duration) -> u64 {
        let begin = Instant::now();
        while self.received() < messages && begin.elapsed() < timeout {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.received()
    }

    /// Ends the watch and returns its notes.
    pub fn finish(self) -> Seen {
        self.task.abort();
        std::mem::take(&mut *self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(state: &Shared, event: &Event, now: Instant, keep: bool) {
    match &event.body {
        EventBody::MessageReceived { message, .. } => {
            state.received.fetch_add(1, Ordering::Relaxed);
            if let (true, Some(conversation)) = (keep, event.conversation) {
                let mut seen = state.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.messages.insert(*message, (conversation, now));
            }
        }
        EventBody::ConversationAssigned { .. } => {
            if let (true, Some(conversation)) = (keep, event.conversation) {
                let mut seen = state.seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.assigned.entry(conversation).or_insert(now);
            }
        }
        EventBody::InboxParked { .. } => {
            state.parked.fetch_add(1, Ordering::Relaxed);
        }
        _ => {}
    }
}

/// Samples a process's memory until dropped.
pub struct Memory {
    stop: Arc<std::sync::atomic::AtomicBool>,
    max: Arc<Mutex<f64>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Memory {
    /// Begins to sample.
    pub fn sample(pid: u32) -> Self {
        let (stop, max) = (Arc::new(std::sync::atomic::AtomicBool::new(false)), Arc::new(Mutex::new(0.0f64)));
        let (stopped, largest) = (stop.clone(), max.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Some(mib) = warmline_simulate::server::resident_mib(pid) {
                    let mut max = largest.lock().unwrap_or_else(PoisonError::into_inner);
                    *max = max.max(mib);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Self { stop, max, thread: Some(thread) }
    }

    /// The highest value so far, in MiB.
    pub fn max_mib(&self) -> f64 {
        *self.max.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
