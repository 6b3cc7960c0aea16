//! The only module that makes perf's system calls. It returns descriptors as `OwnedFd` and errors as
//! `io::Error`.
//!
//! The names follow perf_event_open(2).

use super::spec::{EventKind, EventSpec, Output, ProcessFields, ReadFormat, Scope};
use super::{Reading, SampleId};
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::os::process::page_size;
use memmap2::{MmapOptions, MmapRaw};
use perf_event_open_sys::{ioctls, perf_event_open};
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// perf_event_open(2). The event joins the group whose leader is `group`, if one is given.
pub fn open(spec: &EventSpec<'_>, group: Option<BorrowedFd<'_>>) -> io::Result<OwnedFd> {
    let mut attr = spec.attr();
    let (pid, cpu, flags) = spec.target();
    let group = group.map_or(-1, |fd| fd.as_raw_fd());
    // SAFETY: `attr` is a whole, initialized perf_event_attr that outlives the call. `group` and the cgroup
    // are borrowed for the call, or -1.
    let fd = unsafe { perf_event_open(&mut attr, pid, cpu, group, flags) };
    check(fd)?;
    // SAFETY: the kernel has just created this descriptor for this call, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Checks whether this process may open an event for all processes on this CPU: opens a dummy event, and
/// closes it.
pub fn try_to_open(cpu: Cpu) -> io::Result<()> {
    try_with(cpu, Output::Counts)
}

/// Checks whether this kernel can put the cgroup into samples (Linux 5.7 and later, with CONFIG_CGROUP_PERF).
pub fn try_cgroups(cpu: Cpu) -> io::Result<()> {
    let process = ProcessFields::Cgroup;
    try_with(cpu, Output::Samples { sample_period: 1, wakeup_watermark: 1, weighted: false, process, cpu: false })
}

/// Opens a dummy event, and closes it.
fn try_with(cpu: Cpu, output: Output) -> io::Result<()> {
    let trial = EventSpec {
        kind: EventKind::Dummy,
        scope: Scope::AllOn(cpu),
        output,
        clock: Clock::Monotonic,
        disabled: true,
        read_format: ReadFormat::default(),
    };
    open(&trial, None).map(drop)
}

/// PERF_EVENT_IOC_SET_OUTPUT: sends the event's samples to the ring of `onto` (same CPU, same clock).
pub fn set_output(event: BorrowedFd<'_>, onto: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: both descriptors are borrowed for the call; the argument is an integer.
    check(unsafe { ioctls::SET_OUTPUT(event.as_raw_fd(), onto.as_raw_fd()) }).map(drop)
}

/// PERF_EVENT_IOC_SET_FILTER: keeps only hits that match this expression over the tracepoint's fields.
pub fn set_filter(event: BorrowedFd<'_>, filter: &CStr) -> io::Result<()> {
    // SAFETY: the kernel only reads the string, up to its NUL.
    check(unsafe { ioctls::SET_FILTER(event.as_raw_fd(), filter.as_ptr().cast_mut()) }).map(drop)
}

/// PERF_EVENT_IOC_ID: returns the event's sample id.
pub fn sample_id(event: BorrowedFd<'_>) -> io::Result<SampleId> {
    let mut id = 0;
    // SAFETY: the kernel writes one u64 to `id`.
    check(unsafe { ioctls::ID(event.as_raw_fd(), &mut id) })?;
    Ok(SampleId(id))
}

/// PERF_EVENT_IOC_ENABLE on a group's leader: switches the group on.
pub fn enable(leader: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed for the call; the argument is an integer.
    check(unsafe { ioctls::ENABLE(leader.as_raw_fd(), 0) }).map(drop)
}

/// PERF_EVENT_IOC_DISABLE on a group's leader: switches the group off, members included.
pub fn disable(leader: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed for the call; the argument is an integer.
    check(unsafe { ioctls::DISABLE(leader.as_raw_fd(), 0) }).map(drop)
}

/// PERF_EVENT_IOC_PERIOD: changes the number of hits for each sample. The event was opened with a period, and may be on.
/// Its counter stays exact. [`thinning`](crate::events::thinning) says which hits become samples.
pub fn set_period(event: BorrowedFd<'_>, period: u64) -> io::Result<()> {
    // The kernel takes a pointer, and the binding passes a number.
    let pointer = (&raw const period).expose_provenance() as u64;
    // SAFETY: the kernel reads one u64 from `period`, which outlives the call.
    check(unsafe { ioctls::PERIOD(event.as_raw_fd(), pointer) }).map(drop)
}

/// Reads an event's count. `with_lost` must be the [`ReadFormat::lost`] with which the event was opened.
pub fn read_count(event: BorrowedFd<'_>, with_lost: bool) -> io::Result<Reading> {
    let mut words = [[0u8; 8]; 2];
    let wanted = if with_lost { 16 } else { 8 };
    let got = nix::unistd::read(event, &mut words.as_flattened_mut()[..wanted])?;
    if got != wanted {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("read {got} of {wanted} bytes of a counter")));
    }
    let [value, lost] = words.map(u64::from_ne_bytes);
    Ok(Reading { value, lost })
}

