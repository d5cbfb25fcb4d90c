//! Measures the cost of each channel: verifying and parsing a message, by one loop compiled natively and for Wasm, and each
//! component's size and cold start on the runner's engine.

use super::engine::{self, Start};
use super::{Bench, Machine};
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use warmline_cost::{Arrival, Cost, Task, measure};
use warmline_model::Timestamp;
use warmline_simulate::channels::Request;
use warmline_simulate::channels::protocols::{self, NOW, Protocol};

/// The limit for the size of a channel's component, in bytes.
pub(super) const LARGEST: u64 = 700_000;
/// Different messages that are taken in turn.
const ARRIVALS: u64 = 64;
/// The number of messages in a round, and the number before it counts.
const TIMES: usize = 2_000;
const WARM_UP: usize = 400;

const BEGIN: &str = "<!-- channels: made by `cargo xtask bench channels --document docs/BENCHMARKS.md` -->\n";
const END: &str = "<!-- end of channels -->";

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Channels {
    /// The number of rounds. Each figure is the median of the rounds.
    pub rounds: usize,
    /// Each protocol's adapter.
    pub adapters: Vec<AdapterCost>,
    /// Each channel's component.
    pub components: Vec<ComponentCost>,
}

/// The cost of verifying and parsing.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterCost {
    /// The protocol.
    pub name: &'static str,
    /// Natively.
    pub native: Cost,
    /// In Wasm.
    pub wasm: Cost,
    /// The ratio of the median in Wasm to the native one.
    pub ratio: f64,
}

/// The cost of a component.
#[derive(Clone, Debug, Serialize)]
pub struct ComponentCost {
    /// Its id.
    pub id: String,
    /// Its size.
    pub bytes: u64,
    /// Compiling it, once.
    pub compile_ms: f64,
    /// Loading the compiled code.
    pub load_ms: f64,
    /// The first answer after that.
    pub first_ms: f64,
    /// The next answer.
    pub next_ms: f64,
}

impl Channels {
    /// The size of the largest component.
    pub(super) fn largest(&self) -> Option<u64> {
        self.components.iter().map(|component| component.bytes).max()
    }

    /// Puts the tables into a document, in place of the old ones.
    pub(super) fn put_into(&self, document: &Path, machine: &Machine) -> Result<()> {
        let cannot = || format!("cannot put the tables into {}", document.display());
        let text = std::fs::read_to_string(document).with_context(cannot)?;
        let (before, rest) = text.split_once(BEGIN).with_context(cannot)?;
        let (_, after) = rest.split_once(END).with_context(cannot)?;
        let at = Timestamp::from_secs(i64::try_from(machine.at)?).to_string();
        let day = at.split('T').next().unwrap_or_default();
        let Machine { cores, cpu, load_average, .. } = machine;
        let machine = format!("Measured on {day}: {cores} cores, {cpu}, load average {load_average} at the start.");
        std::fs::write(document, format!("{before}{BEGIN}{machine}\n\n{self}{END}{after}")).with_context(cannot)
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| protocol | native p50, µs | native mean, µs | Wasm p50, µs | Wasm mean, µs | Wasm / native, p50 |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for AdapterCost { name, native, wasm, ratio } in &self.adapters {
            let [native, wasm] = [native, wasm].map(|cost| format!("{:.1} | {:.1}", cost.p50_us, cost.mean_us));
            writeln!(f, "| {name} | {native} | {wasm} | {ratio:.1} |")?;
        }
        let clock = |of: fn(&AdapterCost) -> Cost| median(self.adapters.iter().map(|adapter| of(adapter).clock_us));
        let (native, wasm) = (clock(|adapter| adapter.native), clock(|adapter| adapter.wasm));
        writeln!(f, "\nReading the clock is in each figure: {native:.2} µs natively, {wasm:.2} µs in Wasm.\n")?;
        writeln!(
            f,
            "| component | size, bytes | compiling, ms | loading, ms | first answer, ms | cold start, ms | next answer, ms |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|")?;
        for ComponentCost { id, bytes, compile_ms, load_ms, first_ms, next_ms } in &self.components {
            let over = if *bytes > LARGEST { " **(over)**" } else { "" };
            let cold = load_ms + first_ms;
            writeln!(
                f,
                "| {id} | {}{over} | {compile_ms:.0} | {load_ms:.2} | {first_ms:.2} | {cold:.2} | {next_ms:.2} |",
                grouped(*bytes)
            )?;
        }
        Ok(())
    }
}

/// Adds a comma after each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// Runs the measurements.
pub(super) fn run(bench: &Bench<'_>) -> Result<Channels> {
    let rounds = if bench.args.quick { 1 } else { 5 };
    bench.say("verifying and parsing, natively and in Wasm");
    let adapters = adapters(bench, rounds)?;
    bench.say("the channels' components: size and cold start");
    Ok(Channels { rounds, adapters, components: components(bench, 4 * rounds)? })
}

