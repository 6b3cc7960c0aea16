//! Reads a history into a report.

use super::SourceReport;
use super::options::ReportOptions;
use super::rows::hold;
use super::states::{spans, told};
use crate::control::{Progress, Signals};
use crate::drain::{Problem, replay};
use crate::events::{Ns, Tpid};
use crate::history::{Error, History, HistoryChoice, HistoryFacts, HistoryLevel, HistoryWindow, wall_words};
use crate::ranking::{HitNumber, Ranking};
use crate::recording::{
    EventsSummary, SCHEMA, Summary, TimingSummary, TracepointSummary, TracepointsSummary, WindowsSummary,
};
use crate::source::Place;
use crate::state;
use crate::tracefs::{Exclusion, Selection, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Signals are looked at after so many windows.
const LOOK: u64 = 256;

/// The sums over the windows.
#[derive(Default)]
struct WindowSums {
    windows: u64,
    counted_ns: u64,
    from: Option<Ns>,
    to: Ns,
    /// By tpid: the hits, and whether some are estimates.
    hits: BTreeMap<Tpid, HitNumber>,
    visited: BTreeSet<Tpid>,
    detached: BTreeSet<Tpid>,
}

impl WindowSums {
    fn add(&mut self, window: &HistoryWindow) {
        self.windows += 1;
        self.counted_ns = self.counted_ns.saturating_add(window.length_ns);
        self.from.get_or_insert(window.start);
        self.to = self.to.max(window.end());
        for hits in &window.hits {
            let Some(number) = hits.hits else {
                self.detached.insert(hits.tpid);
                // The sum and the rate are too low.
                self.hits.entry(hits.tpid).or_default().is_estimate = true;
                continue;
            };
            let is_estimate = !hits.is_exact();
            if is_estimate {
                self.visited.insert(hits.tpid);
            }
            let of_it = self.hits.entry(hits.tpid).or_default();
            *of_it = of_it.and(HitNumber { hits: number, is_estimate });
        }
    }
}

/// Reads a history, or the part of it that the options choose.
pub(super) fn read_history(
    path: &Path,
    place: &Place,
    label: String,
    options: &ReportOptions,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<SourceReport, replay::Error> {
    let begin = Instant::now();
    let failed = |error: Error| replay::Error::Other(Box::new(error));
    let history = History::open_part(path, &options.filter, HistoryLevel::Minutes).map_err(failed)?;
    history.problems().iter().for_each(|problem| progress.note_failure("a file is left out", problem));
    if history.has_minutes() {
        progress.note(&format!(
            "{place}: the sums of minutes are read, because the time is longer than two days or older than the windows"
        ));
    }
    let (table, filter) = (history.table(), &options.filter);
    replay::check_patterns(table, place, filter)?;
    let is_taken = |tpid: Tpid| table.find(tpid).is_some_and(|tracepoint| filter.takes(tracepoint));
    let mut activity = options.detail.activity(options.places.len());
    let mut sums = WindowSums::default();
    let mut newest = None;
    let mut is_stopped = false;
    for window in history.windows() {
        let (mut window, facts) = match window {
            Ok(window) => window,
            Err(error) => {
                progress.note_failure("a part is left out", &error);
                continue;
            }
        };
        window.hits.retain(|hits| is_taken(hits.tpid));
        newest = Some(facts);
        // After a step of the wall clock, windows can overlap.
        let start = window.start.max(sums.to);
        let hits: Vec<(Tpid, u64)> = window.hits.iter().filter_map(|hits| Some((hits.tpid, hits.hits?))).collect();
        activity.add_window(start, window.end().since(start), &hits);
        sums.add(&window);
        if sums.windows.is_multiple_of(LOOK) {
            progress.replaying(sums.windows, sums.windows, None);
            is_stopped = signals.asked() > 0;
            if is_stopped {
                break;
            }
        }
    }
    progress.phase_ends();
    activity.finish();
    let Some(from) = sums.from else {
        let whole = History::open(path, HistoryChoice::default()).map_err(failed)?;
        let span = whole.span().map(|(from, to)| (wall_words(from), wall_words(to)));
        return Err(failed(Error::NoWindow { path: path.to_owned(), span }));
    };
    let mut selection = selection_of(&history, table);
    for tracepoint in table.tracepoints().iter().filter(|tracepoint| !filter.takes(tracepoint)) {
        selection.exclude(tracepoint.tpid, Exclusion::Replay);
    }
    let states = identified(path, place, options, signals, progress);
    let all = sums.hits.values().fold(HitNumber::default(), |sum, number| sum.and(*number));
    let hits = sums.hits.iter().map(|(tpid, number)| (*tpid, *number));
    let ranking = Ranking::of_hits(hits, all, Duration::from_nanos(sums.counted_ns), table);
    hold(&ranking)?.forever();
    let history_words = WindowsSummary {
        windows: sums.windows,
        counted_ns: sums.counted_ns,
        from: wall_words(from),
        to: wall_words(sums.to),
        files: history.files(),
        visited: sums.visited.len(),
        detached: sums.detached.len(),
    };
    let summary = summary(newest.as_deref(), table, &selection, &sums.hits, history_words, begin.elapsed());
    Ok(SourceReport {
        label,
        place: place.clone(),
        summary,
        table: table.clone(),
        selection,
        ranking,
        processes: None,
        is_range: false,
        filter: filter.clone(),
        origin: Some(from),
        logged: None,
        activity,
        unwatched: Vec::new(),
        thinned: Vec::new(),
        state_spans: states.as_ref().map(spans).unwrap_or_default(),
        states,
        is_by_perf: false,
        is_log: false,
        is_unnamed: false,
        problem: is_stopped.then_some(Problem::Stopped),
    })
}

/// The tracepoints that were watched at any time, and why the others were not.
fn selection_of(history: &History, table: &Table) -> Selection {
    let mut all: Vec<&Rc<HistoryFacts>> = Vec::new();
    for facts in history.facts() {
        if !all.contains(&facts) {
            all.push(facts);
        }
    }
    let selections: Vec<Selection> = all.iter().map(|facts| facts.selection(table)).collect();
    let Some(last) = selections.last() else { return Selection::of_statuses(table, std::iter::empty()) };
    let is_watched = |tpid: Tpid| selections.iter().any(|selection| selection.status(tpid).is_captured());
    let others = table.tracepoints().iter().filter(|tracepoint| !is_watched(tracepoint.tpid));
    let others = others.map(|tracepoint| (tracepoint.tpid, last.status(tracepoint.tpid).clone()));
    Selection::of_statuses(table, others)
}

fn identified(
    path: &Path,
    place: &Place,
    options: &ReportOptions,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Option<state::Identification> {
    let identifier = options.identifier.as_ref()?;
    let session = state::read_history(path, &options.filter, Some(identifier.known.length()), signals, progress);
    let identified = session.and_then(|session| identifier.identify(session, signals).transpose());
    told(Some(identified), identifier.is_asked, place, progress)
}

fn summary(
    facts: Option<&HistoryFacts>,
    table: &Table,
    selection: &Selection,
    hits: &BTreeMap<Tpid, HitNumber>,
    history: WindowsSummary,
    took: Duration,
) -> Summary {
    let (captured, excluded, refused) = selection.counts(table);
    let of_tracepoint = |(tpid, HitNumber { hits, is_estimate }): (&Tpid, &HitNumber)| TracepointSummary {
        tpid: *tpid,
        name: table.get(*tpid).full_name(),
        recorded: 0,
        thinned: 0,
        estimated: is_estimate.then_some(*hits),
        lost: None,
        counted: (!is_estimate).then_some(*hits),
        unaccounted: None,
        weighted: false,
    };
    let all = hits.values().fold(HitNumber::default(), |sum, number| sum.and(*number));
    Summary {
        schema: SCHEMA,
        tool: facts.map(|facts| facts.tool.clone()).unwrap_or_else(crate::recording::Tool::this),
        kernel: facts.map(|facts| facts.kernel.clone()),
        hostname: facts.map(|facts| facts.hostname.clone()),
        cpus: facts.map(|facts| facts.cpus.clone()).unwrap_or_default(),
        offline_cpus: Vec::new(),
        unwatched: Vec::new(),
        clock: Some("realtime".to_owned()),
        clock_offset_ns: 0,
        command: None,
        command_exit: None,
        arguments: Vec::new(),
        started: Some(history.from.clone()),
        stop_reason: None,
        log_complete: true,
        ring_size: None,
        budget: None,
        only: None,
        others: None,
        restricted: None,
        tracepoints: TracepointsSummary {
            listed: table.tracepoints().len(),
            excluded,
            excluded_by_default: None,
            captured,
            refused,
        },
        events: EventsSummary {
            logged: 0,
            recorded: 0,
            lost: 0,
            thinned: 0,
            late: 0,
            estimated: all.is_estimate.then_some(all.hits),
            counted: (!all.is_estimate).then_some(all.hits),
            unaccounted: None,
            unknown: 0,
            lost_unassigned: 0,
            threads_lost: 0,
        },
        timing_ns: TimingSummary {
            attach: None,
            capture: Some(history.counted_ns),
            drain: crate::units::nanoseconds(took),
            detach: None,
            detach_expected: None,
        },
        own: None,
        per_tracepoint: hits.iter().map(of_tracepoint).collect(),
        per_cpu: Vec::new(),
        unaccounted: Vec::new(),
        last: None,
        triggers: Vec::new(),
        history: Some(history),
    }
}
