//! Report: what the kernel did, for people to see: tables, plots and a page, of one source or of several side by side.
//!
//! ```text
//!   source ──> event stream ──> activity (when what was active) ──┐
//!                   └─────────> summary (books, facts) ───────────┴──> source report ──┐
//!   another source …                                             ──> source report ──┤
//!                                                                                     ├──> differences
//!                                               text · json · csv · markdown · plots · page
//! ```

mod activity;
mod cells;
mod differences;
mod facts;
pub mod formats;
mod page;

pub use activity::{Activity, Gap, UNKNOWN_KEY, cpu_of};
pub use cells::{Cell, Cells};
pub use differences::{Compared, Differences, Presence};
pub use facts::facts;
pub use page::page;

use crate::capture::{Progress, Signals};
use crate::plot::{self, Plot};
use crate::ranking::Ranking;
use crate::recording::{self, EVENTS, Folder, LOG, Summary};
use crate::replay;
use crate::results::{self, Range, Request, Results};
use crate::source::{About, Place};
use crate::stream::Restriction;
use crate::tracefs::{Selection, Table};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A report, validated.
#[derive(Debug, Clone)]
pub struct Options {
    /// Of what.
    pub places: Vec<Place>,
    /// Which events.
    pub restriction: Restriction,
    /// Which stretch of them.
    pub range: Range,
    /// The page to write.
    pub html: Option<PathBuf>,
    /// The folder to write plots into.
    pub plots: Option<PathBuf>,
    /// Replace files that are there.
    pub force: bool,
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
    /// Whether it is of a range.
    pub is_range: bool,
    /// When what was active.
    pub activity: Activity,
    /// Whether it is a log.csv, which tells nothing but its rows.
    pub is_log: bool,
    /// Whether its groups have no names.
    pub is_unnamed: bool,
    /// What kept it from being all that it should be, if anything did.
    pub problem: Option<anyhow::Error>,
}

