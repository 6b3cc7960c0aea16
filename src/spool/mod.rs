//! The spool: it keeps the bytes of `events.perf` during a capture, from the head on.
//!
//! Keeping bytes in memory does not disturb the machine, so a small capture stays in memory. A larger one
//! streams to the file piece by piece, so the rings never wait for more than a few writes, and memory use
//! stays constant:
//!
//! ```text
//!   file  │ piece │ piece │ piece │                       written directly, past the page cache
//!   arena         …then…          │ oldest ── newest │ free …   used as a ring
//! ```
//!
//! The stream is the same in both cases: the head, the ring bytes in the order in which they were taken, and
//! a FINISHED_ROUND after each round. In the file, everything behind the head may be compressed, round by
//! round.

mod arena;
mod file;
mod input;
mod keeping;
mod last;

pub use arena::{Arena, Backed};
pub use input::SpoolInput;
pub use keeping::{DEFAULT_MEMORY, Keeping, expected_head, memory_needed};
pub use last::{ChunkEnd, LastRounds};

use crate::engine::Chunks;
use crate::perf::Room;
use crate::perf_data::record::{Damaged, SampleCounter, finished_round};
use file::SpoolFile;
use keeping::headroom;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

/// The size in bytes of a piece, which is the unit of writing to the file. With O_DIRECT, the length and the
/// position of a write must be multiples of a page.
const PIECE: usize = 4 << 20;

/// The length of O_DIRECT writes is a multiple of this many bytes.
const PAGE: u64 = 4096;

/// A streaming spool writes at least in the first round after this time, except for the last incomplete page.
/// With a round every quarter of a second, bytes are on the disk within half a second.
const AT_LEAST_EVERY: Duration = Duration::from_millis(200);

/// The maximum number of bytes written at the end of a round, while there is room in memory. So a capture
/// that has just outgrown its memory does not stop to write all of it.
const PACE: u64 = 4 * PIECE as u64;

/// Makes the spool's file when it is needed.
type MakeFile = Box<dyn FnMut() -> io::Result<File>>;

/// The bytes of a capture.
pub struct Spool {
    arena: Arena,
    /// The number of bytes taken since the start. While byte `n` is in memory, its offset in the arena is `n`
    /// modulo the arena's size.
    taken: u64,
    /// The number of bytes moved to the file.
    in_file: u64,
    /// The number of bytes kept free in the arena at the end of a round, so the bytes in the rings fit even
    /// when the file takes no more.
    headroom: usize,
    streams: bool,
    compress: bool,
    frugal: bool,
    /// The number of bytes that stay in memory before the file is used.
    kept: usize,
    /// The size of the head in bytes.
    head: usize,
    /// The ends of the head and of the rounds that are not in the file yet. A compressed stream is cut only
    /// there, because a record ends there.
    ends: VecDeque<u64>,
    make_file: MakeFile,
    file: Option<SpoolFile>,
    last_write: Instant,
    counter: SampleCounter,
}

impl Spool {
    /// Makes a spool in a new arena.
    pub fn new(
        head: &[u8],
        keeping: Keeping,
        make_file: impl FnMut() -> io::Result<File> + 'static,
    ) -> io::Result<Self> {
        Spool::in_arena(Arena::new(&keeping, head.len())?, head, keeping, make_file)
    }

    /// Makes a spool that starts with `head`. It calls `make_file` when memory is full, or at the end.
    pub fn in_arena(
        arena: Arena,
        head: &[u8],
        keeping: Keeping,
        make_file: impl FnMut() -> io::Result<File> + 'static,
    ) -> io::Result<Self> {
        let Keeping { memory, rings, compress, frugal } = keeping;
        let arena = match arena.len() < memory_needed(&keeping, head.len()) {
            // The head is longer than expected.
            true => Arena::new(&keeping, head.len())?,
            false => arena,
        };
        let mut spool = Spool {
            arena,
            taken: 0,
            in_file: 0,
            headroom: headroom(rings, head.len()),
            streams: memory == 0,
            compress,
            frugal,
            kept: memory,
            head: head.len(),
            ends: (!head.is_empty()).then_some(head.len() as u64).into_iter().collect(),
            make_file: Box::new(make_file),
            file: None,
            last_write: Instant::now(),
            counter: SampleCounter::default(),
        };
        Filling(&mut spool).fill(head)?;
        Ok(spool)
    }

