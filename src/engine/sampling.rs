//! Attaching: every chosen tracepoint opened on every chosen CPU, off, writing into one ring per CPU.
//!
//! The tracepoints of a CPU are members of groups that dummy events lead. They join switched on: they stay off until their
//! leader is on, so that opening needs no call to the CPU and one PERF_EVENT_IOC_ENABLE starts a whole group. A leader that
//! is no tracepoint cannot be refused for what it traces. The first leader of a CPU owns the ring that all write into.
//!
//! The kernel goes through a whole group for each event that joins it (`perf_group_attach`, since Linux 6.7
//! `perf_event_validate_size` too), and through all events of a CPU for each group that is switched on (`ctx_resched`): one
//! group makes opening slow, hundreds make the start late.

use crate::engine::Engine;
use crate::engine::detach::Guardian;
use crate::engine::{Detaching, Error, raise_descriptor_limit};
use crate::events::Counted;
use crate::events::{SampleIds, Slot, Tpid};
use crate::os::clock::Clock;
use crate::os::cpus::{Cpu, CpuList};
use crate::os::limits::DescriptorLimit;
use crate::perf::Ring;
use crate::perf::sys::{self, EventConfig, Source};
use crate::spool::Spool;
use crate::tracefs::Tracepoint;
use nix::errno::Errno;
use std::ffi::CString;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// No smaller ring is tried.
const LEAST_RING: usize = 64 << 10;

/// The most tracepoints in one group: seven groups of all, which start within some 5 ms on a CPU.
const GROUP: usize = 256;

/// How many groups, and so leaders, a CPU has at the most for this many tracepoints.
pub(super) fn leaders_needed(tracepoints: usize) -> usize {
    tracepoints.div_ceil(GROUP) + 1
}

/// Groups of tracepoints, as tracefs has them, that fire when one CPU interrupts another to switch something on or off. They
/// are together in the group that is switched on last and off first, so that no more of that is recorded than is caused by
/// that group itself.
const SWITCHING: [&str; 9] = ["csd", "ipi", "irq", "irq_vectors", "msr", "power", "rcu", "sched", "timer"];

/// What to attach to, and how.
#[derive(Debug, Clone)]
pub struct AttachRequest<'a> {
    /// The tracepoints to open.
    pub tracepoints: Vec<&'a Tracepoint>,
    /// The CPUs to open them on.
    pub cpus: CpuList,
    /// The clock that stamps the events.
    pub clock: Clock,
    /// Bytes of each CPU's ring, a power of two of pages. Halved where the kernel refuses it.
    pub ring_size: usize,
    /// Bytes in one ring after which the reader is woken.
    pub wakeup_watermark: usize,
    /// A thread whose own hits are filtered out.
    pub exclude_thread: Option<i32>,
}

/// A tracepoint that the kernel would not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub tpid: Tpid,
    /// What the kernel said.
    pub reason: String,
}

/// Everything that a capture holds of the kernel: perf's engine, attached and off.
///
/// Dropping it detaches in the background, as [`Engine::detach`] does. The fields are dropped in their order: rings and
/// descriptors before the guardian, which waits for that.
#[derive(Debug)]
pub struct Attachment {
    rings: Vec<Ring>,
    /// One list per ring, whose owner is the first.
    leaders: Vec<Vec<OwnedFd>>,
    /// One list per tracepoint; behind those in use any that a later CPU refused, which only wait to be closed.
    events: Vec<Vec<OwnedFd>>,
    in_use: usize,
    /// The slots of the events in use, in their order.
    ids: SampleIds,
    guardian: Option<Guardian>,
    /// The tracepoints whose counters do not count hits.
    weighted: Vec<Tpid>,
    /// Whether the kernel tells losses per event (Linux 6.0 and later).
    pub lost_known: bool,
    /// The CPUs attached to.
    pub cpus: CpuList,
    /// The CPUs that went offline before they could be attached to.
    pub offline: CpuList,
    /// The tracepoints that the kernel would not open.
    pub refused: Vec<Refusal>,
    /// Bytes of each ring.
    pub ring_size: usize,
    /// What the kernel said to rings of the size asked for, if it refused them.
    pub ring_refusal: Option<String>,
    /// The limit on descriptors before it was raised, as (soft, hard).
    pub descriptor_limit: (u64, u64),
}

/// Attaches.
///
/// `progress` is told how many events are open, and of how many, and may break off.
///
/// # Errors
/// What cannot be cured by leaving out one tracepoint or one CPU. All that was opened by then is let go of in the
/// background.
pub fn attach(
    request: &AttachRequest<'_>,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Attachment, Error> {
    let descriptor_limit = raise_descriptor_limit(request.tracepoints.len(), request.cpus.len())?;
    let mut opening = Opening::new(request, descriptor_limit);
    match opening.open_all(progress) {
        Ok(()) => {}
        Err(error) => {
            opening.let_go();
            return Err(error);
        }
    }
    opening.finish()
}

