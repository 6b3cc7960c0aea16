//! The data of the page's graph of processes. With it, the other graphs and the tables can show one process.

use super::data::{GraphRow, packed};
use crate::processes::{PairCells, ProcessRanking, RankedProcess};
use serde::Serialize;
use std::collections::HashMap;

/// The most processes that have a row of their own.
pub(super) const MOST_PROCESSES: usize = 50;

#[derive(Serialize)]
pub(super) struct ProcessGraph<'a> {
    rows: Vec<GraphRow<'a>>,
    /// For each row, whether the other graphs can show its events.
    followed: Vec<bool>,
    /// The length of a bin of all events of processes, in nanoseconds.
    width: u64,
    cells: String,
    /// The length of the source in seconds, for rates.
    seconds: f64,
    /// Whether the hits of tracepoints are estimated.
    is_estimate: bool,
    tracepoints: PairGraph,
    cpus: PairGraph,
}

/// Cells of pairs.
#[derive(Serialize)]
struct PairGraph {
    /// For each pair: the row of its process, the row of its tracepoint or CPU, and its hits or events.
    pairs: Vec<(u32, u32, u64)>,
    /// The length of a bin, in nanoseconds.
    width: u64,
    cells: String,
}

/// The processes with the most events, and all others in one row. `tracepoints` has the row of each tpid, and `cpus` that of each
/// key of a CPU.
pub(super) fn process_graph<'a>(
    all: &'a ProcessRanking,
    tracepoints: &[u32],
    cpus: &[u32],
    seconds: f64,
) -> Option<ProcessGraph<'a>> {
    let over_time = all.over_time.as_ref()?;
    let (first, others) = all.processes.split_at(all.processes.len().min(MOST_PROCESSES));
    let row = |ranked: &RankedProcess| GraphRow {
        name: ranked.process.words_with_pid().into(),
        number: None,
        events: ranked.events,
    };
    let mut rows: Vec<GraphRow<'_>> = first.iter().map(row).collect();
    if !others.is_empty() {
        let events = others.iter().map(|ranked| ranked.events).sum();
        rows.push(GraphRow { name: format!("{} others", others.len()).into(), number: None, events });
    }
    let mut row_of = vec![first.len() as u32; all.processes.len()];
    (0u32..).zip(first).for_each(|(row, ranked)| row_of[ranked.number as usize] = row);

    let mut hits = HashMap::<(u32, u32), u64>::new();
    for ranked in &all.processes {
        for (tpid, its) in &ranked.tracepoints {
            hits.insert((ranked.number, tpid.get()), *its);
        }
    }
    let hits = |place: usize| hits.get(&over_time.tracepoints.pairs[place]).copied().unwrap_or(0);
    let events = over_time.cpus.cells.totals();
    let is_whole = |ranked: &RankedProcess| over_time.is_whole(ranked.number);
    let followed =
        first.iter().map(is_whole).chain((!others.is_empty()).then(|| others.iter().all(is_whole))).collect();
    Some(ProcessGraph {
        rows,
        followed,
        width: over_time.processes.width(),
        cells: packed(&over_time.processes, &row_of),
        seconds,
        is_estimate: all.is_estimate,
        tracepoints: pair_graph(&over_time.tracepoints, &row_of, tracepoints, hits),
        cpus: pair_graph(&over_time.cpus, &row_of, cpus, |place| events.get(place).copied().unwrap_or(0)),
    })
}

/// The pairs, with rows instead of numbers. Pairs become one if their processes share a row.
fn pair_graph(of: &PairCells, processes: &[u32], others: &[u32], hits: impl Fn(usize) -> u64) -> PairGraph {
    let mut pairs = Vec::<(u32, u32, u64)>::new();
    let mut places = HashMap::<(u32, u32), u32>::new();
    let mut place_of = Vec::with_capacity(of.pairs.len());
    for (place, (process, other)) in of.pairs.iter().enumerate() {
        let rows = (processes[*process as usize], others[*other as usize]);
        let joined = *places.entry(rows).or_insert_with(|| {
            pairs.push((rows.0, rows.1, 0));
            pairs.len() as u32 - 1
        });
        pairs[joined as usize].2 += hits(place);
        place_of.push(joined);
    }
    PairGraph { pairs, width: of.cells.width(), cells: packed(&of.cells, &place_of) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::key_of;
    use crate::events::{Cpu, Event, Ns, Sink, Tid, Tpid};
    use crate::processes::Processes;
    use crate::tracefs::Table;

    #[test]
    fn pairs_of_processes_that_share_a_row_are_joined_and_no_event_is_lost() {
        let mut processes = Processes::default().with_cells(100_000);
        let threads = MOST_PROCESSES as u32 + 3;
        // Thread n has 100 + n events of tracepoint 1 and one of tracepoint 2. The three with the fewest are not listed.
        let event = |time: u32, tpid, tid: u32| {
            Event::new(Ns(u64::from(time)), Some(Cpu::new(tid % 2)), Tpid::new(tpid)).in_thread(Tid::new(tid).unwrap())
        };
        let of_thread = |n: u32| (0..100 + n).map(move |_| (1, n)).chain([(2, n)]);
        let events: Vec<_> =
            (1..=threads).flat_map(of_thread).zip(0..).map(|((tpid, tid), time)| event(time, tpid, tid)).collect();
        processes.events(&events, &Table::default());
        let ranking = processes.ranking(true).unwrap();
        let keys = [0, 1].map(|cpu| key_of(Some(Cpu::new(cpu))));
        assert_eq!(keys, [0, 1]);
        let graph = process_graph(&ranking, &[9, 5, 7], &[0, 1], 1.0).unwrap();
        assert!(graph.followed.iter().all(|is_followed| *is_followed));
        assert_eq!(graph.rows.len(), MOST_PROCESSES + 1);
        let last = MOST_PROCESSES as u32;
        let mut of_others: Vec<_> = graph.tracepoints.pairs.iter().filter(|pair| pair.0 == last).collect();
        of_others.sort();
        assert_eq!(of_others, [&(last, 5, 101 + 102 + 103), &(last, 7, 3)]);
        let first: Vec<_> = graph.tracepoints.pairs.iter().filter(|pair| pair.0 == 0).collect();
        assert_eq!(first, [&(0, 5, u64::from(100 + threads)), &(0, 7, 1)]);
        let sum = |of: &PairGraph| of.pairs.iter().map(|pair| pair.2).sum::<u64>();
        assert_eq!([sum(&graph.tracepoints), sum(&graph.cpus)], [events.len() as u64; 2]);
    }
}
