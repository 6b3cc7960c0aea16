//! From a source to its report.

use super::states::spans;
use super::{Error, Options, SourceReport};
use crate::activity::Activity;
use crate::control::{Progress, Signals};
use crate::drain::replay;
use crate::drain::{Problem, Range, Request, Results, drain};
use crate::events::{Ns, Sink};
use crate::ranking::Ranking;
use crate::recording::Summary;
use crate::source::{About, Place};
use crate::state::{Windows, session_of};
use crate::tracefs::{Table, Tpid};
use std::time::Duration;

/// Cells that a report on the terminal needs, for a row of a few dozen columns.
const CELLS_OF_TEXT: usize = 1 << 16;
/// Cells that plots and pages need.
const CELLS_OF_PICTURES: usize = 1 << 18;

/// Reads a source to its end.
pub(super) fn read(
    place: &Place,
    label: String,
    options: &Options,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<SourceReport, Error> {
    let Options { places, restriction, range, html, plots, states, .. } = options;
    let source = replay::open(place, restriction, signals, progress)?;
    let about = source.about.clone();
    // A page of many sources is to be no larger than one of few.
    let most_cells = CELLS_OF_PICTURES * 2 / places.len().max(2);
    let mut activity = match (html, plots) {
        (Some(_), _) => Activity::new(most_cells).with_cpus(most_cells / 8),
        (None, Some(_)) => Activity::new(most_cells),
        (None, None) => Activity::new(CELLS_OF_TEXT),
    };
    if !restriction.is_none() {
        activity = activity.of_part();
    }
    let mut windows = states.as_ref().map(|states| Windows::new(states.known.length()));
    let mut sinks: Vec<&mut dyn Sink> = vec![&mut activity];
    sinks.extend(windows.iter_mut().map(|windows| windows as &mut dyn Sink));
    let request = Request { restriction: restriction.clone(), range: range.clone(), ..Request::for_a_look() };
    let results = drain(source, request, &mut sinks, signals, progress);
    let identified = states.as_ref().zip(windows).map(|(states, windows)| {
        let session = session_of(&place.to_string(), &results, range, states.known.length(), windows)?;
        states.identify(&session)
    });
    let Results { summary, table, selection, span, problem, .. } = results;
    let is_stopped = signals.asked() > 0;
    let problem = problem.or(is_stopped.then_some(Problem::Stopped));
    let is_log = matches!(about, About::Log);
    if is_log {
        // Only now is it known what the log names.
        replay::check_patterns(&table, place, restriction)?;
    }
    activity.finish();
    let states = match identified.transpose() {
        Ok(states) => states,
        Err(reason) => {
            progress.note(&format!("{place}: which states it was in cannot be said: {reason}"));
            None
        }
    };
    let is_range = *range != Range::default();
    let ranking = match is_range || is_stopped {
        true => ranking_of_range(&activity, &summary, span, &table),
        false => Ranking::of_capture(&summary, &table),
    };
    let logged = match &about {
        About::Capture(facts) if !is_range => facts.events.filter(|events| *events < summary.events.recorded),
        _ => None,
    };
    let is_unnamed = is_log
        && !table.tracepoints().is_empty()
        && table.tracepoints().iter().all(|t| t.group == format!("gid{}", t.gid));
    let place = place.to_string();
    Ok(SourceReport {
        label,
        place,
        summary,
        table,
        selection,
        ranking,
        is_range: is_range || is_stopped,
        logged,
        activity,
        state_spans: states.as_ref().map(spans).unwrap_or_default(),
        states,
        is_log,
        is_unnamed,
        problem,
    })
}

/// Hits in a range: the samples in it, over the time asked for, as far as events could come in it.
fn ranking_of_range(activity: &Activity, summary: &Summary, span: Option<(Ns, Ns)>, table: &Table) -> Ranking {
    let events = activity.tracepoints.events();
    let (first, last) = activity.span().unwrap_or_default();
    let (earliest, latest) = span.unwrap_or((first, last));
    let asked = summary.restricted.as_ref();
    let from = asked.and_then(|asked| asked.from).map_or(first, |from| from.max(earliest)).min(first);
    let is_cut = asked.is_some_and(|asked| asked.events.is_some());
    let to = asked.and_then(|asked| asked.to).filter(|_| !is_cut).map_or(last, |to| to.min(latest)).max(last);
    let hits = activity.tracepoints.hit().map(|(tpid, hits)| (Tpid::new(tpid), hits));
    Ranking::of_hits(hits, events, Duration::from_nanos(to.since(from)), table)
}
