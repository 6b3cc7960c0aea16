//! What the user sees of `learn`, `states`, `identify` and `check`.

use crate::capture::StopRules;
use crate::cli::{
    CheckFormat, CheckRequest, IdentifyFormat, IdentifyRequest, LearnRequest, Look, LookAt, StatesAct, StatesRequest,
    Watch,
};
use crate::command::watch::watch_machine;
use crate::command::{end_at_second_signal, let_go, print, stopped, terminal_width, wait_for_command, with_advice};
use crate::control::{Progress, Signals};
use crate::drain::Range;
use crate::engine::Detaching;
use crate::os::thread::Work;
use crate::source::Place;
use crate::state::{self, Check, Error, Identification, Known, Learned, Length, Library, Session};
use crate::terminal::{TerminalProgress, print_check, print_identification, print_state, print_states};
use crate::units::{Count, OneLine, nanoseconds};
use anyhow::Context;
use std::io::{self, Write};
use std::time::Duration;

/// The exit code of a check that found something.
const ALARM: u8 = 3;

/// What was looked at.
struct Looked {
    /// Each source with its session.
    sessions: Vec<(String, Session)>,
    /// What is being let go of.
    detaching: Option<Detaching>,
    signals: Signals,
    progress: TerminalProgress,
    wait_detach: bool,
}

impl Looked {
    /// Looks, and counts by windows of this length, or of the usual one. An exit code if the user stopped that.
    fn at(look: &Look, length: Option<Length>) -> anyhow::Result<Result<Self, u8>> {
        let mut signals = Signals::install().context("failed to take over signals")?;
        match &look.at {
            LookAt::Sources(places, range) => {
                end_at_second_signal().context("failed to take over signals")?;
                let progress = TerminalProgress::of_replay(look.quiet);
                let mut looked =
                    Looked { sessions: Vec::new(), detaching: None, signals, progress, wait_detach: false };
                Ok(looked.read(places, range, length)?.map(|()| looked))
            }
            LookAt::Machine(watch) => {
                let Watch { options, wait_detach, notes } = &**watch;
                fits(options.rules.duration, length.unwrap_or(state::WINDOW))?;
                let mut progress = TerminalProgress::new(StopRules { ..options.rules }, look.quiet);
                notes.iter().for_each(|note| progress.note(note));
                let mut running = None;
                let watched = watch_machine(options, length, &mut running, &mut signals, &mut progress);
                progress.phase_ends();
                if let Err(error) = &watched
                    && running.is_some()
                {
                    // COMMAND may need long to end; nobody should wait for that to hear of the failure.
                    let _ = writeln!(anstream::stderr(), "tp-perf: {error}");
                }
                if let Some(running) = running {
                    wait_for_command(running, &mut signals, &mut progress)?;
                    if watched.is_err() {
                        return Ok(Err(1));
                    }
                }
                let (session, detaching) = watched.map_err(with_advice)?;
                let (detaching, wait_detach) = (Some(detaching), *wait_detach);
                let mut looked = Looked { sessions: Vec::new(), detaching, signals, progress, wait_detach };
                match session {
                    Ok(session) => looked.sessions.push(("this machine".to_owned(), session)),
                    Err(error) => return looked.end(Err(error.into())).map(Err),
                }
                Ok(Ok(looked))
            }
        }
    }

    /// Reads sources, in place of those that were read before.
    fn read(&mut self, places: &[Place], range: &Range, length: Option<Length>) -> anyhow::Result<Result<(), u8>> {
        self.sessions.clear();
        for place in places {
            let session = state::read(place, range, length, &mut self.signals, &mut self.progress);
            self.progress.phase_ends();
            match session {
                Err(error) if error.is_interrupt() => return Ok(Err(stopped(&mut self.signals))),
                session => self.sessions.push((place.to_string(), session?)),
            }
        }
        Ok(Ok(()))
    }

    /// The only source there is.
    fn only(&self) -> &(String, Session) {
        &self.sessions[0]
    }

