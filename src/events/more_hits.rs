//! The hits that events stand for: an event of a thinned tracepoint stands for several. [`thinning`](super::thinning) has the
//! rules of the kernel.

use super::row_runs::{RowRun, RowRuns};
use super::thinning::rows::RowHits;
use super::{Event, RungStep, Tpid};
use std::collections::HashMap;

/// Adds up the hits that events stand for beyond themselves: by the kernel's counters at the steps of a tracepoint and by its
/// period, or by the numbers in the rows of a log.
#[derive(Debug, Clone, Default)]
pub struct MoreHits {
    /// The hits beyond one per event.
    more: HashMap<Tpid, u64>,
    hits: RowHits,
    rows: RowRuns,
}

impl MoreHits {
    /// The memory in bytes of a step without its parts per CPU: in the decoder, in the periods of the summary, and in the
    /// stretches of summaries, reports, and pages.
    pub const MEMORY_OF_STEP: u64 = 512;

    /// Takes the next steps. They come before the events that follow them.
    pub fn steps(&mut self, steps: &[RungStep]) {
        self.hits.add(steps);
    }

    /// Takes the next runs of the rows of a log. They come before their rows, and count instead of steps.
    pub fn rows(&mut self, runs: &[RowRun]) {
        self.rows.add(runs);
    }

    /// Takes an event. The events of a CPU come in time order.
    #[inline]
    pub fn event(&mut self, event: Event) {
        let of_log = self.rows.of_next(event.tpid(), event.time);
        let hits = of_log.unwrap_or_else(|| self.hits.of_next(&event));
        if hits > 1 {
            let more = self.more.entry(event.tpid()).or_default();
            *more = more.saturating_add(hits - 1);
        }
    }

    /// The hits beyond one per event of this tracepoint so far.
    pub fn of(&self, tpid: Tpid) -> u64 {
        self.more.get(&tpid).copied().unwrap_or(0)
    }

    /// The tracepoints of which events stand for several hits, and the hits beyond one per event.
    pub fn all(&self) -> Vec<(Tpid, u64)> {
        Self::by_tracepoint(self.more.iter().map(|(tpid, more)| (*tpid, *more)))
    }

    /// The tracepoints that have hits beyond one per event, in the order of their tpids.
    pub fn by_tracepoint(more: impl Iterator<Item = (Tpid, u64)>) -> Vec<(Tpid, u64)> {
        let mut more: Vec<_> = more.filter(|(_, more)| *more > 0).collect();
        more.sort_unstable();
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::thinning::StepOnCpu;
    use crate::events::{Cpu, Ns};

    #[test]
    fn the_hits_of_all_cpus_are_added_up_and_those_of_a_log_count_instead() {
        let (tpid, other) = (Tpid::new(3), Tpid::new(9));
        let event = |time, cpu, tpid| Event::new(Ns(time), Some(Cpu::new(cpu)), tpid);
        let on = |cpu, at, counter| StepOnCpu { cpu: Cpu::new(cpu), at: Ns(at), before: counter, after: counter };
        let mut more = MoreHits::default();
        more.event(event(5, 0, tpid));
        assert_eq!(more.all(), [], "each event is one hit");
        more.steps(&[RungStep {
            tpid,
            at: Ns(100),
            one_in: 17,
            on: vec![on(0, 100, 10), on(1, 110, 3)],
            earlier: Vec::new(),
        }]);
        // The first sample after a step is the first hit, and the next interval has the period before.
        [99, 100, 101, 102].iter().for_each(|time| more.event(event(*time, 0, tpid)));
        [105, 110].iter().for_each(|time| more.event(event(*time, 1, tpid)));
        more.event(event(111, 0, other));
        assert_eq!((more.of(tpid), more.of(other)), (16, 0));
        more.rows(&[RowRun { tpid, at: Ns(190), place: 0, hits: 5 }]);
        more.event(event(190, 0, tpid));
        assert_eq!(more.all(), [(tpid, 20)]);
    }
}
