//! Figures computed from rollups: as JSON for people's tools and as OpenMetrics for scrapers. Both come from the same
//! cells, so they cannot disagree.

use crate::cell::Cell;
use crate::fold::{COUNTS, DURATIONS};
use crate::histogram::quantile;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use warmline_model::figure::{Figure, Gauge};

/// A number of one account and reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OfAccount {
    /// Channel.
    pub channel: String,
    /// Account.
    pub account: String,
    /// The reason, as a stable code.
    pub reason: String,
    /// A number, or a time in seconds.
    pub count: i64,
}

/// The present state, beside the counts.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Gauges {
    /// Conversations waiting, by group.
    pub queue_length: BTreeMap<String, i64>,
    /// Open conversations, by state.
    pub conversations: BTreeMap<String, i64>,
    /// Messages that wait to be sent, by channel.
    pub outbox_waiting: BTreeMap<String, i64>,
    /// The age of the oldest of them, by channel, in seconds.
    pub outbox_oldest_secs: BTreeMap<String, i64>,
    /// Messages to customers that were given up since counting began.
    pub given_up: Vec<OfAccount>,
    /// The duration of each account's present outage, in seconds.
    pub outage_secs: Vec<OfAccount>,
    /// Accepted webhooks that the router has yet to handle.
    pub inbox_waiting: i64,
    /// Refused webhooks, by channel and reason (`wechat/signature_wrong`).
    pub webhooks_refused: BTreeMap<String, i64>,
    /// Items of webhooks and pages that could not be read and are kept sealed, by channel and reason (`sms/phone_number`).
    pub intake_odd_items: BTreeMap<String, i64>,
    /// The approximate number of tokens refused in this minute.
    pub tokens_refused: i64,
    /// Requests that met damaged pages in the store.
    pub store_damaged: i64,
    /// Events that were not folded yet.
    pub events_behind: i64,
    /// The present gauges of each capability.
    pub more: Vec<Gauge>,
}

/// A duration's figures, in milliseconds. Quantiles are read from buckets and are at most 12.5% too high.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Duration {
    /// Formula id.
    pub formula: String,
    /// The meaning of the measurement.
    pub meaning: &'static str,
    /// The channel; absent for all channels together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The number of measurements.
    pub count: i64,
    /// The sum.
    pub sum: i64,
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: i64,
    /// 90 of 100 values are at most this.
    pub p90: i64,
    /// 99 of 100 values are at most this.
    pub p99: i64,
}

/// A plain count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// Formula id.
    pub formula: String,
    /// The meaning of the count.
    pub meaning: &'static str,
    /// The channel; absent if the figure has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The number.
    pub count: i64,
}

/// All figures.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Figures {
    /// Durations.
    pub durations: Vec<Duration>,
    /// Counts.
    pub counts: Vec<Count>,
    /// The present state.
    pub now: Gauges,
    /// Formula ids of counts, with their meanings.
    #[serde(skip)]
    meanings: Vec<(&'static str, &'static str)>,
}

fn channel(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}

