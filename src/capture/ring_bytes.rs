//! The bytes that a round takes from the rings, for work between the rings and the spool.

use crate::engine::Chunks;
use crate::events::{CgroupId, Event, Ns, SampleId, SampleIds, Tid};
use crate::perf::Room;
use crate::perf_data::record::{self, Record};
use crate::perf_data::{Fault, Layout, ThreadsRead, Trailer};
use byteorder::{ByteOrder, NativeEndian};
use perf_event_open_sys::bindings as abi;
use std::io;

/// The first record of these bytes, which then begin behind it. `None` at the end.
pub(crate) fn next_record<'a>(bytes: &mut &'a [u8]) -> io::Result<Option<Record<'a>>> {
    let record = record::first(bytes)?;
    if let Some(record) = record {
        *bytes = &bytes[record.bytes.len()..];
    }
    Ok(record)
}

/// The slot of a sample's event, the event with its thread, and the cgroup of the thread. `None` for another record. `of_interrupts` has,
/// by slot, whether all hits happen in interrupts.
pub(crate) fn sampled_event(
    record: &Record<'_>,
    ids: &SampleIds,
    layout: &Layout,
    of_interrupts: &[bool],
) -> Option<(usize, Event, Option<CgroupId>)> {
    if record.kind != abi::PERF_RECORD_SAMPLE {
        return None;
    }
    let place = ids.find(SampleId(record.word(8)?))?;
    let slot = ids.slots()[place];
    let mut event = Event::new(Ns(record.word(layout.time?)?), slot.cpu, slot.tpid);
    let thread = layout.thread.and_then(|at| record.bytes.get(at + 4..at + 8));
    if let Some(tid) = thread.map(NativeEndian::read_u32).and_then(Tid::new) {
        event = event.in_thread(tid);
    }
    if of_interrupts.get(place) == Some(&true) {
        event = event.in_interrupt();
    }
    let cgroup_at = layout.cgroup_from_end.and_then(|from_end| record.bytes.len().checked_sub(from_end));
    Some((place, event, cgroup_at.and_then(|at| record.word(at)).map(CgroupId)))
}

/// Reads the records about threads in a chunk. Those about the ends of threads are read too if `with_ends`.
pub(crate) fn read_changes(
    mut bytes: &[u8],
    reader: &mut ThreadsRead,
    trailer: &Trailer,
    with_ends: bool,
) -> io::Result<()> {
    while let Some(record) = next_record(&mut bytes)? {
        let read = match record.kind {
            abi::PERF_RECORD_EXIT if with_ends => reader.exit(record, 0),
            abi::PERF_RECORD_COMM => reader.comm(record, trailer, 0),
            abi::PERF_RECORD_FORK => reader.fork(record, 0),
            abi::PERF_RECORD_CGROUP => reader.cgroup(record, trailer, 0),
            _ => Ok(()),
        };
        read.map_err(|fault| match fault {
            Fault::TooMuch(cause) => cause.into(),
            Fault::Damaged(reason) => io::Error::new(io::ErrorKind::InvalidData, reason),
        })?;
    }
    Ok(())
}

/// The bytes that a round has taken, ring by ring.
#[derive(Debug, Default)]
pub(crate) struct RingBytes {
    /// Per ring.
    pub bytes: Vec<Vec<u8>>,
    next: usize,
}

impl Chunks for RingBytes {
    fn append(&mut self, _most: usize, take: &mut dyn FnMut(&mut dyn Room) -> io::Result<()>) -> io::Result<()> {
        if self.bytes.len() == self.next {
            self.bytes.push(Vec::new());
        }
        let bytes = &mut self.bytes[self.next];
        self.next += 1;
        let before = bytes.len();
        let result = take(bytes);
        if result.is_err() {
            // The ring still has them.
            bytes.truncate(before);
            self.next = 0;
        }
        result
    }

    fn finish_round(&mut self) -> io::Result<()> {
        self.next = 0;
        Ok(())
    }
}
