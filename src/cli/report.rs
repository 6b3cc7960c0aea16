//! The arguments of `tp-perf report`.

use super::help::PATTERNS;
use super::library::library;
use super::plots::{Size, paper, plot_format, rows, size};
use super::source::{SourceArgs, places};
use super::usage::usage;
use crate::control::Manner;
use crate::page::{FileOptions, PlotOptions};
use crate::plot::PlotFormat;
use crate::plot::paper::PaperRows;
use crate::report::ReportOptions;
use crate::source::Place;
use crate::state::Library;
use crate::text::OneLine;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  # Open a built-in recording in the browser
  tp-perf report --example --open
  # Show the newest recording in this directory
  tp-perf report
  # Write a page with graphs, to zoom, search and sort
  tp-perf report idle --html idle.html
  # Draw the graphs as SVG and PNG into a directory
  tp-perf report idle --plots figures
  # Draw figures for a column of a paper, as PDF
  tp-perf report idle build --plots figures --size 3.5in --plot-format pdf --no-title
  # Show how recordings differ, and then report on each
  tp-perf report idle build apache --html all.html
  # Compare repeats of two experiments
  tp-perf report idle1 idle2 idle3 -- build1 build2 build3
  # Write the differences as a table for a paper
  tp-perf report idle build --format latex > differences.tex
  # Show which processes caused the events
  tp-perf report perf.data --by process
  # Show which learned states the recording was in
  tp-perf report idle --states
  # Extract one value
  tp-perf report build --format json | jq '.sources[0].events'";

/// The page of `--open` without `--html`.
const OWN_PAGE: &str = "tp-perf-report.html";

/// The arguments of `tp-perf report`.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{EXAMPLES}\n\n{PATTERNS}"))]
pub struct ReportArgs {
    /// Recordings, histories, perf.data, log.csv files, or `-`
    ///
    /// A history is a folder that `tp-perf monitor --history` wrote, or a Parquet file in it.
    /// For a recording, name its directory or its events.perf, which may be compressed with zstd. `-` is standard input.
    /// Without SOURCE, tp-perf takes the newest recording in the current directory.
    #[arg(value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// Recordings to compare with those before `--`
    ///
    /// The recordings before `--` repeat one experiment, and those after it repeat another. tp-perf lists a rate only if its change
    /// exceeds its variation between repeats.
    #[arg(last = true, value_name = "SOURCE", hide_short_help = true)]
    others: Vec<PathBuf>,
    /// Report on the built-in recording
    ///
    /// It shows a build that starts on an idle machine.
    #[arg(long, conflicts_with_all = ["sources", "others"])]
    example: bool,
    /// Show the top N tracepoints and groups
    ///
    /// The default is 5 for text and markdown, 20 for latex, and all for json and csv.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,
    /// Show which processes caused the events: `process`
    ///
    /// The table of processes replaces the table of tracepoints. Files of `perf record` have processes, and so have recordings that were made with
    /// `tp-perf record --with pid`.
    #[arg(long, value_enum, hide_possible_values = true, value_name = "WHAT")]
    by: Option<ReportBy>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t)]
    format: ReportFormat,
    /// Write a page with graphs and tables into FILE
    ///
    /// The page is one file that needs no network. `-` writes it to stdout instead of the report.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Open the page in the browser
    ///
    /// tp-perf starts $BROWSER, or xdg-open. Without --html, the page is tp-perf-report.html in the current directory. It
    /// replaces an older page of that name.
    #[arg(long)]
    open: bool,
    /// Draw the graphs of each source into DIR
    ///
    /// With --size, --rows, --title, or --no-title, the graphs are figures for a paper. tp-perf draws tracepoints over time,
    /// groups over time, events per second, and the differences as bars. Each figure shows all sources.
    #[arg(long, hide_short_help = true, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Draw the graphs as `svg`, `png`, or `pdf` [default: svg,png]
    #[arg(long, hide_short_help = true, value_name = "FORMAT", requires = "plots", value_delimiter = ',', value_parser = plot_format)]
    plot_format: Vec<PlotFormat>,
    /// Set the width of the figures, or the width and the height, as in 3.5in, 9cm, or 3.5x2in [default: 3.5in]
    #[arg(long, hide_short_help = true, value_name = "SIZE", requires = "plots", value_parser = size)]
    size: Option<Size>,
    /// Draw the rows with the most hits, as in top:30, or `all` [default: top:20]
    #[arg(long, hide_short_help = true, value_name = "ROWS", requires = "plots", value_parser = rows)]
    rows: Option<PaperRows>,
    /// Write this title above each figure
    #[arg(long, hide_short_help = true, value_name = "TEXT", requires = "plots", conflicts_with = "no_title")]
    title: Option<String>,
    /// Draw figures without a title
    #[arg(long, hide_short_help = true, requires = "plots")]
    no_title: bool,
    /// Replace existing files
    #[arg(long, hide_short_help = true)]
    force: bool,
    /// Show which learned states each source was in
    #[arg(long)]
    states: bool,
    /// Use the library in DIR [default: ~/.local/share/tp-perf/states]
    #[arg(long, hide_short_help = true, value_name = "DIR", requires = "states")]
    library: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(short, long, hide_short_help = true)]
    quiet: bool,
    #[command(flatten)]
    part: SourceArgs,
}

