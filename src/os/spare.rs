//! The descriptors that tp-perf itself needs, whatever it does.

use nix::sys::resource::{Resource, getrlimit};
use std::io;
use std::os::fd::AsFd;

/// The signals take more than a dozen, and the files of a report or a library as many. The events of a capture come in addition.
pub const OWN_DESCRIPTORS: usize = 32;

/// Too few descriptors are free for tp-perf itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "tp-perf itself needs {OWN_DESCRIPTORS} file descriptors, and this process can open only {free} (the limit is {soft})"
)]
pub struct FewDescriptors {
    /// The number of descriptors that are free.
    pub free: usize,
    /// The limit that applies.
    pub soft: u64,
    /// The limit to which every user can raise it.
    pub hard: u64,
}

/// Checks that [`OWN_DESCRIPTORS`] descriptors are free. Descriptors that are already open count against the limit, so
/// the limit alone does not show this.
///
/// # Errors
/// [`FewDescriptors`] if fewer are free.
pub fn check_spare_descriptors() -> Result<(), FewDescriptors> {
    let duplicates = (0..OWN_DESCRIPTORS).map_while(|_| io::stdin().as_fd().try_clone_to_owned().ok());
    let free = duplicates.collect::<Vec<_>>().len();
    if free == OWN_DESCRIPTORS {
        return Ok(());
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
    Err(FewDescriptors { free, soft, hard })
}
