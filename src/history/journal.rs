//! The journal: the windows of the current hour, appended one by one.

use super::error::{Error, failed};
use super::files::new_file;
use super::journal_reader::Scanned;
use super::layout::HourPart;
use crate::events::Ns;
use rustix::fs::OFlags;
use std::fs::File;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    /// The bytes of all whole frames.
    length: u64,
    pub(super) hour: HourPart,
    /// The begin of the last window.
    pub(super) last: Option<Ns>,
}

impl Journal {
    /// Makes a new journal with a header.
    pub(super) fn create(path: PathBuf, hour: HourPart, header: &[u8]) -> Result<Self, Error> {
        let file = new_file(&path).map_err(failed("create", &path))?;
        let mut journal = Journal { file, path, length: 0, hour, last: None };
        let written = journal.append(header);
        if written.is_err() {
            // Without a header, the file says nothing.
            let _ = std::fs::remove_file(&journal.path);
        }
        written.map(|()| journal)
    }

    /// Continues a journal behind its last whole frame.
    pub(super) fn go_on(path: PathBuf, hour: HourPart, read: &Scanned) -> Result<Self, Error> {
        let flags = OFlags::NOFOLLOW.bits() as i32;
        let file = File::options().write(true).custom_flags(flags).open(&path).map_err(failed("open", &path))?;
        file.set_len(read.whole).map_err(failed("truncate", &path))?;
        Ok(Journal { file, path, length: read.whole, hour, last: read.last })
    }

    /// Appends a frame. After an error, the next frame takes the place of this one.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<(), Error> {
        if let Err(error) = self.file.write_all_at(frame, self.length) {
            let _ = self.file.set_len(self.length);
            return Err(failed("write", &self.path)(error));
        }
        self.length += frame.len() as u64;
        Ok(())
    }
}
