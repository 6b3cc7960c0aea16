//! How many hits each event stands for.

use crate::events::thinning::rows::RowHits;
use crate::events::{Event, RowRun, RowRuns, RungStep};
use crate::memory::{Held, MemoryOf, TooMuch};

/// The memory in bytes of a step on a CPU until events behind it come.
const OF_STEP_AHEAD: u64 = 240;

/// Says how many hits each event stands for: more than one if its tracepoint was thinned.
#[derive(Debug)]
pub(super) struct EventHits {
    hits: Option<RowHits>,
    only_some: bool,
    /// The same numbers in the rows of a log, which count instead.
    runs: Option<RowRuns>,
    /// The memory of the steps ahead.
    held: Held,
}

impl Default for EventHits {
    fn default() -> Self {
        EventHits { hits: None, only_some: false, runs: None, held: Held::nothing(MemoryOf::Steps) }
    }
}

impl EventHits {
    /// Takes steps. They come before the events that follow them.
    pub fn steps(&mut self, steps: &[RungStep]) -> Result<(), TooMuch> {
        if !steps.is_empty() {
            self.held.grow(OF_STEP_AHEAD * steps.iter().map(|step| step.on.len() as u64).sum::<u64>())?;
            let hits = self.hits.get_or_insert_default();
            if self.only_some {
                hits.only_some();
            }
            hits.add(steps);
        }
        Ok(())
    }

    /// See [`Sink::only_some`](crate::events::Sink::only_some).
    pub fn only_some(&mut self) {
        self.only_some = true;
    }

    /// Takes runs of the rows of a log. They come before their rows.
    pub fn rows(&mut self, runs: &[RowRun]) {
        if !runs.is_empty() {
            self.runs.get_or_insert_default().add(runs);
        }
    }

    /// The hits of the next event. Events come in time order.
    #[inline]
    pub fn of_next(&mut self, event: &Event) -> u64 {
        let of_log = self.runs.as_mut().and_then(|runs| runs.of_next(event.tpid(), event.time));
        of_log.unwrap_or_else(|| self.hits.as_mut().map_or(1, |hits| hits.of_next(event)))
    }
}