    /// Appends a chunk of at most `most` bytes. `take` writes the chunk, which consists of whole records.
    ///
    /// # Errors
    /// Errors of `take` and of the file, and a chunk that does not consist of whole records. The chunk is
    /// then left out.
    pub fn append(&mut self, most: usize, take: impl FnOnce(&mut Filling<'_>) -> io::Result<()>) -> io::Result<()> {
        while self.free() < most {
            self.write_oldest()?;
        }
        // If the file takes no more, there is still room in memory, and the end of the round reports the error.
        while self.frugal && self.waiting() > (self.kept + PIECE) as u64 && self.write_oldest().is_ok() {}
        let (start, counter) = (self.taken, self.counter);
        let result = take(&mut Filling(self)).and_then(|()| self.count_from(start));
        if result.is_err() {
            (self.taken, self.counter) = (start, counter);
        }
        result
    }

    /// Appends the bytes that follow the last round.
    pub fn append_behind(&mut self, bytes: &[u8]) -> io::Result<()> {
        while self.free() < bytes.len() {
            self.write_oldest()?;
        }
        Filling(self).fill(bytes)?;
        self.ends.push_back(self.taken);
        Ok(())
    }

    /// Ends a round.
    ///
    /// # Errors
    /// Errors of the file. Everything taken is then still in memory or in the file.
    pub fn finish_round(&mut self) -> io::Result<()> {
        let end = finished_round();
        self.append(end.len(), |room| room.fill(&end))?;
        self.ends.push_back(self.taken);
        while self.free() < self.headroom {
            self.write_oldest()?;
        }
        if self.streams || self.file.is_some() {
            let pace = self.in_file + PACE;
            while self.in_file < pace && self.waiting() >= PIECE as u64 {
                self.write_oldest()?;
            }
            if self.last_write.elapsed() >= AT_LEAST_EVERY && self.waiting() >= PAGE {
                self.write_oldest()?;
            }
        }
        Ok(())
    }

    /// Whether the spool writes to the file from the start, and not only when memory is full.
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// The number of samples taken so far.
    pub fn samples(&self) -> u64 {
        self.counter.samples
    }

    /// Whether anything is in the file.
    #[cfg(test)]
    fn is_on_disk(&self) -> bool {
        self.in_file > 0
    }

    /// Writes all remaining bytes to the file. Returns all bytes from the first one on, and the error that
    /// kept bytes from the file, if there was one.
    pub fn finish(mut self) -> io::Result<(SpoolInput, io::Result<()>)> {
        // The bytes that are not in the file yet are returned from memory.
        self.frugal = false;
        let (oldest, in_file) = (self.in_file, self.file.as_ref().map_or(0, SpoolFile::length));
        let result = self.write_all();
        let file = match self.file {
            Some(file) if in_file > 0 => Some(file.into_reader()?),
            _ => None,
        };
        let (next, end) = (oldest, self.taken);
        Ok((SpoolInput::new(file, in_file, self.arena, next..end), result))
    }

    fn write_all(&mut self) -> io::Result<()> {
        while self.waiting() >= PIECE as u64 {
            self.write_oldest()?;
        }
        self.file()?.end_direct();
        if self.in_file < self.taken { self.write_up_to(self.taken) } else { Ok(()) }
    }

    fn file(&mut self) -> io::Result<&mut SpoolFile> {
        Ok(match &mut self.file {
            Some(file) => file,
            none => none.insert(SpoolFile::new((self.make_file)()?, self.compress, self.head)?),
        })
    }

    fn free(&self) -> usize {
        self.arena.len() - (self.taken - self.in_file) as usize
    }

    fn place(&self, number: u64, end: u64) -> Range<usize> {
        place(self.arena.len(), number, end)
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

    /// The number of bytes that are only in memory.
    fn waiting(&self) -> u64 {
        self.taken - self.in_file
    }

    /// Moves at most a piece of the oldest bytes to the file. If that fails, they stay in memory.
    fn write_oldest(&mut self) -> io::Result<()> {
        let most = self.taken.min(self.in_file + PIECE as u64);
        let cut = match self.compress {
            false => most / PAGE * PAGE,
            // Takes at least one round, however long it is.
            true => {
                let whole = self.ends.iter().copied().take_while(|end| *end <= most).last();
                whole.or(self.ends.front().copied()).unwrap_or(self.in_file)
            }
        };
        if cut <= self.in_file {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "the spool has no room for a chunk of this size"));
        }
        self.write_up_to(cut)
    }

