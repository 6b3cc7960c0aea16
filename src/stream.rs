//! The event stream: from the bytes of a source, through decode and merge, to events in time order.
//!
//! This is the one road for every source. A sink asks for batch after batch.

use crate::merge::{Event, Merge};
use crate::perf::record::{self, Record};
use crate::perf::{SampleIds, Slot};
use crate::spool::Blocks;
use std::io;

/// Events in the order of (time, cpu, arrival), and the counts of all that was decoded.
pub struct EventStream<B> {
    blocks: B,
    decoder: Decoder,
    /// The beginning of a record whose end is in the next block.
    torn: Vec<u8>,
    batch: Vec<Event>,
    ended: bool,
}

/// What a stream has decoded so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// Samples of each slot, in the order of [`SampleIds::slots`].
    pub samples: Vec<(Slot, u64)>,
    /// For each CPU, ascending: losses that the rings tell of (LOST records), and late events.
    pub per_cpu: Vec<DecodedCpu>,
    /// Samples whose id stands for nothing that was opened.
    pub unknown: u64,
}

/// One CPU's part of [`Decoded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodedCpu {
    /// The CPU.
    pub cpu: u32,
    /// Samples lost, as LOST records tell. A loss is told only when a later record fits.
    pub lost: u64,
    /// Events that came behind the merge's watermark.
    pub late: u64,
}

struct Decoder {
    ids: SampleIds,
    /// For each slot what a sample of it needs, side by side in memory.
    targets: Vec<Target>,
    cpus: Vec<u32>,
    lost: Vec<u64>,
    unknown: u64,
    merge: Merge,
    /// Bytes decoded.
    position: u64,
    clock_offset: i64,
    count_only: bool,
}

struct Target {
    slot: Slot,
    /// Its queue in the merge, which is the index of its CPU.
    queue: u32,
    samples: u64,
}

impl<B: Blocks> EventStream<B> {
    /// A stream of the records in `blocks`, with `clock_offset` nanoseconds added to their times.
    pub fn new(blocks: B, ids: SampleIds, clock_offset: i64) -> Self {
        EventStream {
            blocks,
            decoder: Decoder::new(ids, clock_offset),
            torn: Vec::new(),
            batch: Vec::new(),
            ended: false,
        }
    }

    /// The next events, or `None` at the end. A batch may be empty.
    ///
    /// # Errors
    /// Those of the source, and damaged records with their offset in the stream.
    pub fn next_batch(&mut self) -> io::Result<Option<&[Event]>> {
        if self.ended {
            return Ok(None);
        }
        self.batch.clear();
        match self.blocks.next_block()? {
            Some(block) => self.decoder.decode_joined(&mut self.torn, block, &mut self.batch)?,
            None => {
                self.ended = true;
                if !self.torn.is_empty() {
                    return Err(self.decoder.damaged(record::torn(&self.torn)));
                }
                self.decoder.merge.finish(&mut self.batch);
            }
        }
        Ok(Some(&self.batch))
    }

    /// From now on counts, but gives no more events: the quick way to the end.
    pub fn count_only(&mut self) {
        self.decoder.count_only = true;
    }

    /// What has been decoded so far; of everything at the end.
    pub fn decoded(&self) -> Decoded {
        let decoder = &self.decoder;
        let per_cpu = decoder.cpus.iter().zip(&decoder.lost).enumerate();
        Decoded {
            samples: decoder.targets.iter().map(|target| (target.slot, target.samples)).collect(),
            per_cpu: per_cpu
                .map(|(queue, (cpu, lost))| DecodedCpu { cpu: *cpu, lost: *lost, late: decoder.merge.late(queue) })
                .collect(),
            unknown: decoder.unknown,
        }
    }
}

impl Decoder {
    fn new(ids: SampleIds, clock_offset: i64) -> Self {
        let mut cpus: Vec<u32> = ids.slots().iter().map(|slot| slot.cpu).collect();
        cpus.sort_unstable();
        cpus.dedup();
        let target = |slot: &Slot| {
            let queue = cpus.binary_search(&slot.cpu).expect("all slots' CPUs are listed") as u32;
            Target { slot: *slot, queue, samples: 0 }
        };
        Decoder {
            targets: ids.slots().iter().map(target).collect(),
            lost: vec![0; cpus.len()],
            unknown: 0,
            merge: Merge::new(cpus.len()),
            cpus,
            ids,
            position: 0,
            clock_offset,
            count_only: false,
        }
    }

    /// Decodes a block, of which the first record may have begun in the last one. What is left of a record that goes on
    /// in the next block stays in `torn`.
    fn decode_joined(&mut self, torn: &mut Vec<u8>, mut block: &[u8], out: &mut Vec<Event>) -> io::Result<()> {
        while !torn.is_empty() && !block.is_empty() {
            // One byte more at a time: a record is torn once in a block of megabytes.
            torn.push(block[0]);
            block = &block[1..];
            let record = std::mem::take(torn);
            let used = self.decode(&record, out)?;
            torn.extend_from_slice(&record[used..]);
        }
        let used = self.decode(block, out)?;
        torn.extend_from_slice(&block[used..]);
        Ok(())
    }

