//! The spool: what a capture takes, as the bytes of its `events.perf`, from the head on.
//!
//! What is kept in memory disturbs nothing, so a capture stays in memory while it is small. A larger one streams to the file,
//! piece by piece, so that the rings never wait for more than a few writes, and memory stays flat:
//!
//! ```text
//!   file  │ piece │ piece │ piece │                       written directly, past the page cache
//!   arena         …then…          │ oldest ── newest │ free …   used round and round
//! ```
//!
//! Either way it is one stream: the head, the ring bytes as they came, and a FINISHED_ROUND after each round. In the file
//! what comes behind the head may be compressed, round by round.

mod arena;
mod file;
mod input;

pub use arena::{Arena, Backed};
pub use input::SpoolInput;

use crate::engine::Chunks;
use crate::perf::Room;
use crate::perf_data::record::{Damaged, SampleCounter, finished_round};
use file::SpoolFile;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Bytes of a piece, which is what goes to the file at once. Files written directly want multiples of a page at multiples of a page.
const PIECE: usize = 4 << 20;

/// Direct writes are of multiples of this.
const PAGE: u64 = 4096;

/// What streams is written in the first round after this time at the latest, but for less than a page. With a round every
/// half second it is on the disk within one.
const AT_LEAST_EVERY: Duration = Duration::from_millis(450);

/// So much goes to the file at the end of a round at the most, while there is room in memory: a capture that has just
/// outgrown its memory must not stop to write all of it.
const PACE: u64 = 4 * PIECE as u64;

/// How much is kept in memory by default, in bytes.
pub const DEFAULT_MEMORY: usize = 256 << 20;

/// Address space that a spool takes, in bytes, with a head of so many bytes. Only what is filled becomes memory.
pub fn memory_needed(keeping: &Keeping, head: usize) -> usize {
    (keeping.memory + headroom(keeping.rings, head) + head + PIECE).next_multiple_of(PIECE)
}

/// About how long a head is, in bytes, with so many events: for each event its ids, and what tells its CPU.
pub fn expected_head(events: usize) -> usize {
    events.saturating_mul(64).saturating_add(1 << 20)
}

/// The round that finds the disk full, the last two of a capture, and their ends; and what stands behind them, which is no
/// longer than the head.
fn headroom(rings: usize, head: usize) -> usize {
    3 * rings + head + PIECE
}

/// Where the spool's file comes from.
type MakeFile = Box<dyn FnMut() -> io::Result<File>>;

/// How a spool keeps what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Bytes to keep in memory before the file is begun; 0 streams from the first byte on.
    pub memory: usize,
    /// How many bytes one round can bring at most.
    pub rings: usize,
    /// Whether the file is compressed.
    pub compress: bool,
}

/// The chunks of a capture.
pub struct Spool {
    arena: Arena,
    /// Bytes taken since the start. The byte number `n` is at `n` modulo the arena's size while it is in memory.
    taken: u64,
    /// Those of them that are in the file.
    in_file: u64,
    /// So much is kept free in the arena at the end of a round, so that what is in the rings still has a place even when
    /// the file takes no more.
    headroom: usize,
    streams: bool,
    compress: bool,
    /// Bytes of the head.
    head: usize,
    /// The ends of the head and of the rounds that are not in the file yet. A compressed stream is cut only there, where
    /// records end.
    ends: VecDeque<u64>,
    make_file: MakeFile,
    file: Option<SpoolFile>,
    last_write: Instant,
    counter: SampleCounter,
}

impl Spool {
    /// A spool in new memory.
    pub fn new(
        head: &[u8],
        keeping: Keeping,
        make_file: impl FnMut() -> io::Result<File> + 'static,
    ) -> io::Result<Self> {
        Spool::in_arena(Arena::new(&keeping, head.len())?, head, keeping, make_file)
    }

