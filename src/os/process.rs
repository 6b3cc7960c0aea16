//! Facts about this process, and how it starts others.

use nix::libc;
use nix::sys::resource::{Resource, setrlimit};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The page size in bytes.
pub fn page_size() -> usize {
    // SAFETY: sysconf only reads.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).expect("the system has a page size")
}

/// Makes `command` start with this descriptor limit `(soft, hard)` instead of the raised limit of this
/// process.
pub fn start_with_nofile_limit(command: &mut Command, (soft, hard): (u64, u64)) {
    // SAFETY: the closure makes one system call and nothing else, which is allowed between fork and exec.
    unsafe { command.pre_exec(move || Ok(setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?)) };
}
