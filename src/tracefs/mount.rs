//! Finds tracefs, or mounts it in a way that changes nothing on the system.

use super::Error;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, UnmountFlags, fsconfig_create, fsmount, fsopen, mount,
    unmount,
};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::{fs, io};

const USUAL_PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// tracefs, readable as long as this value lives.
#[derive(Debug)]
pub struct Tracefs {
    root: PathBuf,
    origin: Origin,
    mounted: Mounted,
}

/// How tracefs became readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was mounted already.
    Found,
    /// A detached mount of this process. It is in no mount table, and ends with the process.
    Detached,
    /// Mounted at `/sys/kernel/tracing` as long as it is needed, because the kernel has no fsopen(2) (before Linux 5.2).
    Plain,
}

/// The mount to undo when tracefs is no longer needed.
#[derive(Debug)]
enum Mounted {
    NotByUs,
    Detached { _mount: OwnedFd },
    Plain(PathBuf),
}

impl Tracefs {
    /// Finds the mounted tracefs. If there is none, makes a detached mount.
    pub fn open() -> Result<Self, Error> {
        match found()? {
            Some(root) => Ok(Tracefs { root, origin: Origin::Found, mounted: Mounted::NotByUs }),
            None => Self::mount(),
        }
    }

    fn mount() -> Result<Self, Error> {
        let failed = |step| move |errno: rustix::io::Errno| Error::Mount { step, cause: errno.into() };
        let context = match fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC) {
            Ok(context) => context,
            Err(rustix::io::Errno::NOSYS) => return Self::mount_plain(),
            Err(errno) => return Err(failed("fsopen")(errno)),
        };
        fsconfig_create(&context).map_err(failed("fsconfig"))?;
        let attributes =
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(failed("fsmount"))?;
        // A detached mount has no path. procfs has one for its descriptor.
        let root = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
        if fs::symlink_metadata(&root).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(Error::NoProc);
        }
        Ok(Tracefs { root, origin: Origin::Detached, mounted: Mounted::Detached { _mount: mount } })
    }

    fn mount_plain() -> Result<Self, Error> {
        let root = PathBuf::from(USUAL_PLACES[0]);
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("nodev", &root, "tracefs", flags, None)
            .map_err(|errno| Error::Mount { step: "mount", cause: errno.into() })?;
        Ok(Tracefs { mounted: Mounted::Plain(root.clone()), root, origin: Origin::Plain })
    }

    /// The directory that holds `events`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How it became readable.
    pub fn origin(&self) -> Origin {
        self.origin
    }
}

impl Drop for Tracefs {
    fn drop(&mut self) {
        if let Mounted::Plain(root) = &self.mounted {
            // An error has no receiver here. A busy mount stays, as if the system had mounted it.
            let _ = unmount(root, UnmountFlags::DETACH);
        }
    }
}

/// The place where tracefs is already mounted, if any. A mounted tracefs that this user may not read is an error: the kernel
/// would refuse another mount as well, with a less helpful reason.
fn found() -> Result<Option<PathBuf>, Error> {
    let mounted = mount_points(&fs::read_to_string("/proc/self/mounts").unwrap_or_default());
    for root in USUAL_PLACES.iter().map(PathBuf::from).chain(mounted.iter().cloned()) {
        let events = root.join("events");
        match fs::read_dir(&events) {
            Ok(_) => return Ok(Some(root)),
            Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied && mounted.contains(&root) => {
                return Err(Error::Read { path: events, cause });
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// The mount points of tracefs in the text of `/proc/self/mounts`, which writes white space in octal.
fn mount_points(mounts: &str) -> Vec<PathBuf> {
    let point = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (path, kind) = (fields.next()?, fields.next()?);
        (kind == "tracefs").then(|| PathBuf::from(path.replace("\\040", " ").replace("\\011", "\t")))
    };
    mounts.lines().filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_of_tracefs_are_found_in_the_mount_table() {
        let mounts = "proc /proc proc rw 0 0\nnone /tmp/a\\040b tracefs rw 0 0\ntracefs /sys/kernel/tracing tracefs rw 0 0\nbad\n";
        let expected = ["/tmp/a b", "/sys/kernel/tracing"].map(PathBuf::from);
        assert_eq!(mount_points(mounts), expected);
    }
}
