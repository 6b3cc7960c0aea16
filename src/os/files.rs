//! Opening files that anybody may have made.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens a file for reading. It does not wait for the writer of a FIFO: the wait would not end at a signal. So a FIFO without
/// a writer has no data yet, and reading it before its writer comes gives an empty file; wait with `poll` first. Reading it
/// can fail with [`io::ErrorKind::WouldBlock`].
pub fn open_to_read(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)
}

/// Creates a file for writing, or empties the one that is there. It does not wait for the reader of a FIFO: the wait would not
/// end at a signal. Writing waits as usual.
///
/// # Errors
/// If the file cannot be created, or is a FIFO that nobody reads.
pub fn open_to_write(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file = File::options().write(true).create(true).truncate(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) => io::Error::new(io::ErrorKind::NotConnected, "nobody reads this FIFO or device"),
        _ => error,
    })?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}
