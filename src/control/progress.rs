//! The interface through which long-running work reports its progress. Only `terminal` prints.

use std::error::Error;
use std::time::Duration;

/// Receives the progress of a capture, a replay, or a measurement.
pub trait Progress {
    /// Whether a person sees the progress. If so, the caller must update it often.
    fn is_shown(&self) -> bool {
        false
    }
    /// While attaching: events open so far, and in total.
    fn attaching(&mut self, _open: usize, _total: usize) {}
    /// While the events are on: samples taken so far, and the time since they went on.
    fn capturing(&mut self, _samples: u64, _elapsed: Duration) {}
    /// While counting: hits so far, and the time since the events went on.
    fn counting(&mut self, _hits: u64, _elapsed: Duration) {}
    /// While replaying: events so far, bytes read so far, and the length of the source in bytes if it is
    /// known.
    fn replaying(&mut self, _events: u64, _read: u64, _length: Option<u64>) {}
    /// While measuring COMMAND: runs done so far, and in total.
    fn measuring(&mut self, _done: usize, _total: usize) {}
    /// While waiting for a detach: tracepoints detached so far, and in total.
    fn detaching(&mut self, _done: usize, _total: usize) {}
    /// The current phase has ended.
    fn phase_ends(&mut self) {}
    /// A notice to the user that is not an error.
    fn note(&mut self, _message: &str) {}
    /// A notice that something failed, and that the work continues without it.
    fn note_failure(&mut self, what: &str, cause: &(dyn Error + 'static)) {
        self.note(&format!("{what}: {cause}"));
    }
}

/// Ignores all progress.
impl Progress for () {}

/// Passes on notices, and ignores all progress.
pub struct NoticesOnly<'a>(pub &'a mut dyn Progress);

impl Progress for NoticesOnly<'_> {
    fn note(&mut self, message: &str) {
        self.0.note(message);
    }

    fn note_failure(&mut self, what: &str, cause: &(dyn Error + 'static)) {
        self.0.note_failure(what, cause);
    }
}
