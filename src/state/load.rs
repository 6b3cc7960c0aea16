//! What a machine did beside the state that a session shows.

use serde::{Deserialize, Serialize};

/// What a machine did while it was watched. The times are summed over all CPUs, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLoad {
    /// The time that all CPUs had.
    pub cpus_ns: u64,
    /// The time in which the hypervisor let another machine run instead.
    pub stolen_ns: u64,
    /// The time of other programs than COMMAND and tp-perf; null if no COMMAND was watched.
    pub others_ns: Option<u64>,
}

impl SessionLoad {
    /// A larger part of stolen time changes the counts.
    const MOST_STOLEN: f64 = 0.01;
    /// So much of one CPU for other programs changes the counts.
    const MOST_OTHERS: f64 = 0.05;

    /// The part of the time that was stolen, if that is too much.
    pub fn stolen(&self) -> Option<f64> {
        let part = self.stolen_ns as f64 / self.cpus_ns.max(1) as f64;
        (part > Self::MOST_STOLEN).then_some(part)
    }

    /// How many CPUs worked for other programs than COMMAND, on `cpus` CPUs, if that is too much.
    pub fn others(&self, cpus: usize) -> Option<f64> {
        let busy = self.others_ns? as f64 * cpus as f64 / self.cpus_ns.max(1) as f64;
        (busy > Self::MOST_OTHERS).then_some(busy)
    }
}
