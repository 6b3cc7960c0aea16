//! Standard output, if this process was started with one that can be written.
//!
//! Rust's runtime opens `/dev/null` in place of a standard stream that is closed, and takes a failed write to a stream that is
//! open only for reading as a success. So results would vanish without an error. This module looks at standard output before
//! the runtime does.

use nix::libc;
use std::io::{self, Stdout};
use std::sync::atomic::{AtomicI32, Ordering};

/// The flags of standard output at the start, or -1 if it was closed.
static FLAGS: AtomicI32 = AtomicI32::new(libc::O_RDWR);

/// The dynamic linker calls this function before `main`, and so before Rust's runtime starts.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: fcntl with F_GETFL has no precondition: it fails if the descriptor is closed, and changes nothing.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFL) };
    FLAGS.store(flags, Ordering::Relaxed);
}

/// Standard output.
///
/// # Errors
/// If it was closed when this process started, or open only for reading.
pub fn stdout() -> io::Result<Stdout> {
    match FLAGS.load(Ordering::Relaxed) {
        -1 => Err(io::Error::new(io::ErrorKind::NotConnected, "standard output is closed")),
        flags if flags & libc::O_PATH != 0 || flags & libc::O_ACCMODE == libc::O_RDONLY => {
            Err(io::Error::new(io::ErrorKind::NotConnected, "standard output is open only for reading"))
        }
        _ => Ok(io::stdout()),
    }
}
