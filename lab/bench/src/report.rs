//! The results: as JSON, as a table, and against the targets.

use super::channels::{self, Channels};
use super::worklist::Reader;
use super::{EndToEnd, Ingest, Machine, Million, Pace, Push, Worklist};
use serde::Serialize;
use std::fmt;

/// One target, and whether it was met.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// The name of the target.
    pub name: String,
    /// The figure wanted.
    pub wanted: f64,
    /// The figure measured.
    pub got: f64,
    /// Whether the figure meets it.
    pub met: bool,
}

/// Everything that was measured in one run.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The machine.
    pub machine: Machine,
    /// Whether the run was a short one.
    pub quick: bool,
    /// The hello component.
    pub hello: Option<Pace>,
    /// Ingest, by durability.
    pub ingest: Vec<Ingest>,
    /// End to end.
    pub e2e: Option<EndToEnd>,
    /// Replies to connected clients.
    pub push: Option<Push>,
    /// The cost of each channel.
    pub channels: Option<Channels>,
    /// A million stored messages.
    pub million: Option<Million>,
    /// The worklist, by the number of stored messages.
    pub worklist: Vec<Worklist>,
    /// The targets for these figures.
    pub targets: Vec<Target>,
}

impl Results {
    pub(super) fn new(machine: Machine, quick: bool) -> Self {
        Self {
            machine,
            quick,
            hello: None,
            ingest: Vec::new(),
            e2e: None,
            push: None,
            channels: None,
            million: None,
            worklist: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Whether anything was measured that has a row in the table.
    fn has_rows(&self) -> bool {
        let Self { hello, ingest, e2e, push, million, worklist, .. } = self;
        let one = hello.is_some() || e2e.is_some() || push.is_some() || million.is_some();
        one || !ingest.is_empty() || !worklist.is_empty()
    }

    fn at_least(&mut self, name: impl Into<String>, wanted: f64, got: f64) {
        self.targets.push(Target { name: name.into(), wanted, got, met: got >= wanted });
    }

    fn below(&mut self, name: impl Into<String>, wanted: f64, got: f64) {
        self.targets.push(Target { name: name.into(), wanted, got, met: got < wanted });
    }

    /// Compares with the targets.
    pub(super) fn judge(&mut self) {
        for part in self.ingest.clone() {
            let durability = part.durability;
            if let (Some(peer), Some(ratio)) = (&part.peer, part.to_peer) {
                self.at_least(format!("ingest {durability}: rate / peer's"), 1.5, ratio);
                self.below(
                    format!("ingest {durability}: p99 below the peer's, ms"),
                    peer.latency.p99_ms,
                    part.warmline.latency.p99_ms,
                );
            }
            if let (Some(hello), "normal") = (&self.hello, durability) {
                let share = part.warmline.rate / hello.rate;
                self.at_least("ingest normal: rate / hello's", 0.4, share);
            }
        }
        if let Some(e2e) = self.e2e.clone() {
            self.below("end to end: p50, ms", 15.0, e2e.latency.p50_ms);
            self.below("end to end: p99, ms", 60.0, e2e.latency.p99_ms);
        }
        if let Some(push) = self.push.clone() {
            self.below(format!("reply to one of {} connected clients: p50, ms", push.clients), 100.0, push.latency.p50_ms);
        }
        if let Some(largest) = self.channels.as_ref().and_then(Channels::largest) {
            self.below("largest channel component, bytes", channels::LARGEST as f64, largest as f64);
        }
        if let Some(million) = self.million.clone() {
            self.at_least(format!("{} stored: rate / rate at 1,000", million.large.stored), 0.8, million.ratio);
            self.below("resident memory, MiB", 250.0, million.resident_mib);
        }
        for part in self.worklist.clone() {
            for reader in part.readers {
                let name = format!("worklist of {} at {} stored", reader.who, part.stored);
                self.below(format!("{name}: p99, ms"), 60.0, reader.latency.p99_ms);
                self.below(format!("{name}: kB compressed"), 150.0, reader.gzip_bytes as f64 / 1000.0);
            }
        }
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, rate: f64, s: &warmline_simulate::histogram::Summary) -> fmt::Result {
    writeln!(
        f,
        "{name:<34} {rate:>8.0} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
        s.p50_ms, s.p90_ms, s.p99_ms, s.p999_ms, s.max_ms
    )
}

fn pace(f: &mut fmt::Formatter<'_>, name: &str, pace: &Pace) -> fmt::Result {
    row(f, name, pace.rate, &pace.latency)?;
    match &pace.half {
        Some(half) => row(f, &format!("{name}, half rate"), pace.rate / 2.0, half),
        None => Ok(()),
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            f,
            "{} cores, {}, load average {} at the start{}",
            machine.cores,
            machine.cpu,
            machine.load_average,
            if self.quick { "; a quick run, not to be quoted" } else { "" }
        )?;
        if self.has_rows() {
            writeln!(
                f,
                "{:<34} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9}",
                "", "per s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"
            )?;
        }
        if let Some(hello) = &self.hello {
            pace(f, "hello component", hello)?;
        }
        for part in &self.ingest {
            let durability = part.durability;
            row(f, &format!("disk, native commits, {durability}"), part.disk.rate, &part.disk.latency)?;
            if let Some(peer) = &part.peer {
                pace(f, &format!("peer, {durability}"), peer)?;
            }
            pace(f, &format!("warmline ingest, {durability}"), &part.warmline)?;
        }
        if let Some(e2e) = &self.e2e {
            row(f, "end to end, normal", e2e.rate, &e2e.latency)?;
        }
        if let Some(push) = &self.push {
            let name = format!("reply to one of {} clients", push.clients);
            row(f, &name, push.rate, &push.latency)?;
            writeln!(f, "{} of {} replies not heard; resident {:.0} MiB", push.missing, push.replies, push.resident_mib)?;
        }
        if let Some(million) = &self.million {
            row(f, &format!("ingest at {} stored", million.small.stored), million.small.rate, &million.small.latency)?;
            row(f, &format!("ingest at {} stored", million.large.stored), million.large.rate, &million.large.latency)?;
            writeln!(f, "resident at most {:.0} MiB; state {:.0} MiB", million.resident_mib, million.state_mib)?;
        }
        for part in &self.worklist {
            for reader in &part.readers {
                let name = format!("worklist, {}, {} stored", reader.who, part.stored);
                row(f, &name, 1000.0 / reader.latency.p50_ms, &reader.latency)?;
                let Reader { rows, open, bytes, gzip_bytes, .. } = reader;
                writeln!(f, "{rows} rows of {open} conversations; {bytes} bytes, {gzip_bytes} compressed")?;
            }
        }
        if let Some(channels) = &self.channels {
            writeln!(f, "\n{channels}")?;
        }
        for target in &self.targets {
            let verdict = if target.met { "met   " } else { "MISSED" };
            writeln!(f, "{verdict} {}: {:.2} (wanted {:.2})", target.name, target.got, target.wanted)?;
        }
        Ok(())
    }
}
