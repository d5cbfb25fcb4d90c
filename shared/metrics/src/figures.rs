//! Figures read out of rollups: as JSON for people's tools and as OpenMetrics for scrapers. Both come from the same cells, so
//! they cannot disagree.

use crate::fold::{COUNTS, DURATIONS};
use crate::histogram::quantile;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One rollup cell, hours added up.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Formula id.
    pub figure: String,
    /// Channel, or empty.
    pub channel: String,
    /// Histogram bucket.
    pub bucket: i64,
    /// Count.
    pub n: i64,
    /// Sum of milliseconds.
    pub total: i64,
}

/// What is true now, beside what was counted.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Gauges {
    /// Conversations waiting, by group.
    pub queue_length: BTreeMap<String, i64>,
    /// Open conversations, by state.
    pub conversations: BTreeMap<String, i64>,
    /// Messages that wait to be sent, by channel.
    pub outbox_waiting: BTreeMap<String, i64>,
    /// Accepted webhooks that the router has yet to handle.
    pub inbox_waiting: i64,
    /// Refused webhooks, by channel and reason (`wechat/signature_wrong`).
    pub webhooks_refused: BTreeMap<String, i64>,
    /// Tokens refused in this minute, about.
    pub tokens_refused: i64,
    /// Events that were not folded yet.
    pub events_behind: i64,
}

/// A duration's figures, in milliseconds. Quantiles are read from buckets and are at most 12.5% too high.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Duration {
    /// Formula id.
    pub formula: String,
    /// What is measured.
    pub meaning: &'static str,
    /// The channel; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// How many were measured.
    pub count: i64,
    /// Sum.
    pub sum: i64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: i64,
    /// 90 of 100 are at most this.
    pub p90: i64,
    /// 99 of 100 are at most this.
    pub p99: i64,
}

/// A plain count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// Formula id.
    pub formula: String,
    /// What is counted.
    pub meaning: &'static str,
    /// The channel; absent where the figure has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// How many.
    pub count: i64,
}

/// All figures.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Figures {
    /// Durations.
    pub durations: Vec<Duration>,
    /// Counts.
    pub counts: Vec<Count>,
    /// The present.
    pub now: Gauges,
}

fn channel(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}

impl Figures {
    /// Reads figures out of cells.
    pub fn new(cells: &[Cell], now: Gauges) -> Self {
        let mut durations = Vec::new();
        let mut counts = Vec::new();
        // Grouped by figure and channel; buckets rise within a group.
        let mut groups: BTreeMap<(&str, &str), Vec<&Cell>> = BTreeMap::new();
        for cell in cells {
            groups.entry((&cell.figure, &cell.channel)).or_default().push(cell);
        }
        for ((figure, of), mut group) in groups {
            group.sort_by_key(|c| c.bucket);
            let (count, sum) = (group.iter().map(|c| c.n).sum::<i64>(), group.iter().map(|c| c.total).sum::<i64>());
            if let Some((_, meaning)) = DURATIONS.iter().find(|(id, _)| *id == figure) {
                let buckets: Vec<_> = group.iter().map(|c| (c.bucket, c.n)).collect();
                let at = |share| quantile(&buckets, share).unwrap_or(0);
                durations.push(Duration {
                    formula: figure.to_owned(),
                    meaning,
                    channel: channel(of),
                    count,
                    sum,
                    mean: if count > 0 { sum as f64 / count as f64 } else { 0.0 },
                    p50: at(0.5),
                    p90: at(0.9),
                    p99: at(0.99),
                });
            } else if let Some((_, meaning)) = COUNTS.iter().find(|(id, _)| *id == figure) {
                counts.push(Count { formula: figure.to_owned(), meaning, channel: channel(of), count });
            }
        }
        Self { durations, counts, now }
    }

