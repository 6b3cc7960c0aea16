//! The spool: the chunks of all rounds, in the order in which they were taken.
//!
//! What is kept in memory disturbs nothing, so a capture stays in memory while it is small. Of a larger one the oldest
//! bytes go to a file, block by block, so that the rings never wait for more than one write, and memory stays flat:
//!
//! ```text
//!   file  │ block │ block │ block │                       written directly, past the page cache
//!   arena         …then…          │ oldest ── newest │ free …   used round and round
//! ```
//!
//! Either way it is one stream of perf's records: the ring bytes as they came, and a FINISHED_ROUND after each round.

use crate::perf::Room;
use crate::perf::record::{Damaged, SampleCounter, finished_round};
use memmap2::{Advice, MmapMut};
use nix::fcntl::{FallocateFlags, fallocate};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes that go to the file at once. Files written directly want multiples of a page at multiples of a page.
const BLOCK: usize = 4 << 20;

/// How much is kept in memory by default, in bytes.
pub const DEFAULT_MEMORY: usize = 256 << 20;

/// Address space that a spool takes, in bytes; arguments as for [`Spool::new`]. Only what is filled becomes memory.
pub fn memory_needed(memory: usize, rings: usize) -> usize {
    memory.max(headroom(rings) + BLOCK).next_multiple_of(BLOCK)
}

/// The round that finds the disk full, the last two of a capture, and their ends.
fn headroom(rings: usize) -> usize {
    3 * rings + BLOCK
}

/// Where the spool's file comes from when memory is not enough.
type MakeFile = Box<dyn FnMut() -> io::Result<File>>;

/// The chunks of a capture.
pub struct Spool {
    arena: MmapMut,
    /// Bytes taken since the start. The byte number `n` is at `n` modulo the arena's size while it is in memory.
    taken: u64,
    /// Those of them that are in the file, a whole number of blocks.
    in_file: u64,
    /// So much is kept free in the arena at the end of a round, so that what is in the rings still has a place even when
    /// the file takes no more.
    headroom: usize,
    make_file: MakeFile,
    file: Option<File>,
    counter: SampleCounter,
}

impl Spool {
    /// A spool that keeps up to `memory` bytes and asks for a file when there is more. `rings` is how many bytes one round
    /// can bring at most.
    pub fn new(memory: usize, rings: usize, make_file: impl FnMut() -> io::Result<File> + 'static) -> io::Result<Self> {
        let headroom = headroom(rings);
        let arena = MmapMut::map_anon(memory_needed(memory, rings))?;
        // Huge pages spare many faults; where there are none, small ones do.
        let _ = arena.advise(Advice::HugePage);
        let make_file = Box::new(make_file);
        Ok(Spool { arena, taken: 0, in_file: 0, headroom, make_file, file: None, counter: SampleCounter::default() })
    }

    /// Has the kernel back the first `bytes` of the arena with memory now. A page that is faulted in while the events are
    /// on costs several times its filling: the kernel's tracepoints on that way are switched on.
    pub fn prefault(&mut self, bytes: usize) {
        let bytes = bytes.min(self.arena.len());
        // Before Linux 5.14, or without memory enough, they come one by one.
        let _ = self.arena.advise_range(Advice::PopulateWrite, 0, bytes);
    }