/// Reads how long an event has been on. It must have been opened with [`ReadFormat::enabled`]. If it leads a
/// group and was opened with [`ReadFormat::group`], the group has at most `most_members` members besides it.
pub fn read_enabled(event: BorrowedFd<'_>, most_members: usize) -> io::Result<Duration> {
    let mut bytes = vec![0; size_of_read(most_members, true)];
    let got = nix::unistd::read(event, &mut bytes)?;
    // The first word is the count or, for a group, the number of events.
    let (words, _) = bytes[..got].as_chunks::<8>();
    let enabled = words.get(1).map(|word| Duration::from_nanos(u64::from_ne_bytes(*word)));
    enabled.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, format!("read only {got} bytes of a counter")))
}

/// The most bytes that one read of a group returns: two words, and up to three words per event.
fn size_of_read(most_members: usize, with_lost: bool) -> usize {
    (2 + (most_members + 1) * words_per_event(with_lost)) * 8
}

fn words_per_event(with_lost: bool) -> usize {
    if with_lost { 3 } else { 2 }
}

/// Reads a whole group through its leader, and calls `each` with the sample id and the reading of every
/// event, the leader first. Returns how long the leader has been on, in nanoseconds. The leader must have been opened with [`ReadFormat::group`], with
/// [`ReadFormat::enabled`], and with [`ReadFormat::lost`] = `with_lost`. The group has at most `most_members` members besides its leader.
/// `bytes` is scratch space that grows to the size of a read. The kernel limits that to 16 KiB when it opens
/// a group (`perf_event_validate_size`).
pub fn read_group(
    leader: BorrowedFd<'_>,
    most_members: usize,
    with_lost: bool,
    bytes: &mut Vec<u8>,
    mut each: impl FnMut(SampleId, Reading),
) -> io::Result<u64> {
    // The layout is u64 number of events, u64 time enabled, then for each event: u64 value, u64 id, and u64
    // lost if requested.
    let width = words_per_event(with_lost);
    bytes.resize(size_of_read(most_members, with_lost), 0);
    let got = nix::unistd::read(leader, bytes)?;
    let (words, _) = bytes[..got].as_chunks::<8>();
    let events = words.first().map_or(0, |number| u64::from_ne_bytes(*number));
    if words.len() as u64 != 2 + events.saturating_mul(width as u64) {
        let message = format!("read {got} bytes for a group of {events} counters");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    for event in words[2..].chunks_exact(width) {
        let word = |place: usize| event.get(place).map_or(0, |word| u64::from_ne_bytes(*word));
        each(SampleId(word(1)), Reading { value: word(0), lost: word(2) });
    }
    Ok(words.get(1).map_or(0, |enabled| u64::from_ne_bytes(*enabled)))
}

/// Maps the ring of an event: the control page, and `bytes` of ring. `bytes` must be a power of two of pages.
pub fn map_ring(event: BorrowedFd<'_>, bytes: usize) -> io::Result<MmapRaw> {
    MmapOptions::new().len(page_size() + bytes).map_raw(event.as_raw_fd())
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
