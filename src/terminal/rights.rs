//! The fixes for files that tp-perf may not open, because it has given up rights of root.

use super::root::command_of_root_itself;
use crate::os::privileges::{Error, FileRights};

/// The fix for a file that root could open, if tp-perf has given up the right to do so.
pub(super) fn of_file(rights: FileRights) -> Option<String> {
    match rights {
        FileRights::Own => None,
        FileRights::OfInvoker(user) => Some(format!(
            "; under sudo, tp-perf opens files as {user}: choose a place that is open to this user, or run it as root itself: \
             `{}`",
            command_of_root_itself()
        )),
        FileRights::OfRootAsOwner => Some(
            "; a capture gives up root's right to open the files of others: choose a place that belongs to root, or let \
             the owner run it with sudo"
                .to_owned(),
        ),
    }
}

/// The fix for rights that tp-perf could not give up.
pub(super) fn of_error(error: &Error) -> Option<String> {
    Some(match error {
        Error::SetUserId => ": remove the bit (`chmod u-s,g-s`), and run it with sudo".to_owned(),
        Error::Variable { .. } | Error::Become { .. } => {
            format!("; to run it as root itself: `{}`", command_of_root_itself())
        }
        Error::GiveUp(_) => return None,
    })
}
