//! The events of processes over time: in all, by tracepoint, and by CPU.
//!
//! Wider bins make room for more events, but not for more pairs of a process and a tracepoint. So if there are too many pairs, those
//! that come later are left out, and their processes are *cut*: only their events in all are known over time.

use super::count::BuildQuick;
use crate::activity::{Cells, key_of};
use crate::events::{Event, Ns};
use crate::memory::{Held, TooMuch};
use std::collections::{HashMap, HashSet};

/// The memory in bytes of a pair.
const OF_PAIR: u64 = 64;

/// The part of the cells for pairs with tracepoints; processes and CPUs have half of the rest each.
const PART_OF_PAIRS: f64 = 0.5;
/// With more pairs than one in this many cells, a bin would be too wide to show anything.
const CELLS_OF_PAIR: usize = 32;

/// The events of processes over time.
#[derive(Debug, Clone)]
pub struct OverTime {
    /// The events of each process by its number.
    pub processes: Cells,
    /// Pairs of a process and a tracepoint.
    pub tracepoints: PairCells,
    /// Pairs of a process and a CPU.
    pub cpus: PairCells,
}

/// The events of pairs over time.
#[derive(Debug, Clone)]
pub struct PairCells {
    /// The events by the place of their pair in `pairs`.
    pub cells: Cells,
    /// The number of a process, with a tpid or with the key of a CPU (see [`key_of`]).
    pub pairs: Vec<(u32, u32)>,
    places: HashMap<u64, u32, BuildQuick>,
    most_pairs: usize,
    /// The processes some of whose pairs are left out.
    cut: HashSet<u32>,
}

impl OverTime {
    /// No events yet, and at most about this many cells at the end.
    pub(super) fn new(most_cells: usize) -> Self {
        let of_pairs = (most_cells as f64 * PART_OF_PAIRS) as usize;
        let rest = (most_cells - of_pairs) / 2;
        OverTime { processes: Cells::new(rest), tracepoints: PairCells::new(of_pairs), cpus: PairCells::new(rest) }
    }

    /// Counts an event of a process.
    pub(super) fn add(&mut self, event: &Event, process: u32, held: &mut Held) -> Result<(), TooMuch> {
        self.processes.add(event.time, process);
        self.tracepoints.add(event.time, (process, event.tpid().get()), held)?;
        self.cpus.add(event.time, (process, key_of(event.cpu())), held)
    }

    /// Whether the events of a process are known by tracepoint and by CPU.
    pub fn is_whole(&self, process: u32) -> bool {
        !self.tracepoints.cut.contains(&process) && !self.cpus.cut.contains(&process)
    }

    pub(super) fn finish(&mut self) {
        self.processes.finish();
        self.tracepoints.cells.finish();
        self.cpus.cells.finish();
    }
}

impl PairCells {
    fn new(most_cells: usize) -> Self {
        PairCells {
            cells: Cells::new(most_cells),
            pairs: Vec::new(),
            places: HashMap::default(),
            most_pairs: (most_cells / CELLS_OF_PAIR).max(64),
            cut: HashSet::new(),
        }
    }

    fn add(&mut self, time: Ns, pair: (u32, u32), held: &mut Held) -> Result<(), TooMuch> {
        let key = u64::from(pair.0) << 32 | u64::from(pair.1);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None if self.pairs.len() >= self.most_pairs => {
                if self.cut.insert(pair.0) {
                    held.grow(OF_PAIR)?;
                }
                return Ok(());
            }
            None => {
                held.grow(OF_PAIR)?;
                let place = self.pairs.len() as u32;
                self.pairs.push(pair);
                self.places.insert(key, place);
                place
            }
        };
        self.cells.add(time, place);
        Ok(())
    }
}
