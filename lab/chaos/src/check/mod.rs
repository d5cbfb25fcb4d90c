//! The audit after the last restart: compares the store with the outside world's record.

use super::ledger::{Fate, Ledger, Log};
use super::{ChaosReport, desk::REPLY};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use warmline_client::{Api, Conversation, Message};
use warmline_model::{AgentId, DeliveryState, Origin, Units};
use warmline_simulate::channels::Sent;
use warmline_simulate::channels::platform_server::PlatformServer;

/// The reason of a reply that perhaps arrived and is not sent again.
const PERHAPS_DELIVERED: &str = "perhaps_delivered";
/// After this many doubts, a reply is given up (docs/API.md).
const MAX_DOUBTS: u64 = 3;

/// A conversation with all its messages.
struct Told {
    conversation: Conversation,
    messages: Vec<Message>,
}

async fn everything(api: &Api) -> Result<Vec<Told>> {
    let mut told = Vec::new();
    for conversation in api.conversations("").await.context("conversations")? {
        let messages = api.messages(conversation.id).await.context("messages")?;
        told.push(Told { conversation, messages });
    }
    Ok(told)
}

async fn log(api: &Api) -> Result<Log> {
    let (mut log, mut after) = (Log::default(), 0);
    loop {
        let events = api.events(after, 1000).await.context("event log")?;
        match events.last() {
            Some(event) => after = event.seq,
            None => return Ok(log),
        }
        events.iter().for_each(|event| log.note(event));
    }
}

/// The number of replies under way.
pub(super) async fn undelivered(api: &Api) -> Result<usize> {
    let pending = |message: &&Message| {
        message.delivery.as_ref().is_some_and(|d| matches!(d.state, DeliveryState::Pending | DeliveryState::Failed))
    };
    Ok(everything(api).await?.iter().flat_map(|told| &told.messages).filter(pending).count())
}

/// Compares everything.
pub(super) async fn audit(api: &Api, ledger: &Ledger, platform: &PlatformServer, report: &mut ChaosReport) -> Result<()> {
    let (told, log, sent) = (everything(api).await?, log(api).await?, platform.sent());
    inbound(ledger, &told, &log, report);
    replies(ledger, &told, &log, &sent, report);
    order(&told, &sent, report);
    events(ledger, &log, report);
    capacity(api, report).await
}

fn inbound(ledger: &Ledger, told: &[Told], log: &Log, report: &mut ChaosReport) {
    let book = ledger.open();
    let mut stored: BTreeMap<&str, u64> = BTreeMap::new();
    for message in told.iter().flat_map(|told| &told.messages).filter(|message| message.from == Origin::Customer) {
        report.stored += 1;
        *stored.entry(message.text().unwrap_or_default()).or_default() += 1;
        match log.received.get(&message.id) {
            Some(1) => {}
            other => report.blame(format!("message {}: {} message.received events", message.id, other.unwrap_or(&0))),
        }
    }
    report.sent = book.sent.len() as u64;
    report.acknowledged = book.acknowledged.len() as u64;
    report.resent = book.resent;
    for text in &book.acknowledged {
        match stored.get(text.as_str()) {
            Some(1) => {}
            None => report.blame(format!("acknowledged and not stored: {text}")),
            Some(n) => report.blame(format!("stored {n} times: {text}")),
        }
    }
    for (text, n) in &stored {
        if !book.sent.contains(*text) {
            report.blame(format!("stored and never sent: {text}"));
        } else if *n > 1 && !book.acknowledged.contains(*text) {
            report.blame(format!("stored {n} times, not even acknowledged: {text}"));
        }
    }
    if log.parked > 0 {
        report.blame(format!("{} messages were parked", log.parked));
    }
}

