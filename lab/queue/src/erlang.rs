//! Compares the simulator with theory: a queue whose figures are known exactly, played through the router's own decisions.

use super::day::{hire, steady};
use super::scenario::{Handle, Shift, Stream, Team};
use std::collections::BTreeMap;
use warmline_cases::scaled;
use warmline_model::{Channel, GroupId, Units};
use warmline_replay::play::{Fate, play};
use warmline_routing::Plan;
use warmline_routing::staffing::{Load, Outlook};

/// The contacts of one run. The first of them, before the queue is in its steady state, do not count.
const CONTACTS: usize = 120_000;
const WARM_UP: usize = 2_000;

/// The number of runs, with the seeds in order; more when property tests run more cases. The waits of patient customers
/// vary much from run to run, because a busy hour has a long effect.
const PATIENT: u32 = 14;
const IMPATIENT: u32 = 5;

const WITHIN_MS: i64 = 20_000;

/// The share that waited, the mean wait of all in seconds, the share of all answered within 20 s, and the share that left.
type Four = [f64; 4];

const NAMES: [&str; 4] = ["P_w", "wait", "answered in 20 s", "abandoned"];

fn measured(fates: &[Fate], patience: &[Option<i64>]) -> Four {
    let mut sums = [0.0; 4];
    for (fate, patience) in fates.iter().zip(patience).skip(WARM_UP) {
        let waited = if fate.left { *patience } else { fate.waited_ms };
        // A contact still in the queue when the run ends is one of the last few.
        let Some(ms) = waited else { continue };
        sums[0] += f64::from(u8::from(fate.left || ms > 0));
        sums[1] += ms as f64 / 1_000.0;
        sums[2] += f64::from(u8::from(!fate.left && ms <= WITHIN_MS));
        sums[3] += f64::from(u8::from(fate.left));
    }
    sums.map(|sum| sum / (fates.len() - WARM_UP) as f64)
}

fn agrees(seats: u16, patience_secs: Option<f64>, runs: u32) {
    let count = scaled(runs);
    let group = GroupId::new("order").unwrap();
    let plan: Plan = serde_json::from_str(r#"{"groups":[{"id":"order","name":"订单"}]}"#).unwrap();
    let stream = Stream {
        channel: Channel::new("app").unwrap(),
        contacts: 200.0 * 24.0,
        handle: Handle { mean_secs: 180.0, variation: None },
        patience_secs,
        intents: None,
    };
    let shift = Shift { agents: seats, from: 0, to: 1, break_at: None, break_minutes: 0, away: 1 };
    let team = Team {
        name: "order".into(),
        shifts: vec![shift],
        capacity: Units::ONE,
        caps: BTreeMap::new(),
        groups: [(group, 1)].into(),
        skills: BTreeMap::new(),
    };
    let hired = hire(&[team]).unwrap();
    let runs: Vec<Four> = (1..=count.into())
        .map(|seed| {
            let history = steady(&stream, &hired, CONTACTS, seed).unwrap();
            let patience: Vec<_> = history.came.iter().map(|c| c.patience_ms).collect();
            measured(&play(&history, Some(&plan)), &patience)
        })
        .collect();
    let load = Load::new(200.0, 180.0, patience_secs).unwrap();
    let book = Outlook::new(&load, seats.into(), 20.0).unwrap();
    let expected = [book.p_wait, book.mean_wait_secs, book.level.answered, book.abandoned];
    for (i, (name, expected)) in NAMES.iter().zip(expected).enumerate() {
        let n = f64::from(count);
        let mean = runs.iter().map(|r| r[i]).sum::<f64>() / n;
        let variance = runs.iter().map(|r| (r[i] - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let error = (variance / n).sqrt();
        let off = if expected == 0.0 { mean } else { mean / expected - 1.0 };
        println!(
            "N={seats} {name}: {mean:.5}, standard error {error:.5}, expected {expected:.5}, off by {:.2}%",
            100.0 * off
        );
        assert!(off.abs() < 0.02, "N={seats} {name}: {mean} and not {expected}");
    }
}

#[test]
fn patient_customers_wait_as_erlang_c_says() {
    agrees(14, None, PATIENT);
}

#[test]
fn impatient_customers_wait_as_erlang_a_says() {
    agrees(10, Some(120.0), IMPATIENT);
    agrees(12, Some(120.0), IMPATIENT);
}
