//! The threads and cgroups of events, and the records about them: COMM, FORK, and CGROUP.

use crate::events::{CgroupId, Event, LONGEST_NAME, LONGEST_PATH, Ns, ThreadChange, ThreadFact, Tid};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::perf_data::record::Record;
use crate::perf_data::{Fault, Trailer};
use byteorder::{ByteOrder, NativeEndian};
use std::collections::HashMap;

/// The memory in bytes of a thread, here and in a table of processes.
const OF_THREAD: u64 = 128;

/// The threads so far.
#[derive(Debug)]
pub struct ThreadsRead {
    /// The process of each thread that had an event.
    process_of: HashMap<Tid, Tid>,
    /// The cgroup of each thread that had an event, and the newest time at which it was known.
    cgroup_of: HashMap<Tid, (CgroupId, Ns)>,
    /// By place of a CPU, the process, the thread, and the cgroup of its last event.
    last: Vec<Option<Ran>>,
    /// The changes since the last time that they were taken.
    pub changes: Vec<ThreadChange>,
    held: Held,
}

/// Who ran: the process, the thread, and the cgroup.
type Ran = (Option<Tid>, Tid, Option<CgroupId>);

impl Default for ThreadsRead {
    fn default() -> Self {
        let held = Held::nothing(MemoryOf::Threads);
        let (process_of, cgroup_of) = (HashMap::new(), HashMap::new());
        ThreadsRead { process_of, cgroup_of, last: Vec::new(), changes: Vec::new(), held }
    }
}

impl ThreadsRead {
    /// An event of this sample with its thread. `at` is the position of the process and of the thread in the sample, and
    /// `place` that of the CPU.
    #[inline]
    pub fn event(
        &mut self,
        event: Event,
        place: u32,
        sample: &[u8],
        at: usize,
        cgroup: Option<CgroupId>,
    ) -> Result<Event, TooMuch> {
        let [process, tid] =
            [at, at + 4].map(|at| sample.get(at..at + 4).map(NativeEndian::read_u32).and_then(Tid::new));
        let Some(tid) = tid else { return Ok(event) };
        let place = place as usize;
        if self.last.get(place) != Some(&Some((process, tid, cgroup))) {
            if self.last.len() <= place {
                self.last.resize(place + 1, None);
            }
            self.last[place] = Some((process, tid, cgroup));
            if let Some(process) = process
                && self.belongs(tid, process)?
            {
                self.push(event.time, tid, ThreadFact::Of(process));
            }
            if let Some(cgroup) = cgroup
                && self.is_in(tid, cgroup, event.time)?
            {
                // The thread may come back to another CPU, whose last event it was in another cgroup.
                self.last.fill(None);
                self.push(event.time, tid, ThreadFact::In(cgroup));
            }
        }
        Ok(event.in_thread(tid))
    }

    /// Notes the cgroup of a thread at a time. Returns whether that is new. CPUs are read one after another, so an older time can
    /// follow.
    fn is_in(&mut self, tid: Tid, cgroup: CgroupId, time: Ns) -> Result<bool, TooMuch> {
        match self.cgroup_of.insert(tid, (cgroup, time)) {
            None => self.held.grow(OF_THREAD).map(|()| true),
            Some((before, at)) => Ok(before != cgroup || time < at),
        }
    }

    /// Notes the process of a thread. Returns whether that is new.
    fn belongs(&mut self, tid: Tid, process: Tid) -> Result<bool, TooMuch> {
        let before = self.process_of.insert(tid, process);
        if before.is_none() {
            self.held.grow(OF_THREAD)?;
        }
        Ok(before != Some(process))
    }

    fn push(&mut self, time: Ns, tid: Tid, what: ThreadFact) {
        self.changes.push(ThreadChange { time, tid, what });
    }

    /// Takes a COMM record: u32 pid, u32 tid, and a name that ends with a zero byte.
    ///
    /// # Errors
    /// If it is damaged, or if there are too many threads.
    pub fn comm(&mut self, record: Record<'_>, trailer: &Trailer, clock_offset: i64) -> Result<(), Fault> {
        let (Some([process, tid]), Some(name)) = (words(record.bytes), text(record.bytes, LONGEST_NAME)) else {
            return Err("a COMM record has no name".to_owned().into());
        };
        let time = in_clock(trailer.time(record.bytes).unwrap_or(Ns(0)), clock_offset);
        if let (Some(process), Some(tid)) = (Tid::new(process), Tid::new(tid)) {
            if self.belongs(tid, process)? {
                self.push(time, tid, ThreadFact::Of(process));
            }
            self.push(time, tid, ThreadFact::Named(name));
        }
        Ok(())
    }

    /// Takes a CGROUP record: u64 id, and a path that ends with a zero byte.
    ///
    /// # Errors
    /// If it is damaged, or if there are too many cgroups.
    pub fn cgroup(&mut self, record: Record<'_>, trailer: &Trailer, clock_offset: i64) -> Result<(), Fault> {
        let (Some(id), Some(path)) = (record.word(8), text(record.bytes, LONGEST_PATH)) else {
            return Err("a CGROUP record has no path".to_owned().into());
        };
        self.held.grow(OF_THREAD + path.len() as u64)?;
        let time = in_clock(trailer.time(record.bytes).unwrap_or(Ns(0)), clock_offset);
        self.push(time, Tid::IDLE, ThreadFact::Cgroup { id: CgroupId(id), path });
        Ok(())
    }

    /// Takes a FORK record: u32 pid, u32 ppid, u32 tid, u32 ptid, u64 time.
    ///
    /// # Errors
    /// If it is damaged, or if there are too many threads.
    pub fn fork(&mut self, record: Record<'_>, clock_offset: i64) -> Result<(), Fault> {
        let (Some(numbers), Some(time)) = (words::<4>(record.bytes), record.word(24)) else {
            return Err("a FORK record is too short".to_owned().into());
        };
        if let [Some(process), Some(parent), Some(tid), Some(by)] = numbers.map(Tid::new) {
            self.belongs(tid, process)?;
            self.push(in_clock(Ns(time), clock_offset), tid, ThreadFact::Forked { process, parent, by });
        }
        Ok(())
    }

    /// Takes an EXIT record, which has the same fields. Only [who keeps threads for weeks](ThreadFact::Ended) calls this.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn exit(&mut self, record: Record<'_>, clock_offset: i64) -> Result<(), Fault> {
        let (Some([_, _, tid, _]), Some(time)) = (words::<4>(record.bytes), record.word(24)) else {
            return Err("an EXIT record is too short".to_owned().into());
        };
        if let Some(tid) = Tid::new(tid) {
            self.push(in_clock(Ns(time), clock_offset), tid, ThreadFact::Ended);
        }
        Ok(())
    }
}

/// The first numbers in the body of a record.
fn words<const N: usize>(record: &[u8]) -> Option<[u32; N]> {
    let body = record.get(8..8 + 4 * N)?;
    Some(std::array::from_fn(|place| NativeEndian::read_u32(&body[4 * place..])))
}

/// The text behind the first word of a record's body, or as many of its bytes.
fn text(record: &[u8], longest: usize) -> Option<Box<str>> {
    let text = record.get(16..)?;
    let end = text.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&text[..end.min(longest)]).into_owned().into_boxed_str())
}

/// A time by the capture's clock. 0 means before the capture.
fn in_clock(time: Ns, clock_offset: i64) -> Ns {
    if time == Ns(0) { time } else { time.wrapping_add_signed(clock_offset) }
}
