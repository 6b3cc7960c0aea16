//! Small groups: the events of tracepoints that tp-perf watches a part of the time.
//!
//! Each CPU has two small groups besides those of [`groups`](super::groups). One goes on for visits; the other is always
//! on, and has the tracepoints that are counted again.
//!
//! A dummy event never leads a small group. The kernel keeps the kinds of leaders apart (one context for each kind of
//! event, since Linux 6.2). When a group goes on, the kernel takes off and puts on again the groups of its own kind only:
//! about 30 µs for a small group, where a dummy event as the leader would take a millisecond. For the same reason, a
//! member of a small group can be added while the group is on, and a member of a large group that went off does not go on
//! alone.
//!
//! A clock leads the group for visits. It runs only while the members count. The kernel's own time of a group
//! (PERF_FORMAT_TOTAL_TIME_ENABLED) begins earlier, before it takes off the groups that were on, and nothing can be hit
//! meanwhile: with short visits, estimates would be too small by some percent.

use super::descriptors::MOST_MEMBERS;
use super::opening::{filter_of, is_offline};
use crate::events::{SampleId, Tpid, Visits};
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::os::thread::current_cpu;
use crate::perf::{EventKind, EventSpec, Output, ReadFormat, Scope, sys};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The part of the earlier visits that still counts after another window.
const REMEMBERED: f64 = 0.95;

/// One small group on each CPU.
#[derive(Debug)]
pub(super) struct SmallGroups {
    on_cpus: Vec<OnCpu>,
    leader: EventKind,
    filter: Option<CString>,
    lost_known: bool,
    /// Whether the groups are on.
    is_on: bool,
    /// Scratch space.
    bytes: Vec<u8>,
    values: Vec<(SampleId, u64)>,
}

#[derive(Debug)]
struct OnCpu {
    cpu: Cpu,
    leader: Option<OwnedFd>,
    members: Vec<Member>,
    /// The leader's counter at the last reading.
    leader_before: u64,
}

#[derive(Debug)]
struct Member {
    tpid: Tpid,
    event: OwnedFd,
    id: SampleId,
    /// The counter at the last reading.
    before: u64,
    /// The counter at the begin of the window.
    at_window: u64,
}