    /// Takes a chunk of at most `most` bytes, which `take` fills in: whole records.
    ///
    /// # Errors
    /// Those of `take`, and a chunk that does not hold whole records; the chunk is then left out.
    pub fn append(&mut self, most: usize, take: impl FnOnce(&mut Filling<'_>) -> io::Result<()>) -> io::Result<()> {
        while self.free() < most {
            self.write_oldest()?;
        }
        let (start, counter) = (self.taken, self.counter);
        let result = take(&mut Filling(self)).and_then(|()| self.count_from(start));
        if result.is_err() {
            (self.taken, self.counter) = (start, counter);
        }
        result
    }

    /// Ends a round.
    ///
    /// # Errors
    /// Those of writing to the file; all that was taken is still there then.
    pub fn finish_round(&mut self) -> io::Result<()> {
        let end = finished_round();
        self.append(end.len(), |room| room.fill(&end))?;
        while self.free() < self.headroom {
            self.write_oldest()?;
        }
        Ok(())
    }

    /// Samples taken so far.
    pub fn samples(&self) -> u64 {
        self.counter.samples
    }

    /// Whether memory was not enough.
    pub fn is_on_disk(&self) -> bool {
        self.in_file > 0
    }

    /// Ends the writing, and gives what was taken from the start.
    pub fn into_blocks(mut self) -> io::Result<SpoolBlocks> {
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(0))?;
        }
        Ok(SpoolBlocks { spool: self, given: 0, block: MmapMut::map_anon(BLOCK)? })
    }

    fn free(&self) -> usize {
        self.arena.len() - (self.taken - self.in_file) as usize
    }

    /// Where the byte of this number is, and how many follow it without a wrap, up to byte number `end`.
    fn place(&self, number: u64, end: u64) -> std::ops::Range<usize> {
        let start = (number % self.arena.len() as u64) as usize;
        let length = usize::try_from(end - number).unwrap_or(usize::MAX).min(self.arena.len() - start);
        start..start + length
    }

    fn count_from(&mut self, start: u64) -> io::Result<()> {
        let mut number = start;
        while number < self.taken {
            let piece = self.place(number, self.taken);
            let length = piece.len() as u64;
            self.counter
                .count(&self.arena[piece])
                .map_err(|damaged| Damaged { offset: number + damaged.offset, ..damaged })?;
            number += length;
        }
        match self.counter.is_whole() {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk ends within a record")),
        }
    }

    /// Moves the oldest block to the file. If that fails it stays in memory, and the file ends where it ended before.
    fn write_oldest(&mut self) -> io::Result<()> {
        let block = self.place(self.in_file, self.in_file + BLOCK as u64);
        if self.taken - self.in_file < BLOCK as u64 {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "the spool has no room for a chunk of this size"));
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert((self.make_file)()?),
        };
        if let Err(error) = file.write_all(&self.arena[block]) {
            file.set_len(self.in_file)?;
            file.seek(SeekFrom::Start(self.in_file))?;
            return Err(error);
        }
        self.in_file += BLOCK as u64;
        Ok(())
    }
}

/// The room that a chunk is filled into.
pub struct Filling<'a>(&'a mut Spool);

impl Room for Filling<'_> {
    fn room(&mut self, wanted: usize) -> io::Result<&mut [u8]> {
        let spool = &mut *self.0;
        let wanted = wanted.min(spool.free());
        if wanted == 0 {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "a chunk is larger than was said"));
        }
        let place = spool.place(spool.taken, spool.taken + wanted as u64);
        spool.taken += place.len() as u64;
        Ok(&mut spool.arena[place])
    }
}

/// A source of bytes: one stream of records, in blocks of any length.
pub trait Blocks {
    /// The next block, or `None` at the end. A record may go on in the next block.
    fn next_block(&mut self) -> io::Result<Option<&[u8]>>;
}

/// What a spool holds, from the start.
pub struct SpoolBlocks {
    spool: Spool,
    given: u64,
    /// A block read back from the file; in a map, because a file that is read directly wants whole pages.
    block: MmapMut,
}

