//! The data of the page's graphs: names and numbers as JSON, and packed cells.
//!
//! The cells are three lists of numbers, one after the other. The first has, for each bin with events, its distance from the bin
//! before it and the number of its cells. The second has, for each cell, the distance of its row from the row before it. The
//! third has, for each cell, its count. The length in bytes precedes each list. Every number is a varint (LEB128). gzip
//! compresses all of it, because browsers can decompress gzip.

use crate::activity::{Cells, cpu_of, key_of};
use crate::events::Ns;
use crate::os::cpus::one_named;
use crate::page::command::{PartCommand, part_command};
use crate::page::process_graph::{ProcessGraph, process_graph};
use crate::page::shown;
use crate::page::thinned::{ThinnedBand, bands};
use crate::recording::CpuSummary;
use crate::report::{Report, SourceReport};
use crate::text::OneLine;
use crate::tracefs::Tpid;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

/// The most stretches of thinned and detached tracepoints on a page.
const MOST_THINNED: usize = 20_000;

/// The most stretches of losses on a page. A reader could not distinguish more.
const MOST_LOSSES: usize = 10_000;

#[derive(Serialize)]
pub(super) struct Data<'a> {
    sources: Vec<SourceGraphs<'a>>,
}

#[derive(Serialize)]
struct SourceGraphs<'a> {
    label: String,
    /// From the first event to the last, in nanoseconds.
    span: u64,
    /// The time of the first event, as text: JavaScript's numbers are exact only up to 53 bits.
    start: String,
    tracepoints: GraphRows<'a>,
    cpus: GraphRows<'a>,
    /// The processes, if they were asked for and the source has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<ProcessGraph<'a>>,
    groups: Vec<GraphRow<'a>>,
    /// For each row of `tracepoints`, the place of its group in `groups`.
    group_of: Vec<usize>,
    /// For each stretch of losses: the row of its CPU, its start, its end, its samples.
    losses: Vec<(usize, u64, u64, u64)>,
    /// For each stretch in which a CPU was not watched: the row of the CPU, its start, its end.
    unwatched: Vec<(usize, u64, u64)>,
    /// The stretches in which a tracepoint was thinned or detached.
    thinned: Vec<ThinnedBand>,
    gaps: Vec<(u64, u64)>,
    /// Whether the activity has all tracepoints, CPUs, and processes of the source.
    is_all: bool,
    /// The command for a part of the source.
    command: PartCommand,
}

/// The number of rows that have cells.
#[derive(Serialize)]
struct GraphRows<'a> {
    rows: Vec<GraphRow<'a>>,
    /// The length of a bin, in nanoseconds.
    width: u64,
    cells: String,
}

#[derive(Serialize)]
pub(super) struct GraphRow<'a> {
    /// The name. Its escapes are made when it is written, because they can be several times as long.
    #[serde(serialize_with = "on_one_line")]
    pub name: Cow<'a, str>,
    pub number: Option<u32>,
    pub events: u64,
}

/// The data of all sources.
pub(super) fn data(report: &Report) -> Data<'_> {
    Data { sources: report.sources.iter().map(|source| of_source(source, report.sources.len())).collect() }
}

fn on_one_line<S: Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&OneLine(name))
}

fn of_source(report: &SourceReport, sources: usize) -> SourceGraphs<'_> {
    let SourceReport { activity, table, summary, unwatched, thinned, .. } = report;
    let mut hit: Vec<(Tpid, u64)> =
        activity.tracepoints.hit().map(|(tpid, events)| (Tpid::new(tpid), events)).collect();
    hit.sort_by_key(|(tpid, _)| {
        let tracepoint = table.get(*tpid);
        (&tracepoint.group, &tracepoint.name)
    });
    let mut places = BTreeMap::<&str, usize>::new();
    let mut groups = Vec::<GraphRow<'_>>::new();
    let mut group_of = Vec::new();
    let mut rows = Vec::new();
    for (tpid, events) in &hit {
        let tracepoint = table.get(*tpid);
        let group = *places.entry(&tracepoint.group).or_insert_with(|| {
            groups.push(GraphRow {
                name: tracepoint.group.as_str().into(),
                number: Some(tracepoint.gid.get()),
                events: 0,
            });
            groups.len() - 1
        });
        groups[group].events += events;
        group_of.push(group);
        rows.push(GraphRow { name: tracepoint.full_name().into(), number: Some(tpid.get()), events: *events });
    }

    // A CPU with losses, or one that was not watched, is in the list even if it has no event.
    let losses = activity.losses_at_most(MOST_LOSSES / sources);
    let none = Cells::new(0);
    let cells_of_cpus = activity.cpus.as_ref().unwrap_or(&none);
    let mut cpus: BTreeMap<u32, u64> = cells_of_cpus.hit().collect();
    for loss in &losses {
        cpus.entry(key_of(loss.cpu)).or_default();
    }
    for stretch in unwatched {
        cpus.entry(key_of(Some(stretch.cpu))).or_default();
    }
    let hit: Vec<Tpid> = hit.into_iter().map(|(tpid, _)| tpid).collect();
    let tpids: Vec<u32> = hit.iter().map(|tpid| tpid.get()).collect();
    let keys: Vec<u32> = cpus.keys().copied().collect();
    let cpu_row = |key: u32| keys.binary_search(&key).unwrap_or(0);
    let of_cpu: HashMap<u32, &CpuSummary> = summary.per_cpu.iter().map(|cpu| (key_of(cpu.cpu), cpu)).collect();
    let cpu = |(key, events): (&u32, &u64)| GraphRow {
        name: one_named(cpu_of(*key)).into(),
        number: None,
        events: of_cpu.get(key).map_or(*events, |cpu| cpu.recorded),
    };

    SourceGraphs {
        label: shown(&report.label),
        span: activity.span().map_or(0, |(first, last)| last - first),
        start: activity.span().map_or(Ns(0), |(first, _)| first).to_string(),
        tracepoints: GraphRows {
            rows,
            width: activity.tracepoints.width(),
            cells: packed(&activity.tracepoints, &row_of(&tpids)),
        },
        cpus: GraphRows {
            rows: cpus.iter().map(cpu).collect(),
            width: cells_of_cpus.width(),
            cells: packed(cells_of_cpus, &row_of(&keys)),
        },
        processes: report
            .processes
            .as_ref()
            .filter(|all| all.is_known)
            .and_then(|all| process_graph(all, &row_of(&tpids), &row_of(&keys), report.ranking.duration.as_secs_f64())),
        groups,
        group_of,
        losses: losses.iter().map(|loss| (cpu_row(key_of(loss.cpu)), loss.from.0, loss.to.0, loss.lost)).collect(),
        unwatched: unwatched
            .iter()
            .map(|stretch| (cpu_row(key_of(Some(stretch.cpu))), stretch.from.0, stretch.to.0))
            .collect(),
        thinned: bands(thinned, &hit, MOST_THINNED / sources),
        gaps: activity.gaps().iter().map(|gap| (gap.from_ns, gap.to_ns)).collect(),
        is_all: activity.is_all(),
        command: part_command(report),
    }
}