    /// Says what goes on in the background, or waits for it, whatever came of what was seen.
    fn end(mut self, result: anyhow::Result<u8>) -> anyhow::Result<u8> {
        let let_go = match self.detaching.take() {
            Some(mut detaching) => {
                let_go(&mut detaching, self.wait_detach, &mut self.signals, &mut self.progress).map(drop)
            }
            None => Ok(()),
        };
        let code = result?;
        let_go.map(|()| code)
    }
}

/// Whether windows of this length can be counted in this time: nothing should be watched in vain.
fn fits(duration: Option<Duration>, length: Length) -> Result<(), Error> {
    let (Some(duration), Length::Ns(ns)) = (duration, length) else { return Ok(()) };
    match nanoseconds(duration) / ns.max(1) {
        0 => Err(Error::Short { length }),
        windows if windows > state::MOST_WINDOWS as u64 => {
            Err(Error::TooMany { place: "this machine".to_owned(), cause: state::TooMany })
        }
        _ => Ok(()),
    }
}

pub(super) fn learn(request: LearnRequest) -> anyhow::Result<u8> {
    let LearnRequest { state, look, library } = request;
    library.may_add(&state)?;
    let looked = match Looked::at(&look, look.length)? {
        Ok(looked) => looked,
        Err(code) => return Ok(code),
    };
    let learned = keep(&looked.sessions, &state, &look, &library);
    looked.end(learned.map(|()| 0))
}

/// Adds what was looked at to a state, all or none of it, and says so.
fn keep(sessions: &[(String, Session)], state: &str, look: &Look, library: &Library) -> anyhow::Result<()> {
    for (place, session) in sessions {
        let window = session.window;
        if look.length.is_some_and(|length| length != window) {
            return Err(Error::Counted { place: place.clone(), window }.into());
        }
        if session.windows == 0 {
            return Err(anyhow::Error::new(Error::Short { length: window }).context(place.clone()));
        }
    }
    let paths = library.add(state, sessions)?;
    if look.quiet {
        return Ok(());
    }
    let mut out = anstream::stdout().lock();
    for (path, (_, session)) in paths.iter().zip(sessions) {
        let events = session.events();
        let lost: u64 = session.lost.iter().sum();
        let but = if lost > 0 { format!(", {} lost", Count(lost, "more")) } else { String::new() };
        writeln!(
            out,
            "{state}: learned {} of {} with {}{but} of {} ({})",
            Count(session.windows as u64, "window"),
            session.window,
            Count(events, "event"),
            Count(session.counts.len() as u64, "tracepoint"),
            OneLine(&path.display().to_string())
        )?;
    }
    // What was learned is learned, whatever became of the library since.
    let Ok(Learned { sessions: known, .. }) = library.state(state) else { return Ok(()) };
    writeln!(
        out,
        "{state}: {} now; that a new session as a whole is unlike them can be said at a level of {:.2} at the best",
        Count(known.len() as u64, "session"),
        1.0 / (known.len() as f64 + 1.0)
    )?;
    let this = &sessions[0].1;
    if let Some((name, _)) = known.iter().find(|(_, other)| other.origin.kernel != this.origin.kernel) {
        writeln!(out, "{state}: session {name} is of another kernel; only what both have will be compared")?;
    }
    if let Some((name, other)) = known.iter().find(|(_, other)| other.left_out != this.left_out) {
        writeln!(
            out,
            "{state}: session {name} captured {}, and this one {}; only what both have will be compared",
            Count(other.captured_number() as u64, "tracepoint"),
            Count(this.captured_number() as u64, "tracepoint")
        )?;
    }
    if let Some((name, other)) = known.iter().find(|(_, other)| other.window != this.window) {
        writeln!(
            out,
            "{state}: session {name} has windows of {}; they are compared in lengths that both can make",
            other.window
        )?;
    }
    Ok(())
}

