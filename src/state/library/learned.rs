//! A state as it stands in a library.

use crate::state::composition::Composition;
use crate::state::names::Names;
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

/// The part of a state's events that are of one tracepoint, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct ShareRange {
    /// The tracepoint, `group:name`.
    pub name: String,
    /// Over all windows.
    pub mean: f64,
    /// In the window that has the least of it.
    pub lowest: f64,
    /// In the window that has the most of it.
    pub highest: f64,
}

impl Learned {
    /// The parts of the tracepoints that all sessions captured, the largest first. Each session is taken in its own windows.
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
