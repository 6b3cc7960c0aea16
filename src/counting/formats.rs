//! Counts as CSV and JSON, as a whole and by window.

use super::{CountRow, CountSummary, EstimatedHits, RepeatedCount};
use crate::events::{Cpu, Ns, Partly, Rung, Sink, Tick, Tpid};
use crate::text::{CsvCell, json_line, json_pretty};
use crate::tracefs::{Table, Tracepoint};
use serde::Serialize;
use std::collections::BTreeMap;
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

/// The hits of a tracepoint in a window.
struct InWindow<'a> {
    tracepoint: &'a Tracepoint,
    cpu: Option<Cpu>,
    hits: u64,
    /// If it was not watched in the whole window.
    partly: Option<Partly>,
}

impl InWindow<'_> {
    fn rung(&self) -> Rung {
        self.partly.map_or(Rung::Counted, |partly| partly.rung)
    }

    fn watched(&self) -> f64 {
        self.partly.map_or(1.0, |partly| partly.watched)
    }

    fn estimated(&self) -> Option<EstimatedHits> {
        self.partly?.estimated.map(EstimatedHits::from)
    }
}

/// The hits of a window in the order of the tracepoints, by CPU or summed over CPUs. Tracepoints without hits are left out,
/// unless they were not watched in the whole window. With `--per-cpu` there is no budget, so each one is watched all the time.
fn in_window<'a>(tick: &Tick<'_>, table: &'a Table, per_cpu: bool) -> Vec<InWindow<'a>> {
    let without_hits = tick.partly.iter().map(|partly| ((partly.tpid, None), 0));
    let mut sums: BTreeMap<(Tpid, Option<Cpu>), u64> = without_hits.collect();
    for (slot, hits) in tick.hit() {
        *sums.entry((slot.tpid, slot.cpu.filter(|_| per_cpu))).or_default() += hits;
    }
    let of = |((tpid, cpu), hits)| {
        let partly = tick.partly.iter().find(|partly| partly.tpid == tpid).copied();
        InWindow { tracepoint: table.get(tpid), cpu, hits, partly }
    };
    sums.into_iter().map(of).collect()
}

/// The estimate and its interval, as three cells.
fn estimate_cells(estimated: Option<EstimatedHits>) -> [String; 3] {
    let cell = |value: f64| if value.is_finite() { format!("{value:.1}") } else { String::new() };
    estimated.map(|it| [it.hits, it.low, it.high].map(cell)).unwrap_or_default()
}

/// The columns of [`csv_window`].
pub fn csv_windows_head(per_cpu: bool) -> io::Result<Vec<u8>> {
    let cpu = per_cpu.then_some("cpu");
    let names = ["timestamp_ns", "window_ns", "tracepoint_group", "tracepoint"].into_iter().chain(cpu);
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(names.chain(["hits", "rung", "watched", "estimate", "low", "high"]))?;
    bytes(csv)
}

/// The rows of a window: one for each tracepoint that was hit, or for each tracepoint and CPU.
pub fn csv_window(tick: &Tick<'_>, table: &Table, per_cpu: bool) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let (from, length) = (tick.from.to_string(), tick.to.since(tick.from).to_string());
    for row in in_window(tick, table, per_cpu) {
        let names = [&row.tracepoint.group, &row.tracepoint.name].map(|name| CsvCell(name).to_string());
        let cells = [from.clone(), length.clone()].into_iter().chain(names);
        let cpu = per_cpu.then(|| row.cpu.map(|cpu| cpu.to_string()).unwrap_or_default());
        let figures = [row.hits.to_string(), row.rung().word().to_owned(), format!("{:.6}", row.watched())];
        csv.write_record(cells.chain(cpu).chain(figures).chain(estimate_cells(row.estimated())))?;
    }
    bytes(csv)
}

/// The rows of a whole count: one for each counted tracepoint, or for each tracepoint and CPU with hits.
pub fn csv(summary: &CountSummary, per_cpu: bool) -> io::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let cpu = per_cpu.then_some("cpu");
    let names = ["tracepoint_group", "tracepoint"].into_iter().chain(cpu);
    let figures = ["hits", "per_second", "share", "first_ns", "last_ns", "rung", "watched", "estimate", "low", "high"];
    csv.write_record(names.chain(figures))?;
    let decimals = |value: Option<f64>| value.map(|value| format!("{value:.3}")).unwrap_or_default();
    let whole = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let seconds = summary.length_ns as f64 / 1e9;
    for row in &summary.per_tracepoint {
        let CountRow { tracepoint_group, tracepoint, hits, share, first_ns, last_ns, per_cpu, .. } = row;
        let names = [tracepoint_group, tracepoint.as_ref().unwrap_or(tracepoint_group)];
        let names = names.map(|name| CsvCell(name).to_string());
        let rung = row.rung.map_or("", Rung::word).to_owned();
        let mut write = |cpu: Option<Cpu>, hits: u64, share: f64, rate: Option<f64>| {
            let figures = [hits.to_string(), decimals(rate), format!("{share:.9}"), whole(*first_ns), whole(*last_ns)];
            let estimated = estimate_cells(row.estimated);
            let watched = [rung.clone(), format!("{:.6}", row.watched)];
            let figures = figures.into_iter().chain(watched).chain(estimated);
            csv.write_record(names.iter().cloned().chain(cpu.map(|cpu| cpu.to_string())).chain(figures))
        };
        match per_cpu {
            None => write(None, *hits, *share, row.per_second)?,
            Some(per_cpu) => {
                for on in per_cpu {
                    let rate = (seconds > 0.0).then(|| on.hits as f64 / seconds);
                    write(Some(on.cpu), on.hits, share * on.hits as f64 / (*hits).max(1) as f64, rate)?;
                }
            }
        }
    }
    bytes(csv)
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
    bytes(csv)
}

/// The rows that were written.
fn bytes(csv: csv::Writer<Vec<u8>>) -> io::Result<Vec<u8>> {
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
    /// Those that were counted.
    hits: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
    per_tracepoint: Vec<JsonHits<'a>>,
}

#[derive(Debug, Serialize)]
struct JsonHits<'a> {
    tracepoint_group: &'a str,
    tracepoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Cpu>,
    hits: u64,
    /// This and the fields below are missing if it was counted in the whole window.
    #[serde(skip_serializing_if = "Option::is_none")]
    rung: Option<Rung>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watched: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated: Option<EstimatedHits>,
}

/// A window as a line of JSON, with the tracepoints that were hit.
pub fn json_window<'a>(number: u64, tick: &Tick<'_>, table: &'a Table, per_cpu: bool) -> String {
    let of = |row: InWindow<'a>| JsonHits {
        tracepoint_group: &row.tracepoint.group,
        tracepoint: &row.tracepoint.name,
        cpu: row.cpu,
        hits: row.hits,
        rung: row.partly.map(|partly| partly.rung),
        watched: row.partly.map(|partly| partly.watched),
        estimated: row.estimated(),
    };
    json_line(&JsonWindow {
        window: number,
        timestamp_ns: tick.from,
        window_ns: tick.to.since(tick.from),
        late_ns: tick.late_ns,
        hits: tick.total(),
        cost: tick.cost,
        per_tracepoint: in_window(tick, table, per_cpu).into_iter().map(of).collect(),
    }) + "\n"
}

/// A count as one object: on a line of its own if lines of windows come before it.
pub fn json(count: &impl Serialize, is_line: bool) -> String {
    if is_line { json_line(count) + "\n" } else { json_pretty(count) }
}