    /// The OpenMetrics text form (openmetrics.io, version 1.0.0).
    pub fn open_metrics(&self) -> String {
        let mut out = String::new();
        for (id, meaning) in COUNTS {
            let name = name(id);
            head(&mut out, &name, "counter", meaning);
            for c in self.counts.iter().filter(|c| c.formula == id) {
                line(&mut out, &format!("{name}_total"), &[("channel", c.channel.as_deref())], c.count);
            }
        }
        for (id, meaning) in DURATIONS {
            let name = format!("{}_milliseconds", name(id));
            head(&mut out, &name, "summary", meaning);
            for d in self.durations.iter().filter(|d| d.formula == id) {
                let of = ("channel", d.channel.as_deref());
                for (q, v) in [("0.5", d.p50), ("0.9", d.p90), ("0.99", d.p99)] {
                    line(&mut out, &name, &[of, ("quantile", Some(q))], v);
                }
                line(&mut out, &format!("{name}_sum"), &[of], d.sum);
                line(&mut out, &format!("{name}_count"), &[of], d.count);
            }
        }
        let maps = [
            ("warmline_queue_length", "conversations waiting", "group", &self.now.queue_length),
            ("warmline_conversations", "open conversations", "state", &self.now.conversations),
            ("warmline_outbox_waiting", "messages that wait to be sent", "channel", &self.now.outbox_waiting),
            ("warmline_webhooks_refused", "webhooks refused", "reason", &self.now.webhooks_refused),
        ];
        for (name, meaning, label, map) in maps {
            head(&mut out, name, "gauge", meaning);
            for (of, n) in map {
                line(&mut out, name, &[(label, Some(of))], *n);
            }
        }
        let singles = [
            ("warmline_inbox_waiting", "accepted webhooks that the router has yet to handle", self.now.inbox_waiting),
            ("warmline_tokens_refused", "tokens refused in this minute, about", self.now.tokens_refused),
            ("warmline_events_behind", "events that were not folded yet", self.now.events_behind),
        ];
        for (name, meaning, n) in singles {
            head(&mut out, name, "gauge", meaning);
            line(&mut out, name, &[], n);
        }
        out.push_str("# EOF\n");
        out
    }
}

/// `messages.in.v1` as `warmline_messages_in_v1`.
fn name(formula: &str) -> String {
    format!("warmline_{}", formula.replace('.', "_"))
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# TYPE {name} {kind}\n# HELP {name} {help}.");
}

fn line(out: &mut String, name: &str, labels: &[(&str, Option<&str>)], value: i64) {
    let labels: Vec<String> = labels.iter().filter_map(|(k, v)| v.map(|v| format!("{k}=\"{}\"", escape(v)))).collect();
    let _ = if labels.is_empty() {
        writeln!(out, "{name} {value}")
    } else {
        writeln!(out, "{name}{{{}}} {value}", labels.join(","))
    };
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_show_the_same_numbers() {
        let cell = |figure: &str, channel: &str, bucket, n, total| Cell {
            figure: figure.into(),
            channel: channel.into(),
            bucket,
            n,
            total,
        };
        let cells = [
            cell("messages.in.v1", "wechat", 0, 3, 0),
            cell("frt.human.v1", "wechat", 5, 1, 5),
            cell("frt.human.v1", "wechat", 9, 1, 9),
            cell("from.the.future.v9", "", 0, 1, 0),
        ];
        let figures = Figures::new(&cells, Gauges::default());
        assert_eq!(figures.counts.len(), 1);
        assert_eq!((figures.durations[0].count, figures.durations[0].mean, figures.durations[0].p50), (2, 7.0, 5));
        let text = figures.open_metrics();
        assert!(text.contains("warmline_messages_in_v1_total{channel=\"wechat\"} 3\n"));
        assert!(text.contains("warmline_frt_human_v1_milliseconds_sum{channel=\"wechat\"} 14\n"));
        assert!(text.contains("warmline_frt_human_v1_milliseconds{channel=\"wechat\",quantile=\"0.99\"} 9\n"));
        assert!(text.ends_with("# EOF\n"));
    }
}
