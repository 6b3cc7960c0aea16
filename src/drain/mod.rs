//! Drain: a source through decode, merge and a filter, to any number of sinks. Captures, replays and reports all end here.
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
//! println!("the last of {} events: {:?}", results.summary.events.recorded, newest.0);
//! # assert!(results.problem.is_none() && newest.0.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod pace;
mod problem;
pub mod replay;
mod run;
mod summary;
mod ticks;

pub use problem::Problem;
pub use ticks::ticks;

// The library shows these here, where its users need them.
pub use crate::control::{Progress, Signals};
pub use crate::units::Moment;

use crate::events::accounting::Accounting;
use crate::events::{Filter, Ns, Sink};
use crate::recording::{self, Ending, LogSink, Summary};
use crate::source::{About, Source};
use crate::tracefs::{Selection, Table};
use run::{Drained, Pour};
use std::time::Instant;
use summary::{Parts, restriction_summary, selection, summary};

/// What is wanted of a source.
pub struct Request {
    /// Which of its events.
    pub filter: Filter,
    /// Whether the replay of a whole recording logs as many events as its capture had to log (`--events`).
    pub as_captured: bool,
    /// How many times as fast as it was recorded; as fast as can be if `None`.
    pub speed: Option<f64>,
    /// How often the user had asked for the end before this began. The next time ends the work of the sinks.
    pub asked: usize,
    /// Whether it ends the reading too. Otherwise the rest is still read, so that the accounting covers it.
    pub stops_at_once: bool,
    /// When it began.
    pub begin: Instant,
}

impl Request {
    /// For what is read once and leaves no file: all of it, as fast as can be, until the user says no.
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

/// What came out.
#[derive(Debug)]
pub struct Results {
    /// The summary.
    pub summary: Summary,
    /// The tracepoints.
    pub table: Table,
    /// What became of each.
    pub selection: Selection,
    /// From when to when events could come: from the first of all, wanted or not, as long as they were on, or to the last.
    pub span: Option<(Ns, Ns)>,
    /// What kept it from being all that was asked for, if anything did.
    pub problem: Option<Problem>,
    /// How many events the range was to have at most.
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

    /// Notes what became of the log, which was one of the sinks.
    ///
    /// # Errors
    /// If the log could be neither written nor cut back to whole rows.
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

/// Decodes, merges, filters, gives the events to the sinks, and closes the accounting. Whatever stops it, there is a summary,
/// which says so.
pub fn drain(
    source: Source,
    request: Request,
    sinks: &mut [&mut dyn Sink],
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Results {
    let Source { mut stream, about, problem: lacking, .. } = source;
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
    let accounting = Accounting::close(&decoded);
    let ending = stream.last_note().map(serde_json::from_str::<Ending>);
    let unreadable = matches!(ending, Some(Err(_)));
    let ending = ending.and_then(Result::ok);
    let table = stream.table().clone();
    let selection = selection(&about, &table, &filter);
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
        ending: ending.as_ref(),
        accounting: &accounting,
        decoded: &decoded,
        table: &table,
        selection: &selection,
        restricted: is_restricted.then(|| restriction_summary(&filter, origin)),
        span,
        logged: given,
        log_complete: satisfied || (complete && !stopped && problem.is_none()),
        begin,
    });
    // A missed range of time is an error of those who asked for it: `Results::range_missed`.
    if is_restricted
        && !filter.cuts_time()
        && given == 0
        && summary.events.recorded > 0
        && problem.is_none()
        && !stopped
    {
        progress.note("no event matches what was asked for");
    }
    let last = |first: Ns| {
        let on = ending.as_ref().map_or(0, |ending| ending.capture_ns);
        span.map_or(first, |(_, last)| last).max(first.saturating_add(on))
    };
    let span = origin.map(|first| (first, last(first)));
    Results { summary, table, selection, span, problem, most: filter.events }
}

/// Whether the user asked for a part by time or number, beyond what the capture itself was asked for.
fn asked_for(about: &About, filter: &Filter) -> bool {
    match about {
        About::Capture(facts) => filter.cuts_time() || (filter.events.is_some() && filter.events != facts.events),
        _ => filter.cuts(),
    }
}