/// The rows of a report's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportBy {
    /// Processes, with their tracepoints, and tracepoints, with their processes
    Process,
}

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// All facts, as one object
    Json,
    /// A row for each tracepoint, or with --by process for each process and tracepoint
    Csv,
    /// For an issue or a wiki
    Markdown,
    /// Tables for a paper
    Latex,
}

/// A report, and how much it shows.
#[derive(Debug)]
pub struct ReportRequest {
    /// The sources. Without any, the source is the newest recording in the current directory.
    pub options: ReportOptions,
    /// The files to write.
    pub files: FileOptions,
    /// Whether to open the page in the browser.
    pub open: bool,
    /// The format of the report.
    pub format: ReportFormat,
    /// The number of tracepoints and groups to print.
    pub top: usize,
    /// How much tp-perf shows.
    pub manner: Manner,
    /// The origin of the states, if the report shows them.
    pub states: Option<StatesFrom>,
}

/// The origin of the states of a report.
#[derive(Debug, PartialEq, Eq)]
pub enum StatesFrom {
    /// A library that the user made.
    Library(Library),
    /// The built-in states of the example.
    Example,
}

/// Whether a path looks like an option.
fn is_option(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().starts_with(b"-") && path.as_os_str() != "-"
}

impl ReportArgs {
    /// Whether it writes no file.
    pub fn only_prints(&self) -> bool {
        let is_printed = self.html.as_deref().is_none_or(|path| path.as_os_str() == "-");
        is_printed && self.plots.is_none() && !self.open
    }

    /// Whether it opens its page in the browser.
    pub fn opens_browser(&self) -> bool {
        self.open
    }