impl Blocks for SpoolBlocks {
    fn next_block(&mut self) -> io::Result<Option<&[u8]>> {
        let SpoolBlocks { spool, given, block } = self;
        if *given < spool.in_file
            && let Some(file) = &mut spool.file
        {
            file.read_exact(block)?;
            // The log needs the room; some filesystems cannot give it back before the end.
            let (offset, length) = (*given as i64, BLOCK as i64);
            let _ = fallocate(
                &*file,
                FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE,
                offset,
                length,
            );
            *given += BLOCK as u64;
            return Ok(Some(block));
        }
        if *given == spool.taken {
            return Ok(None);
        }
        let place = spool.place(*given, spool.taken.min(*given + BLOCK as u64));
        *given += place.len() as u64;
        Ok(Some(&spool.arena[place]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::record::push_sample;

    const CHUNK: usize = 50_000 * 24;

    fn append(spool: &mut Spool, bytes: &[u8]) -> io::Result<()> {
        spool.append(bytes.len(), |room| room.fill(bytes))
    }

    fn samples(times: std::ops::Range<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        times.for_each(|time| push_sample(&mut bytes, 1, time));
        bytes
    }

    fn filled(memory: usize, total: u64) -> Spool {
        let mut spool = Spool::new(memory, CHUNK, tempfile::tempfile).unwrap();
        spool.prefault(1 << 20);
        for start in (0..total).step_by(50_000) {
            append(&mut spool, &samples(start..total.min(start + 50_000))).unwrap();
            spool.finish_round().unwrap();
        }
        spool
    }

    fn read(spool: Spool) -> Vec<u8> {
        let mut blocks = spool.into_blocks().unwrap();
        let mut bytes = Vec::new();
        while let Some(block) = blocks.next_block().unwrap() {
            bytes.extend(block);
        }
        bytes
    }

    fn expected(total: u64) -> Vec<u8> {
        let round = |start| [samples(start..total.min(start + 50_000)), finished_round()].concat();
        (0..total).step_by(50_000).flat_map(round).collect()
    }

    #[test]
    fn memory_and_file_hold_the_same_stream() {
        // The small arena goes round several times, with chunks that straddle its end.
        let (in_memory, on_disk) = (filled(256 << 20, 3_000_000), filled(0, 3_000_000));
        assert!(!in_memory.is_on_disk() && on_disk.is_on_disk());
        assert!(on_disk.arena.len() <= 3 * BLOCK + 3 * CHUNK);
        assert_eq!((in_memory.samples(), on_disk.samples()), (3_000_000, 3_000_000));
        let expected = expected(3_000_000);
        assert!(read(in_memory) == expected, "the stream from memory differs");
        assert!(read(on_disk) == expected, "the stream from the file differs");
    }

    #[test]
    fn an_empty_spool_reads_as_nothing() {
        assert!(read(filled(1 << 20, 0)).is_empty());
    }

    #[test]
    fn a_torn_chunk_is_left_out_and_said() {
        let mut spool = filled(1 << 20, 10);
        let error = append(&mut spool, &samples(0..2)[..40]).unwrap_err();
        assert!(error.to_string().contains("ends within a record"), "{error}");
        let mut damaged = samples(0..2);
        damaged[24 + 6] = 0;
        let error = append(&mut spool, &damaged).unwrap_err();
        assert!(error.to_string().contains("at byte 272"), "{error}");
        assert_eq!(spool.samples(), 10);
        assert_eq!(read(spool), expected(10));
    }

    #[test]
    fn when_no_file_can_be_made_what_was_taken_stays_and_the_last_rounds_find_room() {
        let mut spool = Spool::new(0, CHUNK, || Err(io::ErrorKind::StorageFull.into())).unwrap();
        let mut rounds = 0;
        let error = loop {
            append(&mut spool, &samples(0..50_000)).unwrap();
            rounds += 1;
            if let Err(error) = spool.finish_round() {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        append(&mut spool, &samples(0..50_000)).unwrap();
        assert!(spool.finish_round().is_err());
        append(&mut spool, &samples(0..50_000)).unwrap();
        assert!(spool.finish_round().is_err());
        assert_eq!(spool.samples(), (rounds + 2) * 50_000);
        assert_eq!(read(spool).len() as u64, (rounds + 2) * (CHUNK as u64 + 8));
    }
}
