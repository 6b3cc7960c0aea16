//! The third way to keep chunks: the rounds of the last seconds, in memory only.
//!
//! ```text
//!   forgotten … │ oldest round │ … │ newest round │ free
//!               │ block │ block │ block │ block │          blocks come and go as a whole
//! ```
//!
//! The blocks of forgotten rounds are used again for the next ones, so memory use follows the bytes that are kept, and no page is
//! faulted in again.

use crate::engine::Chunks;
use crate::events::SampleIds;
use crate::events::{SampleId, Slot};
use crate::perf::Room;
use crate::perf_data::record::{self, HEADER_SIZE, Record};
use memmap2::{Advice, MmapMut};
use perf_event_open_sys::bindings as abi;
use std::collections::VecDeque;
use std::io;
use std::ops::Range;

/// The size of a block in bytes.
const BLOCK: usize = 1 << 20;
/// The most blocks that wait for the next rounds.
const MOST_SPARE: usize = 16;

/// The rounds of the last seconds. Each byte has a number, from the first one that was ever taken on.
pub struct LastRounds {
    /// The first one has the byte with the number `first`.
    blocks: VecDeque<MmapMut>,
    spare: Vec<MmapMut>,
    /// The number of the first byte of the first block.
    first: u64,
    /// The number of the first byte that is kept.
    begin: u64,
    /// The number of the next byte.
    next: u64,
    /// Where chunks and rounds end, ascending.
    ends: VecDeque<ChunkEnd>,
    ids: SampleIds,
    /// Per slot, the samples since they were last [taken](Self::take_counts).
    counts: Vec<u32>,
    samples: u64,
    /// The records about threads since they were last [taken](Self::take_thread_records).
    thread_records: Vec<u8>,
    /// Scratch space: a record that two blocks have a part of.
    torn: Vec<u8>,
}

/// The end of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkEnd {
    /// The number of the byte behind it.
    pub at: u64,
    /// Whether a round ends there too.
    pub ends_round: bool,
}

impl LastRounds {
    /// No rounds yet. Samples have these ids.
    pub fn new(ids: &SampleIds) -> Self {
        LastRounds {
            blocks: VecDeque::new(),
            spare: Vec::new(),
            first: 0,
            begin: 0,
            next: 0,
            ends: VecDeque::new(),
            counts: vec![0; ids.slots().len()],
            ids: ids.clone(),
            samples: 0,
            thread_records: Vec::new(),
            torn: Vec::new(),
        }
    }

    /// The numbers of the bytes that are kept.
    pub fn kept(&self) -> Range<u64> {
        self.begin..self.next
    }

    /// The number of samples taken so far, kept or not.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The memory in bytes that it takes.
    pub fn memory(&self) -> u64 {
        ((self.blocks.len() + self.spare.len()) * BLOCK) as u64
    }

