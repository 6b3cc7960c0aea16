//! Options of every subcommand that are about the user, not about the work.

/// How much a subcommand prints, and whether it waits for the detach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// Print no progress, no notices, and no text for people.
    pub quiet: bool,
    /// Wait until the kernel has detached all tracepoints. Otherwise, detaching continues in the background.
    pub wait_detach: bool,
    /// The changes that tp-perf made to the user's request, one sentence each.
    pub adjustments: Vec<String>,
}

impl Manner {
    /// For a subcommand that only reads, and attaches to nothing.
    pub fn reading(quiet: bool) -> Self {
        Manner { quiet, ..Manner::default() }
    }
}
