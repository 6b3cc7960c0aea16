//! What a flight recorder is asked to keep, and what it reports.

use crate::capture::Error;
use crate::recording::{LastSummary, Trigger};
use crate::units::nanoseconds;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// How much of a capture is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastLimits {
    /// The events of this time before a trigger.
    pub time: Duration,
    /// The events of this time after the trigger.
    pub after: Duration,
    /// The most memory for events, in bytes. If they take more, the oldest are forgotten earlier.
    pub bytes: u64,
}

impl LastLimits {
    pub(super) fn summary(&self) -> LastSummary {
        LastSummary { time_ns: nanoseconds(self.time), after_ns: nanoseconds(self.after), bytes: self.bytes }
    }
}

/// What becomes of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerTaken {
    /// It begins a recording.
    Begun,
    /// Another trigger has begun a recording, whose time behind it is not over. The recording lists both.
    Merged,
    /// A recording is being written. The next one begins when that is done, for this trigger and all that come until then.
    Queued,
}

/// What happened in a call of [`FlightRecorder::act`](super::FlightRecorder::act).
#[derive(Debug)]
pub enum FlightNews {
    /// A recording was written: its events.perf and its tables. A replay into its directory makes the log and the summary.
    Written {
        /// Its directory.
        path: PathBuf,
        /// What triggered it.
        triggers: Vec<Trigger>,
        /// The size of its events.perf in bytes.
        bytes: u64,
        /// The time that its events cover.
        covers: Duration,
        /// How long writing took.
        took: Duration,
    },
    /// A recording could not be written. Nothing of it is left, and the capture goes on.
    Failed {
        /// What triggered it.
        triggers: Vec<Trigger>,
        /// Why it could not be written.
        cause: Error,
    },
    /// An older recording was removed, to make room.
    Removed {
        /// Its directory.
        path: PathBuf,
    },
    /// An older recording could not be removed.
    NotRemoved {
        /// Its directory.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
}

/// The state of a flight recorder, for people and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlightStatus {
    /// The time that a recording would have now.
    pub covers: Duration,
    /// The bytes of the events that are kept.
    pub kept_bytes: u64,
    /// The memory in bytes that they take.
    pub memory: u64,
    /// The events taken so far, kept or not.
    pub samples: u64,
    /// The events that the kernel dropped because a ring was full, until the last mark.
    pub lost: u64,
    /// The CPU time that the recorder took so far.
    pub own_cpu: Duration,
    /// The tracepoints whose hits are all recorded now, and those of which one in N is.
    pub recorded: u64,
    /// See `recorded`.
    pub thinned: u64,
    /// The recordings written so far.
    pub written: u64,
    /// Those that could not be written.
    pub failed: u64,
}
