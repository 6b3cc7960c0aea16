//! Turns a source into a session.

use super::library::{Library, read_session};
use super::model::are_enough;
use super::session::{Session, SessionEngine, SessionOrigin};
use super::windows::{Length, Window, Windows};
use super::{Error, WINDOW};
use crate::control::{Progress, Signals};
use crate::drain::replay;
use crate::drain::{Request, Results, drain};
use crate::events::Filter;
use crate::recording::BudgetSummary;
use crate::source::Place;
use crate::tracefs::{Selection, Table};
use std::path::PathBuf;

/// Reads a source to its end and counts its events by window. A window lasts a second unless `length` is
/// given. A file that ends with `.json` is a session already and keeps its windows.
///
/// # Errors
/// Fails if the source cannot be read to its end.
pub fn read(
    place: &Place,
    part: &Filter,
    length: Option<Length>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Session, Error> {
    if let Place::Path(path) = place
        && path.extension().is_some_and(|extension| extension == "json")
    {
        let session = read_session(path, signals);
        if signals.asked() > 0 {
            return Err(Error::Interrupted);
        }
        let session = session?;
        return match part.cuts() {
            false => Ok(session),
            true => Err(Error::Counted { place: place.to_string(), window: session.window }),
        };
    }
    #[cfg(feature = "history")]
    if let Place::Path(path) = place
        && crate::history::is_history(path)
    {
        return super::read_history(path, part, length, signals, progress);
    }
    let source = replay::open(place, &Filter::default(), signals, progress)?;
    let mut windows = Windows::new(length.unwrap_or(WINDOW));
    let request = Request { filter: part.clone(), ..Request::for_a_look() };
    let results = drain(source, request, &mut [&mut windows], signals, progress);
    if signals.asked() > 0 {
        return Err(Error::Interrupted);
    }
    Session::of_whole_source(&place.to_string(), results, part, windows)
}

/// Adds sessions to a state in a library, all or none of them, and returns their files. Each session comes
/// with the place that it was read from. If `length` is given, the sessions must have windows of that length.
///
/// # Errors
/// Fails if a session has windows of another length, no windows, or too few that lost little, and as
/// [`Library::add`] does.
pub fn learn(
    state: &str,
    sessions: &[(String, Session)],
    length: Option<Length>,
    library: &Library,
) -> Result<Vec<PathBuf>, Error> {
    for (place, session) in sessions {
        let window = session.window;
        if length.is_some_and(|length| length != window) {
            return Err(Error::Counted { place: place.clone(), window });
        }
        if session.windows == 0 {
            return Err(Error::Of { place: place.clone(), cause: Box::new(Error::Short { length: window }) });
        }
        let (usable, windows) = (session.usable(), session.windows);
        if !are_enough(usable, windows) {
            return Err(Error::TooLittle { place: place.clone(), usable, windows, window });
        }
    }
    Ok(library.add(state, sessions)?)
}

impl Session {
    /// Makes a session of the counts of a part of a source. The source must be complete.
    ///
    /// # Errors
    /// Fails if the source is damaged or ended early, or has more than a session can hold.
    pub fn of_whole_source(place: &str, results: Results, part: &Filter, windows: Windows) -> Result<Self, Error> {
        match results.problem {
            Some(cause) => Err(Error::Damaged { place: place.to_owned(), cause }),
            None => Self::of_source(place, &results, part, windows),
        }
    }

    /// Makes a session of the counts of a part of a source, complete or not.
    ///
    /// # Errors
    /// Fails if the source has more than a session can hold, or if tracepoints were thinned.
    pub fn of_source(place: &str, results: &Results, part: &Filter, windows: Windows) -> Result<Self, Error> {
        let Results { summary, table, selection, span, .. } = results;
        let tracepoints = summary.budget.as_ref().map_or(0, BudgetSummary::thinned_tracepoints);
        if tracepoints > 0 {
            return Err(Error::Thinned { place: place.to_owned(), tracepoints });
        }
        let end = span.map(|(first, last)| part.to.map_or(last, |to| to.absolute(first).min(last)));
        // A limit on the number of events does not say how long the silence after the last event lasted.
        let end = end.filter(|_| part.events.is_none());
        let length = windows.length();
        let too_many = |cause| Error::TooMany { place: place.to_owned(), cause };
        let windows = windows.finish(end).map_err(too_many)?;
        let session = Session::of(summary, table, selection, length, &windows);
        drop(windows);
        session.kept(place)
    }

    /// A session without windows: what a source captures that has only begun.
    pub fn without_windows(origin: SessionOrigin, table: &Table, selection: &Selection, length: Length) -> Self {
        Session::of_windows(origin, table, selection, SessionEngine::Counting, length, &[])
    }

    /// Makes a session of some windows that a counting engine counted. The times of `origin` are those of the first one.
    ///
    /// # Errors
    /// Fails if they take too much memory.
    pub fn of_counted(
        place: &str,
        origin: SessionOrigin,
        table: &Table,
        selection: &Selection,
        length: Length,
        windows: &[Window],
    ) -> Result<Self, Error> {
        let begin_ns = windows.first().map_or(origin.begin_ns, |window| window.begin);
        let origin = SessionOrigin { begin_ns, ..origin };
        Session::of_windows(origin, table, selection, SessionEngine::Counting, length, windows).kept(place)
    }

    /// Makes a session of the hits that a counting engine counted. The times of `origin` are those of the first window.
    ///
    /// # Errors
    /// Fails if there are more windows than a session can hold.
    pub fn of_ticks(
        place: &str,
        origin: SessionOrigin,
        table: &Table,
        selection: &Selection,
        windows: Windows,
    ) -> Result<Self, Error> {
        let length = windows.length();
        let windows = windows.finish(None).map_err(|cause| Error::TooMany { place: place.to_owned(), cause })?;
        Self::of_counted(place, origin, table, selection, length, &windows)
    }

    /// The session, if the library can hold it and read it back.
    fn kept(self, place: &str) -> Result<Self, Error> {
        let session = self.hold().map_err(|cause| Error::TooMany { place: place.to_owned(), cause: cause.into() })?;
        session.check().map_err(|reason| Error::Unkeepable { place: place.to_owned(), reason })?;
        Ok(session)
    }
}
