//! Opens every chosen tracepoint on every chosen CPU, attached and off.
//!
//! The tracepoints of a CPU are members of groups that dummy events lead. They join enabled, but stay off
//! until their leader is on. So opening needs no call to the CPU, and one PERF_EVENT_IOC_ENABLE starts a
//! whole group. The leader is not a tracepoint, because the kernel refuses some tracepoints, and a group
//! cannot do without its leader. Events that sample write to one ring per CPU, which the first leader of the
//! CPU owns. Records about threads have rings of their own: if samples fill a ring, no name is lost.

use super::descriptors::MOST_MOVED;
use super::detach::Guardian;
use super::groups::groups;
use super::open_events::OpenEvents;
use super::{AttachRequest, Attached, CountRequest, Error, Opened, Refusal, raise_descriptor_limit};
use crate::events::thinning::OPENED_WITH;
use crate::events::{SampleIds, Slot};
use crate::os::clock::Clock;
use crate::os::cpus::{Cpu, CpuList};
use crate::os::limits::DescriptorLimit;
use crate::perf::{EventKind, EventSpec, Output, ProcessFields, ReadFormat, Ring, Scope, sys};
use crate::tracefs::Tracepoint;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The smallest ring that is tried, in bytes.
pub const LEAST_RING: usize = 64 << 10;

/// The largest ring for the records about threads of a CPU, in bytes: room for the starts of about a thousand threads.
const RING_OF_THREADS: usize = 256 << 10;

/// Whether the events sample or count.
#[derive(Debug, Clone, Copy)]
enum How {
    /// The events sample.
    Samples {
        clock: Clock,
        wakeup_watermark: usize,
        period: u64,
        groups: bool,
        process: ProcessFields,
        sampled_cpu: bool,
        leader: EventKind,
    },
    /// The events count.
    Counts,
}

impl How {
    fn has_threads(self) -> bool {
        matches!(self, How::Samples { process, .. } if process.has_thread())
    }
}

/// Events that are being opened.
pub(super) struct Opening<'a> {
    tracepoints: &'a [&'a Tracepoint],
    cpus: &'a CpuList,
    how: How,
    filter: Option<CString>,
    /// Per tracepoint: the group that it joins.
    groups: Vec<usize>,
    /// One per CPU, if the events sample.
    rings: Vec<Ring>,
    /// One list per CPU. The first leader owns the ring.
    leaders: Vec<Vec<OwnedFd>>,
    /// One per online CPU, also those that were not chosen, if they were asked for: a thread may begin anywhere. Each owns a ring.
    threads: Vec<(Cpu, OwnedFd)>,
    thread_rings: Vec<Ring>,
    /// One list per tracepoint. It is empty if the kernel refused the tracepoint on the first CPU.
    events: Vec<Vec<(Cpu, OwnedFd)>>,
    refused: Vec<Refusal>,
    online: Vec<Cpu>,
    ring_size: usize,
    ring_refusal: Option<String>,
    read_lost: bool,
    descriptor_limit: (u64, u64),
}

impl<'a> Opening<'a> {
    /// Prepares events that sample.
    pub fn of_samples(request: &'a AttachRequest<'a>) -> Result<Self, Error> {
        let AttachRequest {
            tracepoints,
            cpus,
            clock,
            ring_size,
            wakeup_watermark,
            exclude_thread,
            may_thin,
            process,
            sampled_cpu,
            one_in,
        } = request;
        let (clock, wakeup_watermark, groups) = (*clock, *wakeup_watermark, *may_thin);
        let (process, sampled_cpu) = (*process, *sampled_cpu);
        // The kernel keeps the kinds of leaders apart (see `small_groups`).
        let (period, leader) = match one_in {
            Some(one_in) => (*one_in, EventKind::CpuClock),
            None => (if *may_thin { OPENED_WITH } else { 1 }, EventKind::Dummy),
        };
        let how = How::Samples { clock, wakeup_watermark, period, groups, process, sampled_cpu, leader };
        Ok(Opening { ring_size: *ring_size, ..Opening::new(tracepoints, cpus, how, *exclude_thread)? })
    }

    /// Prepares events that count.
    pub fn of_counts(request: &'a CountRequest<'a>) -> Result<Self, Error> {
        let CountRequest { tracepoints, cpus, exclude_thread, may_move } = request;
        let opening = Opening::new(tracepoints, cpus, How::Counts, *exclude_thread)?;
        if *may_move {
            // The limit can be raised only now. Without the room, tracepoints are detached instead of visited.
            let _ = raise_descriptor_limit(tracepoints.len() + MOST_MOVED, cpus.len());
        }
        Ok(opening)
    }

