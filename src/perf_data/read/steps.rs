//! The steps of tracepoints to other rungs, as `Records` reads them from tp-perf's notes.

use crate::events::{MoreHits, RungStep};
use crate::memory::{Held, MemoryOf, TooMuch};

/// The memory in bytes of a counter of a step, and of the hits before it.
const OF_COUNTER: u64 = 32;
/// The memory in bytes of a tracepoint on a CPU that has counters in steps: its account, and the events since its last step.
const OF_FOLLOWED: u64 = 352;

/// The steps so far.
pub(super) struct StepsRead {
    /// In the order of the file.
    pub all: Vec<RungStep>,
    /// The hits of thinned events. `None` until the first step: until then, each event is one hit.
    pub more_hits: Option<MoreHits>,
    /// The number of counters in the steps.
    counters: u64,
    held: Held,
}

impl Default for StepsRead {
    fn default() -> Self {
        StepsRead { all: Vec::new(), more_hits: None, counters: 0, held: Held::nothing(MemoryOf::Steps) }
    }
}

impl StepsRead {
    /// Adds steps, whose times are so many nanoseconds behind the capture's clock. The file has at most `slots` pairs of a
    /// tracepoint and a CPU.
    ///
    /// # Errors
    /// If they take too much memory.
    pub fn add(&mut self, steps: Vec<RungStep>, clock_offset: i64, slots: u64) -> Result<(), TooMuch> {
        if steps.is_empty() {
            return Ok(());
        }
        let counters = steps.iter().map(|step| (step.on.len() + step.earlier.len()) as u64).sum::<u64>();
        let followed = (self.counters + counters).min(slots).saturating_sub(self.counters);
        self.held
            .grow(MoreHits::MEMORY_OF_STEP * steps.len() as u64 + OF_COUNTER * counters + OF_FOLLOWED * followed)?;
        self.counters += counters;
        let begin = self.all.len();
        self.all.extend(steps.into_iter().map(|step| {
            let mut step = step.later_by(clock_offset);
            step.on.shrink_to_fit();
            step.earlier.shrink_to_fit();
            step
        }));
        self.more_hits.get_or_insert_default().steps(&self.all[begin..]);
        Ok(())
    }
}