    fn write_up_to(&mut self, end: u64) -> io::Result<()> {
        self.file()?;
        let first = self.place(self.in_file, end);
        let second = self.place(self.in_file + first.len() as u64, end);
        let file = self.file.as_mut().expect("the file was made above");
        file.write([&self.arena[first.clone()], &self.arena[second.clone()]])?;
        self.in_file = end;
        self.last_write = Instant::now();
        if self.frugal {
            [first, second].into_iter().for_each(|written| self.arena.release(written));
        }
        while self.ends.front().is_some_and(|first| *first <= end) {
            self.ends.pop_front();
        }
        Ok(())
    }
}

impl Chunks for Spool {
    fn append(&mut self, most: usize, take: &mut dyn FnMut(&mut dyn Room) -> io::Result<()>) -> io::Result<()> {
        Spool::append(self, most, |room| take(room))
    }

    fn finish_round(&mut self) -> io::Result<()> {
        Spool::finish_round(self)
    }
}

/// The place in an arena of byte `number` and of the bytes behind it, up to byte `end` or the end of the
/// arena.
fn place(arena: usize, number: u64, end: u64) -> Range<usize> {
    let start = (number % arena as u64) as usize;
    let length = usize::try_from(end - number).unwrap_or(usize::MAX).min(arena - start);
    start..start + length
}

/// The room for a chunk.
pub struct Filling<'a>(&'a mut Spool);