/// An attachment in the making.
struct Opening<'a> {
    request: &'a AttachRequest<'a>,
    filter: Option<CString>,
    /// For each tracepoint of the request the group that it joins.
    groups: Vec<usize>,
    rings: Vec<Ring>,
    /// One list per ring, whose owner is the first.
    leaders: Vec<Vec<OwnedFd>>,
    /// One list for each tracepoint of the request; empty where the first CPU refused it.
    events: Vec<Vec<(Cpu, OwnedFd)>>,
    refused: Vec<Refusal>,
    online: Vec<Cpu>,
    ring_size: usize,
    ring_refusal: Option<String>,
    read_lost: bool,
    descriptor_limit: (u64, u64),
}

impl<'a> Opening<'a> {
    fn new(request: &'a AttachRequest<'a>, descriptor_limit: (u64, u64)) -> Self {
        Opening {
            request,
            filter: request
                .exclude_thread
                .map(|thread| CString::new(format!("common_pid != {thread}")).expect("digits hold no NUL")),
            groups: groups(&request.tracepoints),
            rings: Vec::new(),
            leaders: Vec::new(),
            events: request.tracepoints.iter().map(|_| Vec::with_capacity(request.cpus.len())).collect(),
            refused: Vec::new(),
            online: Vec::new(),
            ring_size: request.ring_size,
            ring_refusal: None,
            read_lost: true,
            descriptor_limit,
        }
    }

    fn open_all(&mut self, progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>) -> Result<(), Error> {
        let request = self.request;
        self.open_leaders()?;
        let total = self.leaders.len() * request.tracepoints.len();
        let mut done = 0;
        for (ring, cpu) in self.online.clone().into_iter().enumerate() {
            for index in 0..request.tracepoints.len() {
                if progress(done, total).is_break() {
                    return Err(Error::Interrupted);
                }
                done += 1;
                if !self.open_tracepoint(index, ring, cpu)? {
                    self.online.retain(|online| *online != cpu);
                    break;
                }
            }
        }
        match (self.online.is_empty(), self.events.iter().all(Vec::is_empty), self.refused.first()) {
            (true, ..) => Err(Error::NoCpu { cpus: request.cpus.to_string() }),
            (_, true, Some(Refusal { tpid, reason })) => {
                let tracepoint = self.request.tracepoints.iter().find(|tracepoint| tracepoint.tpid == *tpid);
                let tracepoint = tracepoint.map_or_else(String::new, |tracepoint| tracepoint.full_name());
                Err(Error::AllRefused { tracepoint, reason: reason.clone() })
            }
            _ => Ok(()),
        }
    }

    fn config(&self, source: Source, disabled: bool) -> EventConfig {
        EventConfig {
            source,
            clock: self.request.clock,
            disabled,
            weighted: false,
            wakeup_watermark: u32::try_from(self.request.wakeup_watermark.min(self.ring_size / 2)).unwrap_or(u32::MAX),
            read_lost: self.read_lost,
        }
    }

    /// Opens the events that lead each CPU's groups, and its ring: all of one size, half of it as long as one is refused.
    fn open_leaders(&mut self) -> Result<(), Error> {
        loop {
            match self.try_leaders() {
                Err(Error::Ring { cause, .. }) if self.ring_size > LEAST_RING => {
                    self.ring_refusal.get_or_insert_with(|| refusal(&cause));
                    self.ring_size /= 2;
                    (self.rings, self.leaders, self.online) = Default::default();
                }
                other => return other,
            }
        }
    }

