//! What a source records about threads: the processes and cgroups to which they belong, and their names.

mod chosen;
mod gone;
mod known;
#[cfg(test)]
pub(crate) mod testing;

pub use chosen::ChosenThreads;
pub use gone::GoneCgroups;
pub use known::{KnownThread, KnownThreads};

use crate::events::{Ns, Tid};

/// The most bytes of a thread's name that are kept. The kernel's own limit is 15, and that of its workers 64.
pub const LONGEST_NAME: usize = 64;

/// The most bytes of the path of a cgroup that are kept (PATH_MAX).
pub const LONGEST_PATH: usize = 4096;

/// The number of a cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CgroupId(pub u64);

/// A fact about a thread, and the time from which it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadChange {
    /// The time of the change, by the capture's clock. 0 if it came before the capture.
    pub time: Ns,
    /// The thread.
    pub tid: Tid,
    /// What happened.
    pub what: ThreadFact,
}

/// What happened to a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThreadFact {
    /// It belongs to this process.
    Of(Tid),
    /// It began.
    Forked {
        /// The process to which it belongs: a new one, or that of the thread that forked it.
        process: Tid,
        /// The process that forked it.
        parent: Tid,
        /// The thread that forked it. It has the name of that thread.
        by: Tid,
    },
    /// It has this name from now on: it renamed itself, or executed another program.
    Named(Box<str>),
    /// It is in this cgroup from now on.
    In(CgroupId),
    /// It has ended. Only a recorder that runs for weeks needs this: the kernel fires some events of a thread after its end.
    Ended,
    /// A cgroup has this path. This is no fact about the thread.
    Cgroup {
        /// The cgroup.
        id: CgroupId,
        /// Its path below the root of its hierarchy.
        path: Box<str>,
    },
}
