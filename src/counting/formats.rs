//! Counts as CSV and JSON, as a whole and by window.

use super::{CountRow, CountSummary, RepeatedCount};
use crate::events::{Cpu, Ns, Sink, Tick, Tpid};
use crate::text::{CsvCell, json_line, json_pretty};
use crate::tracefs::Table;
use serde::Serialize;
use std::io;

/// A sink that hands each window to a function, until that fails.
pub struct EachWindow<F> {
    windows: u64,
    write: F,
    /// Why the function failed.
    pub failed: Option<io::Error>,
}

impl<F: FnMut(u64, &Tick<'_>) -> io::Result<()>> EachWindow<F> {
    /// Calls `write` with the number of each window, from 0, and its tick.
    pub fn new(write: F) -> Self {
        EachWindow { windows: 0, write, failed: None }
    }
}

impl<F: FnMut(u64, &Tick<'_>) -> io::Result<()>> Sink for EachWindow<F> {
    fn tick(&mut self, tick: &Tick<'_>) {
        if self.failed.is_none() {
            self.failed = (self.write)(self.windows, tick).err();
            self.windows += 1;
        }
    }

    fn takes_more(&self) -> bool {
        self.failed.is_none()
    }
}

/// The hits of a window in the order of the tracepoints, by CPU or summed over CPUs.
fn hits(tick: &Tick<'_>, per_cpu: bool) -> Vec<(Tpid, Option<Cpu>, u64)> {
    if per_cpu {
        return tick.hit().map(|(slot, hits)| (slot.tpid, slot.cpu, hits)).collect();
    }
    let mut hits: Vec<_> = tick.by_tracepoint().into_iter().map(|(tpid, hits)| (tpid, None, hits)).collect();
    hits.sort_unstable_by_key(|(tpid, ..)| *tpid);
    hits
}

/// The columns of [`csv_window`].
pub fn csv_windows_head(per_cpu: bool) -> io::Result<Vec<u8>> {
    let cpu = per_cpu.then_some("cpu");
    row(["timestamp_ns", "window_ns", "tracepoint_group", "tracepoint"].into_iter().chain(cpu).chain(["hits"]))
}

/// The rows of a window: one for each tracepoint that was hit, or for each tracepoint and CPU.
pub fn csv_window(tick: &Tick<'_>, table: &Table, per_cpu: bool) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let (from, length) = (tick.from.to_string(), tick.to.since(tick.from).to_string());
    for (tpid, cpu, hits) in hits(tick, per_cpu) {
        let tracepoint = table.get(tpid);
        let names = [&tracepoint.group, &tracepoint.name].map(|name| CsvCell(name).to_string());
        let cells = [from.clone(), length.clone()].into_iter().chain(names);
        csv.write_record(cells.chain(cpu.map(|cpu| cpu.to_string())).chain([hits.to_string()]))?;
    }
    csv.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// The rows of a whole count: one for each counted tracepoint, or for each tracepoint and CPU with hits.
pub fn csv(summary: &CountSummary, per_cpu: bool) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let cpu = per_cpu.then_some("cpu");
    let names = ["tracepoint_group", "tracepoint"].into_iter().chain(cpu);
    csv.write_record(names.chain(["hits", "per_second", "share", "first_ns", "last_ns"]))?;
    let decimals = |value: Option<f64>| value.map(|value| format!("{value:.3}")).unwrap_or_default();
    let whole = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let seconds = summary.length_ns as f64 / 1e9;
    for row in &summary.per_tracepoint {
        let CountRow { tracepoint_group, tracepoint, hits, share, first_ns, last_ns, per_cpu, .. } = row;
        let names = [tracepoint_group, tracepoint.as_ref().unwrap_or(tracepoint_group)];
        let names = names.map(|name| CsvCell(name).to_string());
        let mut write = |cpu: Option<Cpu>, hits: u64, share: f64| {
            let rate = (seconds > 0.0).then(|| hits as f64 / seconds);
            let figures = [hits.to_string(), decimals(rate), format!("{share:.9}"), whole(*first_ns), whole(*last_ns)];
            csv.write_record(names.iter().cloned().chain(cpu.map(|cpu| cpu.to_string())).chain(figures))
        };
        match per_cpu {
            None => write(None, *hits, *share)?,
            Some(per_cpu) => {
                for on in per_cpu {
                    write(Some(on.cpu), on.hits, share * on.hits as f64 / (*hits).max(1) as f64)?;
                }
            }
        }
    }
    csv.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// The rows of several runs: one for each counted tracepoint.
pub fn csv_repeated(repeated: &RepeatedCount) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["tracepoint_group", "tracepoint", "runs", "mean_hits", "low", "high", "share"])?;
    for row in &repeated.mean_per_tracepoint {
        let names = [&row.tracepoint_group, row.tracepoint.as_ref().unwrap_or(&row.tracepoint_group)];
        let (low, high) = row
            .hits
            .interval
            .map_or((String::new(), String::new()), |(low, high)| (format!("{low:.3}"), format!("{high:.3}")));
        let figures = [row.hits.runs.len().to_string(), format!("{:.3}", row.hits.mean), low, high];
        let share = format!("{:.9}", row.share);
        csv.write_record(names.map(|name| CsvCell(name).to_string()).into_iter().chain(figures).chain([share]))?;
    }
    csv.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn row<'a>(cells: impl Iterator<Item = &'a str>) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(cells)?;
    csv.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// A window as a line of JSON.
#[derive(Debug, Serialize)]
struct JsonWindow<'a> {
    /// Its number, from 0.
    window: u64,
    /// Its begin, by CLOCK_MONOTONIC.
    timestamp_ns: Ns,
    window_ns: u64,
    late_ns: u64,
    hits: u64,
    per_tracepoint: Vec<JsonHits<'a>>,
}

#[derive(Debug, Serialize)]
struct JsonHits<'a> {
    tracepoint_group: &'a str,
    tracepoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Cpu>,
    hits: u64,
}

/// A window as a line of JSON, with the tracepoints that were hit.
pub fn json_window(number: u64, tick: &Tick<'_>, table: &Table, per_cpu: bool) -> String {
    let of = |(tpid, cpu, hits)| {
        let tracepoint = table.get(tpid);
        JsonHits { tracepoint_group: &tracepoint.group, tracepoint: &tracepoint.name, cpu, hits }
    };
    json_line(&JsonWindow {
        window: number,
        timestamp_ns: tick.from,
        window_ns: tick.to.since(tick.from),
        late_ns: tick.late_ns,
        hits: tick.total(),
        per_tracepoint: hits(tick, per_cpu).into_iter().map(of).collect(),
    }) + "\n"
}

/// A count as one object: on a line of its own if lines of windows come before it.
pub fn json(count: &impl Serialize, is_line: bool) -> String {
    if is_line { json_line(count) + "\n" } else { json_pretty(count) }
}
