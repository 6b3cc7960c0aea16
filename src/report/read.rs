//! Reads sources into a report.

use super::options::ReportOptions;
use super::rows::hold;
use super::rungs::{InTime, between};
use super::states::{spans, told};
use super::{Differences, Report, SourceReport, labels};
use crate::activity::Activity;
use crate::control::{Progress, Signals};
use crate::drain::replay;
use crate::drain::{Problem, Request, Results, drain};
use crate::events::{Ns, Sink};
use crate::memory::TooMuch;
use crate::ranking::{HitNumber, Ranking};
use crate::recording::{BudgetSummary, Summary, ThinnedStretch};
use crate::source::{self, About, Place};
use crate::state::{Session, Windows};
use crate::tracefs::{Table, Tpid};
use std::time::Duration;

/// Reads sources with these labels and compares them. If the user stops it, the report has what was read
/// so far.
///
/// # Errors
/// Fails if a source cannot be read, or if the user stops it while it waits for the first source.
pub fn read(
    options: &ReportOptions,
    labels: Vec<String>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Report, replay::Error> {
    let mut sources = Vec::new();
    for (place, label) in options.places.iter().zip(labels) {
        match read_source(place, label, options, signals, progress) {
            // Keep the sources that were read before.
            Err(replay::Error::Interrupted) if !sources.is_empty() => break,
            source => sources.push(source?),
        }
        if signals.asked() > 0 {
            break;
        }
    }
    let differences = match sources.len() > 1 {
        true => Some(Differences::between(&sources, &options.sides)?),
        false => None,
    };
    Ok(Report { sources, differences, stopped: signals.asked() > 0 })
}

/// Reads whole sources and compares them.
///
/// ```
/// use tp_perf::report;
/// use tp_perf::source::Place;
///
/// let report = report::compare(&[Place::Path("fixtures/idle.perf.zst".into()), Place::Example])?;
/// let differences = report.differences.expect("there are two sources");
/// println!("{} differs most", differences.tracepoints[0].name);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Fails if a source cannot be read.
pub fn compare(places: &[Place]) -> Result<Report, replay::Error> {
    let Some(first) = places.first() else {
        return Ok(Report { sources: Vec::new(), differences: None, stopped: false });
    };
    // No signal will arrive here, because this does not install handlers.
    let mut signals = Signals::new()
        .map_err(|cause| replay::Error::Source { place: first.clone(), cause: source::Error::Read(cause) })?;
    read(&ReportOptions::of(places.to_vec()), labels(places), &mut signals, &mut ())
}

/// Reads a source to its end.
fn read_source(
    place: &Place,
    label: String,
    options: &ReportOptions,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<SourceReport, replay::Error> {
    #[cfg(feature = "history")]
    if let Place::Path(path) = place
        && crate::history::is_history(path)
    {
        return super::history::read_history(path, place, label, options, signals, progress);
    }
    let ReportOptions { places, filter, detail, identifier, by_process, .. } = options;
    let source = replay::open(place, filter, signals, progress)?;
    let about = source.about.clone();
    let knows_threads = source.knows_threads;
    let mut activity = detail.activity(places.len());
    if filter.chooses() || filter.processes.chooses() {
        activity = activity.of_part();
    }
    let mut windows = identifier.as_ref().map(|identifier| Windows::new(identifier.known.length()));
    let mut processes = by_process.then(|| detail.processes(places.len()));
    let mut sinks: Vec<&mut dyn Sink> = vec![&mut activity];
    sinks.extend(processes.iter_mut().map(|processes| processes as &mut dyn Sink));
    sinks.extend(windows.iter_mut().map(|windows| windows as &mut dyn Sink));
    let request = Request { filter: filter.clone(), ..Request::for_a_look() };
    let results = drain(source, request, &mut sinks, signals, progress);
    let results = unless_too_much(results, place)?;
    activity.finish();
    let is_stopped = signals.asked() > 0;
    let is_log = matches!(about, About::Log);
    if is_log {
        // The names in a log are known only after reading it.
        replay::check_patterns(&results.table, place, filter)?;
    }
    replay::refuse_missed_range(&results, place, signals)?;
    let identified = identifier.as_ref().zip(windows).map(|(identifier, windows)| {
        let session = Session::of_source(&place.to_string(), &results, filter, windows)?;
        identifier.identify(session, signals).transpose()
    });
    let is_asked = identifier.as_ref().is_some_and(|identifier| identifier.is_asked);
    let states = told(identified, is_asked, place, progress);
    let Results { summary, table, selection, span, problem, .. } = results;
    let is_range = filter.cuts();
    let ranking = match is_range || is_stopped {
        true => ranking_of_range(&activity, &summary, span, &table),
        false => Ranking::of_capture(&summary, &table),
    };
    hold(&ranking)?.forever();
    let processes = processes.map(|processes| processes.ranking(knows_threads)).transpose()?;
    Ok(SourceReport {
        label,
        place: place.clone(),
        logged: if is_range { None } else { logged(&about, &summary) },
        is_unnamed: is_log && is_unnamed(&table),
        table,
        selection,
        ranking,
        processes,
        is_range: is_range || is_stopped,
        filter: filter.clone(),
        origin: span.map(|(first, _)| first),
        unwatched: within(&summary.unwatched, span, &activity),
        thinned: within(stretches(summary.budget.as_ref()), span, &activity),
        activity,
        summary,
        state_spans: states.as_ref().map(spans).unwrap_or_default(),
        states,
        is_by_perf: matches!(about, About::Perf { .. }),
        is_log,
        problem: problem.or(is_stopped.then_some(Problem::Stopped)),
    })
}

/// The parts of stretches within the span of the activity. `span` is that of the whole source.
fn within<T: InTime>(stretches: &[T], span: Option<(Ns, Ns)>, activity: &Activity) -> Vec<T> {
    match (span, activity.span()) {
        (Some((origin, _)), Some(part)) => between(stretches, origin, part),
        _ => Vec::new(),
    }
}

fn stretches(budget: Option<&BudgetSummary>) -> &[ThinnedStretch] {
    budget.map_or(&[], |budget| &budget.stretches)
}

/// The results, unless the source takes too much memory.
fn unless_too_much(results: Results, place: &Place) -> Result<Results, replay::Error> {
    match results.problem {
        Some(Problem::Damaged { cause, .. }) if TooMuch::within(&cause).is_some() => {
            Err(replay::Error::Source { place: place.clone(), cause: cause.into() })
        }
        _ => Ok(results),
    }
}

/// The number of events in log.csv, if it does not have all events of the source.
fn logged(about: &About, summary: &Summary) -> Option<u64> {
    match about {
        About::Capture(facts) => facts.events.filter(|events| *events < summary.events.recorded),
        _ => None,
    }
}

/// Whether a log's groups have numbers for names, because the tables of the recording are missing.
fn is_unnamed(table: &Table) -> bool {
    let tracepoints = table.tracepoints();
    !tracepoints.is_empty() && tracepoints.iter().all(|tracepoint| tracepoint.group == format!("gid{}", tracepoint.gid))
}

/// The ranking of a range: the recorded events in it, and the hits that those of thinned tracepoints stand for, over the
/// requested time. Parts of that time outside the capture do not count.
fn ranking_of_range(activity: &Activity, summary: &Summary, span: Option<(Ns, Ns)>, table: &Table) -> Ranking {
    let (first, last) = activity.span().unwrap_or_default();
    let (earliest, latest) = span.unwrap_or((first, last));
    let asked = summary.restricted.as_ref();
    let from = asked.and_then(|asked| asked.from).map_or(first, |from| from.max(earliest)).min(first);
    let is_cut = asked.is_some_and(|asked| asked.events.is_some());
    let to = asked.and_then(|asked| asked.to).filter(|_| !is_cut).map_or(last, |to| to.min(latest)).max(last);
    let hits = || {
        activity.tracepoints.hit().map(|(tpid, events)| {
            let tpid = Tpid::new(tpid);
            let more = activity.more_hits(tpid);
            (tpid, HitNumber { hits: events.saturating_add(more), is_estimate: more > 0 })
        })
    };
    let all = hits().fold(HitNumber::default(), |sum, (_, number)| sum.and(number));
    Ranking::of_hits(hits(), all, Duration::from_nanos(to.since(from)), table)
}
