//! A state as it stands in a library.

use crate::state::session::Session;
use std::time::Duration;

/// A state as it stands in a library.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// What it is called.
    pub name: String,
    /// Its sessions by the names of their files, ascending.
    pub sessions: Vec<(String, Session)>,
}

impl Learned {
    /// How long it was from the beginning of its first session to the end of its last, as far as all say when that was.
    pub fn span(&self) -> Option<Duration> {
        let sessions = || self.sessions.iter().map(|(_, session)| session);
        let times = sessions().map(|session| {
            let started = humantime::parse_rfc3339_weak(session.origin.started.as_deref()?).ok()?;
            // Parts of one capture tell by the clock when they began.
            let of_capture = sessions().filter(|other| other.origin.started == session.origin.started);
            let first = of_capture.map(|other| other.origin.begin_ns).min()?;
            let begin = started.checked_add(Duration::from_nanos(session.origin.begin_ns - first))?;
            Some((begin, begin.checked_add(Duration::from_nanos(session.length_ns()))?))
        });
        let times = times.collect::<Option<Vec<_>>>()?;
        let (begin, end) = (times.iter().map(|(begin, _)| begin).min()?, times.iter().map(|(_, end)| end).max()?);
        end.duration_since(*begin).ok()
    }
}
