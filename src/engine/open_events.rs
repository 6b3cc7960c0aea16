//! Open events, and the operations that both engines share.

use super::detach::Guardian;
use super::{Attached, CountersRead, Detaching};
use crate::events::{Counted, Ns, Reading, SampleIds, Tpid};
use crate::os::cpus::Cpu;
use crate::perf::sys;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// All events of an engine, attached and off.
///
/// Dropping it detaches in the background. Rust drops fields in order, so the descriptors close before the
/// guardian wakes.
#[derive(Debug)]
pub(super) struct OpenEvents {
    /// One list per CPU. If the events sample, the first leader owns the CPU's ring.
    pub leaders: Vec<Vec<OwnedFd>>,
    /// One per online CPU, if the events that record changes of threads were asked for. They are on from the end of attaching,
    /// and own a ring each.
    pub threads: Vec<OwnedFd>,
    /// One list per tracepoint. Tracepoints that a later CPU refused come last; they only wait to be closed. The events of
    /// a tracepoint that was detached are `None`.
    pub events: Vec<Vec<Option<OwnedFd>>>,
    /// The number of lists whose tracepoints are in use.
    pub in_use: usize,
    /// For each list in use, the place of its first slot.
    pub first_slots: Vec<usize>,
    /// By slot, the last readings of the events that were closed.
    pub last: BTreeMap<usize, Reading>,
    /// The slots of the events in use, in the same order.
    pub ids: SampleIds,
    /// The number of members of the largest group.
    pub most_members: usize,
    /// The lists that were closed, but not yet by the child.
    pub closed: Vec<usize>,
    /// The child that detaches in the background.
    pub guardian: Option<Guardian>,
    /// The result of attaching.
    pub attached: Attached,
}

impl OpenEvents {
    pub fn enable(&self) -> io::Result<()> {
        self.leaders.iter().flatten().try_for_each(|leader| sys::enable(leader.as_fd()))
    }

    pub fn disable(&self) -> io::Result<()> {
        // Every leader is tried, so one failure does not leave the others on.
        let last_first = self.leaders.iter().flat_map(|leaders| leaders.iter().rev());
        let results: Vec<_> = last_first.map(|leader| sys::disable(leader.as_fd())).collect();
        results.into_iter().collect()
    }

    /// The events in use, in the order of their slots. Those that were detached are `None`.
    pub fn in_use(&self) -> impl Iterator<Item = Option<&OwnedFd>> {
        self.events[..self.in_use].iter().flatten().map(Option::as_ref)
    }

    /// Closes the events of a tracepoint for good. [`finish_closing`](Self::finish_closing) lets the child close its copies.
    pub fn close(&mut self, tpid: Tpid) {
        let Some(index) = self.list_of(tpid) else { return };
        let list = &mut self.events[index];
        if list.iter().any(Option::is_some) {
            list.iter_mut().for_each(|event| *event = None);
            self.closed.push(index);
        }
    }

    /// The index of the list of a tracepoint, if it is in use.
    fn list_of(&self, tpid: Tpid) -> Option<usize> {
        let slots = self.ids.slots();
        self.first_slots.binary_search_by_key(&tpid, |first| slots[*first].tpid).ok()
    }

    /// Lets the child close its copies of what was closed, in the background.
    pub fn finish_closing(&mut self) -> io::Result<()> {
        let closed = std::mem::take(&mut self.closed);
        self.guardian.as_mut().map_or(Ok(()), |guardian| guardian.close(&closed))
    }

    /// Whether the child is still closing.
    pub fn is_closing(&mut self) -> io::Result<bool> {
        self.guardian.as_mut().map_or(Ok(false), Guardian::is_closing)
    }

    /// Reads each event's counter by itself. An event that was closed has its last reading.
    pub fn counters(&self) -> io::Result<Vec<Counted>> {
        let Attached { lost_known, weighted, .. } = &self.attached;
        self.in_use()
            .zip(self.ids.slots())
            .enumerate()
            .map(|(place, (event, slot))| {
                let count = match event {
                    Some(event) => sys::read_count(event.as_fd(), *lost_known)?,
                    None => self.last.get(&place).copied().unwrap_or_default(),
                };
                Ok(Counted { slot: *slot, count, lost_known: *lost_known, weighted: weighted.contains(&slot.tpid) })
            })
            .collect()
    }

