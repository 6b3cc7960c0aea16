//! From a source to a log, books and a summary: the end of the road for captures and replays alike.

mod pace;
pub mod replay;
mod summary;

use crate::control::{Progress, Signals};
use crate::events::accounting::Books;
use crate::events::stream::{EventStream, Loss, Restriction};
use crate::events::{Event, Ns};
use crate::recording::{self, Ending, LogWriter, Summary};
use crate::source::{About, Source};
use crate::tracefs::{Selection, Table};
use crate::units::{Count, Moment, OneLine};
use pace::Pace;
use std::io;
use std::time::Instant;
use summary::{Parts, restriction_summary, selection, summary};

/// What the log is to hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Range {
    /// At most so many events.
    pub events: Option<u64>,
    /// None before this.
    pub from: Option<Moment>,
    /// Only those before this.
    pub to: Option<Moment>,
}

impl Range {
    fn is_all(&self) -> bool {
        *self == Range::default()
    }
}

/// Something that takes the events of a range, beside the log.
pub trait Sink {
    /// Takes the next events, which are in the order of (time, cpu, arrival).
    fn take(&mut self, events: &[Event]);

    /// Takes losses, wherever in time; those of each CPU come in the order of time.
    fn take_losses(&mut self, losses: &[Loss]);
}

/// What is wanted of a source.
pub struct Request<'a> {
    /// Which of its events.
    pub restriction: Restriction,
    /// Which of these the log and the sink are to have.
    pub range: Range,
    /// Of a recording as a whole, as many events as its capture was to log (`--events`).
    pub as_captured: bool,
    /// How many times as fast as it was recorded; as fast as can be if `None`.
    pub speed: Option<f64>,
    /// Where the rows go, if anywhere.
    pub log: Option<LogWriter<'a>>,
    /// What else takes the events.
    pub sink: Option<&'a mut dyn Sink>,
    /// How often the user had asked for the end before this. Once more means: at once.
    pub asked: usize,
    /// Whether that means to read no further; else the books are closed over all there is.
    pub stops_at_once: bool,
    /// What a full disk must have left for the summary still, in bytes.
    pub room: u64,
    /// When it began.
    pub begin: Instant,
}

