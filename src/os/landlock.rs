//! Forbids this process to change or run any file, for commands that only read and print.
//!
//! Landlock is a part of the kernel since Linux 5.13. A process restricts itself with it, and needs no rights to do
//! so. Without a rule that allows something, everything that the ruleset names is forbidden, for good. Files that are
//! open already stay as they are, so the process can still print. See landlock(7).

use nix::libc;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `struct landlock_ruleset_attr` of <linux/landlock.h>: bit masks of what is forbidden.
#[repr(C)]
struct Ruleset {
    files: u64,
    network: u64,
    scopes: u64,
}

/// All changes of files and folders, and execution: each LANDLOCK_ACCESS_FS_… up to MAKE_SYM, except READ_FILE (bit 2)
/// and READ_DIR (bit 3).
const CHANGES: u64 = (1 << 13) - 1 - (1 << 2) - (1 << 3);
/// LANDLOCK_ACCESS_FS_TRUNCATE.
const TRUNCATE: u64 = 1 << 14;
/// LANDLOCK_ACCESS_NET_BIND_TCP and LANDLOCK_ACCESS_NET_CONNECT_TCP.
const TCP: u64 = 3;
/// LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and LANDLOCK_SCOPE_SIGNAL.
const OTHER_PROCESSES: u64 = 3;

impl Ruleset {
    /// Everything that this version of Landlock can forbid, and the size of the structure in that version.
    fn of_version(version: libc::c_long) -> (Self, usize) {
        let from = |first: libc::c_long, mask| if version >= first { mask } else { 0 };
        let files = CHANGES | from(3, TRUNCATE);
        let ruleset = Ruleset { files, network: from(4, TCP), scopes: from(6, OTHER_PROCESSES) };
        let fields = match version {
            ..4 => 1,
            4..6 => 2,
            _ => 3,
        };
        (ruleset, fields * size_of::<u64>())
    }
}

/// Forbids this thread, and all threads and processes that it starts, to change or run any file, to use TCP, and to
/// signal other processes, as far as the kernel can forbid that. The process must have NoNewPrivs.
///
/// # Errors
/// If the kernel has no Landlock. Then nothing is forbidden.
pub fn forbid_changes() -> io::Result<()> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag, the kernel reads no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0, VERSION) };
    if version < 1 {
        return Err(io::Error::last_os_error());
    }
    let (ruleset, size) = Ruleset::of_version(version);
    // SAFETY: `ruleset` lives during the call, and has at least `size` bytes.
    let created = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const ruleset, size, 0) };
    if created < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    let created = unsafe { OwnedFd::from_raw_fd(created as i32) };
    // SAFETY: the call takes numbers only.
    match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, created.as_raw_fd(), 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "miri does not know Landlock")]
    fn a_restricted_thread_reads_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
        std::fs::write(&old, "kept").unwrap();
        // The restriction is that of one thread, so the other tests go on as before.
        let denied = std::thread::scope(|scope| {
            let restricted = scope.spawn(|| {
                rustix::thread::set_no_new_privs(true).unwrap();
                forbid_changes().ok()?;
                assert_eq!(std::fs::read_to_string(&old).unwrap(), "kept");
                Some([
                    std::fs::write(&old, "").err(),
                    std::fs::write(&new, "").err(),
                    std::fs::remove_file(&old).err(),
                    std::fs::rename(&old, &new).err(),
                    std::fs::create_dir(&new).err(),
                    std::process::Command::new("/bin/true").spawn().err(),
                ])
            });
            restricted.join().unwrap()
        });
        // A kernel without Landlock has nothing to test.
        for error in denied.iter().flatten() {
            assert_eq!(error.as_ref().map(io::Error::kind), Some(io::ErrorKind::PermissionDenied), "{error:?}");
        }
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "kept");
    }

    #[test]
    fn an_older_kernel_gets_only_what_it_knows() {
        let of = |version| {
            let (Ruleset { files, network, scopes }, size) = Ruleset::of_version(version);
            (files, network, scopes, size)
        };
        assert_eq!(of(1), (0x1ff3, 0, 0, 8));
        assert_eq!(of(3), (0x5ff3, 0, 0, 8));
        assert_eq!(of(4), (0x5ff3, 3, 0, 16));
        assert_eq!(of(7), (0x5ff3, 3, 3, 24));
    }
}
