//! The hits that events stand for: an event of a thinned tracepoint stands for several. [`thinning`](super::thinning) has the
//! rules of the kernel.

use super::row_runs::{RowRun, RowRuns};
use super::thinning::OPENED_WITH;
use super::{Event, Ns, RungStep, Slot, Tpid};
use std::collections::HashMap;

/// Adds up the hits that events stand for beyond themselves: by the period of the tracepoint at their time, or by the numbers in
/// the rows of a log. The sum is an estimate.
#[derive(Debug, Clone, Default)]
pub struct MoreHits {
    tracepoints: HashMap<Tpid, HitsOfThinned>,
    /// For each thinned tracepoint on a CPU, the number of its steps at the last event, and of its events since then.
    slots: HashMap<Slot, (usize, u64)>,
    rows: RowRuns,
}

#[derive(Debug, Clone, Default)]
struct HitsOfThinned {
    /// The times of the steps, ascending, and the hits that an event stands for from then on.
    steps: Vec<(Ns, u64)>,
    /// The hits beyond one per event.
    more: u64,
}

impl HitsOfThinned {
    /// The hits that an event stands for: the one with this number since so many steps.
    fn hits(&self, steps: usize, number: u64) -> u64 {
        let period = |steps: usize| steps.checked_sub(1).map_or(1, |last| self.steps[last].1);
        let before = period(steps.saturating_sub(1));
        match (period(steps), number) {
            (OPENED_WITH, _) => OPENED_WITH,
            // The first hit after the step, and half of the interval that the step cut, as the place of the cut is not known.
            (_, 0) => 1 + before / 2,
            // The interval after it has the period before, and the other intervals have the new one.
            (one_in, 1) if one_in > 1 => before.max(OPENED_WITH) - 1,
            (one_in, _) => one_in,
        }
    }
}

impl MoreHits {
    /// The memory in bytes of a step without its parts per CPU: in the decoder, in the periods of the summary, and in the
    /// stretches of summaries, reports, and pages.
    pub const MEMORY_OF_STEP: u64 = 512;

    /// Takes the next steps. They come before the events that follow them.
    pub fn steps(&mut self, steps: &[RungStep]) {
        for RungStep { tpid, at, one_in, .. } in steps {
            let of = &mut self.tracepoints.entry(*tpid).or_default().steps;
            // After a detach, the last events stand for as many hits as those before.
            if *one_in > 0 {
                of.push((*at, *one_in));
            }
        }
    }

    /// Takes the next runs of the rows of a log. They come before their rows, and count instead of steps.
    pub fn rows(&mut self, runs: &[RowRun]) {
        self.rows.add(runs);
    }

    /// Takes an event.
    #[inline]
    pub fn event(&mut self, Event { time, cpu, tpid }: Event) {
        if let Some(hits) = self.rows.of_next(tpid, time) {
            let more = &mut self.tracepoints.entry(tpid).or_default().more;
            *more = more.saturating_add(hits.saturating_sub(1));
        } else if let Some(of) = self.tracepoints.get_mut(&tpid) {
            // Most events come behind the last step.
            let later = of.steps.iter().rev().take_while(|(at, _)| *at > time).count();
            let steps = of.steps.len() - later;
            let (at, number) = self.slots.entry(Slot { tpid, cpu }).or_default();
            if *at != steps {
                (*at, *number) = (steps, 0);
            }
            let hits = if steps == 0 { 1 } else { of.hits(steps, *number) };
            *number += 1;
            of.more = of.more.saturating_add(hits.saturating_sub(1));
        }
    }

    /// The hits beyond one per event of this tracepoint so far.
    pub fn of(&self, tpid: Tpid) -> u64 {
        self.tracepoints.get(&tpid).map_or(0, |of| of.more)
    }

    /// The tracepoints of which events stand for several hits, and the hits beyond one per event.
    pub fn all(&self) -> Vec<(Tpid, u64)> {
        Self::by_tracepoint(self.tracepoints.iter().map(|(tpid, of)| (*tpid, of.more)))
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
    use crate::events::Cpu;

    fn event(time: u64, cpu: u32, tpid: u32) -> Event {
        Event { time: Ns(time), cpu: Some(Cpu::new(cpu)), tpid: Tpid::new(tpid) }
    }

    #[test]
    fn events_stand_for_the_hits_of_the_intervals_that_the_kernel_left() {
        let tpid = Tpid::new(3);
        let step = |at, one_in| RungStep { tpid, at: Ns(at), one_in, on: Vec::new() };
        let mut more = MoreHits::default();
        more.event(event(5, 0, 3));
        assert_eq!(more.all(), [], "each event is one hit");
        more.steps(&[step(10, 17), step(50, 257)]);
        let add = |more: &mut MoreHits, times: &[u64], cpu| {
            let before = more.of(tpid);
            times.iter().for_each(|time| more.event(event(*time, cpu, 3)));
            more.of(tpid) - before
        };
        // The first two intervals after a step are one hit long if each hit was recorded before. Each CPU has its own.
        assert_eq!(add(&mut more, &[5, 10, 12, 20, 30], 0), 16 + 16);
        assert_eq!(add(&mut more, &[9, 11, 13], 1), 0);
        // Then the first interval is half of the old one in the mean, and the second one is the old one.
        assert_eq!(add(&mut more, &[50, 51, 60], 0), 8 + 15 + 256);
        // A detached tracepoint may have events a moment later.
        more.steps(&[step(70, 0)]);
        assert_eq!(add(&mut more, &[71], 0), 256);
        more.event(event(71, 0, 9));
        more.steps(&[step(80, 1)]);
        assert_eq!(add(&mut more, &[81, 82], 0), 128);
        // The rows of a log have numbers of their own.
        more.rows(&[RowRun { tpid, at: Ns(90), place: 0, hits: 5 }]);
        assert_eq!(add(&mut more, &[90], 0), 4);
        assert_eq!((more.all().len(), more.of(Tpid::new(9))), (1, 0));
    }
}
