//! The readers between a source and its parser.

use crate::control::wait_for_any;
use crate::perf_data::ZstdWindow;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

/// Reads data when it arrives, until a signal arrives.
pub(super) struct Awaited {
    pub file: File,
    pub wake: Vec<OwnedFd>,
}

impl Read for Awaited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let descriptors = self.wake.iter().map(AsFd::as_fd).chain([self.file.as_fd()]);
            let ready = wait_for_any(descriptors, None)?;
            // The wait may also end without data: when a signal arrives, its handler writes to a descriptor.
            if ready[..self.wake.len()].contains(&true) {
                return Err(io::Error::other("interrupted while waiting for more"));
            }
            if ready.last() == Some(&true) {
                match self.file.read(buffer) {
                    // Another reader took the data.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
        }
    }
}

/// The data that zstd decompresses.
pub(super) struct Unpacked<R: io::BufRead> {
    pub decoder: zstd::Decoder<'static, R>,
    pub _window: ZstdWindow,
    pub given: u64,
}

impl<R: io::BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(buffer).map_err(|error| {
            let message = format!("the decompressed data ends after {} bytes: {error}", self.given);
            io::Error::new(error.kind(), message)
        })?;
        self.given += read as u64;
        Ok(read)
    }
}

/// Counts the bytes that were read.
pub(super) struct Metered<R> {
    pub reader: R,
    pub taken: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.taken.set(self.taken.get() + read as u64);
        Ok(read)
    }
}
