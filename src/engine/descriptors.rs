//! Descriptors: computes how many a capture needs, and raises the limit to that number.

use super::Error;
use super::groups::leaders_needed;
use crate::os::limits::{Capabilities, DescriptorLimit};
use crate::os::spare::limits_at_start;
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use std::fs;

/// Descriptors that a capture needs besides its events: files, pipes, tracefs, COMMAND's pipes, and the connections of `monitor`.
pub const RESERVED_DESCRIPTORS: u64 = 128;

/// The most members of a small group. More would make each visit slow.
pub const MOST_MEMBERS: usize = 128;
/// The most events on a CPU that moving tracepoints opens: two small groups with their leaders.
pub(super) const MOST_MOVED: usize = 2 * (MOST_MEMBERS + 1);

/// The number of descriptors that a capture needs: one per tracepoint and one per group leader on each CPU,
/// plus [`RESERVED_DESCRIPTORS`].
pub fn descriptors_needed(tracepoints: usize, cpus: usize) -> u64 {
    (tracepoints + leaders_needed(tracepoints)) as u64 * cpus as u64 + RESERVED_DESCRIPTORS
}

/// Raises RLIMIT_NOFILE to the number that this capture needs. Returns the limits `(soft, hard)` from before,
/// capped at fs.nr_open.
///
/// # Errors
/// [`Error::TooFewDescriptors`] if the limit cannot be raised that far.
pub fn raise_descriptor_limit(tracepoints: usize, cpus: usize) -> Result<(u64, u64), Error> {
    let limit = DescriptorLimit::read();
    // Descriptors that are already open, some of them inherited, count too.
    let open = fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64);
    let needed = descriptors_needed(tracepoints, cpus) + open;
    if needed > limit.soft {
        let refused = |allowed| Error::TooFewDescriptors { needed, allowed, tracepoints, cpus };
        let reachable = limit.reachable(Capabilities::of_this_process());
        if needed > reachable {
            return Err(refused(reachable));
        }
        // The kernel refuses a hard limit above fs.nr_open, even if that limit already applies.
        match setrlimit(Resource::RLIMIT_NOFILE, needed, limit.hard.min(limit.nr_open).max(needed)) {
            Ok(()) => {}
            // The capability has no effect in a user namespace, as in a container.
            Err(Errno::EPERM) => return Err(refused(limit.hard)),
            Err(_) => return Err(refused(limit.soft)),
        }
    }
    // Capped, because these limits are set again later, and the kernel refuses a hard limit above fs.nr_open.
    let (soft, hard) = limits_at_start().unwrap_or((limit.soft, limit.hard));
    Ok((soft.min(limit.nr_open), hard.min(limit.nr_open)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tracepoint_needs_a_descriptor_on_every_cpu() {
        assert_eq!(descriptors_needed(1568, 2), 2 * (1568 + 8) + RESERVED_DESCRIPTORS);
    }

    #[test]
    fn too_many_descriptors_are_refused_and_the_error_has_the_numbers() {
        let error = raise_descriptor_limit(1 << 20, 1 << 10).unwrap_err().to_string();
        assert!(error.contains("1048576 tracepoints on 1024 CPUs"), "{error}");
    }
}