fn adapters(bench: &Bench<'_>, rounds: usize) -> Result<Vec<AdapterCost>> {
    let program = bench.args.cost.as_path();
    ensure!(program.exists(), "there is no {}: `cargo xtask bench` builds it", program.display());
    let program = engine::program(program)?;
    let in_wasm = |task: &Task| -> Result<Cost> {
        let costs: Vec<Cost> = serde_json::from_slice(&program(serde_json::to_vec(&[task])?)?)?;
        costs.into_iter().next().context("no cost")
    };
    let mut adapters = Vec::new();
    for way in protocols::all() {
        let task = task(&way);
        let (mut native, mut wasm) = (Vec::new(), Vec::new());
        // Both run in turn, so that the machine's other work affects both alike.
        for _ in 0..rounds {
            native.push(measure(&task).with_context(|| way.name)?);
            wasm.push(in_wasm(&task).with_context(|| format!("{} in Wasm", way.name))?);
        }
        let (native, wasm) = (middle(&native), middle(&wasm));
        adapters.push(AdapterCost { name: way.name, native, wasm, ratio: wasm.p50_us / native.p50_us });
    }
    Ok(adapters)
}

fn task(way: &Protocol) -> Task {
    Task {
        channel: way.channel.to_owned(),
        settings: way.account.settings.clone(),
        secrets: way.secrets.clone(),
        arrivals: (0..ARRIVALS).filter_map(|number| arrival(way, 10 * number)).collect(),
        at: NOW,
        warm_up: WARM_UP,
        times: TIMES,
    }
}

/// The first payload of a way as it arrives: in a webhook, or as a page if the platform sends none.
fn arrival(way: &Protocol, number: u64) -> Option<Arrival> {
    let payload = (way.payloads)(NOW, number).into_iter().next()?;
    Some(match way.seal {
        Some(seal) => {
            let Request { method, path, query, headers, body } = seal(&payload, NOW);
            Arrival::Webhook { method, path, query, headers, body }
        }
        None => Arrival::Page(payload),
    })
}

fn components(bench: &Bench<'_>, rounds: usize) -> Result<Vec<ComponentCost>> {
    let manifest = bench.args.manifest.as_path();
    let state = bench.scratch.sub("channels")?;
    // Adapters do not migrate the store. The desk does it before it refuses a call without a token.
    engine::start(manifest, &state, "desk", "/api/tick")?;
    let mut components = Vec::new();
    for (id, file) in engine::components(manifest)? {
        let Some(channel) = id.strip_prefix("channel-") else { continue };
        let bytes = std::fs::metadata(&file).with_context(|| format!("cannot read {}", file.display()))?.len();
        let compile_ms = millis(engine::compile(&file)?);
        // An unknown account: the component opens the store, looks for the account, and reports that there is none.
        let path = format!("/channels/{channel}/nobody");
        let mut starts = Vec::new();
        // The first one fills the cache and does not count.
        for round in 0..=rounds {
            let start = engine::start(manifest, &state, &id, &path)?;
            ensure!(start.answer.contains("unknown_account"), "{id} answered {}", start.answer);
            if round > 0 {
                starts.push(start);
            }
        }
        let of = |part: fn(&Start) -> Duration| median(starts.iter().map(|start| millis(part(start))));
        let (load_ms, first_ms, next_ms) = (of(|s| s.load), of(|s| s.first), of(|s| s.next));
        components.push(ComponentCost { id, bytes, compile_ms, load_ms, first_ms, next_ms });
    }
    Ok(components)
}

fn middle(costs: &[Cost]) -> Cost {
    let of = |part: fn(&Cost) -> f64| median(costs.iter().map(part));
    Cost { p50_us: of(|c| c.p50_us), mean_us: of(|c| c.mean_us), clock_us: of(|c| c.clock_us) }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_has_messages_that_can_be_measured() {
        for way in protocols::all() {
            let task = Task { warm_up: 0, times: 1, ..task(&way) };
            assert_eq!(task.arrivals.len(), ARRIVALS as usize, "{}", way.name);
            let cost = measure(&task).unwrap_or_else(|e| panic!("{}: {e:#}", way.name));
            assert!(cost.mean_us > 0.0, "{}", way.name);
        }
    }

    #[test]
    fn tables_go_where_the_marks_are() {
        let directory = tempfile::tempdir().unwrap();
        let document = directory.path().join("a.md");
        let cost = Cost { p50_us: 1.0, mean_us: 2.0, clock_us: 0.1 };
        let component = ComponentCost {
            id: "channel-a".into(),
            bytes: 1_234_567,
            compile_ms: 1.0,
            load_ms: 1.0,
            first_ms: 2.0,
            next_ms: 1.0,
        };
        let adapter = AdapterCost { name: "a", native: cost, wasm: cost, ratio: 1.0 };
        let channels = Channels { rounds: 1, adapters: vec![adapter], components: vec![component] };
        std::fs::write(&document, format!("before\n{BEGIN}of another day\n{END}\nafter")).unwrap();
        channels.put_into(&document, &Machine::here()).unwrap();
        let text = std::fs::read_to_string(&document).unwrap();
        assert!(text.starts_with("before\n") && text.ends_with("\nafter") && !text.contains("another day"), "{text}");
        assert!(text.contains("| channel-a | 1,234,567 **(over)** | 1 | 1.00 | 2.00 | 3.00 | 1.00 |"), "{text}");
        std::fs::write(&document, "no marks").unwrap();
        assert!(channels.put_into(&document, &Machine::here()).is_err());
    }
}