pub(super) fn states(request: &StatesRequest, out: &mut dyn Write) -> anyhow::Result<u8> {
    let StatesRequest { act, library } = request;
    match act {
        StatesAct::List => print_states(&library.states()?, library.path(), out)?,
        StatesAct::Show(name) => print_state(&library.state(name)?, out)?,
        StatesAct::Remove(name, sessions) => {
            let removed = library.remove(name, sessions)?;
            writeln!(out, "{name}: removed {}", Count(removed as u64, "session"))?;
        }
    }
    Ok(0)
}

pub(super) fn identify(request: IdentifyRequest) -> anyhow::Result<u8> {
    let IdentifyRequest { look, library, alpha, format } = request;
    library.has_states()?;
    // It is read while the source is; but before anything is captured it is known whether there is something to compare with, and
    // in windows of which length.
    let mut length = look.length;
    let mut reading = Work::begin(move || Known::of(library.states()?, length));
    if let LookAt::Machine(_) = look.at {
        let known = reading.result()?;
        length = Some(known.length());
        reading = Work::done(Ok(known));
    }
    let mut looked = match Looked::at(&look, length)? {
        Ok(looked) => looked,
        Err(code) => return Ok(code),
    };
    let known = reading.result()?;
    // Few libraries have windows that no seconds can be made of; then what was counted by seconds is counted again.
    if let (LookAt::Sources(places, range), None) = (&look.at, look.length)
        && known.length().of(looked.only().1.window).is_none()
        && places.iter().all(|place| matches!(place, Place::Path(_)))
        && let Err(code) = looked.read(places, range, Some(known.length()))?
    {
        return Ok(code);
    }
    let told = tell_states(looked.only(), known, alpha, format);
    looked.end(told.map(|()| 0))
}

fn tell_states(
    (place, session): &(String, Session),
    known: Known,
    alpha: f64,
    format: IdentifyFormat,
) -> anyhow::Result<()> {
    let it = Identification::of(session, known, alpha).with_context(|| place.clone())?;
    let mut out = Vec::new();
    match format {
        IdentifyFormat::Text => print_identification(&it, place, terminal_width(), &mut out),
        IdentifyFormat::Json => state::write_json(&it, place, &mut out),
        IdentifyFormat::Csv => state::write_csv(&it, &mut out),
    }
    .context("failed to encode the states")?;
    print_unless_closed(format == IdentifyFormat::Text, out)
}

pub(super) fn check(request: CheckRequest) -> anyhow::Result<u8> {
    let CheckRequest { look, against, library, per_day, format } = request;
    let states = against.iter().map(|name| library.state(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(state) = states.iter().find(|state| state.sessions.len() < 2) {
        let (state, sessions) = (state.name.clone(), state.sessions.len());
        return Err(Error::TooFewSessions { state, sessions, block: state::BLOCK }.into());
    }
    let known = Known::of(states, look.length)?;
    let looked = match Looked::at(&look, Some(known.length()))? {
        Ok(looked) => looked,
        Err(code) => return Ok(code),
    };
    let told = tell_check(looked.only(), known, per_day, format, look.quiet);
    looked.end(told)
}

/// Says what was found, and gives the exit code.
fn tell_check(
    (place, session): &(String, Session),
    known: Known,
    per_day: f64,
    format: CheckFormat,
    quiet: bool,
) -> anyhow::Result<u8> {
    let check = Check::of(session, known, state::ALPHA, per_day).with_context(|| place.clone())?;
    let mut out = Vec::new();
    match format {
        CheckFormat::Text => print_check(&check, place, terminal_width(), &mut out),
        CheckFormat::Json => state::write_check_json(&check, place, &mut out),
        CheckFormat::Junit => state::write_junit(&check, place, &mut out),
    }
    .context("failed to encode the check")?;
    // A check that is quiet has its exit code.
    if !(quiet && format == CheckFormat::Text) {
        print_unless_closed(format == CheckFormat::Text, out)?;
    }
    Ok(if check.findings.is_empty() { 0 } else { ALARM })
}

/// Whoever reads no further has what was wanted.
fn print_unless_closed(is_for_people: bool, out: Vec<u8>) -> anyhow::Result<()> {
    match print(is_for_people, out) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("failed to print the result"),
        _ => Ok(()),
    }
}
