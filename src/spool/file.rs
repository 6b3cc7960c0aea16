//! The file that a spool's bytes go to.

use crate::perf_data::Compressor;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// What a full disk must have left for the other files of the recording, in bytes.
const SPARED: u64 = 64 << 10;

/// A file that grows. A write that fails is its last: what of it fits stays, but for a little that other files need.
pub(super) struct SpoolFile {
    file: File,
    length: u64,
    compressor: Option<Compressor>,
    /// How much of what is to come stands as it is before anything is compressed: the head.
    plain: usize,
    compressed: Vec<u8>,
    failed: Option<io::ErrorKind>,
}

impl SpoolFile {
    /// An empty file. Where nothing is compressed it is written past the page cache, if the filesystem lets it: page by page
    /// through the cache costs several times as much, and wakes more of the kernel.
    pub fn new(file: File, compress: bool, head: usize) -> io::Result<Self> {
        let compressor = if compress { Some(Compressor::new()?) } else { None };
        let mut file = SpoolFile { file, length: 0, compressor, plain: head, compressed: Vec::new(), failed: None };
        file.set_direct(!compress);
        Ok(file)
    }

    /// How long it is in bytes, up to the end of the last write that did not fail.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends the two pieces.
    pub fn write(&mut self, pieces: [&[u8]; 2]) -> io::Result<()> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        let result = match &mut self.compressor {
            Some(compressor) => {
                self.compressed.clear();
                for piece in pieces {
                    let (plain, rest) = piece.split_at(self.plain.min(piece.len()));
                    self.compressed.extend_from_slice(plain);
                    self.plain -= plain.len();
                    compressor.push(rest, &mut self.compressed)?;
                }
                self.file.write_all(&self.compressed).map(|()| self.compressed.len())
            }
            None => {
                let written = pieces.iter().try_for_each(|piece| self.file.write_all(piece));
                written.map(|()| pieces.iter().map(|piece| piece.len()).sum())
            }
        };
        match result {
            Ok(bytes) => self.length += bytes as u64,
            Err(error) => {
                self.failed = Some(error.kind());
                let fitted = self.file.metadata()?.len();
                self.file.set_len(fitted.saturating_sub(SPARED).max(self.length))?;
                return Err(error);
            }
        }
        Ok(())
    }

    /// From now on writes of any length at any place.
    pub fn end_direct(&mut self) {
        self.set_direct(false);
    }

    /// From its start again, to be read.
    pub fn into_reader(mut self) -> io::Result<File> {
        self.set_direct(false);
        self.file.seek(SeekFrom::Start(0))?;
        Ok(self.file)
    }

    /// Some filesystems refuse it, and then do without.
    fn set_direct(&mut self, direct: bool) {
        if let Ok(flags) = fcntl(&self.file, FcntlArg::F_GETFL) {
            let mut flags = OFlag::from_bits_retain(flags);
            flags.set(OFlag::O_DIRECT, direct);
            let _ = fcntl(&self.file, FcntlArg::F_SETFL(flags));
        }
    }
}
