//! Opening files that anybody may have made.

use rustix::fs::OFlags;
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
