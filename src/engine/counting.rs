//! The counting engine. It has no ring and no samples. A tick reads each group of events at once, through its
//! leader.

use super::open_events::OpenEvents;
use super::opening::Opening;
use super::{Attached, CountRequest, Counting, Detaching, Engine, Error, Opened};
use crate::events::{Counted, Ns, Tick};
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::perf::sys;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// perf's counters, attached and off. Dropping the engine detaches in the background, as [`Engine::detach`]
/// does.
///
/// Tracepoints whose counters add up weights instead of hits (`sched:sched_stat_*`) are not opened.
/// [`Attached::weighted`] lists them.
#[derive(Debug)]
pub struct CountingEngine {
    events: OpenEvents,
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
        Ok(CountingEngine {
            events,
            before,
            hits,
            at: Clock::Monotonic.now_ns().unwrap_or_default(),
            off: None,
            now,
            bytes: Vec::new(),
        })
    }

    /// Reads every counter into `now`. One read returns a whole group. When a CPU goes offline, the kernel
    /// dissolves its groups but keeps the counters, so a counter that its leader no longer returns is read by
    /// itself.
    fn read(&mut self) -> io::Result<()> {
        let CountingEngine { events, now, bytes, .. } = self;
        now.fill(None);
        let lost_known = events.attached.lost_known;
        for leader in events.leaders.iter().flatten() {
            sys::read_group(leader.as_fd(), events.most_members, lost_known, bytes, |id, reading| {
                // The leader is a dummy event and has no slot.
                if let Some(slot) = events.ids.find(id) {
                    now[slot] = Some(reading.value);
                }
            })?;
        }
        let alone = now.iter_mut().zip(events.in_use()).filter(|(now, _)| now.is_none());
        for (now, event) in alone {
            *now = Some(sys::read_count(event.as_fd(), lost_known)?.value);
        }
        Ok(())
    }
}

impl Engine for CountingEngine {
    fn attached(&self) -> &Attached {
        &self.events.attached
    }

    fn enable(&mut self) -> io::Result<()> {
        (self.at, self.off) = (Clock::Monotonic.now_ns()?, None);
        self.events.enable()
    }

    fn disable(&mut self) -> io::Result<()> {
        self.events.disable()?;
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
        self.events.detach()
    }
}

impl Counting for CountingEngine {
    fn tick(&mut self) -> io::Result<Tick<'_>> {
        // All counters are read before any state changes. So if a tick fails, the next tick includes its
        // hits.
        self.read()?;
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
        Ok(Tick { from, to, late_ns: 0, slots: self.events.ids.slots(), hits: &self.hits })
    }
}
