//! Drain: sends the events of a source through a filter to any number of sinks. Captures, replays and reports
//! all use it.
//!
//! ```
//! use tp_perf::drain::{Request, Signals, drain};
//! use tp_perf::events::{Event, Sink};
//! use tp_perf::source::{self, Place};
//! use tp_perf::tracefs::Table;
//!
//! #[derive(Default)]
//! struct Newest(Option<Event>);
//!
//! impl Sink for Newest {
//!     fn events(&mut self, events: &[Event], _table: &Table) {
//!         self.0 = events.last().copied().or(self.0);
//!     }
//! }
//!
//! let mut newest = Newest::default();
//! let source = source::open(&Place::Example, None)?;
//! let results = drain(source, Request::for_a_look(), &mut [&mut newest], &mut Signals::new()?, &mut ());
//! println!("the last of {} events is {:?}", results.summary.events.recorded, newest.0);
//! # assert!(results.problem.is_none() && newest.0.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chosen;
mod pace;
mod problem;
pub mod replay;
mod run;
mod summary;

pub use problem::Problem;

// Users of this module need these types, and their modules are not part of the library's API.
pub use crate::control::{Progress, Signals};
pub use crate::units::Moment;

use crate::events::accounting::Accounting;
use crate::events::{Filter, Ns, Sink};
use crate::recording::{self, Ending, LogSink, Summary, missed_cpus};
use crate::source::{About, Source};
use crate::tracefs::{Selection, Table};
use run::{Drained, Pour};
use std::time::Instant;
use summary::{Parts, restriction_summary, selection, summary};

/// A request to drain a source.
pub struct Request {
    /// The choice of events.
    pub filter: Filter,
    /// Whether the drain of a whole recording stops logging at the number of events that its capture asked
    /// for (`--events`).
    pub as_captured: bool,
    /// The speed as a multiple of the original speed; `None` is as fast as possible.
    pub speed: Option<f64>,
    /// How often the user had asked to stop before the drain began. The next time ends the work of the sinks.
    pub asked: usize,
    /// Whether that also ends the reading. Otherwise the rest is still read, so that the accounting covers
    /// it.
    pub stops_at_once: bool,
    /// The start of the work, for the summary.
    pub begin: Instant,
}

impl Request {
    /// For reading once without writing files: all events, as fast as possible, until the user asks to stop.
    pub fn for_a_look() -> Self {
        Request {
            filter: Filter::default(),
            as_captured: false,
            speed: None,
            asked: 0,
            stops_at_once: true,
            begin: Instant::now(),
        }
    }
}

/// The results of a drain.
#[derive(Debug)]
pub struct Results {
    /// The summary.
    pub summary: Summary,
    /// The tracepoints.
    pub table: Table,
    /// The status of each tracepoint.
    pub selection: Selection,
    /// The time in which events could occur: from the first event, whether or not the filter keeps it, until
    /// the events went off, or until the last event if that is later or the end is not known.
    pub span: Option<(Ns, Ns)>,
    /// The reason why the results are incomplete, if they are.
    pub problem: Option<Problem>,
    /// The maximum number of events that the filter allows.
    most: Option<u64>,
}

impl Results {
    /// The times between which there are events, if a part of the time was asked for that has none.
    pub fn range_missed(&self) -> Option<(Ns, Ns)> {
        let Summary { restricted, events, .. } = &self.summary;
        let cuts_time = restricted.as_ref().is_some_and(|asked| asked.from.is_some() || asked.to.is_some());
        let is_missed = cuts_time && events.logged == 0 && events.recorded > 0 && self.problem.is_none();
        self.span.filter(|_| is_missed)
    }

    /// Adds the outcome of the log, which was one of the sinks.
    ///
    /// # Errors
    /// If the log could neither be written nor be truncated to whole rows.
    pub fn with_log(mut self, log: LogSink<'_>) -> Result<Self, recording::Error> {
        let (logged, cause) = log.outcome()?;
        self.summary.events.logged = logged;
        if let Some(cause) = cause {
            self.summary.log_complete = self.most == Some(logged);
            self.problem = Some(Problem::LogCut { logged, cause });
        }
        Ok(self)
    }
}