    /// A spool of which `head` is the beginning. It asks for a file when memory is not enough, and at its end.
    pub fn in_arena(
        arena: Arena,
        head: &[u8],
        keeping: Keeping,
        make_file: impl FnMut() -> io::Result<File> + 'static,
    ) -> io::Result<Self> {
        let Keeping { memory, rings, compress } = keeping;
        let arena = match arena.len() < memory_needed(&keeping, head.len()) {
            // The head has become longer than it was thought to be.
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

    /// Takes what stands behind the last round.
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
    /// Those of writing to the file; all that was taken is still there then.
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

    /// Whether all goes to the file as it comes, and not only when memory is not enough.
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// Samples taken so far.
    pub fn samples(&self) -> u64 {
        self.counter.samples
    }

    /// Whether anything is in the file.
    #[cfg(test)]
    fn is_on_disk(&self) -> bool {
        self.in_file > 0
    }

    /// Ends the writing: all goes to the file. Gives what was taken, from the first byte; and what kept the file from having
    /// all of it, if anything did.
    pub fn finish(mut self) -> io::Result<(SpoolInput, io::Result<()>)> {
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

    /// Bytes that are in memory only.
    fn waiting(&self) -> u64 {
        self.taken - self.in_file
    }

    /// Moves a piece of the oldest bytes to the file, or all there are. If that fails they stay in memory.
    fn write_oldest(&mut self) -> io::Result<()> {
        let most = self.taken.min(self.in_file + PIECE as u64);
        let cut = match self.compress {
            false => most / PAGE * PAGE,
            // At least one, however long it is.
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
        let file = self.file.as_mut().expect("it was made above");
        file.write([&self.arena[first], &self.arena[second]])?;
        self.in_file = end;
        self.last_write = Instant::now();
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

/// Where in an arena the byte of this number is, and how many follow it without a wrap, up to byte number `end`.
fn place(arena: usize, number: u64, end: u64) -> Range<usize> {
    let start = (number % arena as u64) as usize;
    let length = usize::try_from(end - number).unwrap_or(usize::MAX).min(arena - start);
    start..start + length
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
        let keeping = Keeping { memory, rings: CHUNK, compress: false };
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

    /// What the spool gives, and what is in its file.
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
        // The small arena goes round several times, with chunks that straddle its end.
        for (memory, on_disk) in [(256 << 20, false), (0, true)] {
            let mut file = tempfile::tempfile().unwrap();
            let same = file.try_clone().unwrap();
            let mut spool = spool(memory, move || same.try_clone());
            fill(&mut spool, 3_000_000);
            assert_eq!(spool.is_on_disk(), on_disk);
            assert!(!on_disk || spool.arena.len() <= 4 * PIECE + 3 * CHUNK);
            assert_eq!(spool.samples(), 3_000_000);
            let (given, in_file) = read(spool, &mut file);
            assert!(given == expected(3_000_000), "what it gives differs");
            assert!(in_file == expected(3_000_000), "the file differs");
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
        assert!(spool.taken - spool.in_file < PIECE as u64, "from then on memory holds less than a piece");
    }

    #[test]
    fn what_is_compressed_is_cut_where_records_end() {
        let keeping = Keeping { memory: 0, rings: CHUNK, compress: true };
        let mut file = tempfile::tempfile().unwrap();
        let same = file.try_clone().unwrap();
        let mut spool = Spool::new(&HEAD, keeping, move || same.try_clone()).unwrap();
        fill(&mut spool, 1_000_000);
        let on_disk = spool.file.as_ref().unwrap().length();
        let (given, in_file) = read(spool, &mut file);
        assert!(in_file.starts_with(&HEAD) && given.starts_with(&HEAD));
        let mut rest = &in_file[HEAD.len()..];
        while !rest.is_empty() {
            assert_eq!(rest[..4], COMPRESSED.to_ne_bytes(), "behind the head all is compressed");
            rest = &rest[usize::from(u16::from_ne_bytes([rest[6], rest[7]]))..];
        }
        // What had left memory comes as it is in the file, the rest as it was taken.
        assert!(given[..on_disk as usize] == in_file[..on_disk as usize]);
    }

    #[test]
    fn an_empty_spool_holds_its_head() {
        let mut file = tempfile::tempfile().unwrap();
        let same = file.try_clone().unwrap();
        assert_eq!(read(spool(1 << 20, move || same.try_clone()), &mut file), (HEAD.to_vec(), HEAD.to_vec()));
    }

    #[test]
    fn a_torn_chunk_is_left_out_and_said() {
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
    fn when_no_file_can_be_made_what_was_taken_stays_and_the_last_rounds_find_room() {
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