impl Room for Filling<'_> {
    fn room(&mut self, wanted: usize) -> io::Result<&mut [u8]> {
        let spool = &mut *self.0;
        let wanted = wanted.min(spool.free());
        if wanted == 0 {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "a chunk is larger than announced"));
        }
        let place = spool.place(spool.taken, spool.taken + wanted as u64);
        spool.taken += place.len() as u64;
        Ok(&mut spool.arena[place])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf_data::input::Input;
    use crate::perf_data::kind::COMPRESSED;
    use crate::perf_data::record::push_sample;
    use std::io::{Read, Seek, SeekFrom};

    const CHUNK: usize = 50_000 * 24;
    const HEAD: [u8; 640] = [7; 640];

    fn append(spool: &mut Spool, bytes: &[u8]) -> io::Result<()> {
        spool.append(bytes.len(), |room| room.fill(bytes))
    }

    fn samples(times: std::ops::Range<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        times.for_each(|time| push_sample(&mut bytes, 1, time));
        bytes
    }

    fn spool(memory: usize, make_file: impl FnMut() -> io::Result<File> + 'static) -> Spool {
        spool_that(memory, false, make_file)
    }

    fn spool_that(memory: usize, frugal: bool, make_file: impl FnMut() -> io::Result<File> + 'static) -> Spool {
        let keeping = Keeping { memory, rings: CHUNK, compress: false, frugal };
        let arena = Arena::new(&keeping, HEAD.len()).unwrap();
        arena.back(1 << 20);
        Spool::in_arena(arena, &HEAD, keeping, make_file).unwrap()
    }

    fn fill(spool: &mut Spool, total: u64) {
        for start in (0..total).step_by(50_000) {
            append(spool, &samples(start..total.min(start + 50_000))).unwrap();
            spool.finish_round().unwrap();
        }
    }

    /// The bytes that the spool returns, and the bytes in its file.
    fn read(spool: Spool, file: &mut File) -> (Vec<u8>, Vec<u8>) {
        let (mut input, result) = spool.finish().unwrap();
        result.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = input.next_piece().unwrap() {
            bytes.extend(piece);
        }
        let mut in_file = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut in_file).unwrap();
        (bytes, in_file)
    }

    fn expected(total: u64) -> Vec<u8> {
        let round = |start| [samples(start..total.min(start + 50_000)), finished_round()].concat();
        [HEAD.to_vec()].into_iter().chain((0..total).step_by(50_000).map(round)).collect::<Vec<_>>().concat()
    }

    #[test]
    fn memory_and_file_hold_the_same_stream() {
        // The small arena wraps several times, with chunks that straddle its end.
        for (memory, frugal, on_disk) in [(256 << 20, false, false), (0, false, true), (0, true, true)] {
            let mut file = tempfile::tempfile().unwrap();
            let same = file.try_clone().unwrap();
            let mut spool = spool_that(memory, frugal, move || same.try_clone());
            fill(&mut spool, 3_000_000);
            assert_eq!(spool.is_on_disk(), on_disk);
            assert!(!on_disk || spool.arena.len() <= 4 * PIECE + 3 * CHUNK);
            assert_eq!(spool.samples(), 3_000_000);
            let (given, in_file) = read(spool, &mut file);
            assert!(given == expected(3_000_000), "the returned bytes differ");
            assert!(in_file == expected(3_000_000), "the bytes in the file differ");
        }
    }

    #[test]
    fn a_capture_that_outgrows_its_memory_is_written_at_a_pace() {
        let mut spool = spool(10 * PIECE, tempfile::tempfile);
        while !spool.is_on_disk() {
            append(&mut spool, &samples(0..50_000)).unwrap();
            let before = spool.in_file;
            spool.finish_round().unwrap();
            assert!(spool.in_file - before <= PACE + CHUNK as u64 + PIECE as u64);
        }
        (0..20).for_each(|_| {
            append(&mut spool, &samples(0..50_000)).unwrap();
            spool.finish_round().unwrap();
        });
        assert!(spool.taken - spool.in_file < PIECE as u64, "by then, memory holds less than a piece");
    }

    #[test]
    fn a_compressed_stream_is_cut_where_records_end() {
        let keeping = Keeping { memory: 0, rings: CHUNK, compress: true, frugal: true };
        let mut file = tempfile::tempfile().unwrap();
        let same = file.try_clone().unwrap();
        let mut spool = Spool::new(&HEAD, keeping, move || same.try_clone()).unwrap();
        fill(&mut spool, 1_000_000);
        let on_disk = spool.file.as_ref().unwrap().length();
        let (given, in_file) = read(spool, &mut file);
        assert!(in_file.starts_with(&HEAD) && given.starts_with(&HEAD));
        let mut rest = &in_file[HEAD.len()..];
        while !rest.is_empty() {
            assert_eq!(rest[..4], COMPRESSED.to_ne_bytes(), "everything behind the head is compressed");
            rest = &rest[usize::from(u16::from_ne_bytes([rest[6], rest[7]]))..];
        }
        // The bytes that had been moved to the file come back compressed. The others come back as they were
        // taken.
        assert!(given[..on_disk as usize] == in_file[..on_disk as usize]);
    }

    #[test]
    fn an_empty_spool_holds_its_head() {
        let mut file = tempfile::tempfile().unwrap();
        let same = file.try_clone().unwrap();
        assert_eq!(read(spool(1 << 20, move || same.try_clone()), &mut file), (HEAD.to_vec(), HEAD.to_vec()));
    }

    #[test]
    fn a_torn_chunk_is_left_out_and_reported() {
        let mut file = tempfile::tempfile().unwrap();
        let same = file.try_clone().unwrap();
        let mut spool = spool(1 << 20, move || same.try_clone());
        fill(&mut spool, 10);
        let error = append(&mut spool, &samples(0..2)[..40]).unwrap_err();
        assert!(error.to_string().contains("ends within a record"), "{error}");
        let mut damaged = samples(0..2);
        damaged[24 + 6] = 0;
        let error = append(&mut spool, &damaged).unwrap_err();
        assert!(error.to_string().contains("at byte 912"), "{error}");
        assert_eq!(spool.samples(), 10);
        assert_eq!(read(spool, &mut file).0, expected(10));
    }

    #[test]
    fn without_a_file_everything_taken_stays_and_the_last_rounds_fit() {
        let mut spool = spool(0, || Err(io::ErrorKind::StorageFull.into()));
        let mut rounds = 0;
        let mut errors = 0;
        while errors < 3 {
            append(&mut spool, &samples(0..50_000)).unwrap();
            rounds += 1;
            errors += u32::from(spool.finish_round().is_err());
        }
        assert_eq!(spool.samples(), rounds * 50_000);
        let (mut input, result) = spool.finish().unwrap();
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let mut bytes = 0;
        while let Some(piece) = input.next_piece().unwrap() {
            bytes += piece.len() as u64;
        }
        assert_eq!(bytes, HEAD.len() as u64 + rounds * (CHUNK as u64 + 8));
    }
}
