//! A new file that gets its name only when it is complete.

use super::{Error, Folder};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::PathBuf;

/// A file that is being written. If it is dropped before it is finished, it is removed.
#[derive(Debug)]
pub struct NewFile<'a> {
    directory: &'a Folder,
    name: String,
    file: File,
    finished: bool,
}

impl<'a> NewFile<'a> {
    pub(super) fn new(directory: &'a Folder, name: &str, file: File) -> Self {
        NewFile { directory, name: name.to_owned(), file, finished: false }
    }

    /// Finishes the file. [`Folder::commit`] then gives it its name.
    pub fn finish(mut self) {
        self.finished = true;
        self.directory.finished(self.name.clone());
    }

    /// Waits until the file is on the disk. A file system over the network may report only then that it is full.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_all().map_err(|cause| Error::Io { verb: "write", path: self.path(), cause })
    }

    /// Reserves room on the disk for this many bytes. Returns false if the filesystem cannot do that.
    ///
    /// # Errors
    /// If the disk does not have that much room.
    pub fn reserve(&mut self, bytes: u64) -> Result<bool, Error> {
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, bytes.min(i64::MAX as u64)) {
            Ok(()) => Ok(true),
            Err(errno @ (Errno::NOSPC | Errno::DQUOT)) => {
                Err(Error::Io { verb: "reserve room for", path: self.path(), cause: errno.into() })
            }
            Err(_) => Ok(false),
        }
    }

    /// Truncates the file to this length in bytes. Writing continues from there.
    pub fn cut(&mut self, length: u64) -> Result<(), Error> {
        self.change("truncate", |file| {
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length)).map(drop)
        })
    }

    /// The length of the file in bytes, which is correct even after a failed write.
    pub fn length(&self) -> Result<u64, Error> {
        let metadata = self.file.metadata();
        metadata.map(|metadata| metadata.len()).map_err(|cause| Error::Io {
            verb: "read the length of",
            path: self.path(),
            cause,
        })
    }

    /// Writes all of `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.change("write", |file| file.write_all(bytes))
    }

    /// Writes what `write` writes, piece by piece, and returns the number of bytes.
    pub fn write_with(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<u64, Error> {
        let mut written = 0;
        self.change("write", |file| {
            let begin = file.stream_position()?;
            let mut out = BufWriter::new(&mut *file);
            write(&mut out)?;
            out.flush()?;
            drop(out);
            written = file.stream_position()? - begin;
            Ok(())
        })?;
        Ok(written)
    }

    fn change(&mut self, verb: &'static str, change: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), Error> {
        change(&mut self.file).map_err(|cause| Error::Io { verb, path: self.path(), cause })
    }

    /// The file, for a writer that must own one. It writes where this one does.
    ///
    /// # Errors
    /// If the process has too many open files.
    pub fn descriptor(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(|cause| Error::Io { verb: "open", path: self.path(), cause })
    }

    /// The final path.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.directory.discard(&self.name);
        }
    }
}
