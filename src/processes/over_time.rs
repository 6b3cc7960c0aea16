//! The events of processes over time: by tracepoint, and by CPU.

use super::count::BuildQuick;
use crate::activity::{Cells, key_of};
use crate::events::{Event, Ns};
use crate::memory::{Held, TooMuch};
use std::collections::HashMap;

/// The memory in bytes of a pair.
const OF_PAIR: u64 = 64;

/// One in this many cells is for CPUs, which are fewer than tracepoints.
const PART_OF_CPUS: usize = 4;

/// The events of processes over time.
#[derive(Debug, Clone)]
pub struct OverTime {
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
}

impl OverTime {
    /// No events yet, and at most about this many cells at the end.
    pub(super) fn new(most_cells: usize) -> Self {
        let of_cpus = most_cells / PART_OF_CPUS;
        OverTime { tracepoints: PairCells::new(most_cells - of_cpus), cpus: PairCells::new(of_cpus) }
    }

    /// Counts an event of a process.
    pub(super) fn add(&mut self, event: &Event, process: u32, held: &mut Held) -> Result<(), TooMuch> {
        self.tracepoints.add(event.time, (process, event.tpid().get()), held)?;
        self.cpus.add(event.time, (process, key_of(event.cpu())), held)
    }

    pub(super) fn finish(&mut self) {
        self.tracepoints.cells.finish();
        self.cpus.cells.finish();
    }
}

impl PairCells {
    fn new(most_cells: usize) -> Self {
        PairCells { cells: Cells::new(most_cells), pairs: Vec::new(), places: HashMap::default() }
    }

    fn add(&mut self, time: Ns, pair: (u32, u32), held: &mut Held) -> Result<(), TooMuch> {
        let key = u64::from(pair.0) << 32 | u64::from(pair.1);
        let place = match self.places.get(&key) {
            Some(place) => *place,
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
