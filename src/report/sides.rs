//! The sides of a comparison, and the samples that show how much rates vary on each.

use super::SourceReport;
use super::change::Sample;
use crate::state::LEAST_DEVIATION;
use crate::tracefs::{Tpid, Tracepoint};
use crate::units::Seconds;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// The shortest recording is cut into this many windows.
const WINDOWS: f64 = 10.0;
/// The longest has at most this many windows.
const MOST_WINDOWS: f64 = 100.0;

/// The samples by which changes are judged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "samples", rename_all = "snake_case")]
pub enum Basis {
    /// Windows of this length within the recordings, because no side has several recordings.
    Windows {
        /// Their length.
        length_ns: u64,
    },
    /// The recordings of each side.
    Recordings,
    /// Nothing: a source has no duration.
    Nothing,
}

impl Basis {
    pub(super) fn of(sides: &[Vec<usize>], sources: &[SourceReport]) -> Self {
        let lengths = || sources.iter().map(|source| source.ranking.duration);
        let (shortest, longest) = (lengths().min().unwrap_or_default(), lengths().max().unwrap_or_default());
        if shortest.is_zero() {
            return Basis::Nothing;
        }
        match sides.iter().any(|side| side.len() > 1) {
            true => Basis::Recordings,
            false => {
                // The same length everywhere, because a rate varies more in short windows.
                let length = (shortest.as_secs_f64() / WINDOWS).max(longest.as_secs_f64() / MOST_WINDOWS);
                Basis::Windows { length_ns: ((1e9 * length) as u64).max(1) }
            }
        }
    }

    /// The number of samples of a source.
    pub(super) fn samples(self, source: &SourceReport) -> usize {
        match self {
            Basis::Windows { length_ns } => {
                ((1e9 * source.ranking.duration.as_secs_f64() / length_ns as f64).round() as usize).max(1)
            }
            Basis::Recordings | Basis::Nothing => 1,
        }
    }

    /// The standard deviation that the logarithms of rates usually have between sides. Windows within a recording do not show by how much
    /// another recording would differ.
    pub(super) fn between(self) -> f64 {
        match self {
            Basis::Windows { .. } => LEAST_DEVIATION,
            Basis::Recordings | Basis::Nothing => 0.0,
        }
    }

    /// The sentences that explain how changes were judged.
    pub fn words(self) -> String {
        match self {
            Basis::Windows { length_ns } => format!(
                "Each listed change exceeds the variation between windows of {} within a recording, plus the 10 % by which two \
                 recordings usually differ. Other recordings can differ by more. To measure this, make several recordings of \
                 each kind, and compare them as in `tp-perf report a1 a2 -- b1 b2`.",
                Seconds(Duration::from_nanos(length_ns))
            ),
            Basis::Recordings => {
                "Each listed change exceeds the variation between the recordings on one side. On average, at most 5 % of the \
                                  listed changes are due to chance."
                    .to_owned()
            }
            Basis::Nothing => "One of the sources has no duration, so tp-perf cannot judge the changes.".to_owned(),
        }
    }
}

/// The samples of one source, by the name of the row.
pub(super) struct SourceSamples {
    counts: HashMap<String, Vec<f64>>,
    /// The number of samples, and the time of each in seconds.
    windows: usize,
    seconds: f64,
    /// Half a hit, as a rate.
    half: f64,
}

impl SourceSamples {
    /// Those of a source, in rows that `row` names.
    pub fn of(source: &SourceReport, basis: Basis, shortest: Duration, row: fn(&Tracepoint) -> String) -> Self {
        let duration = source.ranking.duration.as_secs_f64();
        let windows = basis.samples(source);
        let seconds = duration / windows as f64;
        // Before the first event and after the last one, there are windows without events.
        let span = source.activity.span().map_or(0.0, |(first, last)| (last - first) as f64 / 1e9);
        let with_events = ((span / seconds).round() as usize).clamp(1, windows);
        let mut counts = HashMap::<String, Vec<f64>>::new();
        for (tpid, columns) in (0u32..).zip(source.activity.tracepoints.columns(with_events)) {
            if !columns.is_empty() {
                let of_row = counts.entry(row(source.table.get(Tpid::new(tpid)))).or_insert_with(|| vec![0.0; windows]);
                of_row.iter_mut().zip(&columns).for_each(|(sum, count)| *sum += count);
            }
        }
        let half = match basis {
            Basis::Windows { length_ns } => 0.5e9 / length_ns as f64,
            Basis::Recordings | Basis::Nothing => 0.5 / shortest.as_secs_f64(),
        };
        SourceSamples { counts, windows, seconds, half }
    }

    /// The samples of a row with this many hits. `None` if none of its hits is an event, so nothing is known of their times.
    pub fn of_row(&self, name: &str, hits: f64) -> Option<Vec<Sample>> {
        let sample = |events: f64, hits_per_event: f64| Sample {
            log: (events * hits_per_event / self.seconds + self.half).ln(),
            least: 1.0 / (events + 0.5),
        };
        match self.counts.get(name) {
            // The kernel counted hits that were lost or thinned. They are taken to be spread over the time as the events are.
            Some(counts) => {
                let hits_per_event = hits / counts.iter().sum::<f64>().max(f64::MIN_POSITIVE);
                Some(counts.iter().map(|events| sample(*events, hits_per_event)).collect())
            }
            None if hits == 0.0 => Some(vec![sample(0.0, 1.0); self.windows]),
            None if self.windows == 1 => Some(vec![sample(hits, 1.0)]),
            None => None,
        }
    }
}

/// A short name for a side: the label of its only source, or the part that the labels have in common, and their number.
pub(super) fn side_name(labels: &[&str]) -> String {
    let [first, others @ ..] = labels else { return String::new() };
    if others.is_empty() {
        return (*first).to_owned();
    }
    let is_common = |end: usize| others.iter().all(|other| other.get(..end) == first.get(..end));
    let ends = first.char_indices().map(|(at, c)| at + c.len_utf8());
    let common = ends.take_while(|end| is_common(*end)).last().map_or("", |end| &first[..end]);
    let common = common.trim_end_matches(|c: char| c.is_ascii_digit() || "-_.".contains(c));
    format!("{} ({})", if common.is_empty() { first } else { common }, labels.len())
}