fn replies(ledger: &Ledger, told: &[Told], log: &Log, sent: &[Sent], report: &mut ChaosReport) {
    let book = ledger.open();
    report.refusals = book.refusals.clone();
    let mut seen: HashMap<&str, u64> = HashMap::new();
    for text in sent.iter().map(|sent| sent.text.as_str()).filter(|text| text.starts_with(REPLY)) {
        *seen.entry(text).or_default() += 1;
        report.delivered += 1;
    }
    let mut stored: HashMap<&str, Vec<&Message>> = HashMap::new();
    for message in told.iter().flat_map(|told| &told.messages).filter(|message| message.from == Origin::Agent) {
        stored.entry(message.text().unwrap_or_default()).or_default().push(message);
    }
    for (text, fate) in &book.replies {
        let found = stored.get(text.as_str()).map(Vec::as_slice).unwrap_or_default();
        let times = seen.get(text.as_str()).copied().unwrap_or(0);
        match (fate, found) {
            (Fate::Open, _) => report.blame(format!("a reply never had an answer: {text}")),
            (Fate::Stored, [message]) | (Fate::Refused { unanswered: 1.. }, [message]) => {
                report.replies += 1;
                let doubts = log.in_doubt.get(&message.id).copied().unwrap_or(0);
                report.in_doubt += doubts;
                let delivery = message.delivery.as_ref();
                let state = delivery.map(|delivery| delivery.state);
                if delivery.is_some_and(|delivery| delivery.reason.as_deref() == Some(PERHAPS_DELIVERED)) {
                    given_up(text, state, times, doubts, report);
                    continue;
                }
                if times == 0 {
                    report.blame(format!("never delivered ({state:?}): {text}"));
                } else if times - 1 > doubts {
                    report.blame(format!("delivered {times} times with {doubts} doubts: {text}"));
                } else {
                    report.doubled += times - 1;
                }
                if state != Some(DeliveryState::Sent) {
                    report.blame(format!("delivered {times} times, yet {state:?}: {text}"));
                }
                if log.delivered.get(&message.id) != Some(&1) {
                    let count = log.delivered.get(&message.id).unwrap_or(&0);
                    report.blame(format!("{count} delivery.sent events: {text}"));
                }
            }
            (Fate::Refused { .. }, []) if times == 0 => report.refused += 1,
            (_, found) => {
                report.blame(format!("{fate:?}, stored {} times, delivered {times} times: {text}", found.len()));
            }
        }
    }
    for text in seen.keys().filter(|text| !book.replies.contains_key(**text)) {
        report.blame(format!("delivered and never written: {text}"));
    }
}

/// Checks a reply that was given up since nobody knows whether the platform has it: only after several doubts, and the
/// platform has it no more often than there were doubts.
fn given_up(text: &str, state: Option<DeliveryState>, times: u64, doubts: u64, report: &mut ChaosReport) {
    report.given_up += 1;
    if state != Some(DeliveryState::Dead) || doubts < MAX_DOUBTS || times > doubts {
        report.blame(format!("given up after {doubts} doubts, {state:?}, delivered {times} times: {text}"));
    }
    report.doubled += times.saturating_sub(1);
}

/// Checks that the replies of a conversation arrive in the order in which they stand in it.
fn order(told: &[Told], sent: &[Sent], report: &mut ChaosReport) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (order, one) in sent.iter().enumerate() {
        first.entry(&one.text).or_insert(order);
    }
    for told in told {
        let arrived: Vec<usize> = told
            .messages
            .iter()
            .filter(|message| message.from == Origin::Agent)
            .filter_map(|message| first.get(message.text()?).copied())
            .collect();
        if !arrived.is_sorted() {
            report.blame(format!("replies out of order in {}", told.conversation.id));
        }
    }
}

/// Checks that the log is the same for live followers and later readers, and that no event is doubled.
fn events(ledger: &Ledger, log: &Log, report: &mut ChaosReport) {
    let book = ledger.open();
    report.events = log.seqs.len() as u64;
    if log.seqs.windows(2).any(|pair| pair[0] >= pair[1]) {
        report.blame("event numbers do not rise".to_owned());
    }
    let live: HashSet<i64> = book.seen.iter().copied().collect();
    if live.len() != book.seen.len() {
        report.blame("the live reader saw an event twice".to_owned());
    }
    let missed = log.seqs.iter().filter(|seq| !live.contains(seq)).count();
    // The last events may have come after the live reader's last look.
    let late = log.seqs.iter().rev().take_while(|seq| !live.contains(seq)).count();
    if missed > late {
        report.blame(format!("the live reader missed {} events in the middle", missed - late));
    }
}

/// Checks that counters equal the assignments. An expiry may be under way, so only a lasting difference counts.
async fn capacity(api: &Api, report: &mut ChaosReport) -> Result<()> {
    let mut differences = Vec::new();
    for _ in 0..20 {
        differences.clear();
        let mut held: HashMap<AgentId, Units> = HashMap::new();
        for conversation in api.conversations("").await?.iter().filter(|c| c.state.holds_capacity()) {
            match conversation.agent {
                Some(agent) => {
                    let units = held.entry(agent).or_default();
                    *units = units.plus(conversation.units);
                }
                None => differences.push(format!("{} is {:?} without an agent", conversation.id, conversation.state)),
            }
        }
        for agent in api.agents().await? {
            let holds = held.get(&agent.id).copied().unwrap_or_default();
            if agent.load != holds {
                differences.push(format!("agent {}: load {}, holds {holds}", agent.id, agent.load));
            }
            if agent.load > agent.capacity {
                differences.push(format!("agent {}: load {} above capacity {}", agent.id, agent.load, agent.capacity));
            }
        }
        if differences.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    differences.into_iter().for_each(|difference| report.blame(difference));
    Ok(())
}

#[cfg(test)]
mod tests;
