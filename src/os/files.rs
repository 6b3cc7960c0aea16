//! Opening files that anybody may have made.

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use std::fs::{self, File};
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
/// If the file cannot be created, or is a FIFO that nobody reads. [`Errno::LOOP`] for a symbolic link, unless it leads to a
/// FIFO or a device, as `/dev/stdout` does.
pub fn open_to_write(path: &Path) -> io::Result<File> {
    let open = |flags: OFlags| {
        let flags = (OFlags::NONBLOCK | flags).bits() as i32;
        File::options().write(true).create(true).truncate(true).custom_flags(flags).open(path)
    };
    let is_loop = |error: &io::Error| Errno::from_io_error(error) == Some(Errno::LOOP);
    let file = match open(OFlags::NOFOLLOW) {
        Err(error) if is_loop(&error) && fs::metadata(path).is_ok_and(|target| !target.is_file()) => {
            open(OFlags::empty())
        }
        file => file,
    };
    let file = file.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) => io::Error::new(io::ErrorKind::NotConnected, "nobody reads this FIFO or device"),
        _ => error,
    })?;
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}