    fn try_leaders(&mut self) -> Result<(), Error> {
        let groups = self.groups.iter().max().map_or(1, |last| last + 1);
        'cpus: for cpu in self.request.cpus.as_slice() {
            let mut leaders = Vec::with_capacity(groups);
            for _ in 0..groups {
                match self.open_leader(*cpu) {
                    Ok(leader) => leaders.push(leader),
                    Err(error) if is_offline(&error, *cpu) => continue 'cpus,
                    Err(cause) => return Err(self.fatal(&cause).unwrap_or(Error::Leader { cpu: *cpu, cause })),
                }
            }
            let bytes = self.ring_size;
            let ring = sys::map_ring(leaders[0].as_fd(), bytes).and_then(Ring::new);
            self.rings.push(ring.map_err(|cause| Error::Ring { cpu: *cpu, bytes, cause })?);
            self.leaders.push(leaders);
            self.online.push(*cpu);
        }
        Ok(())
    }

    fn open_leader(&mut self, cpu: Cpu) -> io::Result<OwnedFd> {
        let opened = sys::open(self.config(Source::Dummy, true), cpu, None);
        if self.read_lost && is(&opened, Errno::EINVAL) && !is_offline_now(cpu) {
            // Before Linux 6.0 there is no PERF_FORMAT_LOST; the losses are known per ring only.
            self.read_lost = false;
            return sys::open(self.config(Source::Dummy, true), cpu, None);
        }
        opened
    }

    /// Opens one tracepoint for this ring. False if its CPU has gone offline.
    fn open_tracepoint(&mut self, index: usize, ring: usize, cpu: Cpu) -> Result<bool, Error> {
        let tracepoint = self.request.tracepoints[index];
        if self.refused.iter().any(|refusal| refusal.tpid == tracepoint.tpid) {
            return Ok(true);
        }
        let leaders = &self.leaders[ring];
        let config = EventConfig {
            weighted: tracepoint.is_weighted(),
            ..self.config(Source::Tracepoint(tracepoint.tracefs_id), false)
        };
        let event = match sys::open(config, cpu, Some(leaders[self.groups[index]].as_fd())) {
            Ok(event) => event,
            Err(error) if is_offline(&error, cpu) => return Ok(false),
            Err(error) => {
                if let Some(fatal) = self.fatal(&error) {
                    return Err(fatal);
                }
                self.refused.push(Refusal { tpid: tracepoint.tpid, reason: refusal(&error) });
                return Ok(true);
            }
        };
        sys::set_output(event.as_fd(), leaders[0].as_fd()).map_err(failed_call(
            "redirect the output of",
            tracepoint,
            cpu,
        ))?;
        if let Some(filter) = &self.filter
            && let Err(error) = sys::set_filter(event.as_fd(), filter)
        {
            // Unfiltered it would record the recorder itself.
            self.refused
                .push(Refusal { tpid: tracepoint.tpid, reason: format!("no filter on it: {}", refusal(&error)) });
            return Ok(true);
        }
        self.events[index].push((cpu, event));
        Ok(true)
    }

    /// The error of an open that no other tracepoint will fare better with.
    fn fatal(&self, error: &io::Error) -> Option<Error> {
        let opened = self.events.iter().map(Vec::len).sum::<usize>();
        let needed = super::descriptors_needed(self.request.tracepoints.len(), self.request.cpus.len());
        match error.raw_os_error().map(Errno::from_raw)? {
            Errno::EACCES | Errno::EPERM if opened == 0 => Some(Error::NotPermitted),
            Errno::EMFILE => Some(Error::TooFewDescriptors {
                needed,
                allowed: DescriptorLimit::read().soft,
                tracepoints: self.request.tracepoints.len(),
                cpus: self.request.cpus.len(),
            }),
            Errno::ENFILE => Some(Error::SystemOutOfDescriptors { needed }),
            Errno::ENOMEM => Some(Error::NoMemory { opened }),
            _ => None,
        }
    }

    /// Lets go of all that was opened.
    fn let_go(self) {
        if let Ok(attachment) = self.finish() {
            drop(attachment);
        }
    }

    /// Numbers what was opened, and starts the guardian.
    fn finish(self) -> Result<Attachment, Error> {
        let cpus: CpuList = self.online.iter().copied().collect();
        let mut pairs = Vec::new();
        let (mut events, mut idle) = (Vec::new(), Vec::new());
        for (tracepoint, opened) in self.request.tracepoints.iter().zip(self.events) {
            if opened.is_empty() {
                continue;
            }
            // One that a later CPU refused is off where it was open already: left to itself, outside the group.
            let refused = self.refused.iter().any(|refusal| refusal.tpid == tracepoint.tpid);
            let mut descriptors = Vec::with_capacity(opened.len());
            for (cpu, event) in opened {
                if refused {
                    sys::disable(event.as_fd()).map_err(failed_call("switch off", tracepoint, cpu))?;
                } else {
                    let id = sys::sample_id(event.as_fd());
                    let slot = Slot { tpid: tracepoint.tpid, cpu: Some(cpu) };
                    pairs.push((id.map_err(failed_call("read the sample id of", tracepoint, cpu))?, slot));
                }
                descriptors.push(event);
            }
            if refused { &mut idle } else { &mut events }.push(descriptors);
        }
        let in_use = events.len();
        events.append(&mut idle);
        let guardian = match events.is_empty() {
            true => None,
            false => Some(Guardian::start(&self.leaders, &events)?),
        };
        Ok(Attachment {
            rings: self.rings,
            leaders: self.leaders,
            events,
            in_use,
            ids: SampleIds::new(&pairs),
            guardian,
            lost_known: self.read_lost,
            weighted: self.request.tracepoints.iter().filter(|t| t.is_weighted()).map(|t| t.tpid).collect(),
            offline: self.request.cpus.without(&cpus),
            cpus,
            refused: self.refused,
            ring_size: self.ring_size,
            ring_refusal: self.ring_refusal,
            descriptor_limit: self.descriptor_limit,
        })
    }
}

