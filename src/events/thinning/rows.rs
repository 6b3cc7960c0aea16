//! The rows of a log with thinned tracepoints: how many hits each stands for.

use super::RungStep;
use super::model::Thinning;
use crate::events::{Event, Ns, Slot};
use std::collections::{HashMap, VecDeque};

/// Says how many hits each event stands for: itself, and those since the event before it that became no samples. The sum over
/// a tracepoint lacks only the hits since its last sample, and those of lost samples.
#[derive(Debug, Clone, Default)]
pub struct RowHits {
    of: HashMap<Slot, SlotRows>,
    /// Whether other samples may be missing between the events.
    only_some: bool,
}

/// The events of one tracepoint on one CPU.
#[derive(Debug, Clone, Default)]
struct SlotRows {
    /// The steps after the last event, and how many samples since then came before the time of the step.
    ahead: VecDeque<(Ns, Thinning, u64)>,
    /// After the last of them.
    newest: Thinning,
    /// At the last event.
    now: Thinning,
    /// The number of samples since the last step before them.
    seen: u64,
}

impl SlotRows {
    fn until(&mut self, time: Ns) {
        while let Some((at, thinning, early)) = self.ahead.front()
            && *at <= time
        {
            (self.now, self.seen) = (*thinning, *early);
            self.ahead.pop_front();
        }
    }
}

impl RowHits {
    /// Other samples may be missing between the events. So each event stands for as many hits as the kernel counts until a sample, and
    /// not for those since the event before it.
    pub fn only_some(&mut self) {
        self.only_some = true;
    }

    /// Takes steps. They come before the events that follow them.
    pub fn add(&mut self, steps: &[RungStep]) {
        // The last events of a tracepoint that is detached may be a moment later than its step.
        for step in steps.iter().filter(|step| step.one_in > 0) {
            let RungStep { tpid, one_in, .. } = step;
            for (on, earlier) in step.on_cpus() {
                let rows = self.of.entry(Slot { tpid: *tpid, cpu: Some(on.cpu) }).or_default();
                rows.newest.take(*one_in, on, earlier);
                // If hits came during the step, the first two samples after it come at once, and have a time before it.
                let early = if *one_in > 1 { on.after.saturating_sub(on.before).min(2) } else { 0 };
                rows.ahead.push_back((on.at, rows.newest, early));
            }
        }
    }

    /// The number of steps that wait for their time.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.of.values().map(|rows| rows.ahead.len()).sum()
    }

    /// Goes on to this time: all events until then have been taken.
    pub fn until(&mut self, time: Ns) {
        for rows in self.of.values_mut() {
            rows.until(time);
        }
    }

    /// The number of hits that the next event stands for. Events come in time order.
    pub fn of_next(&mut self, event: &Event) -> u64 {
        let slot = Slot { tpid: event.tpid(), cpu: event.cpu() };
        let Some(rows) = self.of.get_mut(&slot) else { return 1 };
        rows.until(event.time);
        if self.only_some {
            return rows.now.usual_hits();
        }
        rows.seen += 1;
        rows.now.hits_of_sample(rows.seen - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::thinning::StepOnCpu;
    use crate::events::{Cpu, Tpid};

    #[test]
    fn a_row_stands_for_the_hits_since_the_row_before() {
        let (zero, one) = (Cpu::new(0), Cpu::new(1));
        let on = |cpu, at, counter| StepOnCpu { cpu, at: Ns(at), before: counter, after: counter };
        let step = |one_in, on| RungStep { tpid: Tpid::new(7), at: Ns(100), one_in, on, earlier: Vec::new() };
        let mut rows = RowHits::default();
        let hits = |rows: &mut RowHits, cpu, time| rows.of_next(&Event::new(Ns(time), Some(cpu), Tpid::new(7)));
        assert_eq!(hits(&mut rows, zero, 50), 1);
        // On the second CPU, the step came later.
        rows.add(&[step(17, vec![on(zero, 100, 10), on(one, 110, 3)])]);
        // The first sample after a step is the first hit, and the next interval has the period before.
        assert_eq!([99, 100, 101, 102].map(|time| hits(&mut rows, zero, time)), [1, 1, 1, 17]);
        assert_eq!([105, 110].map(|time| hits(&mut rows, one, time)), [1, 1]);
        // 40 hits: one, two, and two times 17 until the last sample, so four have none.
        rows.add(&[step(257, vec![on(zero, 200, 50)]), step(0, vec![on(zero, 300, 99)])]);
        assert_eq!([200, 201, 202, 301].map(|time| hits(&mut rows, zero, time)), [5, 16, 257, 257]);
        // Hits came during the step, so the first two samples after it came before its time.
        rows.add(&[step(1, vec![on(one, 200, 50)])]);
        rows.add(&[step(17, vec![StepOnCpu { cpu: one, at: Ns(300), before: 99, after: 120 }])]);
        assert_eq!([200, 299, 300, 301].map(|time| hits(&mut rows, one, time)), [12, 1, 17, 17]);
        // If events of other processes are missing, it is not known which sample since the step an event is.
        let mut some = RowHits::default();
        some.only_some();
        some.add(&[step(257, vec![on(zero, 100, 10)])]);
        assert_eq!([99, 100, 150].map(|time| hits(&mut some, zero, time)), [1, 257, 257]);
        let other = Event::new(Ns(200), None, Tpid::new(7));
        assert_eq!(rows.of_next(&other), 1);
    }
}
