//! The engine that counts: no ring and no samples. A tick reads each group of events at once, through its leader.

use super::open_events::OpenEvents;
use super::opening::Opening;
use super::{Attached, Counting, Detaching, Engine, Error, Opened};
use crate::events::{Counted, Ns, Tick};
use crate::os::clock::Clock;
use crate::os::cpus::CpuList;
use crate::perf::sys;
use crate::tracefs::Tracepoint;
use std::io;
use std::os::fd::AsFd;

/// What to count.
#[derive(Debug, Clone)]
pub struct CountRequest<'a> {
    /// The tracepoints to open.
    pub tracepoints: Vec<&'a Tracepoint>,
    /// The CPUs to open them on.
    pub cpus: CpuList,
    /// A thread whose own hits are filtered out.
    pub exclude_thread: Option<i32>,
}

/// perf's counters, attached and off. Dropping it detaches in the background, as [`Engine::detach`] does.
#[derive(Debug)]
pub struct CountingEngine {
    events: OpenEvents,
    /// For each slot its counter at the last tick.
    before: Vec<u64>,
    /// For each slot its hits between the last two ticks.
    hits: Vec<u64>,
    /// When the last tick was, or the events went on.
    at: Ns,
    /// Scratch space of a read.
    bytes: Vec<u8>,
}

impl CountingEngine {
    /// Attaches, as [`Kernel::count`](super::Kernel::count) does.
    pub fn attach(request: &CountRequest<'_>, opened: Opened<'_>) -> Result<Self, Error> {
        let (_, events) = Opening::of_counts(request)?.open(opened)?;
        let slots = events.ids.slots().len();
        Ok(CountingEngine { events, before: vec![0; slots], hits: vec![0; slots], at: Ns(0), bytes: Vec::new() })
    }
}

impl Engine for CountingEngine {
    fn attached(&self) -> &Attached {
        &self.events.attached
    }

    fn enable(&mut self) -> io::Result<()> {
        self.at = Clock::Monotonic.now_ns()?;
        self.events.enable()
    }

    fn disable(&mut self) -> io::Result<()> {
        self.events.disable()
    }

    fn counters(&self) -> io::Result<Vec<Counted>> {
        self.events.counters()
    }

    fn detach(self) -> Detaching {
        self.events.detach()
    }
}

impl Counting for CountingEngine {
    fn tick(&mut self) -> io::Result<Tick<'_>> {
        let CountingEngine { events, before, hits, at, bytes } = self;
        let from = *at;
        for leader in events.leaders.iter().flatten() {
            sys::read_group(leader.as_fd(), events.most_members, events.attached.lost_known, bytes, |id, reading| {
                // The leader is a dummy and has no slot.
                if let Some(slot) = events.ids.find(id) {
                    hits[slot] = reading.value.wrapping_sub(before[slot]);
                    before[slot] = reading.value;
                }
            })?;
        }
        *at = Clock::Monotonic.now_ns()?;
        Ok(Tick { from, to: *at, slots: events.ids.slots(), hits })
    }
}
