//! How a command behaves towards its user.

/// How much a command shows, and what it waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// Show no progress, no notices, and no text for people.
    pub quiet: bool,
    /// Wait until the kernel has detached all tracepoints, instead of leaving that to the background.
    pub wait_detach: bool,
    /// What was changed in what the user asked for: a sentence each.
    pub adjustments: Vec<String>,
}

impl Manner {
    /// Of a command that attaches nothing.
    pub fn reading(quiet: bool) -> Self {
        Manner { quiet, ..Manner::default() }
    }
}