/// For each key, its row.
fn row_of(keys: &[u32]) -> Vec<u32> {
    let mut rows = vec![0; keys.iter().max().map_or(0, |most| *most as usize + 1)];
    (0u32..).zip(keys).for_each(|(row, key)| rows[*key as usize] = row);
    rows
}

/// The cells as text; `row_of` gives for each key its row.
pub(super) fn packed(cells: &Cells, row_of: &[u32]) -> String {
    let (mut bins, mut rows, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = 0;
    let mut sorted = Vec::new();
    for (bin, cells) in cells.iter() {
        sorted.clear();
        sorted.extend(cells.iter().map(|cell| (row_of[cell.key as usize], cell.count)));
        sorted.sort_unstable();
        // Several keys can share a row.
        sorted.dedup_by(|later, one| {
            let is_same = later.0 == one.0;
            one.1 += if is_same { later.1 } else { 0 };
            is_same
        });
        push(&mut bins, bin - before);
        push(&mut bins, sorted.len() as u64);
        before = bin;
        let mut row_before = 0;
        for (row, count) in &sorted {
            push(&mut rows, u64::from(row - row_before));
            push(&mut counts, *count);
            row_before = *row;
        }
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::new(6));
    for part in [bins, rows, counts] {
        let mut length = Vec::new();
        push(&mut length, part.len() as u64);
        packer.write_all(&length).and_then(|()| packer.write_all(&part)).expect("a vector takes every byte");
    }
    STANDARD.encode(packer.finish().expect("a vector takes every byte"))
}

fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// Does the same as the page's code.
    fn unpacked(packed: &str) -> Vec<(u64, u64, u64)> {
        let bytes = STANDARD.decode(packed).unwrap();
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
        fn number(bytes: &mut &[u8]) -> u64 {
            let mut number = 0;
            for shift in (0..).step_by(7) {
                let (first, rest) = bytes.split_first().unwrap();
                *bytes = rest;
                number |= u64::from(first & 0x7f) << shift;
                if *first < 0x80 {
                    break;
                }
            }
            number
        }
        let mut rest = &*plain;
        let mut parts = [(); 3].map(|()| {
            let length = number(&mut rest) as usize;
            let (part, behind) = rest.split_at(length);
            rest = behind;
            part
        });
        assert!(rest.is_empty());
        let mut cells = Vec::new();
        let mut bin = 0;
        while !parts[0].is_empty() {
            bin += number(&mut parts[0]);
            let mut row = 0;
            for _ in 0..number(&mut parts[0]) {
                row += number(&mut parts[1]);
                cells.push((bin, row, number(&mut parts[2])));
            }
        }
        cells
    }

    #[test]
    fn cells_are_unpacked_as_they_were() {
        let mut cells = Cells::new(1_000);
        for n in 0..500u64 {
            cells.add(Ns(n * n * 1_000_003), [9, 4, 6][n as usize % 3]);
        }
        cells.add(Ns::MAX, 9);
        cells.finish();
        let rows = row_of(&[6, 4, 9]);
        let mut expected: Vec<(u64, u64, u64)> = cells
            .iter()
            .flat_map(|(bin, cells)| {
                let rows = &rows;
                cells.iter().map(move |cell| (bin, u64::from(rows[cell.key as usize]), cell.count))
            })
            .collect();
        expected.sort_unstable();
        assert_eq!(unpacked(&packed(&cells, &rows)), expected);
        assert!(unpacked(&packed(&Cells::new(3), &[])).is_empty());
    }
}
