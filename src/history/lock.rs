//! The lock of a history: two monitors of one host must not write to the same folder.

use super::error::{Error, failed};
use super::files::FILE_MODE;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// A lock, until it is dropped or the process ends. The file stays; it has the process id of its last owner.
#[derive(Debug)]
pub(super) struct HistoryLock {
    _file: File,
}

impl HistoryLock {
    /// Takes the lock of a host in a folder.
    pub(super) fn take(root: &Path, path: &Path) -> Result<Self, Error> {
        let flags = OFlags::NOFOLLOW.bits() as i32;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(FILE_MODE).custom_flags(flags);
        let file = options.open(path).map_err(failed("write into", root))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let pid = fs::read_to_string(path).ok().and_then(|pid| pid.trim().parse().ok());
                return Err(Error::InUse { path: root.to_owned(), pid });
            }
            Err(errno) => return Err(failed("lock", path)(errno.into())),
        }
        // The process id is only for the message.
        let _ = file.set_len(0).and_then(|()| file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0));
        Ok(HistoryLock { _file: file })
    }
}

/// Refuses a folder in which another user could exchange files.
pub(super) fn refuse_other_owner(root: &Path) -> Result<(), Error> {
    let owner = fs::metadata(root).map_err(failed("read the owner of", root))?.uid();
    match owner == 0 || owner == nix::unistd::geteuid().as_raw() {
        true => Ok(()),
        false => Err(Error::OtherOwner { path: root.to_owned(), owner }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_refused_with_the_process_id_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".host=h.lock");
        let first = HistoryLock::take(folder.path(), &path).unwrap();
        let refused = HistoryLock::take(folder.path(), &path).unwrap_err();
        let expected = format!("another monitor of this host (process {}) writes to", std::process::id());
        assert!(refused.to_string().starts_with(&expected), "{refused}");
        drop(first);
        assert!(HistoryLock::take(folder.path(), &path).is_ok());
        assert!(refuse_other_owner(folder.path()).is_ok());
    }
}