    /// The samples of each slot since the last call.
    pub fn take_counts(&mut self) -> impl Iterator<Item = (usize, u32)> + '_ {
        let counts = self.counts.iter_mut().enumerate();
        counts.filter(|(_, count)| **count > 0).map(|(slot, count)| (slot, std::mem::take(count)))
    }

    /// The records about threads and cgroups since the last call: COMM, FORK, EXIT, and CGROUP.
    pub fn take_thread_records(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.thread_records)
    }

    /// Forgets all bytes before this one.
    pub fn forget(&mut self, before: u64) {
        self.begin = self.begin.max(before.min(self.next));
        while self.ends.front().is_some_and(|end| end.at <= self.begin) {
            self.ends.pop_front();
        }
        while self.first + BLOCK as u64 <= self.begin {
            let Some(block) = self.blocks.pop_front() else { break };
            self.first += BLOCK as u64;
            if self.spare.len() < MOST_SPARE {
                self.spare.push(block);
            }
        }
    }

    /// The ends of the chunks within these bytes.
    pub fn ends(&self, range: Range<u64>) -> impl Iterator<Item = ChunkEnd> + '_ {
        let from = self.ends.partition_point(|end| end.at <= range.start);
        self.ends.range(from..).copied().take_while(move |end| end.at <= range.end)
    }

    /// These bytes, piece by piece. They must be kept.
    pub fn pieces(&self, range: Range<u64>) -> impl Iterator<Item = &[u8]> {
        let mut at = range.start;
        std::iter::from_fn(move || {
            if at >= range.end {
                return None;
            }
            let (block, offset) = self.place(at);
            let length = (BLOCK - offset).min((range.end - at) as usize);
            at += length as u64;
            Some(&self.blocks[block][offset..offset + length])
        })
    }

    /// Calls `each` with the records in these bytes, which must be kept and begin with a record.
    ///
    /// # Errors
    /// If the bytes are not whole records.
    pub fn records(&self, range: Range<u64>, mut each: impl FnMut(Record<'_>)) -> io::Result<()> {
        let mut torn = Vec::new();
        for piece in self.pieces(range) {
            walk(piece, &mut torn, &mut each)?;
        }
        if torn.is_empty() { Ok(()) } else { Err(not_whole()) }
    }

    fn place(&self, number: u64) -> (usize, usize) {
        let offset = (number - self.first) as usize;
        (offset / BLOCK, offset % BLOCK)
    }

    /// Counts the samples from this byte on.
    fn count_from(&mut self, start: u64) -> io::Result<()> {
        let mut torn = std::mem::take(&mut self.torn);
        let mut counts = std::mem::take(&mut self.counts);
        torn.clear();
        let mut thread_records = std::mem::take(&mut self.thread_records);
        let mut samples = 0;
        let mut count = |record: Record<'_>| match record.kind {
            abi::PERF_RECORD_SAMPLE => {
                samples += 1;
                let slot = record.word(8).and_then(|id| self.ids.find(SampleId(id)));
                if let Some(count) = slot.and_then(|slot| counts.get_mut(slot)) {
                    *count = count.saturating_add(1);
                }
            }
            abi::PERF_RECORD_COMM | abi::PERF_RECORD_FORK | abi::PERF_RECORD_EXIT | abi::PERF_RECORD_CGROUP => {
                thread_records.extend_from_slice(record.bytes);
            }
            _ => {}
        };
        let result = self.pieces(start..self.next).try_for_each(|piece| walk(piece, &mut torn, &mut count));
        let result = result.and_then(|()| if torn.is_empty() { Ok(()) } else { Err(not_whole()) });
        self.samples += samples;
        (self.counts, self.torn, self.thread_records) = (counts, torn, thread_records);
        result
    }

    /// The opened events.
    pub fn slots(&self) -> &[Slot] {
        self.ids.slots()
    }
}

/// Calls `each` with the records of the next piece. `torn` has the begin of a record that ends in the next piece.
fn walk(mut piece: &[u8], torn: &mut Vec<u8>, each: &mut impl FnMut(Record<'_>)) -> io::Result<()> {
    while !torn.is_empty() && !piece.is_empty() {
        let length = if torn.len() < HEADER_SIZE { HEADER_SIZE } else { length_of(torn)? };
        let (now, later) = piece.split_at(length.saturating_sub(torn.len()).min(piece.len()));
        torn.extend_from_slice(now);
        piece = later;
        if torn.len() >= HEADER_SIZE && torn.len() == length_of(torn)? {
            each(Record { kind: u32::from_ne_bytes([torn[0], torn[1], torn[2], torn[3]]), bytes: torn });
            torn.clear();
        }
    }
    while let Some(record) = record::first(piece)? {
        if !record.bytes.len().is_multiple_of(8) {
            return Err(record.damaged().into());
        }
        each(record);
        piece = &piece[record.bytes.len()..];
    }
    torn.extend_from_slice(piece);
    Ok(())
}

/// The length of the record with this header.
fn length_of(header: &[u8]) -> io::Result<usize> {
    match usize::from(u16::from_ne_bytes([header[6], header[7]])) {
        length @ HEADER_SIZE.. if length.is_multiple_of(8) => Ok(length),
        _ => Err(record::torn(header).into()),
    }
}

fn not_whole() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a chunk ends within a record")
}

impl Chunks for LastRounds {
    fn append(&mut self, _most: usize, take: &mut dyn FnMut(&mut dyn Room) -> io::Result<()>) -> io::Result<()> {
        let (start, samples) = (self.next, self.samples);
        let result = take(self).and_then(|()| self.count_from(start));
        if result.is_err() {
            // Its samples may be among the counts: a damaged ring ends the capture anyway.
            (self.next, self.samples) = (start, samples);
        } else if self.next > start {
            self.ends.push_back(ChunkEnd { at: self.next, ends_round: false });
        }
        result
    }

