//! The counting engine. It has no ring and no samples. A tick reads each group of events at once, through its
//! leader.

use super::open_events::OpenEvents;
use super::opening::Opening;
use super::rungs::Rungs;
use super::{Attached, CountRequest, Counting, Detaching, Engine, Error, Opened};
use crate::events::{Counted, Ns, Partly, Rung, Tick, Tpid};
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::os::machine::{MachineTimes, cpu_times};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

/// perf's counters, attached and off. Dropping the engine detaches in the background, as [`Engine::detach`]
/// does.
///
/// Tracepoints whose counters add up weights instead of hits (`sched:sched_stat_*`) are not opened.
/// [`Attached::weighted`] lists them.
#[derive(Debug)]
pub struct CountingEngine {
    events: OpenEvents,
    /// By tracepoint: its tracefs id.
    tracefs_ids: BTreeMap<Tpid, u64>,
    exclude_thread: Option<i32>,
    /// The rungs of the tracepoints, from the first change on.
    rungs: Option<Rungs>,
    /// The tracepoints that were not watched in the whole last window.
    partly: Vec<Partly>,
    /// Per slot: the counter at the last tick.
    before: Vec<u64>,
    /// Per slot: the hits between the last two ticks.
    hits: Vec<u64>,
    /// The time of the last tick; before the first tick, the time at which the events went on.
    at: Ns,
    /// The time at which the events went off, if they are off.
    off: Option<Ns>,
    /// Per slot: the counter that the current tick has read. Scratch space.
    now: Vec<Option<u64>>,
    /// Scratch space for the bytes of a read.
    bytes: Vec<u8>,
}

impl CountingEngine {
    /// Attaches, as [`Kernel::count`](super::Kernel::count) does.
    pub fn attach(request: &CountRequest<'_>, opened: Opened<'_>) -> Result<Self, Error> {
        let (of_hits, weighted) = request.of_hits();
        let (_, mut events) = Opening::of_counts(&of_hits)?.open(opened)?;
        events.attached.weighted = weighted;
        let slots = events.ids.slots().len();
        let (before, hits, now) = (vec![0; slots], vec![0; slots], vec![None; slots]);
        let tracefs_ids = of_hits.tracepoints.iter().map(|it| (it.tpid, it.tracefs_id)).collect();
        Ok(CountingEngine {
            events,
            tracefs_ids,
            exclude_thread: request.exclude_thread,
            rungs: None,
            partly: Vec::new(),
            before,
            hits,
            at: Clock::Monotonic.now_ns().unwrap_or_default(),
            off: None,
            now,
            bytes: Vec::new(),
        })
    }

    /// The tracefs id of the tracepoint with the fewest hits so far.
    fn quiet(&self) -> u64 {
        let mut hits: BTreeMap<Tpid, u64> = self.tracefs_ids.keys().map(|tpid| (*tpid, u64::MAX)).collect();
        let slots = self.events.ids.slots();
        slots.iter().for_each(|slot| *hits.entry(slot.tpid).or_default() = 0);
        slots.iter().zip(&self.before).for_each(|(slot, before)| *hits.entry(slot.tpid).or_default() += before);
        let quiet = hits.into_iter().min_by_key(|(_, hits)| *hits).map(|(tpid, _)| tpid);
        quiet.and_then(|tpid| self.tracefs_ids.get(&tpid).copied()).unwrap_or_default()
    }
}

impl Engine for CountingEngine {
    fn attached(&self) -> &Attached {
        &self.events.attached
    }

    fn enable(&mut self) -> io::Result<()> {
        (self.at, self.off) = (Clock::Monotonic.now_ns()?, None);
        if let Some(rungs) = &mut self.rungs {
            rungs.enable()?;
        }
        self.events.enable()
    }

    fn disable(&mut self) -> io::Result<()> {
        let small = self.rungs.as_mut().map_or(Ok(()), Rungs::disable);
        self.events.disable().and(small)?;
        self.off = Some(Clock::Monotonic.now_ns()?);
        Ok(())
    }

    fn counters(&self) -> io::Result<Vec<Counted>> {
        self.events.counters()
    }

    fn time_on(&self) -> io::Result<Vec<(Cpu, Duration)>> {
        self.events.time_on()
    }

    fn detach(self) -> Detaching {
        // The child must close last.
        drop(self.rungs);
        self.events.detach()
    }
}

impl Counting for CountingEngine {
    fn cpu_times() -> Option<BTreeMap<Cpu, MachineTimes>> {
        cpu_times()
    }

    fn tick(&mut self) -> io::Result<Tick<'_>> {
        // All counters are read before any state changes. So if a tick fails, the next tick includes its
        // hits.
        self.events.read_groups(&mut self.now, &mut self.bytes)?;
        if let Some(rungs) = &mut self.rungs {
            rungs.read()?;
        }
        let to = match self.off {
            Some(off) => off,
            None => Clock::Monotonic.now_ns()?,
        };
        let from = std::mem::replace(&mut self.at, to);
        for ((now, before), hits) in self.now.iter().zip(&mut self.before).zip(&mut self.hits) {
            // No kernel lets a counter go backwards. If one does, its hits must not count twice.
            let now = now.unwrap_or(*before).max(*before);
            *hits = now - *before;
            *before = now;
        }
        let slots = self.events.ids.slots();
        if let Some(rungs) = &mut self.rungs {
            let hits = &mut self.hits;
            let place = |cpu, tpid| slots.binary_search_by_key(&(tpid, Some(cpu)), |slot| (slot.tpid, slot.cpu));
            self.partly = rungs.end_window(from, to, |cpu, tpid, number| {
                if let Ok(place) = place(cpu, tpid) {
                    hits[place] += number;
                }
            });
        }
        Ok(Tick { from, to, late_ns: 0, slots, hits: &self.hits, partly: &self.partly, cost: None })
    }

    fn set_rung(&mut self, tpid: Tpid, rung: Rung) -> io::Result<()> {
        let Some(tracefs_id) = self.tracefs_ids.get(&tpid).copied() else { return Ok(()) };
        if self.rungs.is_none() {
            let quiet = self.quiet();
            let mut rungs = Rungs::new(&self.events, quiet, self.exclude_thread);
            rungs.enable()?;
            self.rungs = Some(rungs);
        }
        let rungs = self.rungs.as_mut().expect("it was just made");
        rungs.set(&mut self.events, tpid, tracefs_id, rung)
    }

    fn finish_moves(&mut self) -> io::Result<()> {
        self.events.finish_closing()
    }

    fn is_detaching(&mut self) -> io::Result<bool> {
        self.events.is_closing()
    }

    fn moved(&self) -> Vec<(Tpid, Rung)> {
        self.rungs.as_ref().map(Rungs::moved).unwrap_or_default()
    }

    fn rung(&self, tpid: Tpid) -> Rung {
        self.rungs.as_ref().map_or(Rung::Counted, |rungs| rungs.rung(tpid))
    }

    fn begin_visit(&mut self) -> io::Result<()> {
        self.rungs.as_mut().map_or(Ok(()), Rungs::begin_visit)
    }

    fn end_visit(&mut self) -> io::Result<()> {
        self.rungs.as_mut().map_or(Ok(()), Rungs::end_visit)
    }
}
