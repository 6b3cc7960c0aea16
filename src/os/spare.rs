//! The descriptors that tp-perf itself needs, whatever it does.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;
use std::os::fd::AsFd;
use std::sync::OnceLock;

/// The signals take a dozen, and the files of a report or a library as many. The events of a capture come in addition.
pub const OWN_DESCRIPTORS: u64 = 32;

/// Too few descriptors are free for tp-perf itself, and the limit cannot be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "tp-perf itself needs {OWN_DESCRIPTORS} file descriptors, and this process can open only {free} (the limit is {limit})"
)]
pub struct FewDescriptors {
    /// The number of descriptors that are free.
    pub free: u64,
    /// The limit to which every user can raise the number of descriptors.
    pub limit: u64,
}

/// The limits with which the process was started, if [`make_room`] has raised them.
static AT_START: OnceLock<(u64, u64)> = OnceLock::new();

/// Checks that [`OWN_DESCRIPTORS`] descriptors are free, and raises the soft limit if they are not.
///
/// # Errors
/// [`FewDescriptors`] if the hard limit does not allow that.
pub fn make_room() -> Result<(), FewDescriptors> {
    let free = free();
    if free == OWN_DESCRIPTORS {
        return Ok(());
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
    let wanted = soft.saturating_add(OWN_DESCRIPTORS - free);
    if wanted <= hard && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
        AT_START.get_or_init(|| (soft, hard));
        return Ok(());
    }
    Err(FewDescriptors { free, limit: hard })
}

/// The soft and the hard limit that COMMAND gets: those with which this process was started. `None` if nothing has changed
/// them.
pub fn limits_at_start() -> Option<(u64, u64)> {
    AT_START.get().copied()
}

/// How many descriptors are free, up to [`OWN_DESCRIPTORS`]. Descriptors that are already open count against the limit, so the
/// limit alone does not show this.
fn free() -> u64 {
    let duplicates = (0..OWN_DESCRIPTORS).map_while(|_| io::stdin().as_fd().try_clone_to_owned().ok());
    duplicates.collect::<Vec<_>>().len() as u64
}