impl Figures {
    /// Computes figures from cells.
    pub fn new<'f>(cells: &[Cell], now: Gauges, figures: impl Iterator<Item = &'f Figure> + Clone) -> Self {
        let meanings: Vec<(&'static str, &'static str)> =
            COUNTS.into_iter().chain(figures.map(|figure| (figure.id, figure.meaning))).collect();
        let mut durations = Vec::new();
        let mut counts = Vec::new();
        // Cells grouped by figure and channel. Buckets rise within a group.
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
            } else if let Some((_, meaning)) = meanings.iter().find(|(id, _)| *id == figure) {
                counts.push(Count { formula: figure.to_owned(), meaning, channel: channel(of), count });
            }
        }
        Self { durations, counts, now, meanings }
    }

    /// The OpenMetrics text form (openmetrics.io, version 1.0.0).
    pub fn open_metrics(&self) -> String {
        let mut out = String::new();
        for (id, meaning) in self.meanings.iter().copied() {
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
            (
                "warmline_outbox_oldest_seconds",
                "age of the oldest message that waits to be sent",
                "channel",
                &self.now.outbox_oldest_secs,
            ),
            ("warmline_webhooks_refused", "webhooks refused", "reason", &self.now.webhooks_refused),
        ];
        for (name, meaning, label, map) in maps {
            head(&mut out, name, "gauge", meaning);
            for (of, n) in map {
                line(&mut out, name, &[(label, Some(of))], *n);
            }
        }
        let name = "warmline_intake_odd_items";
        head(&mut out, name, "gauge", "items that could not be read, kept sealed");
        for (of, n) in &self.now.intake_odd_items {
            let (channel, reason) = of.split_once('/').unwrap_or((of, ""));
            line(&mut out, name, &[("channel", Some(channel)), ("reason", Some(reason))], *n);
        }
        let of_accounts = [
            ("warmline_given_up", "_total", "counter", "messages to customers that were given up", &self.now.given_up),
            (
                "warmline_outage_seconds",
                "",
                "gauge",
                "how long the platform of an account in an outage has been failing",
                &self.now.outage_secs,
            ),
        ];
        for (name, suffix, kind, meaning, list) in of_accounts {
            head(&mut out, name, kind, meaning);
            for OfAccount { channel, account, reason, count } in list {
                let labels = [("channel", channel), ("account", account), ("reason", reason)];
                line(&mut out, &format!("{name}{suffix}"), &labels.map(|(k, v)| (k, Some(v.as_str()))), *count);
            }
        }
        let singles = [
            ("warmline_inbox_waiting", "accepted webhooks that the router has yet to handle", self.now.inbox_waiting),
            ("warmline_tokens_refused", "tokens refused in this minute, about", self.now.tokens_refused),
            ("warmline_store_damaged", "requests that met damaged pages in the store", self.now.store_damaged),
            ("warmline_events_behind", "events that were not folded yet", self.now.events_behind),
        ];
        for (name, meaning, n) in singles {
            head(&mut out, name, "gauge", meaning);
            line(&mut out, name, &[], n);
        }
        let mut before = "";
        for Gauge { name, meaning, kind, value } in &self.now.more {
            if *name != before {
                head(&mut out, name, "gauge", meaning);
            }
            line(&mut out, name, &[("kind", *kind)], *value);
            before = name;
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
            hour: 0,
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
        let of = |reason: &str, count| OfAccount {
            channel: "wechat".into(),
            account: "gh_1".into(),
            reason: reason.into(),
            count,
        };
        let now = Gauges {
            intake_odd_items: [("sms/phone_number".to_owned(), 2)].into(),
            given_up: vec![of("too_late", 2)],
            outage_secs: vec![of("timeout", 190)],
            outbox_oldest_secs: [("wechat".to_owned(), 191)].into(),
            ..Gauges::default()
        };
        let figures = Figures::new(&cells, now, [].iter());
        assert_eq!(figures.counts.len(), 1);
        assert_eq!((figures.durations[0].count, figures.durations[0].mean, figures.durations[0].p50), (2, 7.0, 5));
        let text = figures.open_metrics();
        assert!(text.contains("warmline_messages_in_v1_total{channel=\"wechat\"} 3\n"));
        assert!(text.contains("warmline_frt_human_v1_milliseconds_sum{channel=\"wechat\"} 14\n"));
        assert!(text.contains("warmline_frt_human_v1_milliseconds{channel=\"wechat\",quantile=\"0.99\"} 9\n"));
        assert!(text.contains("warmline_intake_odd_items{channel=\"sms\",reason=\"phone_number\"} 2\n"));
        let of = "channel=\"wechat\",account=\"gh_1\"";
        assert!(text.contains(&format!("warmline_given_up_total{{{of},reason=\"too_late\"}} 2\n")), "{text}");
        assert!(text.contains(&format!("warmline_outage_seconds{{{of},reason=\"timeout\"}} 190\n")), "{text}");
        assert!(text.contains("warmline_outbox_oldest_seconds{channel=\"wechat\"} 191\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
