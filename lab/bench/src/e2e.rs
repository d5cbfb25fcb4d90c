//! From a webhook to its conversation in an agent's hands, as a reader of the event log sees it.
//!
//! The clock starts when a message was due to be sent. It stops when the reader has both its `message.received` and its
//! conversation's `conversation.assigned`. Events hold no text, so messages are matched afterwards: each text carries its
//! message's number.

use super::Bench;
use super::fixture::Fixture;
use super::floor::{Floor, Seen};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};
use warmline_client::Api;
use warmline_model::{ConversationId, MessageId, Origin};
use warmline_simulate::fixture::{ACCOUNT, TOKEN};
use warmline_simulate::histogram::{Histogram, Summary};
use warmline_simulate::load::{self, Mix, Plan, Shape, WeChatShape, index_of};

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct EndToEnd {
    /// Messages a second.
    pub rate: f64,
    /// Messages measured.
    pub messages: u64,
    /// Conversations that they opened.
    pub conversations: u64,
    /// From due to visible and assigned.
    pub latency: Summary,
    /// From due to acknowledged, in the same run.
    pub acknowledge: Summary,
    /// Acknowledged messages that were never seen.
    pub missing: u64,
    /// The time between two looks at the log. On average half of it is part of the latency.
    pub look_every_ms: f64,
}

const PER_CUSTOMER: u64 = 8;
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Measures at this rate.
pub(super) fn run(bench: &Bench<'_>, rate: f64) -> Result<EndToEnd> {
    let duration = bench.seconds(15);
    let warm_up = bench.seconds(3);
    bench.say(&format!("end to end at {rate:.0}/s"));
    let directory = bench.scratch.sub("e2e")?;
    let messages = rate * duration.as_secs_f64();
    let conversations = (messages / PER_CUSTOMER as f64) as i64 + 200;
    let bed = Fixture::make(bench, &bench.server_options(&bench.args.manifest, &directory, "normal"), conversations)?;
    let floor = Floor::watch(bench.runtime, &bed.api, LOOK_EVERY, true);
    let mix = Mix::Flow { per: PER_CUSTOMER, window: 32 };
    let plan = Plan {
        connections: bench.args.connections,
        rate: Some(rate),
        duration,
        warm_up,
        ..Plan::new(bed.server.address(), Shape::WeChat(WeChatShape::new(ACCOUNT, TOKEN, mix)))
    };
    let report = load::run(&plan)?;
    let got = floor.wait_for(report.acknowledged, Duration::from_secs(60));
    // The last assignments may still be under way.
    std::thread::sleep(Duration::from_millis(500));
    let seen = floor.finish();
    let started = report.started.context("the load has no start")?;
    let numbers = bench.runtime.block_on(numbers(&bed.api, &seen))?;
    let (histogram, unassigned) = latencies(&seen, &numbers, started, rate, warm_up);
    ensure!(histogram.count() > 0, "no message was seen in the event log");
    if unassigned > 0 {
        bench.say(&format!("  {unassigned} messages were never assigned and are not in the figures"));
    }
    let result = EndToEnd {
        rate,
        messages: histogram.count(),
        conversations: seen.assigned.len() as u64,
        latency: histogram.summary(),
        acknowledge: report.latency,
        missing: report.acknowledged.saturating_sub(got) + unassigned,
        look_every_ms: LOOK_EVERY.as_secs_f64() * 1000.0,
    };
    bench.say(&format!("  {}  ({} missing)", result.latency, result.missing));
    Ok(result)
}

/// Each message's number, from its text.
async fn numbers(api: &Api, seen: &Seen) -> Result<BTreeMap<MessageId, u64>> {
    let conversations: HashSet<ConversationId> = seen.messages.values().map(|(conversation, _)| *conversation).collect();
    let mut numbers = BTreeMap::new();
    for conversation in conversations {
        for message in api.messages(conversation).await.context("messages of a conversation")? {
            if let (Origin::Customer, Some(index)) = (message.from, message.text().and_then(index_of)) {
                numbers.insert(message.id, index);
            }
        }
    }
    Ok(numbers)
}

fn latencies(
    seen: &Seen,
    numbers: &BTreeMap<MessageId, u64>,
    started: Instant,
    rate: f64,
    warm_up: Duration,
) -> (Histogram, u64) {
    let (mut histogram, mut unassigned) = (Histogram::default(), 0);
    for (message, (conversation, received)) in &seen.messages {
        let Some(index) = numbers.get(message) else { continue };
        let due = Duration::from_secs_f64(*index as f64 / rate);
        if due < warm_up {
            continue;
        }
        match seen.assigned.get(conversation) {
            Some(assigned) => histogram.record_time((*received).max(*assigned).saturating_duration_since(started + due)),
            None => unassigned += 1,
        }
    }
    (histogram, unassigned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use warmline_model::{Rng, Timestamp};

    struct Counter(std::cell::Cell<u8>);
    impl Rng for Counter {
        fn fill(&self, out: &mut [u8]) {
            self.0.set(self.0.get() + 1);
            out.fill(self.0.get());
        }
    }

    #[test]
    fn the_clock_stops_when_both_are_seen() {
        let rng = Counter(std::cell::Cell::new(0));
        let now = Timestamp::from_millis(1);
        let (a, b) = (ConversationId::new(now, &rng), ConversationId::new(now, &rng));
        let (m0, m1, m2) = (MessageId::new(now, &rng), MessageId::new(now, &rng), MessageId::new(now, &rng));
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut seen = Seen::default();
        seen.assigned.insert(a, at(30));
        seen.messages.insert(m0, (a, at(20)));
        seen.messages.insert(m1, (a, at(140)));
        seen.messages.insert(m2, (b, at(210)));
        let numbers = BTreeMap::from([(m0, 0), (m1, 1), (m2, 2)]);
        let (histogram, unassigned) = latencies(&seen, &numbers, start, 10.0, Duration::ZERO);
        assert_eq!((histogram.count(), unassigned, histogram.max()), (2, 1, 40_000));
        let (later, _) = latencies(&seen, &numbers, start, 10.0, Duration::from_millis(50));
        assert_eq!(later.count(), 1);
    }
}
