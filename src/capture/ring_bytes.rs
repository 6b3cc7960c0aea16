//! The bytes that a round takes from the rings, for work between the rings and the spool.

use crate::engine::Chunks;
use crate::perf::Room;
use crate::perf_data::record::{self, Record};
use crate::perf_data::{Fault, ThreadsRead, Trailer};
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