    /// The bound of the memory that inputs take, in bytes, if the user set it.
    pub fn memory(&self) -> Option<u64> {
        self.part.memory.bound()
    }

    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: an empty range, standard input twice, `--open` with the page on standard output, or no library.
    pub fn request(self) -> Result<ReportRequest, clap::Error> {
        if let Some(option) = self.others.iter().find(|path| is_option(path)).filter(|_| !self.sources.is_empty()) {
            return Err(usage(format!(
                "after `--`, `{}` is a source; write options before the sources, as in `tp-perf report --top 9 a1 a2 -- b1 b2`",
                OneLine(option.display())
            )));
        }
        let places: Vec<Place> = match self.example {
            true => vec![Place::Example],
            false => places(self.sources.iter().chain(&self.others).cloned().collect())?,
        };
        // Without sources before it, `--` only ends the options.
        let sides = match self.sources.is_empty() || self.others.is_empty() {
            true => Vec::new(),
            false => vec![self.sources.len(), self.others.len()],
        };
        let filter = self.part.request()?;
        let usual = match self.format {
            ReportFormat::Json | ReportFormat::Csv => usize::MAX,
            ReportFormat::Latex => 20,
            ReportFormat::Text | ReportFormat::Markdown => 5,
        };
        let top = self.top.map_or(usual, |top| top as usize);
        let states = match (self.example, self.library) {
            (true, None) => Some(StatesFrom::Example),
            (_, path) => self.states.then(|| library(path)).transpose()?.map(StatesFrom::Library),
        };
        let (html, replaces_page) = match self.html {
            Some(path) if self.open && path.as_os_str() == "-" => {
                return Err(usage("--open needs a file, but `--html -` writes the page to stdout".to_owned()));
            }
            None if self.open => (Some(OWN_PAGE.into()), true),
            html => (html, self.force),
        };
        let paper = paper(self.size, self.rows, self.title, self.no_title);
        let formats = match self.plot_format.is_empty() {
            true => vec![PlotFormat::Svg, PlotFormat::Png],
            false => PlotFormat::ALL.into_iter().filter(|format| self.plot_format.contains(format)).collect(),
        };
        let plots = self.plots.map(|folder| PlotOptions { folder, formats, paper });
        let files = FileOptions { html, replaces_page, plots, force: self.force };
        let options = ReportOptions {
            places,
            sides,
            filter,
            detail: files.detail(),
            identifier: None,
            by_process: self.by.is_some(),
        };
        let manner = Manner::reading(self.quiet);
        Ok(ReportRequest { options, files, open: self.open, format: self.format, top, manner, states })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;
    use crate::report::Detail;

    fn request(words: &str) -> Result<ReportRequest, clap::Error> {
        parse::<ReportArgs>(words).and_then(ReportArgs::request)
    }

    #[test]
    fn a_report_takes_all_its_options() {
        let words =
            "a - --top 7 --format markdown --html p.html --plots d --force -n 9 -t sched:* --cpus 1 --from 1s -q";
        let ReportRequest { options, files, format, top, manner, .. } = request(words).unwrap();
        assert_eq!(options.places, [Place::Path("a".into()), Place::Stdin]);
        assert_eq!((top, format, manner.quiet), (7, ReportFormat::Markdown, true));
        let plots = files.plots.unwrap();
        assert_eq!((files.html, plots.folder, files.force), (Some("p.html".into()), "d".into(), true));
        assert_eq!((plots.formats, plots.paper), (vec![PlotFormat::Svg, PlotFormat::Png], None));
        assert_eq!((options.filter.events, options.filter.only.len()), (Some(9), 1));
    }

    #[test]
    fn two_dashes_separate_the_sides_or_end_the_options() {
        let sides =
            |words: &str| request(words).map(|request| (request.options.places.len(), request.options.sides)).ok();
        assert_eq!(sides("a b -- c"), Some((3, vec![2, 1])));
        assert_eq!(
            (sides("-- a b"), sides("a b"), sides("-- --odd")),
            (Some((2, vec![])), Some((2, vec![])), Some((1, vec![])))
        );
        assert_eq!(sides("a - -- -"), None, "standard input twice");
        assert!(request("a -- b --top 9").unwrap_err().to_string().contains("write options before the sources"));
        assert!(request("--example -- b").is_err());
    }

    #[test]
    fn all_rows_are_for_programs_and_five_for_people() {
        for (format, top) in [("text", 5), ("markdown", 5), ("json", usize::MAX), ("csv", usize::MAX), ("latex", 20)] {
            assert_eq!(request(&format!("a --format {format}")).unwrap().top, top, "{format}");
        }
        assert!(request("- -").is_err() && request("a --top 0").is_err() && request("a --example").is_err());
        assert!(request("").unwrap().options.places.is_empty());
    }

    #[test]
    fn only_the_page_that_tp_perf_named_is_replaced_unasked() {
        for (words, page, replaces_page) in [
            ("a --open", "tp-perf-report.html", true),
            ("a --open --html b.html", "b.html", false),
            ("a --html tp-perf-report.html", "tp-perf-report.html", false),
            ("a --html b.html --force", "b.html", true),
        ] {
            let ReportRequest { files, open, options, .. } = request(words).unwrap();
            assert_eq!((files.html, files.replaces_page), (Some(page.into()), replaces_page), "{words}");
            assert_eq!(open, words.contains("--open"), "{words}");
            assert_eq!(options.detail, Detail::Page, "{words}");
        }
        assert!(request("a --open").unwrap().files.plots.is_none());
        assert!(request("a --open --html -").unwrap_err().to_string().contains("--open needs a file"));
    }

    #[test]
    fn the_example_has_its_own_states_unless_another_library_is_named() {
        let states = |words: &str| request(words).unwrap().states;
        assert_eq!(states("--example"), Some(StatesFrom::Example));
        assert_eq!(states("--example --states"), Some(StatesFrom::Example));
        let named = StatesFrom::Library(Library::at("here".into()));
        assert_eq!(states("--example --states --library here"), Some(named));
        assert_eq!(states("a"), None);
        assert!(matches!(states("a --states"), Some(StatesFrom::Library(_))));
    }
}
