//! Reads the beginning of a perf.data stream: everything before its first event.

use crate::memory::{Held, MemoryOf};
use crate::perf_data::Error;
use crate::perf_data::input::Input;
use crate::perf_data::record::{self, HEADER_SIZE, Record};
use crate::perf_data::{Fault, Header, MAGIC, MAGIC_SWAPPED, PIPE_HEADER, kind};
use byteorder::{ByteOrder, NativeEndian};
use perf_event_open_sys::bindings as abi;
use std::io;

/// The maximum size in bytes of a record that has only the size of the names. perf's record has 12 bytes, and
/// tp-perf's has 16. simpleperf's record has the names, and is longer.
const MOST_OF_SIZE: usize = 16;

/// Reads ahead in a file until the position of the first event is known.
pub(super) struct Ahead<'a> {
    input: &'a mut dyn Input,
    bytes: Vec<u8>,
    used: usize,
    /// The position of `used` in the file.
    position: u64,
    /// The records about threads so far. They come between those of the header.
    threads: Vec<u8>,
    /// Their memory.
    held: Held,
}

impl<'a> Ahead<'a> {
    /// Continues a stream after its first `position` bytes.
    pub fn new(input: &'a mut dyn Input, position: u64) -> Self {
        let held = Held::nothing(MemoryOf::Threads);
        Ahead { input, bytes: Vec::new(), used: 0, position, threads: Vec::new(), held }
    }

    /// The records about threads that were read.
    pub fn threads(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.threads)
    }

    /// The bytes that were read but not taken, and their position in the file.
    pub fn rest(mut self) -> (Vec<u8>, u64) {
        (self.bytes.split_off(self.used), self.position)
    }

    /// The next bytes: at least `wanted`, or fewer at the end of the file.
    fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.bytes.len() - self.used < wanted {
            if self.used > 0 {
                self.bytes.drain(..self.used);
                self.used = 0;
            }
            match self.input.next_piece()? {
                Some(piece) => self.bytes.extend_from_slice(piece),
                None => break,
            }
        }
        Ok(&self.bytes[self.used..])
    }

    fn pass(&mut self, length: usize) {
        self.used += length;
        self.position += length as u64;
    }

    /// Passes over bytes without keeping them. Returns how many of them are missing from the file.
    fn pass_over(&mut self, length: u64) -> io::Result<u64> {
        let mut left = length;
        while left > 0 {
            let there = self.peek(1)?.len() as u64;
            if there == 0 {
                break;
            }
            let now = there.min(left);
            self.pass(now as usize);
            left -= now;
        }
        Ok(left)
    }

    /// Takes the header of the pipe form.
    pub fn pipe_header(&mut self) -> Result<(), Error> {
        let head = self.peek(PIPE_HEADER as usize)?;
        match head.get(..8) {
            Some(magic) if *magic == MAGIC => {}
            Some(magic) if *magic == MAGIC_SWAPPED => return Err(Error::OtherByteOrder),
            _ => return Err(Error::NoPerfData),
        }
        match head.get(8..16).map(NativeEndian::read_u64) {
            Some(PIPE_HEADER) => {}
            size => {
                let size = size.map_or_else(|| "cut short".to_owned(), |size| size.to_string());
                return Err(Error::Header { at: 8, reason: format!("its size is {size} instead of {PIPE_HEADER}") });
            }
        }
        self.pass(PIPE_HEADER as usize);
        Ok(())
    }

    /// Takes all records before the first one that is about an event.
    pub fn records_of_header(&mut self, header: &mut Header) -> Result<(), Error> {
        loop {
            self.peek(HEADER_SIZE)?;
            let length = match record::first(&self.bytes[self.used..]) {
                Ok(Some(record)) => record.bytes.len(),
                // The record is incomplete, but its header has its length.
                Ok(None) => match self.bytes.get(self.used..self.used + HEADER_SIZE) {
                    Some(header) => record::length(header),
                    None => return Ok(()),
                },
                // The decoder will read this record again and report the error.
                Err(_) => return Ok(()),
            };
            let at = self.position;
            self.peek(length)?;
            let Ok(Some(Record { kind, bytes })) = record::first(&self.bytes[self.used..]) else { return Ok(()) };
            let begins = matches!(
                kind,
                abi::PERF_RECORD_SAMPLE
                    | abi::PERF_RECORD_LOST
                    | abi::PERF_RECORD_READ
                    | kind::FINISHED_ROUND
                    | kind::COMPRESSED
                    | kind::COMPRESSED2
                    | kind::AUXTRACE
            );
            let own = kind >= kind::SIMPLEPERF;
            if own && !header.features.is_simpleperf {
                return Ok(());
            }
            // The first note, tp-perf's facts, comes before the events. The second one, the ending, comes
            // behind them.
            if begins || (kind == kind::HEADER_EVENT_TYPE && !header.notes.whole.is_empty()) {
                return Ok(());
            }
            if matches!(kind, abi::PERF_RECORD_COMM | abi::PERF_RECORD_FORK | abi::PERF_RECORD_CGROUP) {
                self.held.grow(bytes.len() as u64)?;
                self.threads.extend_from_slice(bytes);
            }
            let bad = |reason: String| Error::Header { at, reason };
            header.take(kind, &bytes[HEADER_SIZE..]).map_err(|fault: Fault| fault.at(at))?;
            // perf puts the names behind the record. simpleperf puts them into the record.
            let behind = match kind {
                kind::TRACING_DATA if bytes.len() > MOST_OF_SIZE => {
                    let names = inner_names(&bytes[HEADER_SIZE..]);
                    header.take_names(at, names)?;
                    0
                }
                kind::TRACING_DATA => {
                    let size =
                        bytes.get(8..12).ok_or_else(|| bad("the names of tracepoints have no size".to_owned()))?;
                    u64::from(NativeEndian::read_u32(size))
                }
                kind::SIMPLEPERF.. => record::behind_simpleperf(bytes)
                    .ok_or_else(|| bad(format!("a record of simpleperf (type {kind}) is too short")))?,
                _ => 0,
            };
            self.pass(length);
            if !matches!(kind, kind::TRACING_DATA | kind::SIMPLEPERF_TRACING_DATA) {
                let left = self.pass_over(behind)?;
                if left > 0 {
                    return Err(bad(format!("the file ends {left} bytes before the end of this record")));
                }
                continue;
            }
            if behind > 0 {
                // The bytes, and as many more while their buffer grows.
                let _held = Held::take(MemoryOf::Names, behind.saturating_mul(2))?;
                let behind = behind as usize;
                let bytes = self.peek(behind)?;
                let bytes = bytes.get(..behind).ok_or_else(|| {
                    bad(format!("the file ends within the names of tracepoints (at {} of {behind} bytes)", bytes.len()))
                })?;
                let names = if own { inner_names(bytes) } else { bytes };
                header.take_names(at, names)?;
                self.pass(behind);
            }
        }
    }
}

/// The names in the body of a record of simpleperf: their size, the names, and padding.
fn inner_names(body: &[u8]) -> &[u8] {
    let Some((size, rest)) = body.split_at_checked(4) else { return &[] };
    rest.get(..NativeEndian::read_u32(size) as usize).unwrap_or(rest)
}