impl SourceReport {
    /// Samples of each tracepoint and of each group, by name, in so many columns of equal width from the first event to the
    /// last.
    pub fn columns(&self, columns: usize) -> (HashMap<String, Vec<u64>>, HashMap<String, Vec<u64>>) {
        let mut groups = HashMap::<String, Vec<u64>>::new();
        let mut tracepoints = HashMap::new();
        for (tpid, counts) in (0u32..).zip(self.activity.tracepoints.columns(columns)) {
            if counts.is_empty() {
                continue;
            }
            let tracepoint = self.table.get(tpid);
            let group = groups.entry(tracepoint.group.clone()).or_insert_with(|| vec![0; columns]);
            group.iter_mut().zip(&counts).for_each(|(sum, count)| *sum += count);
            tracepoints.insert(tracepoint.full_name(), counts);
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
    #[error("`{0}` names no file: name the page with --html FILE")]
    NoFile(PathBuf),
}

/// Cells that a report on the terminal needs, for a row of a few dozen columns.
const CELLS_OF_TEXT: usize = 1 << 15;
/// Cells that plots and pages need.
const CELLS_OF_PICTURES: usize = 1 << 18;

/// Reads the sources, and writes the files that were asked for.
pub fn report(options: &Options, signals: &mut Signals, progress: &mut dyn Progress) -> Result<Report, Error> {
    let Options { places, html, plots, force, .. } = options;
    // What cannot be written is found out before minutes of reading.
    let html = html.as_deref().map(|path| Target::of_file(path, *force)).transpose()?;
    let labels = labels(places);
    let plots = plots.as_deref().map(|path| plot_folder(path, &labels, *force)).transpose()?;

    let mut sources = Vec::new();
    for (place, label) in places.iter().zip(labels) {
        let source = read(place, label, options, signals, progress)?;
        sources.push(source);
        if signals.asked() > 0 {
            break;
        }
    }
    let differences = (sources.len() > 1).then(|| Differences::between(&sources));
    let report = Report { sources, differences, stopped: signals.asked() > 0 };
    // The page is made while the plots are drawn.
    let (page, drawn) = std::thread::scope(|scope| {
        let page = html.as_ref().map(|_| scope.spawn(|| page(&report)));
        let drawn = plots.as_ref().map_or(Ok(()), |folder| draw(&report.sources, folder));
        (page.map(|page| page.join().expect("making a page does not panic")), drawn)
    });
    drawn?;
    if let (Some(page), Some(Target { folder, name })) = (page, &html) {
        let mut file = folder.file(name)?;
        file.write(page.as_bytes())?;
        file.finish();
    }
    // Nothing gets its name before all is written.
    for folder in plots.iter().chain(html.as_ref().map(|target| &target.folder)) {
        folder.commit()?;
    }
    Ok(report)
}

/// A file to write.
struct Target {
    folder: Folder,
    name: String,
}

impl Target {
    fn of_file(path: &Path, force: bool) -> Result<Self, Error> {
        let no_file = || Error::NoFile(path.to_owned());
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(no_file)?.to_owned();
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = Folder::open(parent)?;
        folder.check(&name, force)?;
        // Found out now and not after the reading.
        folder.file(&name)?;
        Ok(Target { folder, name })
    }
}

const FIGURES: [plot::Figure; 2] = [plot::Figure::Tracepoints, plot::Figure::Groups];

fn plot_names(label: &str) -> impl Iterator<Item = (plot::Figure, [String; 2])> {
    let name = file_name(label);
    FIGURES
        .into_iter()
        .map(move |figure| (figure, ["svg", "png"].map(|extension| format!("{name}.{}.{extension}", figure.name()))))
}

fn plot_folder(path: &Path, labels: &[String], force: bool) -> Result<Folder, Error> {
    let folder = Folder::create(path)?;
    for name in labels.iter().flat_map(|label| plot_names(label)).flat_map(|(_, names)| names) {
        folder.check(&name, force)?;
    }
    folder.file("tp-perf")?;
    Ok(folder)
}

/// Draws every figure of every source, those of one source at the same time.
fn draw(sources: &[SourceReport], folder: &Folder) -> Result<(), Error> {
    let axes = FIGURES.map(|figure| plot::Axis::new(figure, sources));
    for source in sources {
        let drawn = std::thread::scope(|scope| {
            let drawing = plot_names(&source.label).zip(&axes).map(|((figure, names), axis)| {
                scope.spawn(move || {
                    let plot = Plot::new(figure, axis, source);
                    let svg = plot.svg();
                    let png = plot::png(&svg);
                    (names, svg, png)
                })
            });
            let drawing: Vec<_> = drawing.collect();
            drawing.into_iter().map(|thread| thread.join().expect("drawing does not panic")).collect::<Vec<_>>()
        });
        for ([svg_name, png_name], svg, png) in drawn {
            let png = png.map_err(|cause| Error::Plot { file: png_name.clone(), cause })?;
            for (name, bytes) in [(svg_name, svg.into_bytes()), (png_name, png)] {
                let mut file = folder.file(&name)?;
                file.write(&bytes)?;
                file.finish();
            }
        }
    }
    Ok(())
}

fn read(
    place: &Place,
    label: String,
    options: &Options,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<SourceReport, Error> {
    let Options { places, restriction, range, html, plots, .. } = options;
    let source = replay::open(place, restriction, signals, progress)?;
    let about = source.about.clone();
    // A page of many sources is to be no larger than one of few.
    let most_cells = CELLS_OF_PICTURES * 2 / places.len().max(2);
    let mut activity = match (html, plots) {
        (Some(_), _) => Activity::new(most_cells).with_cpus(most_cells / 8),
        (None, Some(_)) => Activity::new(most_cells),
        (None, None) => Activity::new(CELLS_OF_TEXT),
    };
    let request = Request {
        restriction: restriction.clone(),
        range: range.clone(),
        as_captured: false,
        speed: None,
        log: None,
        sink: Some(&mut activity),
        asked: 0,
        stops_at_once: true,
        room: 0,
        begin: Instant::now(),
    };
    let Results { summary, table, selection, problem } =
        results::write(source, request, signals, progress).map_err(replay::Error::from)?;
    let is_log = matches!(about, About::Log);
    if is_log {
        // Only now is it known what the log names.
        replay::check_patterns(&table, place, restriction)?;
    }
    activity.finish();
    let is_range = *range != Range::default();
    let ranking = match is_range {
        true => ranking_of_range(&activity, &summary, &table),
        false => Ranking::of_capture(&summary, &table),
    };
    let is_unnamed = is_log && table.tracepoints().iter().all(|t| t.group == format!("gid{}", t.gid));
    let place = place.to_string();
    Ok(SourceReport {
        label,
        place,
        summary,
        table,
        selection,
        ranking,
        is_range,
        activity,
        is_log,
        is_unnamed,
        problem,
    })
}

/// Hits in a range: the samples in it, over the time asked for, as far as the range says it.
fn ranking_of_range(activity: &Activity, summary: &Summary, table: &Table) -> Ranking {
    let totals = activity.tracepoints.totals();
    let events = totals.iter().sum();
    let (first, last) = activity.span().unwrap_or_default();
    let asked = summary.restricted.as_ref();
    let from = asked.and_then(|asked| asked.from).unwrap_or(first).min(first);
    let to = asked.and_then(|asked| asked.to).filter(|to| *to >= last && *to < u64::MAX).unwrap_or(last);
    Ranking::of_hits((0u32..).zip(totals), events, Duration::from_nanos(to.saturating_sub(from)), table)
}

/// A short name for each source, no two alike.
fn labels(places: &[Place]) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut label = |place: &Place| {
        let short = match place {
            Place::Path(path) => short_name(path),
            Place::Stdin => "stdin".to_owned(),
            Place::Example => "example".to_owned(),
        };
        let numbered = (2..).map(|number| format!("{short}-{number}"));
        let mut names = std::iter::once(short.clone()).chain(numbered);
        names.find(|name| taken.insert(file_name(name))).expect("numbers do not end")
    };
    places.iter().map(&mut label).collect()
}

/// The last part of a path that says something: of `idle/events.perf` it is `idle`.
fn short_name(path: &Path) -> String {
    let parts: Vec<String> = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .filter(|part| part != ".")
        .collect();
    let says_nothing =
        |part: &&String| [EVENTS, LOG, "perf.data"].contains(&part.as_str()) || *part == ".." || *part == "/";
    let absolute = || std::path::absolute(path).ok()?.file_name().map(|name| name.to_string_lossy().into_owned());
    match parts.iter().rev().find(|part| !says_nothing(part)) {
        Some(part) => {
            let endings = [".zst", ".csv", ".log", ".perf", ".data"];
            let stem = endings.iter().fold(part.as_str(), |stem, ending| stem.strip_suffix(ending).unwrap_or(stem));
            if stem.is_empty() { part.clone() } else { stem.to_owned() }
        }
        None => parts
            .last()
            .filter(|part| *part != "/" && *part != "..")
            .cloned()
            .or_else(absolute)
            .unwrap_or("source".to_owned()),
    }
}

/// A label as a part of a file's name.
fn file_name(label: &str) -> String {
    let safe = label.chars().map(|c| if c.is_alphanumeric() || "._-+=@,".contains(c) { c } else { '_' });
    let safe: String = safe.take(100).collect();
    safe.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_no_two_are_alike() {
        let places = [
            "idle/",
            "/tmp/x/idle/events.perf",
            "build/log.csv",
            "make.perf.zst",
            "perf.data",
            "a b",
            "a/b\nc",
            "a_b",
            "…",
        ];
        let places: Vec<_> = places.into_iter().map(|path| Place::Path(path.into())).collect();
        let labels = labels(&places);
        assert_eq!(labels, ["idle", "idle-2", "build", "make", "perf.data", "a b", "b\nc", "a_b-2", "…"]);
        assert_eq!(file_name("../a/b\u{1b}[2J"), "_a_b__2J");
    }
}