impl Request<'_> {
    /// For what is read once and leaves no file: all of it, as fast as can be, until the user says no.
    pub fn for_a_look() -> Self {
        Request {
            restriction: Restriction::default(),
            range: Range::default(),
            as_captured: false,
            speed: None,
            log: None,
            sink: None,
            asked: 0,
            stops_at_once: true,
            room: 0,
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
    pub problem: Option<anyhow::Error>,
}

/// Decodes, merges, writes the log and closes the books. Whatever stops the log, there is a summary, and it says so.
///
/// # Errors
/// If the log could be neither written nor cut back to whole rows.
pub fn write(
    source: Source,
    request: Request<'_>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Results, recording::Error> {
    let Source { mut stream, about, problem: of_source, .. } = source;
    let Request { restriction, mut range, as_captured, speed, log, sink, asked, stops_at_once, room, begin } = request;
    if let About::Capture(facts) = &about
        && as_captured
        && range.is_all()
        && restriction.is_none()
    {
        range.events = facts.events;
    }
    let restricted = (!restriction.is_none() || asked_for(&about, &range)).then(|| restriction.clone());
    stream.restrict(restriction);
    let mut run =
        Run { range: &range, speed, log, sink, asked, stops_at_once, origin: None, span: None, logged: 0, seen: 0 };
    let End { complete, stopped, damage, of_log } = run.through(&mut stream, signals, progress);
    progress.phase_ends();
    let (origin, span, mut logged) = (run.origin.or(stream.earliest()), run.span, run.logged);
    if let Some(mut log) = run.log {
        if of_log.is_some() {
            log.cut_back(room)?;
        }
        logged = log.finish()?;
    }

    let decoded = stream.decoded();
    let books = Books::close(&decoded);
    let ending = stream.last_note().map(serde_json::from_str::<Ending>);
    let unreadable = matches!(ending, Some(Err(_)));
    let ending = ending.and_then(Result::ok);
    let table = stream.table().clone();
    let selection = selection(&about, &table, restricted.as_ref());
    let unended = matches!(about, About::Capture(_)) && ending.is_none() && damage.is_none() && !stopped && !unreadable;
    let of_run = ending.as_ref().and_then(|ending| ending.problem.clone());
    let satisfied = range.events.is_some_and(|events| logged == events);
    let recorded = Count(books.total().recorded, "event");
    let problem = match (of_log, damage, of_run) {
        (Some(error), ..) => {
            Some(anyhow::Error::new(error).context(format!("log.csv has only the first {logged} events")))
        }
        (_, Some(error), _) => Some(anyhow::anyhow!("{error}; {recorded} before that were read")),
        (.., Some(problem)) => {
            Some(anyhow::anyhow!("{}", OneLine(&problem)).context("the capture ended before its time"))
        }
        _ if of_source.is_some() => of_source.map(|problem| anyhow::anyhow!("{problem}; {recorded} were read")),
        _ if unended => Some(anyhow::anyhow!(
            "it is incomplete: its capture was killed, or could write no further; {recorded} up to there were read, and \
             there are no counts to hold against them"
        )),
        _ if unreadable => Some(anyhow::anyhow!(
            "tp-perf's own note of how the capture ended cannot be read; is it damaged, or of a newer tp-perf?"
        )),
        _ if decoded.unknown > 0 && !stopped => {
            Some(anyhow::anyhow!("it is damaged: {} have ids that stand for nothing", Count(decoded.unknown, "sample")))
        }
        _ => None,
    };
    let summary = summary(Parts {
        about: &about,
        ending: ending.as_ref(),
        books: &books,
        decoded: &decoded,
        table: &table,
        selection: &selection,
        restricted: restricted.as_ref().map(|restriction| restriction_summary(restriction, &range, origin)),
        span,
        logged,
        log_complete: satisfied || (complete && !stopped && problem.is_none()),
        begin,
    });
    if restricted.is_some() && logged == 0 && summary.events.recorded > 0 && problem.is_none() && !stopped {
        progress.note("no event is in the range that was asked for");
    }
    let last = |first: Ns| {
        let on = ending.as_ref().map_or(0, |ending| ending.capture_ns);
        span.map_or(first, |(_, last)| last).max(first.saturating_add(on))
    };
    let span = origin.map(|first| (first, last(first)));
    Ok(Results { summary, table, selection, span, problem })
}

/// Whether the user asked for a range of the log, beyond what the capture itself was asked for.
fn asked_for(about: &About, range: &Range) -> bool {
    match about {
        About::Capture(facts) => *range != Range { events: facts.events, ..Range::default() } && !range.is_all(),
        _ => !range.is_all(),
    }
}

/// The way through the stream.
struct Run<'a, 'b> {
    range: &'a Range,
    speed: Option<f64>,
    log: Option<LogWriter<'b>>,
    sink: Option<&'b mut dyn Sink>,
    asked: usize,
    stops_at_once: bool,
    /// The time of the first of all events, wanted or not: a time since it means the same whatever is left out.
    origin: Option<Ns>,
    /// The times of the first and the last event.
    span: Option<(Ns, Ns)>,
    logged: u64,
    /// Events that came out of the merge.
    seen: u64,
}

/// How it went.
struct End {
    /// False if the user asked for the end before the log had all that it was to have.
    complete: bool,
    /// Whether the source was not read to its end.
    stopped: bool,
    damage: Option<io::Error>,
    of_log: Option<recording::Error>,
}

impl Run<'_, '_> {
    /// Decoding goes on to the end even if the log ends before, because the books need it all.
    fn through(&mut self, stream: &mut EventStream, signals: &mut Signals, progress: &mut dyn Progress) -> End {
        let mut end = End { complete: true, stopped: false, damage: None, of_log: None };
        let mut pace = self.speed.map(Pace::new);
        loop {
            if end.complete && signals.asked() > self.asked {
                end.complete = self.range.events.is_some_and(|events| self.logged == events);
                if self.stops_at_once {
                    (end.complete, end.stopped) = (false, true);
                    break;
                }
                stream.count_only();
            }
            match stream.next_batch() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                // A source that was waited for ends when the user asks for the end.
                Err(_) if self.stops_at_once && signals.asked() > self.asked => {
                    (end.complete, end.stopped) = (false, true);
                    break;
                }
                Err(error) => {
                    end.damage = Some(error);
                    break;
                }
            }
            let earliest = stream.earliest();
            let (read, length) = stream.progress();
            let (batch, table) = stream.batch();
            if let (Some(first), Some(last)) = (batch.first(), batch.last()) {
                self.origin = self.origin.or(earliest);
                self.span = Some((self.span.map_or(first.time, |(first, _)| first), last.time));
            }
            if let Some(sink) = &mut self.sink {
                sink.take_losses(stream.losses());
            }
            if end.complete && end.of_log.is_none() {
                let wanted = self.wanted(batch);
                if let Some(sink) = &mut self.sink {
                    sink.take(wanted);
                }
                let result = match (&mut pace, &mut self.log) {
                    (None, Some(log)) => log.write(wanted, table).map(|()| wanted.len()),
                    (None, None) => Ok(wanted.len()),
                    (Some(pace), log) => {
                        let (before, asked) = (self.seen, self.asked);
                        pace.write(wanted, table, log.as_mut(), |given| {
                            progress.replaying(before + given as u64, read, length);
                            signals.asked() > asked
                        })
                    }
                };
                match result {
                    Ok(given) => self.logged += given as u64,
                    Err(error) => end.of_log = Some(error),
                }
                if end.of_log.is_some() && self.stops_at_once {
                    end.stopped = true;
                    break;
                }
            }
            self.seen += batch.len() as u64;
            progress.replaying(self.seen, read, length);
        }
        if let (None, Some(log)) = (&end.of_log, &mut self.log) {
            end.of_log = log.flush().err();
        }
        end
    }

    /// The part of a batch that the log is to hold.
    fn wanted<'e>(&self, batch: &'e [Event]) -> &'e [Event] {
        let origin = self.origin.unwrap_or_default();
        let place = |moment: &Option<Moment>, otherwise: usize| {
            moment.map_or(otherwise, |moment| {
                let time = moment.absolute(origin);
                batch.partition_point(|event| event.time < time)
            })
        };
        let (start, end) = (place(&self.range.from, 0), place(&self.range.to, batch.len()));
        let left = self.range.events.map_or(u64::MAX, |events| events - self.logged);
        let wanted = &batch[start.min(end)..end];
        &wanted[..wanted.len().min(usize::try_from(left).unwrap_or(usize::MAX))]
    }
}
