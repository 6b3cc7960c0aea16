//! Bytes from anywhere, piece by piece: what the decoders read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// Bytes read at once: enough to make the system calls few, and little enough to stay in a CPU's cache.
const PIECE: usize = 512 << 10;

/// Where bytes come from, in pieces of any length.
pub trait Input {
    /// The next piece, or `None` at the end.
    fn next_piece(&mut self) -> io::Result<Option<&[u8]>>;

    /// How many bytes there will be, if that is known.
    fn length(&self) -> Option<u64> {
        None
    }
}

/// What a reader gives.
pub struct ReaderInput<R> {
    reader: R,
    buffer: Vec<u8>,
    left: u64,
    length: Option<u64>,
}

impl<R: Read> ReaderInput<R> {
    /// All of it. `length` is how much that is, if that is known.
    pub fn new(reader: R, length: Option<u64>) -> Self {
        ReaderInput { reader, buffer: vec![0; PIECE], left: u64::MAX, length }
    }
}

impl ReaderInput<File> {
    /// A part of a file.
    pub fn part(mut file: File, part: Range<u64>) -> io::Result<Self> {
        file.seek(SeekFrom::Start(part.start))?;
        let left = part.end.saturating_sub(part.start);
        Ok(ReaderInput { left, length: Some(left), ..ReaderInput::new(file, None) })
    }
}

impl<R: Read> Input for ReaderInput<R> {
    fn next_piece(&mut self) -> io::Result<Option<&[u8]>> {
        let wanted = PIECE.min(usize::try_from(self.left).unwrap_or(PIECE));
        // What is there is given, and not waited for to become more: it may come from a pipe.
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
