//! What the demo counts, from the customers' side and from the event log.

use crate::histogram::Histogram;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use warmline_model::{ConversationId, Event, EventBody, Origin};

/// Counters, safe to share.
#[derive(Default)]
pub struct Figures(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    acknowledged: u64,
    gave_up: u64,
    errors: u64,
    last_error: Option<String>,
    received: u64,
    answered: u64,
    delivered: u64,
    dead: u64,
    in_doubt: u64,
    retries: u64,
    last_failure: Option<String>,
    alerts: u64,
    waiting: HashSet<ConversationId>,
    acknowledge: Histogram,
    handling: Histogram,
    first_response: Histogram,
}

fn micros(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1000)
}

impl Figures {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message was acknowledged to its customer.
    pub fn note_acknowledged(&self, took: Duration) {
        let mut inner = self.lock();
        inner.acknowledged += 1;
        inner.acknowledge.record_time(took);
    }

    /// A customer left without an answer.
    pub fn note_gave_up(&self) {
        self.lock().gave_up += 1;
    }

    /// Something went wrong that the simulation can live with.
    pub fn note_error(&self, error: &str) {
        let mut inner = self.lock();
        inner.errors += 1;
        inner.last_error = Some(error.to_owned());
    }

    /// An event was seen.
    pub fn note_event(&self, event: &Event) {
        let mut inner = self.lock();
        match &event.body {
            EventBody::MessageReceived { received_at, .. } => {
                inner.received += 1;
                inner.handling.record(micros(event.at.since(*received_at)));
            }
            EventBody::ConversationQueued { .. } => inner.waiting.extend(event.conversation),
            EventBody::ConversationAssigned { .. } | EventBody::ConversationClosed { .. } => {
                if let Some(conversation) = event.conversation {
                    inner.waiting.remove(&conversation);
                }
            }
            EventBody::MessageSent { from: Origin::Agent, first_response_ms, .. } => {
                inner.answered += 1;
                if let Some(ms) = first_response_ms {
                    inner.first_response.record(micros(*ms));
                }
            }
            EventBody::DeliverySent { .. } => inner.delivered += 1,
            EventBody::DeliveryDead { .. } => inner.dead += 1,
            EventBody::DeliveryFailed { reason, .. } => {
                inner.retries += 1;
                inner.last_failure = Some(reason.clone());
            }
            EventBody::DeliveryInDoubt { .. } => inner.in_doubt += 1,
            EventBody::QualityAlert { .. } => inner.alerts += 1,
            _ => {}
        }
    }

    /// The last error, and how many there were.
    pub fn errors(&self) -> (u64, Option<String>) {
        let inner = self.lock();
        (inner.errors, inner.last_error.clone())
    }

    /// One line of figures.
    pub fn line(&self) -> String {
        let inner = self.lock();
        let (handling, first) = (inner.handling.summary(), inner.first_response.summary());
        let mut line = format!(
            "in {} | waiting {} | answered {} | handled in p50 {:.0} p99 {:.0} ms | first answer p50 {:.1} p99 {:.1} s | delivered {} | dead {}",
            inner.received,
            inner.waiting.len(),
            inner.answered,
            handling.p50_ms,
            handling.p99_ms,
            first.p50_ms / 1000.0,
            first.p99_ms / 1000.0,
            inner.delivered,
            inner.dead,
        );
        for (name, count) in [
            ("alerts", inner.alerts),
            ("retries", inner.retries),
            ("in doubt", inner.in_doubt),
            ("gave up", inner.gave_up),
            ("errors", inner.errors),
        ] {
            if count > 0 {
                line.push_str(&format!(" | {name} {count}"));
            }
        }
        line
    }

    /// The closing summary.
    pub fn closing(&self) -> String {
        let line = self.line();
        let inner = self.lock();
        let failure =
            inner.last_failure.as_ref().map(|why| format!("\nthe last failed delivery: {why}")).unwrap_or_default();
        format!("{line}{failure}\nwebhooks acknowledged: {} ({})", inner.acknowledged, inner.acknowledge.summary())
    }
}
