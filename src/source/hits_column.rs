//! The column `hits` of a log: how many hits the event of a row stands for. A recording with a budget has this column.

use crate::events::{MoreHits, Ns, RowRun, RungStep, Tpid};
use crate::memory::{Held, MemoryOf, TooMuch};
use std::collections::HashMap;

/// An event never stands for more hits.
pub(super) const MOST_HITS: u64 = u32::MAX as u64;

/// Turns the numbers of the rows into runs of equal numbers, and into steps of tracepoints to other rungs.
///
/// The first rows behind a step, and the last before it, stand for other numbers than the period. So the period is the number
/// that two rows have, one after the other.
pub(super) struct HitsColumn {
    tracepoints: HashMap<Tpid, OfRows>,
    pub runs: Vec<RowRun>,
    pub steps: Vec<RungStep>,
    held: Held,
}

/// The rows of a tracepoint so far.
struct OfRows {
    /// The hits of the last row, and the time of the first row of its run.
    hits: u64,
    since: Ns,
    /// The newest time of a row, and how many rows have it.
    newest: Ns,
    place: u64,
    /// The hits beyond one per row that the filter takes.
    more: u64,
    period: u64,
    /// The index of the last step, if only one row has had its period.
    guessed: Option<usize>,
}

impl HitsColumn {
    pub fn new() -> Self {
        let held = Held::nothing(MemoryOf::Steps);
        HitsColumn { tracepoints: HashMap::new(), runs: Vec::new(), steps: Vec::new(), held }
    }

    /// Takes the number of a row. False if a row above of the same tracepoint has another number, and is later: then the log is
    /// not in time order.
    ///
    /// # Errors
    /// If the changes of the number take too much memory.
    pub fn row(&mut self, tpid: Tpid, time: Ns, hits: u64, is_wanted: bool) -> Result<bool, TooMuch> {
        // Before its first row, each hit was recorded.
        let first = OfRows { hits: 1, since: Ns(0), newest: Ns(0), place: 0, more: 0, period: 1, guessed: None };
        let of = self.tracepoints.entry(tpid).or_insert(first);
        if time < of.since || (hits != of.hits && time < of.newest) {
            return Ok(false);
        }
        let place = if time == of.newest { of.place } else { 0 };
        let is_pair = hits == of.hits && of.place > 0;
        if hits != of.period && (is_pair || of.period == 1) {
            match of.guessed.take() {
                Some(step) if is_pair => self.steps[step].one_in = hits,
                _ => {
                    self.held.grow(MoreHits::MEMORY_OF_STEP)?;
                    let at = if is_pair { of.since } else { time };
                    of.guessed = (!is_pair).then_some(self.steps.len());
                    self.steps.push(RungStep { tpid, at, one_in: hits, on: Vec::new(), earlier: Vec::new() });
                }
            }
            of.period = hits;
        } else if is_pair {
            of.guessed = None;
        }
        if hits != of.hits {
            self.held.grow(RowRun::MEMORY)?;
            self.runs.push(RowRun { tpid, at: time, place, hits });
            (of.hits, of.since) = (hits, time);
        }
        if time >= of.newest {
            (of.newest, of.place) = (time, place + 1);
        }
        if is_wanted {
            of.more = of.more.saturating_add(hits.saturating_sub(1));
        }
        Ok(true)
    }

    /// The hits beyond one per row, of each tracepoint that has some.
    pub fn more_hits(&self) -> Vec<(Tpid, u64)> {
        MoreHits::by_tracepoint(self.tracepoints.iter().map(|(tpid, of)| (*tpid, of.more)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_rows_become_runs_and_steps() {
        let mut column = HitsColumn::new();
        let (one, two) = (Tpid::new(1), Tpid::new(2));
        let rows = [(10, 1), (20, 1), (20, 17), (20, 1), (30, 17), (40, 17), (50, 5), (60, 16), (70, 257), (80, 257)];
        let rows = rows.into_iter().chain([(90, 12), (91, 1), (92, 1), (100, 256), (110, 17), (120, 17)]);
        for (time, hits) in rows.clone() {
            assert!(column.row(one, Ns(time), hits, true).unwrap(), "{time}");
        }
        assert!(column.row(two, Ns(25), 3, false).unwrap());
        let steps: Vec<_> = column.steps.iter().map(|step| (step.tpid.get(), step.at.0, step.one_in)).collect();
        assert_eq!(steps, [(1, 20, 17), (1, 70, 257), (1, 91, 1), (1, 100, 17), (2, 25, 3)]);
        let runs: Vec<_> = column.runs.iter().take(4).map(|run| (run.at.0, run.place, run.hits)).collect();
        assert_eq!(runs, [(20, 1, 17), (20, 2, 1), (30, 0, 17), (50, 0, 5)]);
        assert_eq!(column.more_hits(), [(one, rows.map(|(_, hits)| hits - 1).sum())]);
        // A row may be a little earlier than the one above it, if both stand for as many hits.
        let mut row = |time, hits| column.row(one, Ns(time), hits, true).unwrap();
        assert!(row(115, 17) && !row(109, 17) && !row(119, 1) && row(120, 1));
    }
}
