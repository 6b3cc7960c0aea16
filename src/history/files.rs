//! Files and folders of a history: their permissions, and how they are opened.

use super::error::{Error, failed};
use rustix::fs::OFlags;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The permissions of new folders, before the umask.
const FOLDER_MODE: u32 = 0o750;

/// Makes a folder and those above it.
pub(super) fn make_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(failed("create the folder", path))
}

/// The permissions of new files, before the umask: a history shows what the machine did, so it is not for everyone.
pub(super) const FILE_MODE: u32 = 0o640;

/// Makes a new file. No file and no link may have its name.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Opens a file for reading. Follows no link in its place, and does not wait for the writer of a FIFO.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits() as i32).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
    }
}
