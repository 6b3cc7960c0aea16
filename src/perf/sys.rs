//! The one door to perf's system calls: descriptors go out as `OwnedFd`, errors as `io::Error`.
//!
//! Names are those of perf_event_open(2).

use crate::events::{Reading, SampleId};
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::os::process::page_size;
use memmap2::{MmapOptions, MmapRaw};
use perf_event_open_sys::{bindings as abi, ioctls, perf_event_open};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What an event counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Nothing (PERF_COUNT_SW_DUMMY): an event to lead a group and to own a ring.
    Dummy,
    /// The hits of the tracepoint with this tracefs id.
    Tracepoint(u64),
}

/// How an event is opened.
#[derive(Debug, Clone, Copy)]
pub struct EventConfig {
    /// What it counts.
    pub source: Source,
    /// The clock of its samples.
    pub clock: Clock,
    /// Off until PERF_EVENT_IOC_ENABLE. A member of a group that is not disabled waits for its leader.
    pub disabled: bool,
    /// Bytes in the ring after which a poller is woken; matters on the event that owns the ring.
    pub wakeup_watermark: u32,
    /// A hit may weigh more than 1. Without the weight in its sample (PERF_SAMPLE_PERIOD, which makes it 32 bytes) the kernel
    /// would write as many samples as it weighs.
    pub weighted: bool,
    /// Ask for the number of lost samples on read (PERF_FORMAT_LOST, Linux 6.0).
    pub read_lost: bool,
}

/// perf_event_open(2) for all processes on one CPU. Samples carry IDENTIFIER and TIME and nothing else, which makes
/// records of 24 bytes.
pub fn open(config: EventConfig, cpu: Cpu, group: Option<BorrowedFd<'_>>) -> io::Result<OwnedFd> {
    let mut attr = abi::perf_event_attr { size: size_of::<abi::perf_event_attr>() as u32, ..Default::default() };
    (attr.type_, attr.config) = match config.source {
        Source::Dummy => (abi::PERF_TYPE_SOFTWARE, u64::from(abi::PERF_COUNT_SW_DUMMY)),
        Source::Tracepoint(id) => (abi::PERF_TYPE_TRACEPOINT, id),
    };
    attr.__bindgen_anon_1.sample_period = 1;
    let weight = if config.weighted { abi::PERF_SAMPLE_PERIOD } else { 0 };
    attr.sample_type = u64::from(abi::PERF_SAMPLE_IDENTIFIER | abi::PERF_SAMPLE_TIME | weight);
    attr.read_format = if config.read_lost { u64::from(abi::PERF_FORMAT_LOST) } else { 0 };
    attr.set_disabled(config.disabled.into());
    attr.set_sample_id_all(1);
    attr.set_use_clockid(1);
    attr.clockid = config.clock.sampled().number();
    attr.set_watermark(1);
    attr.__bindgen_anon_2.wakeup_watermark = config.wakeup_watermark;

    let group = group.map_or(-1, |fd| fd.as_raw_fd());
    // SAFETY: `attr` is a whole, initialized perf_event_attr that outlives the call; the group is a descriptor that the
    // caller borrows for the call, or -1.
    let fd = unsafe { perf_event_open(&mut attr, -1, cpu.get() as i32, group, abi::PERF_FLAG_FD_CLOEXEC.into()) };
    check(fd)?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Whether an event for all processes may be opened on a CPU at all: one that counts nothing is, and is closed again.
pub fn try_to_open(cpu: Cpu) -> io::Result<()> {
    let trial = EventConfig {
        source: Source::Dummy,
        clock: Clock::Monotonic,
        disabled: true,
        weighted: false,
        wakeup_watermark: 0,
        read_lost: false,
    };
    open(trial, cpu, None).map(drop)
}

/// PERF_EVENT_IOC_SET_OUTPUT: the event's samples go to the ring of `onto` (same CPU, same clock).
pub fn set_output(event: BorrowedFd<'_>, onto: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both descriptors are borrowed for the call; the argument is an integer.
    check(unsafe { ioctls::SET_OUTPUT(event.as_raw_fd(), onto.as_raw_fd()) }).map(drop)
}

/// PERF_EVENT_IOC_SET_FILTER: only hits for which the expression over the tracepoint's fields holds.
pub fn set_filter(event: BorrowedFd<'_>, filter: &CStr) -> io::Result<()> {
    // SAFETY: the kernel reads the string up to its NUL and does not write it.
    check(unsafe { ioctls::SET_FILTER(event.as_raw_fd(), filter.as_ptr().cast_mut()) }).map(drop)
}

/// PERF_EVENT_IOC_ID: the sample id.
pub fn sample_id(event: BorrowedFd<'_>) -> io::Result<SampleId> {
    let mut id = 0;
    // SAFETY: the kernel writes one u64 to `id`.
    check(unsafe { ioctls::ID(event.as_raw_fd(), &mut id) })?;
    Ok(SampleId(id))
}

/// PERF_EVENT_IOC_ENABLE on a group's leader.
pub fn enable(leader: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed for the call; the argument is an integer.
    check(unsafe { ioctls::ENABLE(leader.as_raw_fd(), 0) }).map(drop)
}

/// PERF_EVENT_IOC_DISABLE on a group's leader: the group leaves the CPU, and its members with it.
pub fn disable(leader: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed for the call; the argument is an integer.
    check(unsafe { ioctls::DISABLE(leader.as_raw_fd(), 0) }).map(drop)
}

/// Reads an event's count; `with_lost` as it was opened (`read_lost`).
pub fn read_count(event: BorrowedFd<'_>, with_lost: bool) -> io::Result<Reading> {
    let mut words = [[0u8; 8]; 2];
    let wanted = if with_lost { 16 } else { 8 };
    let got = nix::unistd::read(event, &mut words.as_flattened_mut()[..wanted])?;
    if got != wanted {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{got} of {wanted} bytes of a counter")));
    }
    let [value, lost] = words.map(u64::from_ne_bytes);
    Ok(Reading { value, lost })
}

/// Maps the ring of an event: one page of control data and `bytes` of ring, a power of two of pages.
pub fn map_ring(event: BorrowedFd<'_>, bytes: usize) -> io::Result<MmapRaw> {
    MmapOptions::new().len(page_size() + bytes).map_raw(event.as_raw_fd())
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
