//! A window: the counts of a stretch of time.

use crate::events::{Ns, Tpid};

/// One window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// Its begin, by the source's clock.
    pub begin: Ns,
    /// Its length in nanoseconds.
    pub ns: u64,
    /// Events by tpid, ascending. Tracepoints without events are omitted.
    pub counts: Vec<(Tpid, u64)>,
    /// Events lost in it, over all tracepoints. The rings date a loss only roughly, so it may belong to the
    /// next window.
    pub lost: u64,
}

impl Window {
    /// All its events.
    pub fn events(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }
}
