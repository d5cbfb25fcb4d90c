//! The counts of the demo, from the customers' side and from the event log.

use crate::customers::{Sending, Taken};
use crate::histogram::Histogram;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use warmline_model::{ConversationId, Delivery, Event, EventBody, Origin};

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
    not_granted: u64,
    alerts: u64,
    waiting: HashSet<ConversationId>,
    channels: BTreeMap<String, Flow>,
    acknowledge: Histogram,
    handling: Histogram,
    first_response: Histogram,
}

/// The traffic of one channel.
#[derive(Clone, Copy, Default)]
struct Flow {
    sent: u64,
    taken: u64,
    received: u64,
    answered: u64,
    delivered: u64,
}

impl Inner {
    fn flow(&mut self, channel: &str) -> &mut Flow {
        self.channels.entry(channel.to_owned()).or_default()
    }
}

fn micros(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1000)
}

/// A time as on a clock: minutes and seconds, and hours before them if there are any.
fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

impl Figures {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a customer sent a message.
    pub fn note_sending(&self, channel: &str, sending: &Sending) {
        let mut inner = self.lock();
        inner.flow(channel).sent += 1;
        match sending.taken {
            Some(Taken::Acknowledged(took)) => {
                inner.acknowledged += 1;
                inner.acknowledge.record_time(took);
            }
            Some(Taken::Kept) => {}
            None => {
                inner.errors += 1;
                let why = sending.refusals.last().cloned().unwrap_or_default();
                inner.last_error = Some(format!("{channel}: a message was not acknowledged: {why}"));
                return;
            }
        }
        inner.flow(channel).taken += 1;
    }

    /// Notes that a customer left without an answer.
    pub fn note_gave_up(&self) {
        self.lock().gave_up += 1;
    }

    /// Notes an error that does not stop the simulation.
    pub fn note_error(&self, error: &str) {
        let mut inner = self.lock();
        inner.errors += 1;
        inner.last_error = Some(error.to_owned());
    }

    /// Notes an event.
    pub fn note_event(&self, event: &Event) {
        let mut inner = self.lock();
        match &event.body {
            EventBody::MessageReceived { channel, received_at, .. } => {
                inner.received += 1;
                inner.flow(channel.as_str()).received += 1;
                inner.handling.record(micros(event.at.since(*received_at)));
            }
            EventBody::ConversationQueued { .. } => inner.waiting.extend(event.conversation),
            EventBody::ConversationAssigned { .. } | EventBody::ConversationClosed { .. } => {
                if let Some(conversation) = event.conversation {
                    inner.waiting.remove(&conversation);
                }
            }
            EventBody::MessageSent { from: Origin::Agent, channel, first_response_ms, .. } => {
                inner.answered += 1;
                inner.flow(channel.as_str()).answered += 1;
                if let Some(ms) = first_response_ms {
                    inner.first_response.record(micros(*ms));
                }
            }
            EventBody::Delivery(Delivery::Sent { channel, .. }) => {
                inner.delivered += 1;
                inner.flow(channel.as_str()).delivered += 1;
            }
            EventBody::Delivery(Delivery::Dead { .. }) => inner.dead += 1,
            EventBody::Delivery(Delivery::Failed { reason, .. }) => {
                inner.retries += 1;
                inner.not_granted += u64::from(reason == "host_not_granted");
                inner.last_failure = Some(reason.clone());
            }
            EventBody::Delivery(Delivery::InDoubt { .. }) => inner.in_doubt += 1,
            EventBody::QualityAlert { .. } => inner.alerts += 1,
            _ => {}
        }
    }

    /// The number of errors, and the last one.
    pub fn errors(&self) -> (u64, Option<String>) {
        let inner = self.lock();
        (inner.errors, inner.last_error.clone())
    }

    /// Replies that could not leave because the server does not let its adapters reach the simulated platforms.
    pub fn not_granted(&self) -> u64 {
        self.lock().not_granted
    }

