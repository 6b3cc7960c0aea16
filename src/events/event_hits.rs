//! How many hits each event stands for.

use super::thinning::rows::RowHits;
use super::{Event, RowRun, RowRuns, RungStep};
use crate::memory::{Held, MemoryOf, TooMuch};

/// The memory in bytes of a step on a CPU until events behind it come.
const OF_STEP_AHEAD: u64 = 240;

/// Says how many hits each event stands for: more than one if its tracepoint was thinned.
#[derive(Debug)]
pub struct EventHits {
    hits: RowHits,
    /// The same numbers in the rows of a log, which count instead.
    runs: RowRuns,
    /// Whether there were steps, and runs. Without them, an event is a hit.
    has_steps: bool,
    has_runs: bool,
    /// The memory of the steps ahead.
    held: Held,
}

impl Default for EventHits {
    fn default() -> Self {
        EventHits {
            hits: RowHits::default(),
            runs: RowRuns::default(),
            has_steps: false,
            has_runs: false,
            held: Held::nothing(MemoryOf::Steps),
        }
    }
}

impl EventHits {
    /// See [`Sink::only_some`](super::Sink::only_some). It comes before the steps.
    pub fn only_some(&mut self) {
        self.hits.only_some();
    }

    /// Takes steps. They come before the events that follow them.
    ///
    /// # Errors
    /// If those that wait for their events take too much memory.
    pub fn steps(&mut self, steps: &[RungStep]) -> Result<(), TooMuch> {
        if !steps.is_empty() {
            self.held.grow(OF_STEP_AHEAD * steps.iter().map(|step| step.on.len() as u64).sum::<u64>())?;
            self.hits.add(steps);
            self.has_steps = true;
        }
        Ok(())
    }

    /// Takes runs of the rows of a log. They come before their rows.
    pub fn rows(&mut self, runs: &[RowRun]) {
        if !runs.is_empty() {
            self.runs.add(runs);
            self.has_runs = true;
        }
    }

    /// Whether events may stand for more than one hit.
    pub fn is_estimate(&self) -> bool {
        self.has_steps || self.has_runs
    }

    /// The hits of the next event. Events come in time order.
    #[inline]
    pub fn of_next(&mut self, event: &Event) -> u64 {
        let of_log = if self.has_runs { self.runs.of_next(event.tpid(), event.time) } else { None };
        match of_log {
            Some(hits) => hits,
            None if self.has_steps => self.hits.of_next(event),
            None => 1,
        }
    }
}
