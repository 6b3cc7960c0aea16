//! The rungs of a counting engine: which tracepoints it counts all the time, visits, or has detached.

use super::descriptors::MOST_MEMBERS;
use super::open_events::OpenEvents;
use super::small_groups::{SmallGroups, WindowVisits};
use crate::events::{Cpu, Estimated, Ns, Partly, Rung, Tpid};
use crate::os::clock::Clock;
use crate::os::privileges::raised;
use crate::os::thread::{Work, cpu_time, current_cpu};
use crate::perf::{EventKind, sys};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// The tracepoints that are not in their large groups any more.
#[derive(Debug)]
pub(super) struct Rungs {
    /// Where they are.
    of: BTreeMap<Tpid, Rung>,
    /// The CPUs.
    cpus: Vec<Cpu>,
    /// The tracepoints that were counted again in this window, and since when.
    returned: BTreeMap<Tpid, Ns>,
    /// The tracepoints that were detached once. The child has no event of them any more.
    detached: BTreeSet<Tpid>,
    /// On only for visits.
    visited: SmallGroups,
    /// Always on.
    counted: SmallGroups,
    visits: WindowVisits,
    /// The CPU time of this thread at the begin of the current visit.
    cpu_before: Duration,
}

impl Rungs {
    /// All tracepoints are in their large groups. `quiet` is the tracefs id of an attached tracepoint with few hits.
    pub fn new(events: &OpenEvents, quiet: u64, exclude_thread: Option<i32>) -> Self {
        let cpus = events.attached.cpus.as_slice();
        let groups = |leader| SmallGroups::new(cpus, leader, exclude_thread, events.attached.lost_known);
        Rungs {
            of: BTreeMap::new(),
            cpus: cpus.to_vec(),
            returned: BTreeMap::new(),
            detached: BTreeSet::new(),
            visited: groups(EventKind::CpuClock),
            counted: groups(EventKind::Tracepoint(quiet)),
            visits: WindowVisits::default(),
            cpu_before: Duration::ZERO,
        }
    }

    /// The rung of a tracepoint.
    pub fn rung(&self, tpid: Tpid) -> Rung {
        self.of.get(&tpid).copied().unwrap_or(Rung::Counted)
    }

    /// The tracepoints that were moved.
    pub fn moved(&self) -> Vec<(Tpid, Rung)> {
        self.of.iter().map(|(tpid, rung)| (*tpid, *rung)).collect()
    }

    /// Whether another tracepoint can be visited, or counted again.
    pub fn has_room(&self, rung: Rung) -> bool {
        match rung {
            Rung::Visited => self.visited.members() < MOST_MEMBERS,
            Rung::Counted => self.counted.members() < MOST_MEMBERS,
            Rung::Detached => true,
        }
    }

    /// Moves a tracepoint. Its hits up to now must have been read.
    pub fn set(&mut self, events: &mut OpenEvents, tpid: Tpid, tracefs_id: u64, to: Rung) -> io::Result<()> {
        if self.rung(tpid) == to || !self.has_room(to) {
            return Ok(());
        }
        // Its new events come first. If they cannot be opened, it stays where it is.
        match to {
            Rung::Visited => raised(|| self.visited.add(tpid, tracefs_id))?,
            Rung::Counted => raised(|| self.counted.add(tpid, tracefs_id))?,
            Rung::Detached => {}
        }
        if to == Rung::Counted {
            self.returned.insert(tpid, Clock::Monotonic.now_ns()?);
        }
        let was_detached = self.detached.contains(&tpid);
        let old = match self.of.insert(tpid, to) {
            Some(Rung::Visited) => self.visited.remove(tpid),
            Some(Rung::Counted) => self.counted.remove(tpid),
            Some(Rung::Detached) => Vec::new(),
            // Its large group stays as it is, so nothing else stops.
            None => {
                let slots = events.ids.slots().iter();
                let of_it = slots.zip(events.in_use()).filter(|(slot, _)| slot.tpid == tpid);
                of_it.filter_map(|(_, event)| event).try_for_each(|event| sys::disable(event.as_fd()))?;
                Vec::new()
            }
        };
        // Closing the last event of a tracepoint waits for the kernel, and the next tick must not.
        if was_detached && !old.is_empty() {
            drop(Work::begin(move || drop(old)));
        }
        if to == Rung::Detached {
            self.detached.insert(tpid);
            events.close(tpid);
        }
        Ok(())
    }

    /// Switches on the groups that are always on.
    pub fn enable(&mut self) -> io::Result<()> {
        self.counted.switch(true)
    }

    /// Switches everything off.
    pub fn disable(&mut self) -> io::Result<()> {
        self.counted.switch(false).and(self.visited.switch(false))
    }

    /// Begins a visit.
    pub fn begin_visit(&mut self) -> io::Result<()> {
        self.visited.switch(true)?;
        self.cpu_before = cpu_time()?;
        Ok(())
    }

    /// Ends a visit.
    pub fn end_visit(&mut self) -> io::Result<()> {
        let cpu = cpu_time()?;
        self.visited.switch(false)?;
        // While this thread runs, nobody else can cause hits on its CPU. It runs in each visit, but hardly between them, so
        // this time would make the estimates too small.
        let own = match self.cpus.contains(&current_cpu()) {
            true => cpu.saturating_sub(self.cpu_before).as_nanos() as u64 / self.cpus.len() as u64,
            false => 0,
        };
        let visits = &mut self.visits;
        let time = self.visited.read(|tpid, number| visits.add(tpid, number))?;
        visits.end_visit(time.saturating_sub(own));
        Ok(())
    }

    /// Reads the tracepoints that are always on. Those that are visited were read at the end of each visit.
    pub fn read(&mut self) -> io::Result<()> {
        self.counted.read(|_, _| {}).map(drop)
    }

    /// Ends a window. Calls `each` with the hits of the tracepoints in small groups.
    pub fn end_window(&mut self, from: Ns, to: Ns, mut each: impl FnMut(Cpu, Tpid, u64)) -> Vec<Partly> {
        let mut hits = BTreeMap::<Tpid, u64>::new();
        self.counted.end_window(|cpu, tpid, number| {
            *hits.entry(tpid).or_default() += number;
            each(cpu, tpid, number);
        });
        self.visited.end_window(&mut each);
        let window = to.since(from).max(1);
        let returned = std::mem::take(&mut self.returned);
        let partly = |(tpid, rung): (&Tpid, &Rung)| {
            let tpid = *tpid;
            let visits = self.visits.of(tpid);
            let (watched, estimated) = match rung {
                Rung::Counted => {
                    // It was counted from its return on.
                    let watched = to.since(*returned.get(&tpid)?) as f64 / window as f64;
                    (watched, Some(grown(hits.get(&tpid).copied().unwrap_or(0), watched)))
                }
                Rung::Visited => {
                    (visits.time() / window as f64, Some(visits.estimate(window, self.visits.earlier(tpid))))
                }
                Rung::Detached => (0.0, None),
            };
            Some(Partly { tpid, rung: *rung, watched: watched.clamp(0.0, 1.0), estimated })
        };
        let partly = self.of.iter().filter_map(partly).collect();
        self.visits.clear();
        partly
    }
}

/// The hits of a whole window of which the last part was counted. The first part may have been quite different.
fn grown(hits: u64, watched: f64) -> Estimated {
    let all = hits as f64 / watched.clamp(1e-3, 1.0);
    let uncounted = all - hits as f64;
    Estimated { hits: all, variance: uncounted * uncounted + uncounted + 1.0 }
}