impl Engine for Attachment {
    fn sample_ids(&self) -> &SampleIds {
        &self.ids
    }

    fn enable(&mut self) -> io::Result<()> {
        self.leaders.iter().flatten().try_for_each(|leader| sys::enable(leader.as_fd()))
    }

    fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.leaders.iter().map(|leaders| leaders[0].as_fd()).collect()
    }

    fn round(&mut self, spool: &mut Spool) -> io::Result<()> {
        for ring in &mut self.rings {
            spool.append(ring.size(), |room| ring.take(room).map(drop))?;
        }
        spool.finish_round()
    }

    fn disable(&mut self) -> io::Result<()> {
        // Every leader is tried, so that one failure does not leave the others on.
        let last_first = self.leaders.iter().flat_map(|leaders| leaders.iter().rev());
        let results: Vec<_> = last_first.map(|leader| sys::disable(leader.as_fd())).collect();
        results.into_iter().collect()
    }

    fn account(&self) -> io::Result<Vec<Counted>> {
        let descriptors = self.events[..self.in_use].iter().flatten();
        descriptors
            .zip(self.ids.slots())
            .map(|(event, slot)| {
                let count = sys::read_count(event.as_fd(), self.lost_known)?;
                let weighted = self.weighted.contains(&slot.tpid);
                Ok(Counted { slot: *slot, count, lost_known: self.lost_known, weighted })
            })
            .collect()
    }

    fn detach(self) -> Detaching {
        let Attachment { rings, leaders, events, guardian, .. } = self;
        drop((rings, leaders, events));
        guardian.map_or_else(Detaching::done, Guardian::release)
    }
}

/// For each of these the group that it joins.
fn groups(tracepoints: &[&Tracepoint]) -> Vec<usize> {
    let is_last = |tracepoint: &&Tracepoint| SWITCHING.contains(&tracepoint.group.as_str());
    let last = tracepoints.iter().filter(|tracepoint| !is_last(tracepoint)).count().div_ceil(GROUP);
    let mut others = (0..).map(|number| number / GROUP);
    let group = |tracepoint| if is_last(tracepoint) { last } else { others.next().expect("numbers do not end") };
    tracepoints.iter().map(group).collect()
}

fn failed_call(call: &'static str, tracepoint: &Tracepoint, cpu: Cpu) -> impl FnOnce(io::Error) -> Error {
    let tracepoint = tracepoint.full_name();
    move |cause| Error::Call { call, tracepoint, cpu, cause }
}

fn is<T>(result: &io::Result<T>, errno: Errno) -> bool {
    matches!(result, Err(error) if error.raw_os_error() == Some(errno as i32))
}

/// Whether an open failed because the CPU is not online (any more). The kernel says ENODEV, or EINVAL for a number that
/// it can never have.
fn is_offline(error: &io::Error, cpu: Cpu) -> bool {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENODEV) => true,
        Some(Errno::EINVAL) => is_offline_now(cpu),
        _ => false,
    }
}

fn is_offline_now(cpu: Cpu) -> bool {
    CpuList::online().is_ok_and(|online| !online.as_slice().contains(&cpu))
}

fn refusal(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).to_string(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracefs::Table;

    #[test]
    fn what_switching_fires_is_in_the_last_group() {
        let entries = |group: &str, number: usize| -> Vec<_> {
            (0..number).map(|index| (group.to_owned(), format!("t{index:03}"), index as u64)).collect()
        };
        let groups_of = |entries: Vec<(String, String, u64)>| {
            let table = Table::from_entries(entries);
            groups(&table.tracepoints().iter().collect::<Vec<_>>())
        };
        let all =
            groups_of([entries("a", 250), entries("ipi", 3), entries("sched", 20), entries("syscalls", 50)].concat());
        assert_eq!((&all[..250], &all[250..273]), (&[0; 250][..], &[2; 23][..]));
        assert_eq!((&all[273..279], &all[279..]), (&[0; 6][..], &[1; 44][..]));
        // The leaders that are reserved are enough in any case.
        for (others, last) in [(0, 5), (1, 0), (256, 1), (257, 300), (512, 7)] {
            let all = groups_of([entries("a", others), entries("timer", last)].concat());
            assert!(all.iter().max().unwrap() < &leaders_needed(others + last), "{others} {last}");
        }
    }
}