    /// One line of figures, after this time.
    pub fn line(&self, elapsed: Duration) -> String {
        let inner = self.lock();
        let (handling, first) = (inner.handling.summary(), inner.first_response.summary());
        let rate = inner.received as f64 / elapsed.as_secs_f64().max(1.0);
        let mut line = format!(
            "{} | in {} ({rate:.1}/s) by {} channels | waiting {} | answered {} | handled in p50 {:.0} p99 {:.0} ms | first answer p50 {:.1} p99 {:.1} s | delivered {} | dead {}",
            clock(elapsed),
            inner.received,
            inner.channels.values().filter(|flow| flow.received > 0).count(),
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

    /// The traffic of each channel, one line each.
    pub fn by_channel(&self) -> String {
        let mut table =
            format!("{:<13}{:>8}{:>8}{:>8}{:>10}{:>11}", "channel", "sent", "taken", "in", "answered", "delivered");
        for (channel, flow) in &self.lock().channels {
            table.push_str(&format!(
                "\n{channel:<13}{:>8}{:>8}{:>8}{:>10}{:>11}",
                flow.sent, flow.taken, flow.received, flow.answered, flow.delivered
            ));
        }
        table
    }

    /// The closing summary, after this time.
    pub fn closing(&self, elapsed: Duration) -> String {
        let line = self.line(elapsed);
        let inner = self.lock();
        let failure =
            inner.last_failure.as_ref().map(|why| format!("\nthe last failed delivery: {why}")).unwrap_or_default();
        format!("{line}{failure}\nwebhooks acknowledged: {} ({})", inner.acknowledged, inner.acknowledge.summary())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_has_a_line_of_its_own() {
        let figures = Figures::default();
        let took = Sending { taken: Some(Taken::Acknowledged(Duration::from_millis(2))), refusals: Vec::new() };
        figures.note_sending("sms", &took);
        figures.note_sending("jd", &Sending { taken: Some(Taken::Kept), refusals: Vec::new() });
        figures.note_sending("sms", &Sending { taken: None, refusals: vec!["status 503".into()] });
        let table = figures.by_channel();
        let lines: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines, [["jd", "1", "1", "0", "0", "0"], ["sms", "2", "1", "0", "0", "0"]]);
        let (errors, last) = figures.errors();
        assert_eq!((errors, last.as_deref()), (1, Some("sms: a message was not acknowledged: status 503")));
        let line = figures.line(Duration::from_secs(75));
        assert!(line.starts_with("1:15 | in 0 (0.0/s) by 0 channels"), "{line}");
    }

    #[test]
    fn newcomer_the_line_tells_time_and_rate() {
        for (seconds, shown) in [(0, "0:00"), (59, "0:59"), (61, "1:01"), (3_600, "1:00:00"), (36_061, "10:01:01")] {
            assert_eq!(clock(Duration::from_secs(seconds)), shown);
        }
        let figures = Figures::default();
        figures.lock().received = 30;
        assert!(figures.line(Duration::from_secs(10)).contains("in 30 (3.0/s)"));
        assert!(figures.line(Duration::ZERO).contains("in 30 (30.0/s)"), "no division by nothing");
    }

    #[test]
    fn newcomer_replies_that_may_not_reach_the_platforms_are_counted() {
        let figures = Figures::default();
        for reason in ["host_not_granted", "timeout", "host_not_granted"] {
            let failed = Delivery::Failed {
                message: warmline_model::MessageId::from_bytes(&[1; 16]).unwrap(),
                channel: warmline_model::Channel::new("wechat").unwrap(),
                attempts: 1,
                reason: reason.to_owned(),
                retry_at: warmline_model::Timestamp::default(),
            };
            let body = EventBody::Delivery(failed);
            figures.note_event(&Event { seq: 1, at: warmline_model::Timestamp::default(), v: 1, conversation: None, body });
        }
        assert_eq!(figures.not_granted(), 2);
    }
}
