//! The sums of events: a count and a total for each figure, hour, channel and histogram bucket.

use crate::fold::{Sample, fold};
use crate::histogram::bucket;
use std::collections::BTreeMap;
use warmline_model::{Event, Figure};

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The figure's formula id.
    pub figure: String,
    /// Hours since 1970-01-01T00:00Z, of the event's own time.
    pub hour: i64,
    /// The channel; empty if the figure has none.
    pub channel: String,
    /// The histogram bucket; 0 for plain counts.
    pub bucket: i64,
    /// The number of events.
    pub n: i64,
    /// Sum of the measured values.
    pub total: i64,
}

/// Adds events up by figure (those of `figures` included), hour of the event's own time, channel and bucket. It is pure:
/// the same events give the same cells.
pub fn roll_up<'f>(batch: &[Event], figures: impl Iterator<Item = &'f Figure> + Clone) -> Vec<Cell> {
    let mut cells: BTreeMap<(&'static str, i64, String, i64), (i64, i64)> = BTreeMap::new();
    for event in batch {
        let hour = event.at.secs().div_euclid(3600);
        let counted = figures
            .clone()
            .filter_map(|figure| Some(Sample { figure: figure.id, channel: (figure.counts)(event)?, millis: None }));
        for sample in fold(&event.body).into_iter().chain(counted) {
            let key = (sample.figure, hour, sample.channel, sample.millis.map_or(0, bucket));
            let cell = cells.entry(key).or_default();
            cell.0 += 1;
            cell.1 += sample.millis.unwrap_or(0);
        }
    }
    cells
        .into_iter()
        .map(|((figure, hour, channel, bucket), (n, total))| Cell {
            figure: figure.to_owned(),
            hour,
            channel,
            bucket,
            n,
            total,
        })
        .collect()
}
