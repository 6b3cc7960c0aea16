//! Turns a history into a session.

use super::session::{Session, SessionOrigin};
use super::windows::{Length, Window, least_of};
use super::{Error, WINDOW};
use crate::control::{Progress, Signals};
use crate::drain::replay;
use crate::events::{Filter, Tpid};
use crate::history::{self, History, HistoryFacts, HistoryLevel, HistoryWindow, wall_words};
use crate::stats::upper_median;
use crate::tracefs::{Exclusion, Selection, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

/// Windows follow one another if there is no more time between them, as a part of their length.
const MOST_BETWEEN: f64 = 0.1;
/// Windows are joined as long as they are not longer than this part of the wanted length.
const MOST_JOINED: f64 = 1.1;
/// Signals are looked at after so many windows.
const LOOK: usize = 256;

/// Makes a session of a history, or of a part of it. Windows that are shorter than `length` are joined, as far as they follow one
/// another. Tracepoints of which some hits are estimated or unknown are left out.
///
/// # Errors
/// If the history cannot be read, has longer windows, or has more than a session can hold.
pub fn read_history(
    path: &Path,
    part: &Filter,
    length: Option<Length>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Session, Error> {
    let place = path.display().to_string();
    let length = length.unwrap_or(WINDOW);
    let Length::Ns(width) = length else {
        return Err(Error::Counted { place, window: WINDOW });
    };
    let history = History::open_part(path, part, HistoryLevel::Windows).map_err(unreadable)?;
    history.problems().iter().for_each(|problem| progress.note_failure("a file is left out", problem));
    let mut joined = JoinedWindows { width, done: Vec::new(), open: None, partly: BTreeSet::new() };
    let mut files = Vec::<Rc<HistoryFacts>>::new();
    let mut lengths = Vec::new();
    for (number, window) in history.windows().enumerate() {
        let (window, facts) = window.map_err(unreadable)?;
        if !files.iter().any(|known| Rc::ptr_eq(known, &facts)) {
            files.push(facts);
        }
        lengths.push(window.length_ns);
        joined.add(&window);
        if number.is_multiple_of(LOOK) && signals.asked() > 0 {
            return Err(Error::Interrupted);
        }
    }
    // Windows of 0.7 s make none of 1 s, and those of 4 s none of 10 s.
    if joined.done.len() as u64 * width < lengths.iter().fold(0_u64, |sum, length| sum.saturating_add(*length)) / 2
        && let Some(usual) = upper_median(lengths)
    {
        let ms = 1_000_000;
        return Err(Error::Counted { place, window: Length::Ns((usual + ms / 2) / ms * ms) });
    }
    let table = history.table();
    let selection = selection(&files, &joined.partly, table);
    let captured = |window: Window| Window {
        counts: window.counts.into_iter().filter(|(tpid, _)| selection.status(*tpid).is_captured()).collect(),
        ..window
    };
    let windows: Vec<Window> = joined.done.into_iter().map(captured).collect();
    let facts = files.last();
    let origin = SessionOrigin {
        kernel: facts.map(|facts| facts.kernel.clone()),
        hostname: facts.map(|facts| facts.hostname.clone()),
        cpus: facts.map(|facts| facts.cpus.clone()).unwrap_or_default(),
        clock: Some("realtime".to_owned()),
        started: windows.first().map(|window| wall_words(window.begin)),
        begin_ns: windows.first().map(|window| window.begin).unwrap_or_default(),
    };
    Session::of_counted(&place, origin, table, &selection, length, &windows)
}

fn unreadable(error: history::Error) -> Error {
    Error::Replay(replay::Error::Other(Box::new(error)))
}

/// The tracepoints whose hits were all counted in all windows, and why the others are left out.
fn selection(files: &[Rc<HistoryFacts>], partly: &BTreeSet<Tpid>, table: &Table) -> Selection {
    let mut all = files.iter().map(|facts| facts.selection(table));
    let mut selection = all.next().unwrap_or_else(|| Selection::of_statuses(table, std::iter::empty()));
    let unwatched: Vec<Tpid> = all
        .flat_map(|other| {
            let tracepoints = table.tracepoints().iter().map(|tracepoint| tracepoint.tpid);
            tracepoints.filter(|tpid| !other.status(*tpid).is_captured()).collect::<Vec<_>>()
        })
        .collect();
    let note = |words: &str| Exclusion::Noted { words: words.to_owned() };
    for tpid in unwatched {
        if selection.status(tpid).is_captured() {
            selection.exclude(tpid, note("not watched in all of the time"));
        }
    }
    for tpid in partly {
        if selection.status(*tpid).is_captured() {
            selection.exclude(*tpid, note("visited or detached to keep a budget"));
        }
    }
    selection
}

/// Windows of about the same length, made of shorter ones.
struct JoinedWindows {
    width: u64,
    done: Vec<Window>,
    open: Option<OpenWindow>,
    /// The tracepoints of which some hits are estimated or unknown.
    partly: BTreeSet<Tpid>,
}

struct OpenWindow {
    window: Window,
    counts: BTreeMap<Tpid, u64>,
    /// The tracepoints of which some hits are estimated or unknown.
    partly: Vec<Tpid>,
}

impl JoinedWindows {
    fn add(&mut self, next: &HistoryWindow) {
        // A window is too long if a tick was left out, and shorter at the start of a monitor.
        if next.length_ns as f64 > MOST_JOINED * self.width as f64 {
            self.open = None;
            return;
        }
        let most_between = (MOST_BETWEEN * self.width as f64) as u64;
        let follows = |open: &OpenWindow| {
            let end = open.window.begin.saturating_add(open.window.ns);
            next.start.since(end).max(end.since(next.start)) <= most_between
        };
        let is_too_long =
            |open: &OpenWindow| (open.window.ns + next.length_ns) as f64 > MOST_JOINED * self.width as f64;
        self.open.take_if(|open| !follows(open) || is_too_long(open));
        let open = self.open.get_or_insert_with(|| OpenWindow {
            window: Window { begin: next.start, ..Window::default() },
            counts: BTreeMap::new(),
            partly: Vec::new(),
        });
        open.window.ns += next.length_ns;
        for hits in &next.hits {
            if !hits.is_exact() {
                open.partly.push(hits.tpid);
            }
            *open.counts.entry(hits.tpid).or_default() += hits.hits.unwrap_or(0);
        }
        if open.window.ns >= least_of(self.width)
            && let Some(OpenWindow { window, counts, partly }) = self.open.take()
        {
            self.partly.extend(partly);
            let counts = counts.into_iter().filter(|(_, hits)| *hits > 0).collect();
            self.done.push(Window { counts, ..window });
        }
    }
}