    /// Reads the counter of each slot into `now`. One read returns a whole group, if the leaders were opened with
    /// [`ReadFormat::group`](crate::perf::ReadFormat::group). When a CPU goes offline, the kernel dissolves its groups but
    /// keeps the counters, so a counter that its leader no longer returns is read by itself. A closed event has `None`.
    pub fn read_groups(&self, now: &mut [Option<u64>], bytes: &mut Vec<u8>) -> io::Result<()> {
        now.fill(None);
        let lost_known = self.attached.lost_known;
        for leader in self.leaders.iter().flatten() {
            sys::read_group(leader.as_fd(), self.most_members, lost_known, bytes, |id, reading| {
                // The leader is a dummy event and has no slot.
                if let Some(slot) = self.ids.find(id) {
                    now[slot] = Some(reading.value);
                }
            })?;
        }
        // Usually the groups returned every counter. The walk below would fetch the lists of events into the CPU's caches.
        if now.iter().all(Option::is_some) {
            return Ok(());
        }
        let alone = now.iter_mut().zip(self.in_use()).filter(|(now, _)| now.is_none());
        for (now, event) in alone {
            let Some(event) = event else { continue };
            *now = Some(sys::read_count(event.as_fd(), lost_known)?.value);
        }
        Ok(())
    }

    /// Reads the counter of each slot with its time, which `now` returns. As [`read_groups`](Self::read_groups), it needs leaders that
    /// read their groups.
    pub fn read_with_times(
        &self,
        now: impl Fn() -> io::Result<Ns>,
        read: &mut CountersRead,
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        let (lost_known, slots) = (self.attached.lost_known, self.ids.slots().len());
        read.begin(slots);
        for (cpu, leaders) in self.attached.cpus.as_slice().iter().zip(&self.leaders) {
            for (number, leader) in leaders.iter().enumerate() {
                let (from, index) = (now()?, read.reads.len() as u32);
                let on = sys::read_group(leader.as_fd(), self.most_members, lost_known, bytes, |id, reading| {
                    if let Some(slot) = self.ids.find(id) {
                        (read.readings[slot], read.of_read[slot]) = (reading, index);
                    }
                })?;
                read.reads.push((from, now()?));
                if number == 0 {
                    read.time_on.push((*cpu, Duration::from_nanos(on)));
                }
            }
        }
        if read.of_read.iter().all(|read| *read != CountersRead::UNREAD) {
            return Ok(());
        }
        // Those that no group returns: closed ones, and those of a CPU that went offline.
        let (from, index) = (now()?, read.reads.len() as u32);
        for (slot, event) in self.in_use().enumerate() {
            if read.of_read[slot] == CountersRead::UNREAD {
                read.readings[slot] = match event {
                    Some(event) => sys::read_count(event.as_fd(), lost_known)?,
                    None => self.last.get(&slot).copied().unwrap_or_default(),
                };
                read.of_read[slot] = index;
            }
        }
        read.reads.push((from, now()?));
        Ok(())
    }

    /// The events of a tracepoint that are not closed, with their places in the slots.
    pub fn of(&self, tpid: Tpid) -> impl Iterator<Item = (usize, Cpu, &OwnedFd)> {
        let slots = self.ids.slots();
        let list = self.list_of(tpid).map(|list| self.events[list].iter().zip(self.first_slots[list]..));
        let of_it = list.into_iter().flatten();
        of_it.filter_map(|(event, place)| Some((place, slots[place].cpu?, event.as_ref()?)))
    }

    /// For each CPU, how long its events have been on. When a CPU goes offline, the kernel removes its events
    /// for good, and their time ends.
    pub fn time_on(&self) -> io::Result<Vec<(Cpu, Duration)>> {
        let cpus = self.attached.cpus.as_slice().iter().zip(&self.leaders);
        cpus.map(|(cpu, leaders)| Ok((*cpu, sys::read_enabled(leaders[0].as_fd(), self.most_members)?))).collect()
    }

    pub fn detach(self) -> Detaching {
        let OpenEvents { leaders, threads, events, guardian, .. } = self;
        drop((leaders, threads, events));
        guardian.map_or_else(Detaching::done, Guardian::release)
    }
}
