//! Report: what the kernel did, for people to see: tables, plots and a page, of one source or of several side by side.
//!
//! ```text
//!   source ──> event stream ──> activity (when what was active) ──┐
//!                   └─────────> summary (books, facts) ───────────┴──> source report ──┐
//!   another source …                                             ──> source report ──┤
//!                                                                                     ├──> differences
//!                                               text · json · csv · markdown · plots · page
//! ```

mod differences;
mod facts;
mod files;
pub mod formats;
mod label;
mod read;
pub mod states;

pub use differences::{By, Compared, Differences, Presence};
pub use facts::facts;
pub use states::States;

use crate::activity::Activity;
use crate::control::{Progress, Signals};
use crate::drain::Range;
use crate::drain::replay;
use crate::events::stream::Restriction;
use crate::plot::{self, MOST_ROWS, StateSpan, Subject};
use crate::ranking::Ranking;
use crate::recording::{self, Summary};
use crate::source::Place;
use crate::state::Identification;
use crate::tracefs::{Selection, Table};
use files::Files;
use label::labels;
use std::collections::HashMap;
use std::path::PathBuf;

/// A report, validated.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of what.
    pub places: Vec<Place>,
    /// Which events.
    pub restriction: Restriction,
    /// Which stretch of them.
    pub range: Range,
    /// The page to write; `-` is standard output.
    pub html: Option<PathBuf>,
    /// The folder to write plots into.
    pub plots: Option<PathBuf>,
    /// Replace files that are there.
    pub force: bool,
    /// The states to hold sources against, if they are to be.
    pub states: Option<States>,
}

/// What there is to tell of sources.
#[derive(Debug)]
pub struct Report {
    /// Of each.
    pub sources: Vec<SourceReport>,
    /// Between them; none if there is one only.
    pub differences: Option<Differences>,
    /// Whether the user asked for the end before it came.
    pub stopped: bool,
}

/// What there is to tell of one source.
#[derive(Debug)]
pub struct SourceReport {
    /// A short name of its own, for headings and files.
    pub label: String,
    /// The source, as it was named.
    pub place: String,
    /// What it was, and its books.
    pub summary: Summary,
    /// Its tracepoints.
    pub table: Table,
    /// What became of each.
    pub selection: Selection,
    /// Tracepoints and groups by hits. Of a range these are the samples within; of a whole capture what the kernel counted.
    pub ranking: Ranking,
    /// Whether it is of a range, or of what came until the user stopped it.
    pub is_range: bool,
    /// How many of the events log.csv has, if not all (`--events`).
    pub logged: Option<u64>,
    /// When what was active.
    pub activity: Activity,
    /// Which states it was in, if that was asked for and can be said.
    pub states: Option<Identification>,
    /// The same as it is drawn.
    pub state_spans: Vec<StateSpan>,
    /// Whether it is a log.csv, which tells nothing but its rows.
    pub is_log: bool,
    /// Whether its groups have no names.
    pub is_unnamed: bool,
    /// What kept it from being all that it should be, if anything did.
    pub problem: Option<anyhow::Error>,
}

impl SourceReport {
    /// What of it is drawn.
    fn subject(&self) -> Subject<'_> {
        let SourceReport { label, activity, table, summary, state_spans, .. } = self;
        Subject { label, activity, table, summary, states: state_spans }
    }

    /// Samples of each tracepoint, by tpid, and of each group, by name, in so many columns of equal width from the first event to the
    /// last.
    pub fn columns(&self, columns: usize) -> (HashMap<u32, Vec<f64>>, HashMap<String, Vec<f64>>) {
        let mut groups = HashMap::<String, Vec<f64>>::new();
        let mut tracepoints = HashMap::new();
        for (tpid, counts) in (0u32..).zip(self.activity.tracepoints.columns(columns)) {
            if counts.is_empty() {
                continue;
            }
            let tracepoint = self.table.get(tpid);
            let group = groups.entry(tracepoint.group.clone()).or_insert_with(|| vec![0.0; columns]);
            group.iter_mut().zip(&counts).for_each(|(sum, count)| *sum += count);
            tracepoints.insert(tpid, counts);
        }
        (tracepoints, groups)
    }
}

/// Why a report failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A source cannot be replayed.
    #[error(transparent)]
    Source(#[from] replay::Error),
    /// A file could not be written.
    #[error(transparent)]
    Output(#[from] recording::Error),
    /// A plot could not be drawn.
    #[error("failed to draw {file}: {cause}")]
    Plot {
        /// Which.
        file: String,
        /// Why not.
        cause: plot::Error,
    },
    /// The page has no name.
    #[error("`{0}` names no file that can be written")]
    NoFile(PathBuf),
    /// Too many rows for a picture.
    #[error("{0} tracepoints were hit, and a plot has room for {MOST_ROWS}")]
    TooManyRows(usize),
    /// The page would be one of the plots.
    #[error("`{0}` is the name of a plot too: choose another name for the page")]
    OwnPlot(PathBuf),
    /// A source would be replaced.
    #[error("`{0}` is a source of this report, and would be replaced: choose another name")]
    OwnSource(PathBuf),
}

/// Reads the sources, and writes the files that were asked for.
pub fn report(options: &Options, signals: &mut Signals, progress: &mut dyn Progress) -> Result<Report, Error> {
    let labels = labels(&options.places);
    // What cannot be written is found out before minutes of reading.
    let files = Files::new(options, &labels)?;
    let mut sources = Vec::new();
    for (place, label) in options.places.iter().zip(labels) {
        match read::read(place, label, options, signals, progress) {
            // What was read before is not lost.
            Err(Error::Source(replay::Error::Interrupted)) if !sources.is_empty() => break,
            source => sources.push(source?),
        }
        if signals.asked() > 0 {
            break;
        }
    }
    let differences = (sources.len() > 1).then(|| Differences::between(&sources));
    let mut report = Report { sources, differences, stopped: signals.asked() > 0 };
    report.stopped = report.stopped || !files.write(&report, &mut || signals.asked() > 0)?;
    if report.stopped && (options.html.is_some() || options.plots.is_some()) {
        progress.note("stopped: no page and no plots are written");
    }
    Ok(report)
}
