//! Standard output, if this process was started with one.
//!
//! Rust's runtime opens `/dev/null` in place of a standard stream that is closed. So results would vanish without an error.
//! This module looks at standard output before the runtime does.

use nix::libc;
use std::io::{self, Stdout};
use std::sync::atomic::{AtomicBool, Ordering};

static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// The dynamic linker calls this function before `main`, and so before Rust's runtime starts.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = look;

extern "C" fn look() {
    // SAFETY: fcntl with F_GETFD has no precondition: it fails if the descriptor is closed, and changes nothing.
    let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
    WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
}

/// Standard output.
///
/// # Errors
/// If it was closed when this process started.
pub fn stdout() -> io::Result<Stdout> {
    match WAS_CLOSED.load(Ordering::Relaxed) {
        true => Err(io::Error::new(io::ErrorKind::NotConnected, "standard output is closed")),
        false => Ok(io::stdout()),
    }
}
