//! A state as the library has it.

use crate::state::composition::Composition;
use crate::state::names::Names;
use crate::state::session::Session;
use std::time::Duration;

/// A state as the library has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// Its name.
    pub name: String,
    /// Its sessions with the names of their files, ascending.
    pub sessions: Vec<(String, Session)>,
}

/// One tracepoint's share of a state's events, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareRange {
    /// The tracepoint, `group:name`.
    pub name: String,
    /// The mean over all windows.
    pub mean: f64,
    /// The share in the window that has the least of it.
    pub lowest: f64,
    /// The share in the window that has the most of it.
    pub highest: f64,
}

impl Learned {
    /// The shares of the tracepoints that all sessions captured, largest first. Each session keeps the length
    /// of its own windows.
    pub fn shares(&self) -> Vec<ShareRange> {
        let sessions = || self.sessions.iter().map(|(_, session)| session);
        let names = Names::common(sessions());
        let windows: Vec<Composition> = sessions()
            .flat_map(|session| names.windows(session, session.window).unwrap_or_default())
            .map(|seen| seen.composition)
            .collect();
        let mean = Composition::mean(&windows);
        let range = |(name, root): &(u32, f64)| {
            let shares = || windows.iter().filter(|window| window.events() > 0).map(|window| window.share(*name));
            ShareRange {
                name: names.name(*name).unwrap_or_default().to_owned(),
                mean: root * root,
                lowest: shares().fold(1.0, f64::min),
                highest: shares().fold(0.0, f64::max),
            }
        };
        let mut shares: Vec<ShareRange> = mean.roots().iter().map(range).collect();
        shares.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        shares
    }

    /// The time from the begin of the first session to the end of the last. `None` if the start of a session
    /// is unknown.
    pub fn span(&self) -> Option<Duration> {
        let sessions = || self.sessions.iter().map(|(_, session)| session);
        let times = sessions().map(|session| {
            let started = humantime::parse_rfc3339_weak(session.origin.started.as_deref()?).ok()?;
            // Sessions of one capture share its start. Their begins differ by the clock of the events.
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
