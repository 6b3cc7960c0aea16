//! Forbids this process to run any file, and to change any file outside its own folders.
//!
//! Landlock is a part of the kernel since Linux 5.13. A process restricts itself with it, and needs no rights to do
//! so. Without a rule that allows something, everything that the ruleset names is forbidden, for good. Files that are
//! open already stay as they are, so the process can still print. See landlock(7).

use nix::libc;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

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
/// LANDLOCK_ACCESS_FS_EXECUTE.
const EXECUTE: u64 = 1;
/// LANDLOCK_ACCESS_FS_REFER, since version 2: to move a file into another folder.
const REFER: u64 = 1 << 13;
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
        let files = CHANGES | from(2, REFER) | from(3, TRUNCATE);
        let ruleset = Ruleset { files, network: from(4, TCP), scopes: from(6, OTHER_PROCESSES) };
        let fields = match version {
            ..4 => 1,
            4..6 => 2,
            _ => 3,
        };
        (ruleset, fields * size_of::<u64>())
    }
}

/// `struct landlock_path_beneath_attr` of <linux/landlock.h>, which is packed.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// The version of the kernel's Landlock.
///
/// # Errors
/// If the kernel has none.
pub fn version() -> io::Result<libc::c_long> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag, the kernel reads no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<Ruleset>(), 0, VERSION) };
    if version < 1 { Err(io::Error::last_os_error()) } else { Ok(version) }
}

/// Forbids this thread, and all threads and processes that it starts, to change or run any file, to use TCP, and to
/// signal other processes, as far as the kernel can forbid that. The process must have NoNewPrivs.
///
/// # Errors
/// If the kernel has no Landlock. Then nothing is forbidden.
pub fn forbid_changes() -> io::Result<()> {
    forbid_changes_outside(&[])
}

/// The same, except that files in these folders can be changed. Sockets that listen already stay, and accept connections.
///
/// # Errors
/// Also if a folder cannot be opened. Then nothing is forbidden.
pub fn forbid_changes_outside(folders: &[&Path]) -> io::Result<()> {
    let version = version()?;
    let (ruleset, size) = Ruleset::of_version(version);
    // SAFETY: `ruleset` lives during the call, and has at least `size` bytes.
    let created = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const ruleset, size, 0) };
    if created < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    let created = unsafe { OwnedFd::from_raw_fd(created as i32) };
    // Whatever may be done with files, except to run them.
    let allowed = ruleset.files & !EXECUTE;
    for folder in folders {
        let parent = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(folder)?;
        let rule = PathBeneath { allowed, parent: parent.as_raw_fd() };
        const OF_PATH: libc::c_uint = 1;
        // SAFETY: `rule` lives during the call, and is what this type of rule needs.
        let added =
            unsafe { libc::syscall(libc::SYS_landlock_add_rule, created.as_raw_fd(), OF_PATH, &raw const rule, 0) };
        if added < 0 {
            return Err(io::Error::last_os_error());
        }
    }
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
    #[cfg_attr(miri, ignore = "miri does not know Landlock")]
    fn a_folder_that_is_allowed_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let [own, other] = ["own", "other"].map(|name| folder.path().join(name));
        [&own, &other].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        let results = std::thread::scope(|scope| {
            let restricted = scope.spawn(|| {
                rustix::thread::set_no_new_privs(true).unwrap();
                forbid_changes_outside(&[&own]).ok()?;
                std::fs::create_dir(own.join("a")).unwrap();
                std::fs::write(own.join("a/file"), "kept").unwrap();
                std::fs::rename(own.join("a/file"), own.join("moved")).unwrap();
                std::fs::write(own.join("moved"), "again").unwrap();
                std::fs::remove_dir(own.join("a")).unwrap();
                Some([
                    std::fs::write(other.join("file"), "").err(),
                    std::fs::rename(own.join("moved"), other.join("x")).err(),
                ])
            });
            restricted.join().unwrap()
        });
        assert!(results.iter().flatten().all(Option::is_some), "{results:?}");
    }

    #[test]
    fn an_older_kernel_gets_only_what_it_knows() {
        let of = |version| {
            let (Ruleset { files, network, scopes }, size) = Ruleset::of_version(version);
            (files, network, scopes, size)
        };
        assert_eq!(of(1), (0x1ff3, 0, 0, 8));
        assert_eq!(of(2), (0x3ff3, 0, 0, 8));
        assert_eq!(of(3), (0x7ff3, 0, 0, 8));
        assert_eq!(of(4), (0x7ff3, 3, 0, 16));
        assert_eq!(of(7), (0x7ff3, 3, 3, 24));
    }
}