    /// Decodes all whole records and gives how many bytes they were.
    fn decode(&mut self, bytes: &[u8], out: &mut Vec<Event>) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some((record, length)) = record::first(rest).map_err(|damaged| self.damaged(damaged))? {
            match record {
                Record::Sample { id, time } => self.sample(id, time),
                Record::FinishedRound => self.merge.finish_round(out),
                Record::Lost { id, lost } => {
                    if let Some(slot) = self.ids.find(id) {
                        self.lost[self.targets[slot].queue as usize] += lost;
                    }
                }
                Record::Other(_) => {}
            }
            rest = &rest[length..];
            self.position += length as u64;
        }
        Ok(bytes.len() - rest.len())
    }

    #[inline]
    fn sample(&mut self, id: u64, time: u64) {
        let Some(slot) = self.ids.find(id) else {
            self.unknown += 1;
            return;
        };
        let target = &mut self.targets[slot];
        target.samples += 1;
        if self.count_only {
            return;
        }
        let Slot { tpid, cpu } = target.slot;
        let time = time.wrapping_add_signed(self.clock_offset);
        self.merge.push(target.queue as usize, Event { time, cpu, tpid });
    }

    fn damaged(&self, damaged: record::Damaged) -> io::Error {
        record::Damaged { offset: self.position + damaged.offset, ..damaged }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::record::{finished_round, push_lost, push_sample};
    use proptest::prelude::*;

    /// A source that gives bytes in pieces of given lengths.
    struct Pieces {
        bytes: Vec<u8>,
        lengths: Vec<usize>,
        piece: Vec<u8>,
    }

    impl Blocks for Pieces {
        fn next_block(&mut self) -> io::Result<Option<&[u8]>> {
            if self.bytes.is_empty() {
                return Ok(None);
            }
            let length = self.lengths.pop().unwrap_or(usize::MAX).clamp(1, self.bytes.len());
            self.piece = self.bytes.drain(..length).collect();
            Ok(Some(&self.piece))
        }
    }

    fn ids() -> SampleIds {
        let slot = |tpid, cpu| Slot { tpid, cpu };
        SampleIds::new(&[(10, slot(1, 0)), (11, slot(2, 0)), (12, slot(1, 5)), (13, slot(2, 5))])
    }

    fn run(bytes: Vec<u8>, lengths: Vec<usize>) -> io::Result<(Vec<Event>, Decoded)> {
        let mut stream = EventStream::new(Pieces { bytes, lengths, piece: Vec::new() }, ids(), 0);
        let mut events = Vec::new();
        while let Some(batch) = stream.next_batch()? {
            events.extend_from_slice(batch);
        }
        Ok((events, stream.decoded()))
    }

    fn two_rounds() -> Vec<u8> {
        let mut bytes = Vec::new();
        push_sample(&mut bytes, 10, 100);
        push_sample(&mut bytes, 13, 90);
        bytes.extend(finished_round());
        push_lost(&mut bytes, 12, 4, 120);
        push_sample(&mut bytes, 12, 121);
        push_sample(&mut bytes, 99, 122);
        push_sample(&mut bytes, 11, 110);
        bytes.extend(finished_round());
        bytes
    }

    #[test]
    fn records_become_events_in_time_order_and_everything_is_counted() {
        let (events, decoded) = run(two_rounds(), vec![]).unwrap();
        let event = |time, cpu, tpid| Event { time, cpu, tpid };
        assert_eq!(events, [event(90, 5, 2), event(100, 0, 1), event(110, 0, 2), event(121, 5, 1)]);
        assert_eq!(decoded.samples.iter().map(|(_, samples)| *samples).collect::<Vec<_>>(), [1, 1, 1, 1]);
        assert_eq!(decoded.unknown, 1);
        let cpu = |cpu, lost| DecodedCpu { cpu, lost, late: 0 };
        assert_eq!(decoded.per_cpu, [cpu(0, 0), cpu(5, 4)]);
    }

    #[test]
    fn a_stream_that_ends_within_a_record_says_where() {
        let mut bytes = two_rounds();
        bytes.truncate(24 + 24 + 8 + 40 + 11);
        let error = run(bytes, vec![]).unwrap_err().to_string();
        assert!(error.contains("at byte 96"), "{error}");
    }

    #[test]
    fn damage_is_an_error_with_its_offset() {
        let mut bytes = two_rounds();
        bytes[24 + 6] = 3;
        let error = run(bytes, vec![]).unwrap_err().to_string();
        assert!(error.contains("at byte 24"), "{error}");
    }

    proptest! {
        #[test]
        fn the_cuts_between_blocks_do_not_matter(lengths in proptest::collection::vec(1usize..60, 0..30)) {
            prop_assert_eq!(run(two_rounds(), lengths).unwrap(), run(two_rounds(), vec![]).unwrap());
        }

        #[test]
        fn any_bytes_end_in_events_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300), lengths in proptest::collection::vec(1usize..60, 0..10)) {
            let _ = run(bytes, lengths);
        }
    }
}