    fn finish_round(&mut self) -> io::Result<()> {
        if let Some(end) = self.ends.back_mut() {
            end.ends_round = true;
        }
        Ok(())
    }
}

impl Room for LastRounds {
    fn room(&mut self, wanted: usize) -> io::Result<&mut [u8]> {
        let (block, offset) = self.place(self.next);
        if block == self.blocks.len() {
            let new = match self.spare.pop() {
                Some(spare) => spare,
                None => new_block()?,
            };
            self.blocks.push_back(new);
        }
        let length = wanted.min(BLOCK - offset);
        self.next += length as u64;
        Ok(&mut self.blocks[block][offset..offset + length])
    }
}

fn new_block() -> io::Result<MmapMut> {
    let block = MmapMut::map_anon(BLOCK)?;
    // If a child shared the memory, the kernel would copy each page that is then written.
    let _ = block.advise(Advice::DontFork);
    // One call is cheaper than a fault for each page, which fires tracepoints that are on. Linux before 5.14 cannot do that.
    let _ = block.advise(Advice::PopulateWrite);
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Cpu, Tpid};
    use crate::perf_data::record::push_sample;

    fn ids() -> SampleIds {
        let slot = |tpid| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(0)) };
        SampleIds::new(&[(SampleId(1), slot(1)), (SampleId(2), slot(2))])
    }

    fn append(last: &mut LastRounds, bytes: &[u8]) -> io::Result<()> {
        Chunks::append(last, bytes.len(), &mut |room| room.fill(bytes))
    }

    fn samples(times: Range<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        times.for_each(|time| push_sample(&mut bytes, 1 + time % 2, time));
        bytes
    }

    #[test]
    fn the_newest_rounds_are_kept_and_their_memory_is_used_again() {
        let mut last = LastRounds::new(&ids());
        let (mut all, mut ends) = (Vec::new(), Vec::new());
        for round in 0..200 {
            // 1.2 MB, so records straddle the ends of blocks.
            for chunk in 0..2 {
                let bytes = samples(round * 50_000 + chunk * 25_000..round * 50_000 + (chunk + 1) * 25_000);
                append(&mut last, &bytes).unwrap();
                all.extend(bytes);
            }
            last.finish_round().unwrap();
            ends.push(last.kept().end);
            if round >= 5 {
                last.forget(ends[round as usize - 5]);
            }
            assert!(last.memory() <= ((MOST_SPARE + 8) * BLOCK) as u64, "{}", last.memory());
        }
        let kept = last.kept();
        assert_eq!(kept, ends[194]..ends[199]);
        let bytes = last.pieces(kept.clone()).collect::<Vec<_>>().concat();
        assert!(bytes == all[kept.start as usize..], "the bytes differ");
        let rounds: Vec<u64> = last.ends(kept.clone()).filter(|end| end.ends_round).map(|end| end.at).collect();
        assert_eq!((rounds, last.ends(kept.clone()).count()), (ends[195..].to_vec(), 10));
        let mut times = Vec::new();
        last.records(kept, |record| times.push(record.word(16).unwrap())).unwrap();
        assert_eq!(times, (195 * 50_000..200 * 50_000).collect::<Vec<_>>());
        assert_eq!(last.samples(), 10_000_000);
        assert_eq!(last.take_counts().collect::<Vec<_>>(), [(0, 5_000_000), (1, 5_000_000)]);
        assert_eq!(last.take_counts().count(), 0);
    }

    #[test]
    fn a_torn_chunk_is_left_out_and_reported() {
        let mut last = LastRounds::new(&ids());
        append(&mut last, &samples(0..10)).unwrap();
        let error = append(&mut last, &samples(0..2)[..40]).unwrap_err();
        assert!(error.to_string().contains("ends within a record"), "{error}");
        let mut damaged = samples(0..2);
        damaged[24 + 6] = 0;
        assert!(append(&mut last, &damaged).is_err());
        assert_eq!((last.samples(), last.kept()), (10, 0..240));
    }

    #[test]
    fn a_round_without_bytes_ends_no_chunk() {
        let mut last = LastRounds::new(&ids());
        last.finish_round().unwrap();
        append(&mut last, &[]).unwrap();
        last.finish_round().unwrap();
        assert_eq!(last.ends(0..u64::MAX).count(), 0);
        last.forget(u64::MAX);
        assert_eq!(last.kept(), 0..0);
    }
}
