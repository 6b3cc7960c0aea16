//! The compared windows of a count.

use crate::events::{Tick, WindowHits};
use crate::state::{Composition, Name, Names, Seen};
use crate::tracefs::Table;

/// Makes the compared windows of ticks.
pub(super) struct SeenOfTick {
    /// By tpid, the number of the name; `None` if it is not compared.
    names: Vec<Option<Name>>,
    counts: Vec<u64>,
}

impl SeenOfTick {
    /// For windows that are compared under these names.
    pub fn of(names: &Names, table: &Table) -> Self {
        let mut numbers = Vec::new();
        for tracepoint in table.tracepoints() {
            let index = tracepoint.tpid.index();
            numbers.resize(numbers.len().max(index + 1), None);
            numbers[index] = names.number(&tracepoint.full_name());
        }
        SeenOfTick { names: numbers, counts: vec![0; names.len()] }
    }

    /// The window of a tick whose hits are these. Estimates take part; unknown hits count as none.
    pub fn of_hits(&mut self, tick: &Tick<'_>, hits: &[WindowHits]) -> Seen {
        self.counts.fill(0);
        for WindowHits { tpid, hits, .. } in hits {
            if let Some(Some(name)) = self.names.get(tpid.index()) {
                self.counts[*name as usize] += hits.unwrap_or(0.0).round() as u64;
            }
        }
        let composition = Composition::of((0..).zip(self.counts.iter().copied()));
        Seen { ns: tick.to.since(tick.from), composition, lost: 0 }
    }
}
