//! What a capture tells while it goes on. It does not print by itself.

use std::error::Error;
use std::time::Duration;

/// Somebody who watches a capture.
pub trait Progress {
    /// Whether somebody sees it: then it has to move.
    fn is_shown(&self) -> bool {
        false
    }
    /// While attaching: events open so far, and of how many.
    fn attaching(&mut self, _open: usize, _total: usize) {}
    /// While the events are on: samples taken so far.
    fn capturing(&mut self, _samples: u64, _elapsed: Duration) {}
    /// While a source is replayed: events so far; bytes read of it, and of how many if that is known.
    fn replaying(&mut self, _events: u64, _read: u64, _length: Option<u64>) {}
    /// While COMMAND is measured: runs done so far, and of how many.
    fn measuring(&mut self, _done: usize, _total: usize) {}
    /// A phase is over.
    fn phase_ends(&mut self) {}
    /// Something that the user should know and that is no error.
    fn note(&mut self, _message: &str) {}
    /// Something that did not work, why, and that the rest goes on without it.
    fn note_failure(&mut self, what: &str, cause: &(dyn Error + 'static)) {
        self.note(&format!("{what}: {cause}"));
    }
}

/// Nobody watches.
impl Progress for () {}