/// Decodes, merges and filters the events of a source, sends them to the sinks, and closes the accounting.
/// There is always a summary. If something stopped the drain early, [`Results::problem`] has the reason.
pub fn drain(
    source: Source,
    request: Request,
    sinks: &mut [&mut dyn Sink],
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Results {
    let Source { mut stream, about, has_hits, problem: lacking, .. } = source;
    let Request { mut filter, as_captured, speed, asked, stops_at_once, begin } = request;
    if let About::Capture(facts) = &about
        && as_captured
        && !filter.cuts()
        && !filter.chooses()
    {
        filter.events = facts.events;
    }
    let is_restricted = filter.chooses() || asked_for(&about, &filter);
    stream.restrict(filter.clone());
    let mut run = Pour::new(&filter, speed, sinks, asked, stops_at_once);
    let Drained { complete, stopped, damage } = run.through(&mut stream, signals, progress);
    progress.phase_ends();
    let (origin, span, given) = (run.origin.or(stream.earliest()), run.span, run.given);

    let decoded = stream.decoded();
    let ending = stream.last_note().map(serde_json::from_str::<Ending>);
    let unreadable = matches!(ending, Some(Err(_)));
    let ending = ending.and_then(Result::ok);
    let others = ending.as_ref().and_then(|ending| ending.others.as_ref());
    let accounting = Accounting::close(&decoded, others.map_or(&[], |others| &others.of));
    let table = stream.table().clone();
    let selection = selection(&about, &accounting, &table, &filter);
    let unended = matches!(about, About::Capture(_)) && ending.is_none() && damage.is_none() && !stopped && !unreadable;
    let of_run = ending.as_ref().and_then(|ending| ending.problem.clone());
    let satisfied = filter.events == Some(given);
    let read = accounting.total().recorded;
    let problem = match (damage, of_run, lacking) {
        (Some(cause), ..) => Some(Problem::Damaged { cause, read }),
        (_, Some(reason), _) => Some(Problem::EndedEarly { reason }),
        (.., Some(cause)) => Some(Problem::Lacking { cause, read }),
        _ if unended => Some(Problem::Unended { read }),
        _ if unreadable => Some(Problem::UnreadableEnding),
        _ if decoded.unknown > 0 && !stopped => Some(Problem::UnknownIds { samples: decoded.unknown }),
        _ => None,
    };
    let summary = summary(Parts {
        about: &about,
        has_hits,
        ending: ending.as_ref(),
        accounting: &accounting,
        decoded: &decoded,
        table: &table,
        selection: &selection,
        filter: &filter,
        restricted: is_restricted.then(|| restriction_summary(&filter, origin)),
        origin,
        span,
        logged: given,
        log_complete: satisfied || (complete && !stopped && problem.is_none()),
        begin,
    });
    let problem = problem.or_else(|| {
        let cpus = missed_cpus(&summary.unwatched);
        (!cpus.is_empty()).then_some(Problem::Unwatched { cpus })
    });
    // A missed range of time is an error of those who asked for it: `Results::range_missed`.
    if is_restricted
        && !filter.cuts_time()
        && given == 0
        && summary.events.recorded > 0
        && problem.is_none()
        && !stopped
    {
        progress.note("no event matches the request");
    }
    let last = |first: Ns| {
        let on = ending.as_ref().map_or(0, |ending| ending.capture_ns);
        span.map_or(first, |(_, last)| last).max(first.saturating_add(on))
    };
    let span = origin.map(|first| (first, last(first)));
    Results { summary, table, selection, span, problem, most: filter.events }
}

/// Whether the user asked for a part of the source by time, number, or process. The capture's own `--events` does not
/// count.
fn asked_for(about: &About, filter: &Filter) -> bool {
    match about {
        About::Capture(facts) => {
            let other_number = filter.events.is_some() && filter.events != facts.events;
            filter.cuts_time() || filter.processes.chooses() || other_number
        }
        _ => filter.cuts(),
    }
}