    fn new(
        tracepoints: &'a [&'a Tracepoint],
        cpus: &'a CpuList,
        how: How,
        exclude_thread: Option<i32>,
    ) -> Result<Self, Error> {
        // The events that record changes of threads, as so many events on each chosen CPU.
        let online = if how.has_threads() { CpuList::online().map_or(cpus.len(), |all| all.len()) } else { 0 };
        let of_threads = online.div_ceil(cpus.len().max(1));
        Ok(Opening {
            descriptor_limit: raise_descriptor_limit(tracepoints.len() + of_threads, cpus.len())?,
            tracepoints,
            cpus,
            how,
            filter: exclude_thread.map(filter_of),
            groups: groups(tracepoints),
            rings: Vec::new(),
            leaders: Vec::new(),
            threads: Vec::new(),
            thread_rings: Vec::new(),
            events: tracepoints.iter().map(|_| Vec::with_capacity(cpus.len())).collect(),
            refused: Vec::new(),
            online: Vec::new(),
            ring_size: 0,
            ring_refusal: None,
            read_lost: true,
        })
    }

    /// Opens all events. Returns the rings, if the events sample, and the open events.
    ///
    /// # Errors
    /// Errors that affect more than one tracepoint or one CPU. The events opened by then are closed in the
    /// background.
    pub fn open(mut self, opened: Opened<'_>) -> Result<(Vec<Ring>, OpenEvents), Error> {
        match self.open_all(opened) {
            Ok(()) => self.finish(),
            Err(error) => {
                drop(self.finish());
                Err(error)
            }
        }
    }

    fn open_all(&mut self, opened: Opened<'_>) -> Result<(), Error> {
        self.open_leaders()?;
        let total = self.leaders.len() * self.tracepoints.len();
        let mut done = 0;
        for (ring, cpu) in self.online.clone().into_iter().enumerate() {
            for index in 0..self.tracepoints.len() {
                if opened(done, total).is_break() {
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
            (true, ..) => Err(Error::NoCpu { cpus: self.cpus.to_string() }),
            (_, true, Some(Refusal { tpid, reason })) => {
                let tracepoint = self.tracepoints.iter().find(|tracepoint| tracepoint.tpid == *tpid);
                let tracepoint = tracepoint.map_or_else(String::new, |tracepoint| tracepoint.full_name());
                Err(Error::AllRefused { tracepoint, reason: reason.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Describes an event on this CPU: a leader, which starts disabled, or a member, which goes on with its
    /// leader.
    fn spec(&self, kind: EventKind, cpu: Cpu, weighted: bool) -> EventSpec<'static> {
        let (output, clock) = match self.how {
            How::Samples { clock, wakeup_watermark, period, process, sampled_cpu, .. } => {
                let most = if kind == EventKind::Threads { self.ring_of_threads() } else { self.ring_size } / 2;
                let wakeup_watermark = u32::try_from(wakeup_watermark.min(most)).unwrap_or(u32::MAX);
                // A leader that is a clock would otherwise take samples of its own.
                let sample_period = if kind == EventKind::CpuClock { 0 } else { period };
                (Output::Samples { sample_period, wakeup_watermark, weighted, process, cpu: sampled_cpu }, clock)
            }
            How::Counts => (Output::Counts, Clock::Monotonic),
        };
        let leads = matches!(kind, EventKind::Dummy | EventKind::CpuClock);
        let disabled = leads || kind == EventKind::Threads;
        let group = leads && matches!(self.how, How::Counts | How::Samples { groups: true, .. });
        let read_format = ReadFormat { group, enabled: leads, lost: self.read_lost };
        EventSpec { kind, scope: Scope::AllOn(cpu), output, clock, disabled, read_format }
    }

    /// Opens the group leaders and maps the ring of each CPU. All rings have the same size. If the kernel
    /// refuses one, all are tried again at half the size, down to [`LEAST_RING`].
    fn open_leaders(&mut self) -> Result<(), Error> {
        loop {
            match self.try_leaders() {
                Err(Error::Ring { cause, .. }) if self.ring_size > LEAST_RING => {
                    self.ring_refusal.get_or_insert_with(|| refusal(&cause));
                    self.ring_size /= 2;
                    (self.rings, self.leaders, self.online) = Default::default();
                    (self.threads, self.thread_rings) = Default::default();
                }
                other => return other,
            }
        }
    }

    fn try_leaders(&mut self) -> Result<(), Error> {
        let groups = self.groups.iter().max().map_or(1, |last| last + 1);
        'cpus: for cpu in self.cpus.as_slice() {
            let mut leaders = Vec::with_capacity(groups);
            for _ in 0..groups {
                match self.open_leader(*cpu) {
                    Ok(leader) => leaders.push(leader),
                    Err(error) if is_offline(&error, *cpu) => continue 'cpus,
                    Err(cause) => return Err(self.fatal(&cause).unwrap_or(Error::Leader { cpu: *cpu, cause })),
                }
            }
            if let How::Samples { .. } = self.how {
                let bytes = self.ring_size;
                self.rings.push(ring(*cpu, &leaders[0], bytes)?);
            }
            self.leaders.push(leaders);
            self.online.push(*cpu);
        }
        self.open_threads()
    }

    fn open_leader(&mut self, cpu: Cpu) -> io::Result<OwnedFd> {
        let kind = match self.how {
            How::Samples { leader, .. } => leader,
            How::Counts => EventKind::Dummy,
        };
        let opened = sys::open(&self.spec(kind, cpu, false), None);
        if self.read_lost && is(&opened, Errno::EINVAL) && !is_offline_now(cpu) {
            // Linux before 6.0 has no PERF_FORMAT_LOST. Losses are then known only per ring.
            self.read_lost = false;
            return sys::open(&self.spec(kind, cpu, false), None);
        }
        opened
    }

    /// Opens the events that record changes of threads, if they were asked for. They are off at first.
    fn open_threads(&mut self) -> Result<(), Error> {
        if !self.how.has_threads() {
            return Ok(());
        }
        let online = CpuList::online().unwrap_or_else(|_| self.cpus.clone());
        for cpu in online.as_slice().iter().copied() {
            match sys::open(&self.spec(EventKind::Threads, cpu, false), None) {
                Ok(event) => {
                    self.thread_rings.push(ring(cpu, &event, self.ring_of_threads())?);
                    self.threads.push((cpu, event));
                }
                Err(error) if is_offline(&error, cpu) => {}
                Err(cause) => return Err(self.fatal(&cause).unwrap_or(Error::Leader { cpu, cause })),
            }
        }
        Ok(())
    }

    fn ring_of_threads(&self) -> usize {
        self.ring_size.min(RING_OF_THREADS)
    }

    /// Opens one tracepoint on one CPU. Returns false if the CPU has gone offline.
    fn open_tracepoint(&mut self, index: usize, ring: usize, cpu: Cpu) -> Result<bool, Error> {
        let tracepoint = self.tracepoints[index];
        if self.refused.iter().any(|refusal| refusal.tpid == tracepoint.tpid) {
            return Ok(true);
        }
        let leaders = &self.leaders[ring];
        let spec = self.spec(EventKind::Tracepoint(tracepoint.tracefs_id), cpu, tracepoint.is_weighted());
        let event = match sys::open(&spec, Some(leaders[self.groups[index]].as_fd())) {
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
        if let How::Samples { .. } = self.how {
            let redirected = sys::set_output(event.as_fd(), leaders[0].as_fd());
            redirected.map_err(failed_call("redirect the output of", tracepoint, cpu))?;
        }
        if let Some(filter) = &self.filter
            && let Err(error) = sys::set_filter(event.as_fd(), filter)
        {
            // Without the filter, the capture would record tp-perf itself.
            self.refused.push(Refusal {
                tpid: tracepoint.tpid,
                reason: format!("failed to set its filter: {}", refusal(&error)),
            });
            return Ok(true);
        }
        self.events[index].push((cpu, event));
        Ok(true)
    }

    /// Turns an error of an open into an [`Error`] if every other tracepoint would fail in the same way.
    fn fatal(&self, error: &io::Error) -> Option<Error> {
        let opened = self.events.iter().map(Vec::len).sum::<usize>();
        let needed = super::descriptors_needed(self.tracepoints.len(), self.cpus.len());
        match error.raw_os_error().map(Errno::from_raw)? {
            Errno::EACCES | Errno::EPERM if opened == 0 => Some(Error::NotPermitted),
            Errno::EMFILE => Some(Error::TooFewDescriptors {
                needed,
                allowed: DescriptorLimit::read().soft,
                tracepoints: self.tracepoints.len(),
                cpus: self.cpus.len(),
            }),
            Errno::ENFILE => Some(Error::SystemOutOfDescriptors { needed }),
            Errno::ENOMEM => Some(Error::NoMemory { opened }),
            _ => None,
        }
    }

    /// Reads the sample ids of the opened events, and starts the guardian.
    fn finish(self) -> Result<(Vec<Ring>, OpenEvents), Error> {
        let cpus: CpuList = self.online.iter().copied().collect();
        let mut pairs = Vec::new();
        let (mut events, mut idle) = (Vec::new(), Vec::new());
        for (tracepoint, opened) in self.tracepoints.iter().zip(self.events) {
            if opened.is_empty() {
                continue;
            }
            // If a later CPU refused the tracepoint, its events on earlier CPUs are disabled, so their group
            // does not switch them on.
            let refused = self.refused.iter().any(|refusal| refusal.tpid == tracepoint.tpid);
            let mut descriptors = Vec::with_capacity(opened.len());
            for (cpu, event) in opened {
                if refused {
                    sys::disable(event.as_fd()).map_err(failed_call("switch off", tracepoint, cpu))?;
                } else {
                    let id = sys::sample_id(event.as_fd());
                    pairs.push((
                        id.map_err(failed_call("read the sample id of", tracepoint, cpu))?,
                        Slot { tpid: tracepoint.tpid, cpu: Some(cpu) },
                    ));
                }
                descriptors.push(event);
            }
            if refused { &mut idle } else { &mut events }.push(descriptors);
        }
        let in_use = events.len();
        let sizes = events.iter().map(Vec::len);
        let first_slots = sizes.scan(0, |next, size| Some(std::mem::replace(next, *next + size))).collect();
        events.append(&mut idle);
        let guardian = match events.is_empty() {
            true => None,
            false => Some(Guardian::start(&self.leaders, &events)?),
        };
        // They go on now, so no thread that is listed later is missed. Before, they would only fill their rings.
        let thread_ids = self.threads.iter().map(|(cpu, event)| {
            let id = sys::enable(event.as_fd()).and_then(|()| sys::sample_id(event.as_fd()));
            Ok((id.map_err(|cause| Error::Leader { cpu: *cpu, cause })?, *cpu))
        });
        let thread_ids = thread_ids.collect::<Result<_, Error>>()?;
        let mut members = vec![0; self.groups.iter().max().map_or(1, |last| last + 1)];
        self.groups.iter().for_each(|group| members[*group] += 1);
        let events = events.into_iter().map(|descriptors| descriptors.into_iter().map(Some).collect()).collect();
        let open = OpenEvents {
            leaders: self.leaders,
            threads: self.threads.into_iter().map(|(_, event)| event).collect(),
            events,
            in_use,
            first_slots,
            last: BTreeMap::new(),
            ids: SampleIds::new(&pairs),
            most_members: members.into_iter().max().unwrap_or(0),
            closed: Vec::new(),
            guardian,
            attached: Attached {
                offline: self.cpus.without(&cpus),
                cpus,
                thread_ids,
                refused: self.refused,
                weighted: self.tracepoints.iter().filter(|t| t.is_weighted()).map(|t| t.tpid).collect(),
                lost_known: self.read_lost,
                ring_size: self.ring_size,
                ring_refusal: self.ring_refusal,
                descriptor_limit: self.descriptor_limit,
            },
        };
        // The rings of threads come last: a change that came before an event is then in the same round or an earlier one.
        let mut rings = self.rings;
        rings.extend(self.thread_rings);
        Ok((rings, open))
    }
}

/// The filter that drops the hits of a thread.
pub(super) fn filter_of(thread: i32) -> CString {
    CString::new(format!("common_pid != {thread}")).expect("digits hold no NUL")
}

/// Maps the ring of an event.
fn ring(cpu: Cpu, event: &OwnedFd, bytes: usize) -> Result<Ring, Error> {
    let ring = sys::map_ring(event.as_fd(), bytes).and_then(Ring::new);
    ring.map_err(|cause| Error::Ring { cpu, bytes, cause })
}

fn failed_call(call: &'static str, tracepoint: &Tracepoint, cpu: Cpu) -> impl FnOnce(io::Error) -> Error {
    let tracepoint = tracepoint.full_name();
    move |cause| Error::Call { call, tracepoint, cpu, cause }
}

fn is<T>(result: &io::Result<T>, errno: Errno) -> bool {
    matches!(result, Err(error) if error.raw_os_error() == Some(errno as i32))
}

/// Whether an open failed because the CPU is not online (any more). The kernel returns ENODEV, or EINVAL for
/// a CPU number that it cannot have.
pub(super) fn is_offline(error: &io::Error, cpu: Cpu) -> bool {
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
