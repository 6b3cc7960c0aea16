//! Rows of a log that stand for equally many hits each.

use super::{Ns, Tpid};
use std::collections::{HashMap, VecDeque};

/// From one row of a tracepoint on, each of its rows stands for this many hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRun {
    /// The tracepoint.
    pub tpid: Tpid,
    /// The time of the first row.
    pub at: Ns,
    /// How many rows of the tracepoint with the same time come before this one.
    pub place: u64,
    /// The hits of each row.
    pub hits: u64,
}

impl RowRun {
    /// The memory in bytes of a run: in the decoder, and in the sinks that follow it.
    pub const MEMORY: u64 = 256;
}

/// Finds the hits of each row again. Rows of a tracepoint come in their order, and those of a time may be missing.
#[derive(Debug, Clone, Default)]
pub struct RowRuns {
    of: HashMap<Tpid, RunsAhead>,
}

#[derive(Debug, Clone)]
struct RunsAhead {
    ahead: VecDeque<(Ns, u64, u64)>,
    /// The hits of a row now.
    hits: u64,
    /// The time of the last row, and how many rows have had it.
    time: Ns,
    place: u64,
}

impl RowRuns {
    /// Takes runs. They come before their rows.
    pub fn add(&mut self, runs: &[RowRun]) {
        for RowRun { tpid, at, place, hits } in runs {
            let new = || RunsAhead { ahead: VecDeque::new(), hits: 1, time: Ns(0), place: 0 };
            self.of.entry(*tpid).or_insert_with(new).ahead.push_back((*at, *place, *hits));
        }
    }

    /// The number of hits that the next row stands for. `None` if its tracepoint has no runs.
    pub fn of_next(&mut self, tpid: Tpid, time: Ns) -> Option<u64> {
        let runs = self.of.get_mut(&tpid)?;
        if runs.time != time {
            (runs.time, runs.place) = (time, 0);
        }
        while let Some((at, place, hits)) = runs.ahead.front()
            && (*at, *place) <= (time, runs.place)
        {
            runs.hits = *hits;
            runs.ahead.pop_front();
        }
        runs.place += 1;
        Some(runs.hits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_its_hits_also_among_rows_of_one_time() {
        let tpid = Tpid::new(3);
        let run = |at, place, hits| RowRun { tpid, at: Ns(at), place, hits };
        let mut runs = RowRuns::default();
        runs.add(&[run(10, 1, 17), run(10, 2, 1), run(30, 0, 257)]);
        let rows = [(10, 1), (10, 17), (10, 1), (20, 1), (30, 257), (40, 257)];
        assert_eq!(rows.map(|(time, _)| (time, runs.of_next(tpid, Ns(time)).unwrap())), rows);
        assert_eq!(runs.of_next(Tpid::new(4), Ns(5)), None);
    }
}
