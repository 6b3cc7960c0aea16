//! Facts about this process, and how it starts others.

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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

/// The end of another process, to wait for. Its descriptor polls readable once the process has ended.
#[derive(Debug)]
pub struct ProcessEnd(OwnedFd);

impl ProcessEnd {
    /// Whether the process has ended.
    pub fn has_come(&self) -> io::Result<bool> {
        let mut polled = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut polled, PollTimeout::ZERO)? > 0)
    }
}

impl AsFd for ProcessEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The end of the process with this number.
///
/// # Errors
/// If no process has this number, or if it is the number of a thread that is not the first one of its process.
pub fn end_of_process(pid: u32) -> io::Result<ProcessEnd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    Ok(ProcessEnd(pidfd_open(pid, PidfdFlags::empty())?))
}
