//! The input of the decoders: bytes from any source, piece by piece.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// The number of bytes per read: large enough for few system calls, and small enough for a CPU's cache.
const PIECE: usize = 512 << 10;

/// A source of bytes, in pieces of any length.
pub trait Input {
    /// The next piece, or `None` at the end.
    fn next_piece(&mut self) -> io::Result<Option<&[u8]>>;

    /// The total number of bytes, if it is known.
    fn length(&self) -> Option<u64> {
        None
    }
}

/// The bytes of a reader.
pub struct ReaderInput<R> {
    reader: R,
    buffer: Vec<u8>,
    left: u64,
    length: Option<u64>,
}

impl<R: Read> ReaderInput<R> {
    /// All bytes of `reader`. `length` is their number, if it is known.
    pub fn new(reader: R, length: Option<u64>) -> Self {
        ReaderInput { reader, buffer: vec![0; PIECE], left: u64::MAX, length }
    }
}

impl ReaderInput<File> {
    /// The bytes of a part of a file.
    pub fn part(mut file: File, part: Range<u64>) -> io::Result<Self> {
        file.seek(SeekFrom::Start(part.start))?;
        let left = part.end.saturating_sub(part.start);
        Ok(ReaderInput { left, length: Some(left), ..ReaderInput::new(file, None) })
    }
}

impl<R: Read> Input for ReaderInput<R> {
    fn next_piece(&mut self) -> io::Result<Option<&[u8]>> {
        let wanted = PIECE.min(usize::try_from(self.left).unwrap_or(PIECE));
        // The reader may be a pipe, so this returns the available bytes and does not wait until the piece is
        // full.
        let filled = loop {
            match self.reader.read(&mut self.buffer[..wanted]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.left -= filled as u64;
        Ok((filled > 0).then(|| &self.buffer[..filled]))
    }

    fn length(&self) -> Option<u64> {
        self.length
    }
}
