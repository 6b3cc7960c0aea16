//! The users who may read the files that tp-perf creates.

use rustix::fs::Mode;

/// The users who may read a new directory and its new files. The umask can take permissions away from both kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Only the owner. A recording shows what the machine did, and the arguments of COMMAND.
    Owner,
    /// All users whom the umask admits, as usual for a file that the user names.
    Umask,
}

impl Readers {
    /// The permissions of a new directory.
    pub(super) fn of_directory(self) -> Mode {
        Mode::from_raw_mode(match self {
            Readers::Owner => 0o700,
            Readers::Umask => 0o777,
        })
    }

    /// The permissions of a new file.
    pub(super) fn of_file(self) -> Mode {
        Mode::from_raw_mode(match self {
            Readers::Owner => 0o600,
            Readers::Umask => 0o666,
        })
    }
}
