//! The file of a spool.

use crate::perf_data::Compressor;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// The number of bytes that stay free on a full disk for the other files of the recording.
const SPARED: u64 = 64 << 10;

/// A file that grows. After a failed write, it takes no more. The part of that write that fit on the disk
/// stays, except for [`SPARED`] bytes, which the other files need.
pub(super) struct SpoolFile {
    file: File,
    length: u64,
    compressor: Option<Compressor>,
    /// The number of bytes still to be written uncompressed: the rest of the head.
    plain: usize,
    compressed: Vec<u8>,
    failed: Option<io::ErrorKind>,
}

impl SpoolFile {
    /// Starts an empty file. Without compression, it is written with O_DIRECT if the filesystem allows it.
    /// Writing page by page through the page cache costs several times as much, and fires more tracepoints.
    pub fn new(file: File, compress: bool, head: usize) -> io::Result<Self> {
        let compressor = if compress { Some(Compressor::new()?) } else { None };
        let mut file = SpoolFile { file, length: 0, compressor, plain: head, compressed: Vec::new(), failed: None };
        file.set_direct(!compress);
        Ok(file)
    }

    /// The length in bytes up to the end of the last successful write.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends two pieces.
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

    /// Ends O_DIRECT, so that writes of any length are possible.
    pub fn end_direct(&mut self) {
        self.set_direct(false);
    }

    /// Rewinds the file for reading.
    pub fn into_reader(mut self) -> io::Result<File> {
        self.set_direct(false);
        self.file.seek(SeekFrom::Start(0))?;
        Ok(self.file)
    }

    /// Switches O_DIRECT on or off. Some filesystems refuse it; the file is then written through the page
    /// cache.
    fn set_direct(&mut self, direct: bool) {
        if let Ok(flags) = fcntl(&self.file, FcntlArg::F_GETFL) {
            let mut flags = OFlag::from_bits_retain(flags);
            flags.set(OFlag::O_DIRECT, direct);
            let _ = fcntl(&self.file, FcntlArg::F_SETFL(flags));
        }
    }
}
