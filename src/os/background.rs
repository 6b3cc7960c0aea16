//! Work in the background: a process of its own that gives way to all others.

use rustix::process::{Pid, setpriority_process};
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// The lowest priority.
const LOWEST: i32 = 19;

/// Starts this program again with these arguments, with the lowest priority and without input and output. Ctrl-C does not reach it.
///
/// # Errors
/// If it cannot be started.
pub fn start_again<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let child = command.spawn()?;
    // With the usual priority, it only competes with others.
    let _ = i32::try_from(child.id()).ok().and_then(Pid::from_raw).map(|pid| setpriority_process(Some(pid), LOWEST));
    Ok(child)
}