impl SmallGroups {
    /// No groups yet. The leader is a clock, or a tracepoint with few hits, which is attached anyway.
    pub fn new(cpus: &[Cpu], leader: EventKind, exclude_thread: Option<i32>, lost_known: bool) -> Self {
        let on_cpu = |cpu: &Cpu| OnCpu { cpu: *cpu, leader: None, members: Vec::new(), leader_before: 0 };
        SmallGroups {
            on_cpus: cpus.iter().map(on_cpu).collect(),
            leader,
            filter: exclude_thread.map(filter_of),
            lost_known,
            is_on: false,
            bytes: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The number of members on a CPU.
    pub fn members(&self) -> usize {
        self.on_cpus.iter().map(|on_cpu| on_cpu.members.len()).max().unwrap_or(0)
    }

    /// Adds a tracepoint on each CPU. Needs the right to open events. A CPU that is offline is left out.
    ///
    /// # Errors
    /// If an event cannot be opened on a CPU that is online. The tracepoint is then on no CPU.
    pub fn add(&mut self, tpid: Tpid, tracefs_id: u64) -> io::Result<()> {
        let mut opened = Vec::with_capacity(self.on_cpus.len());
        for number in 0..self.on_cpus.len() {
            opened.push(self.open(number, tpid, tracefs_id)?);
        }
        for (on_cpu, member) in self.on_cpus.iter_mut().zip(opened) {
            on_cpu.members.extend(member);
        }
        Ok(())
    }

    /// Opens a tracepoint on the CPU with this place. `None` if the CPU is offline.
    fn open(&mut self, place: usize, tpid: Tpid, tracefs_id: u64) -> io::Result<Option<Member>> {
        let OnCpu { cpu, leader, .. } = &mut self.on_cpus[place];
        let cpu = *cpu;
        let spec = |kind, leads| EventSpec {
            kind,
            scope: Scope::AllOn(cpu),
            output: Output::Counts,
            clock: Clock::Monotonic,
            // A member goes on when its filter is set, so it never counts hits of this thread.
            disabled: true,
            read_format: ReadFormat { group: leads, enabled: leads, lost: self.lost_known },
        };
        if leader.is_none() {
            let opened = match sys::open(&spec(self.leader, true), None) {
                Err(error) if is_offline(&error, cpu) => return Ok(None),
                opened => opened?,
            };
            if self.is_on {
                sys::enable(opened.as_fd())?;
            }
            *leader = Some(opened);
        }
        let group = leader.as_ref().map(AsFd::as_fd);
        let event = match sys::open(&spec(EventKind::Tracepoint(tracefs_id), false), group) {
            Err(error) if is_offline(&error, cpu) => return Ok(None),
            event => event?,
        };
        if let Some(filter) = &self.filter {
            sys::set_filter(event.as_fd(), filter)?;
        }
        sys::enable(event.as_fd())?;
        let id = sys::sample_id(event.as_fd())?;
        Ok(Some(Member { tpid, event, id, before: 0, at_window: 0 }))
    }

    /// Removes a tracepoint. Returns its events, whose closing may take long if they are its last ones.
    pub fn remove(&mut self, tpid: Tpid) -> Vec<OwnedFd> {
        let mut removed = Vec::new();
        for on_cpu in &mut self.on_cpus {
            let members = std::mem::take(&mut on_cpu.members);
            let (gone, kept) = members.into_iter().partition(|member| member.tpid == tpid);
            on_cpu.members = kept;
            removed.extend(Vec::<Member>::into_iter(gone).map(|member| member.event));
        }
        removed
    }

    /// Switches the groups of all CPUs on or off, one after the other. The group of this thread's CPU goes on last and off
    /// first, so it is on only while this thread has nothing to do for it.
    pub fn switch(&mut self, on: bool) -> io::Result<()> {
        self.is_on = on;
        let switch = if on { sys::enable } else { sys::disable };
        let here = current_cpu();
        let (own, others): (Vec<_>, _) = self.on_cpus.iter().partition(|on_cpu| on_cpu.cpu == here);
        let in_order = if on { [others, own] } else { [own, others] };
        let leaders = in_order.iter().flatten().filter_map(|on_cpu| on_cpu.leader.as_ref());
        // Every group is tried, so one failure does not leave the others on.
        let results: Vec<_> = leaders.map(|leader| switch(leader.as_fd())).collect();
        results.into_iter().collect()
    }

    /// Reads all counters. Calls `each` with the tracepoint and its hits on one CPU since the last reading. Returns what the
    /// leaders counted meanwhile, a time in nanoseconds if they are clocks: the mean over the CPUs on which they were on.
    pub fn read(&mut self, mut each: impl FnMut(Tpid, u64)) -> io::Result<u64> {
        let (mut time, mut groups) = (0, 0);
        for OnCpu { leader, members, leader_before, .. } in &mut self.on_cpus {
            let Some(leader) = leader else { continue };
            let (bytes, values) = (&mut self.bytes, &mut self.values);
            values.clear();
            // A member that was just removed may still be there.
            let most = MOST_MEMBERS + 1;
            sys::read_group(leader.as_fd(), most, self.lost_known, bytes, |id, reading| {
                values.push((id, reading.value))
            })?;
            // The kernel returns the leader, and then the members in the order in which they joined.
            for (place, member) in (1..).zip(members) {
                let is_it = |value: &&(SampleId, u64)| value.0 == member.id;
                let found = values.get(place).filter(is_it).or_else(|| values.iter().find(is_it));
                let now = match found {
                    Some((_, now)) => *now,
                    // The CPU went offline, and the kernel dissolved the group.
                    None => sys::read_count(member.event.as_fd(), self.lost_known)?.value,
                };
                each(member.tpid, now.saturating_sub(member.before));
                member.before = now.max(member.before);
            }
            let of_leader = values.first().map_or(*leader_before, |(_, value)| *value);
            let more = of_leader.saturating_sub(*leader_before);
            *leader_before = of_leader;
            // On a CPU that is offline, the group is not on.
            if more > 0 {
                time += more;
                groups += 1;
            }
        }
        Ok(time / groups.max(1))
    }

    /// Begins another window. Calls `each` with the CPU, the tracepoint, and the hits that were read since the last window.
    pub fn end_window(&mut self, mut each: impl FnMut(Cpu, Tpid, u64)) {
        for OnCpu { cpu, members, .. } in &mut self.on_cpus {
            for member in members {
                each(*cpu, member.tpid, member.before - member.at_window);
                member.at_window = member.before;
            }
        }
    }
}

/// The visits in a window, by tracepoint.
#[derive(Debug, Default)]
pub(super) struct WindowVisits {
    by_tracepoint: BTreeMap<Tpid, Visits>,
    /// The visits before the window. Older ones count less.
    earlier: BTreeMap<Tpid, Visits>,
    /// Scratch space: the hits in one visit.
    hits: BTreeMap<Tpid, u64>,
}

impl WindowVisits {
    /// Adds the hits of the current visit on one CPU.
    pub fn add(&mut self, tpid: Tpid, hits: u64) {
        *self.hits.entry(tpid).or_insert(0) += hits;
    }

    /// Ends a visit of `time` nanoseconds. A visit of 0 nanoseconds does not count.
    pub fn end_visit(&mut self, time: u64) {
        for (tpid, hits) in std::mem::take(&mut self.hits).into_iter().filter(|_| time > 0) {
            self.by_tracepoint.entry(tpid).or_default().add(time, hits);
        }
    }

    /// The visits of the window to this tracepoint.
    pub fn of(&self, tpid: Tpid) -> Visits {
        self.by_tracepoint.get(&tpid).copied().unwrap_or_default()
    }

    /// The visits before the window.
    pub fn earlier(&self, tpid: Tpid) -> Visits {
        self.earlier.get(&tpid).copied().unwrap_or_default()
    }

    /// Begins another window.
    pub fn clear(&mut self) {
        for (tpid, visits) in std::mem::take(&mut self.by_tracepoint) {
            let earlier = self.earlier.entry(tpid).or_default();
            *earlier = visits.after(*earlier, REMEMBERED);
        }
    }
}
