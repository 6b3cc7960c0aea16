//! The fixes for files that tp-perf may not open, because it has given up rights of root.

use super::root::command_of_root_itself;
use crate::os::privileges::{Error, FileRights};

/// The fix for a file that root could open, if tp-perf has given up the right to do so.
pub(super) fn of_file(rights: FileRights) -> Option<String> {
    match rights {
        FileRights::Own => None,
        FileRights::OfInvoker(user) => Some(format!(
            "; under sudo, tp-perf opens files with the rights of {user}: choose a file or directory that this user may use, or \
             run tp-perf without these limits: `{}`",
            command_of_root_itself()
        )),
        FileRights::OfRootAsOwner => Some(
            "; during a capture, root may open only its own files: choose a directory that belongs to root, or write as its \
             owner (`SUDO_UID=UID SUDO_GID=GID tp-perf …`)"
                .to_owned(),
        ),
    }
}

/// The fix for rights that tp-perf could not give up.
pub(super) fn of_error(error: &Error) -> Option<String> {
    Some(match error {
        Error::SetUserId => ": remove the bit (`chmod u-s,g-s FILE`), and run tp-perf with sudo".to_owned(),
        Error::Variable { .. } | Error::Become { .. } => {
            format!("; to run tp-perf as root without it: `{}`", command_of_root_itself())
        }
        Error::GiveUp(_) => return None,
    })
}
