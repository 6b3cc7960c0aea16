//! The rungs of a counting engine: which tracepoints it counts all the time, visits, or has detached.

use super::open_events::OpenEvents;
use super::small_groups::{MOST_MEMBERS, SmallGroups, WindowVisits};
use crate::events::{Cpu, Partly, Rung, Tpid};
use crate::os::privileges::raised;
use crate::os::thread::cpu_time;
use crate::perf::sys;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// The tracepoints that are not in their large groups any more.
#[derive(Debug)]
pub(super) struct Rungs {
    /// Where they are.
    of: BTreeMap<Tpid, Rung>,
    /// The number of CPUs.
    cpus: u64,
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
        let number = cpus.len().max(1) as u64;
        let groups = || SmallGroups::new(cpus, quiet, exclude_thread, events.attached.lost_known);
        Rungs {
            of: BTreeMap::new(),
            cpus: number,
            visited: groups(),
            counted: groups(),
            visits: WindowVisits::default(),
            cpu_before: Duration::ZERO,
        }
    }

    /// The rung of a tracepoint.
    pub fn rung(&self, tpid: Tpid) -> Rung {
        self.of.get(&tpid).copied().unwrap_or(Rung::Counted)
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
        drop(old);
        if to == Rung::Detached {
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
        self.cpu_before = cpu_time()?;
        self.visited.switch(true)
    }

    /// Ends a visit.
    pub fn end_visit(&mut self) -> io::Result<()> {
        self.visited.switch(false)?;
        // While this thread runs, nobody else can cause hits on its CPU. It runs in each visit, but hardly between them, so
        // this time would make the estimates too small.
        let own = cpu_time()?.saturating_sub(self.cpu_before).as_nanos() as u64 / self.cpus;
        let visits = &mut self.visits;
        let time = self.visited.read(|tpid, number| visits.add(tpid, number))?.saturating_sub(own);
        if time > 0 {
            visits.end_visit(time);
        }
        Ok(())
    }

    /// Ends a window of this many nanoseconds. Calls `each` with the hits of the tracepoints in small groups.
    pub fn end_window(&mut self, window: u64, mut each: impl FnMut(Cpu, Tpid, u64)) -> io::Result<Vec<Partly>> {
        self.counted.read(|_, _| {})?;
        self.counted.end_window(&mut each);
        self.visited.end_window(&mut each);
        let partly = |(tpid, rung): (&Tpid, &Rung)| {
            let visits = self.visits.of(*tpid);
            let watched = (visits.time() / window.max(1) as f64).min(1.0);
            let estimated = (*rung == Rung::Visited && visits.time() > 0.0)
                .then(|| visits.estimate(window, self.visits.earlier(*tpid)));
            (*rung != Rung::Counted).then_some(Partly { tpid: *tpid, rung: *rung, watched, estimated })
        };
        let partly = self.of.iter().filter_map(partly).collect();
        self.visits.clear();
        Ok(partly)
    }
}
