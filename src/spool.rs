//! The spool: the chunks of all rounds, in the order in which they were taken.
//!
//! What is kept in memory disturbs nothing, so a capture stays in memory while it is small; what is larger goes to a
//! file in large writes, and memory stays flat. Either way it is one stream of perf's records: the ring bytes as they
//! came, and a FINISHED_ROUND after each round.

use crate::perf::record::{Damaged, count_samples, push_finished_round};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes after which a block is full.
const BLOCK: usize = 4 << 20;

/// How much is kept in memory by default, in bytes.
pub const DEFAULT_MEMORY: usize = 256 << 20;

/// Where the spool's file comes from when memory is not enough.
type MakeFile = Box<dyn FnMut() -> io::Result<File>>;

/// The chunks of a capture.
pub struct Spool {
    blocks: Vec<Vec<u8>>,
    current: Vec<u8>,
    memory: usize,
    make_file: MakeFile,
    file: Option<File>,
    bytes: u64,
    samples: u64,
}

impl Spool {
    /// A spool that keeps up to `memory` bytes and asks for a file when there is more.
    pub fn new(memory: usize, make_file: impl FnMut() -> io::Result<File> + 'static) -> Self {
        Spool {
            blocks: Vec::new(),
            current: Vec::with_capacity(BLOCK),
            memory,
            make_file: Box::new(make_file),
            file: None,
            bytes: 0,
            samples: 0,
        }
    }

    /// Takes a chunk: `take` appends whole records to the buffer.
    ///
    /// # Errors
    /// Those of `take`, and a chunk that does not hold whole records; the chunk is then left out.
    pub fn append(&mut self, take: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<()> {
        let start = self.current.len();
        let samples = take(&mut self.current).and_then(|()| {
            let counted = count_samples(&self.current[start..]);
            counted.map_err(|damaged| invalid(Damaged { offset: self.bytes + damaged.offset, ..damaged }))
        });
        match samples {
            Ok(samples) => {
                self.samples += samples;
                self.bytes += (self.current.len() - start) as u64;
                Ok(())
            }
            Err(error) => {
                self.current.truncate(start);
                Err(error)
            }
        }
    }

    /// Ends a round.
    ///
    /// # Errors
    /// Those of writing to the file. What could be written can still be read.
    pub fn finish_round(&mut self) -> io::Result<()> {
        let before = self.current.len();
        push_finished_round(&mut self.current);
        self.bytes += (self.current.len() - before) as u64;
        if self.current.len() < BLOCK {
            return Ok(());
        }
        if self.file.is_none() && (self.blocks.len() + 1) * BLOCK <= self.memory {
            let full = std::mem::replace(&mut self.current, Vec::with_capacity(BLOCK));
            self.blocks.push(full);
            return Ok(());
        }
        self.write_out()
    }

    /// Moves all blocks to the file. If that fails they stay in memory, and the file ends where it ended before.
    fn write_out(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert((self.make_file)()?),
        };
        let end = file.stream_position()?;
        let blocks = self.blocks.iter().chain([&self.current]);
        if let Err(error) = blocks.into_iter().try_for_each(|block| file.write_all(block)) {
            file.set_len(end)?;
            file.seek(SeekFrom::Start(end))?;
            return Err(error);
        }
        self.blocks.clear();
        self.current.clear();
        Ok(())
    }

    /// Samples taken so far.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Bytes taken so far, those of the rounds' ends included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether memory was not enough.
    pub fn is_on_disk(&self) -> bool {
        self.file.is_some()
    }

    /// Ends the writing, and gives what was taken from the start.
    pub fn into_blocks(mut self) -> io::Result<SpoolBlocks> {
        if let Some(file) = &mut self.file {
            file.seek(SeekFrom::Start(0))?;
        }
        self.blocks.push(self.current);
        Ok(SpoolBlocks { file: self.file, blocks: self.blocks.into_iter(), block: Vec::new() })
    }
}

/// A source of bytes: one stream of records, in blocks of any length.
pub trait Blocks {
    /// The next block, or `None` at the end. A record may go on in the next block.
    fn next_block(&mut self) -> io::Result<Option<&[u8]>>;
}

/// What a spool holds, from the start.
pub struct SpoolBlocks {
    file: Option<File>,
    blocks: std::vec::IntoIter<Vec<u8>>,
    block: Vec<u8>,
}

impl Blocks for SpoolBlocks {
    fn next_block(&mut self) -> io::Result<Option<&[u8]>> {
        if let Some(file) = &mut self.file {
            self.block.resize(BLOCK, 0);
            let length = file.read(&mut self.block)?;
            self.block.truncate(length);
            if length > 0 {
                return Ok(Some(&self.block));
            }
            self.file = None;
        }
        match self.blocks.next() {
            Some(block) => {
                self.block = block;
                Ok(Some(&self.block))
            }
            None => Ok(None),
        }
    }
}

fn invalid(damaged: Damaged) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::record::push_sample;

    fn filled(memory: usize, samples: u64) -> Spool {
        let mut spool = Spool::new(memory, tempfile::tempfile);
        for round in 0..samples.div_ceil(50_000) {
            spool
                .append(|bytes| {
                    (round * 50_000..samples.min((round + 1) * 50_000)).for_each(|n| push_sample(bytes, 1, n));
                    Ok(())
                })
                .unwrap();
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

    #[test]
    fn memory_and_file_hold_the_same_stream() {
        let (in_memory, on_disk) = (filled(1 << 30, 1_000_000), filled(8 << 20, 1_000_000));
        assert!(!in_memory.is_on_disk() && on_disk.is_on_disk());
        assert_eq!((in_memory.samples(), on_disk.samples()), (1_000_000, 1_000_000));
        let bytes = on_disk.bytes();
        let (one, other) = (read(in_memory), read(on_disk));
        assert_eq!(one.len() as u64, bytes);
        assert!(one == other, "the streams differ");
        assert_eq!(count_samples(&one), Ok(1_000_000));
    }

    #[test]
    fn an_empty_spool_reads_as_nothing() {
        assert!(read(filled(1 << 20, 0)).is_empty());
    }

    #[test]
    fn a_torn_chunk_is_left_out_and_said() {
        let mut spool = filled(1 << 20, 10);
        let error = spool.append(|bytes| {
            push_sample(bytes, 1, 1);
            bytes.pop();
            Ok(())
        });
        assert!(error.unwrap_err().to_string().contains("at byte 248"));
        assert_eq!(spool.samples(), 10);
        assert_eq!(count_samples(&read(spool)), Ok(10));
    }

    #[test]
    fn a_file_that_cannot_be_made_is_an_error_and_what_was_taken_stays() {
        let mut spool = Spool::new(0, || Err(io::ErrorKind::StorageFull.into()));
        spool
            .append(|bytes| {
                (0..200_000).for_each(|n| push_sample(bytes, 1, n));
                Ok(())
            })
            .unwrap();
        assert_eq!(spool.finish_round().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(count_samples(&read(spool)), Ok(200_000));
    }
}
