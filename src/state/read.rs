//! From a source, or from the machine itself, to a session.

use super::library::read_session;
use super::session::Session;
use super::windows::{Length, Windows};
use super::{Error, WINDOW};
use crate::capture;
use crate::control::{Progress, Running, Signals};
use crate::drain::replay;
use crate::drain::{Range, Request, Results, drain};
use crate::engine::{Detaching, Live};
use crate::events::stream::Restriction;
use crate::source::Place;

/// Reads a source to its end, and counts it by windows, of a second if no length is asked for. A file that ends with `.json` is a
/// session that was counted already, and keeps its windows.
///
/// # Errors
/// If it cannot be read, or not to its end.
pub fn read(
    place: &Place,
    range: &Range,
    length: Option<Length>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Session, Error> {
    if let Place::Path(path) = place
        && path.extension().is_some_and(|extension| extension == "json")
    {
        let session = read_session(path)?;
        return match *range == Range::default() {
            true => Ok(session),
            false => Err(Error::Counted { place: place.to_string(), window: session.window }),
        };
    }
    let source = replay::open(place, &Restriction::default(), signals, progress)?;
    let length = length.unwrap_or(WINDOW);
    let mut windows = Windows::new(length);
    let request = Request { range: range.clone(), ..Request::for_a_look() };
    let results = drain(source, request, &mut [&mut windows], signals, progress);
    if signals.asked() > 0 {
        return Err(Error::Interrupted);
    }
    session(&place.to_string(), results, range, length, windows)
}

/// Captures, and keeps nothing but counts by windows. The tracepoints are being let go of when it is done, also if what was
/// captured cannot be counted.
///
/// # Errors
/// If the capture fails or cannot be kept until it is counted.
pub fn watch(
    options: &capture::Options,
    length: Option<Length>,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<(Result<Session, Error>, Detaching), Error> {
    let length = length.unwrap_or(WINDOW);
    let mut windows = Windows::new(length);
    let (results, detaching) = capture::watch(&Live, options, &mut [&mut windows], running, signals, progress)?;
    Ok((session("this machine", results, &Range::default(), length, windows), detaching))
}

fn session(place: &str, results: Results, range: &Range, length: Length, windows: Windows) -> Result<Session, Error> {
    if let Some(cause) = results.problem {
        return Err(Error::Damaged { place: place.to_owned(), cause });
    }
    session_of(place, &results, range, length, windows)
}

/// What was counted of a range of a source, as its results tell of it.
///
/// # Errors
/// If it is more than a session can hold.
pub fn session_of(
    place: &str,
    results: &Results,
    range: &Range,
    length: Length,
    windows: Windows,
) -> Result<Session, Error> {
    let Results { summary, table, selection, span, .. } = results;
    let end = span.map(|(first, last)| range.to.map_or(last, |to| to.absolute(first).min(last)));
    // Of a number of events it is not known how long the silence behind them lasted.
    let end = end.filter(|_| range.events.is_none());
    let windows = windows.finish(end).map_err(|cause| Error::TooMany { place: place.to_owned(), cause })?;
    let session = Session::of(summary, table, selection, length, &windows);
    // A library must be able to read what is put into it.
    session.check().map_err(|reason| Error::Unkeepable { place: place.to_owned(), reason })?;
    Ok(session)
}
