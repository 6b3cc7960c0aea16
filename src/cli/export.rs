//! The arguments of `tp-perf export`.

use super::help::PATTERNS;
use super::source::{SourceArgs, place};
use super::usage::usage;
use crate::control::Manner;
use crate::export::{Column, ExportFormat, ExportOptions};
use crate::source::Place;
use crate::units::{Moment, Ns, nanoseconds, parse_duration, parse_moment};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  # Open a recording in Perfetto: drop the file on ui.perfetto.dev
  tp-perf export idle idle.pftrace
  # Query it in DuckDB: SELECT tracepoint, count(*) FROM 'idle.parquet' GROUP BY ALL
  tp-perf export idle idle.parquet
  # Write the hits of each second
  tp-perf export idle idle.csv --windows 1s
  # Print two columns of some events
  tp-perf export idle - --format csv -t irq --columns timestamp_ns,tracepoint
  # Let perf show the CPU of each event: perf script -F cpu,time,event -i idle.data
  tp-perf export idle idle.data
  # Make a history of it, as `tp-perf monitor` does
  tp-perf export idle idle-history
  # Export two hours of a history
  tp-perf export /var/lib/tp-perf/history hours.parquet --from '2026-11-30 14:00' --to '2026-11-30 16:00'";

/// The shortest windows. Shorter ones are hardly fewer than the events.
const SHORTEST: Duration = Duration::from_millis(1);

/// The arguments of `tp-perf export`.
#[derive(Debug, Args)]
#[command(override_usage = "tp-perf export [OPTIONS] <SOURCE> <FILE>", after_long_help = format!("{EXAMPLES}\n\n{PATTERNS}"))]
pub struct ExportArgs {
    /// A recording, a history, a file of `perf record`, a log.csv, or `-`
    ///
    /// `-` is standard input. A history is a folder that `tp-perf monitor --history` wrote, or a Parquet file in it.
    #[arg(value_name = "SOURCE", required_unless_present = "example")]
    source: Option<PathBuf>,
    /// The file to write; its ending names the format
    ///
    /// `-` is standard output, which needs --format.
    #[arg(value_name = "FILE", required_unless_present_any = ["output", "example"])]
    file: Option<PathBuf>,
    /// Export the built-in recording
    #[arg(long)]
    example: bool,
    /// The same as FILE
    #[arg(short, long, value_name = "FILE", hide_short_help = true, conflicts_with = "file")]
    output: Option<PathBuf>,
    /// Write this format, whatever the ending of FILE
    #[arg(long, value_enum)]
    format: Option<ExportFormat>,
    /// Export windows of this length, as in `1s`
    ///
    /// Without it, tp-perf exports events. A window has the hits of each tracepoint that was hit in it. The first one begins with the first event. For Perfetto, all
    /// tracepoints become counters. A history has windows of its own.
    #[arg(long, value_name = "TIME", value_parser = parse_windows)]
    windows: Option<Duration>,
    /// Write these columns of a table (separated by commas)
    ///
    /// Without it, a table has timestamp_ns, tracepoint_group, tracepoint, and what SOURCE has of cpu, pid, tid, comm, cgroup, and
    /// hits. An event of a thinned tracepoint stands for several hits.
    #[arg(long, value_enum, value_name = "COLUMNS", value_delimiter = ',', hide_possible_values = true)]
    columns: Vec<Column>,
    /// The time of the first event by the wall clock, for a history
    ///
    /// Recordings know it. Most files of perf and a log.csv do not.
    #[arg(long, value_name = "TIME", value_parser = parse_began, hide_short_help = true)]
    began: Option<Ns>,
    /// Replace FILE if it exists
    #[arg(long)]
    force: bool,
    /// Print nothing but errors
    #[arg(short, long, hide_short_help = true)]
    quiet: bool,
    #[command(flatten)]
    part: SourceArgs,
}

/// An export, and how much it shows.
#[derive(Debug)]
pub struct ExportRequest {
    /// The export.
    pub options: ExportOptions,
    /// How much tp-perf shows.
    pub manner: Manner,
}

impl ExportArgs {
    /// Whether it writes no file.
    pub fn only_prints(&self) -> bool {
        self.target().is_some_and(|path| path.as_os_str() == "-")
    }

    /// The bound of the memory that inputs take, in bytes, if the user set it.
    pub fn memory(&self) -> Option<u64> {
        self.part.memory.bound()
    }

    /// With --example, the only path is the file.
    fn target(&self) -> Option<&PathBuf> {
        let paths = [&self.file, &self.output];
        paths.into_iter().flatten().next().or(self.source.as_ref().filter(|_| self.example))
    }

    /// The validated request.
    ///
    /// # Errors
    /// Wrong usage: a format that is not known or does not fit the other options, or an empty range of time.
    pub fn request(self) -> Result<ExportRequest, clap::Error> {
        let output = self.target().cloned().ok_or_else(|| usage("name the FILE to write".to_owned()))?;
        let place = match (self.example, self.source) {
            (true, Some(source)) if source != output => {
                return Err(usage("--example is a source, so SOURCE cannot be given too".to_owned()));
            }
            (true, _) => Place::Example,
            (false, Some(source)) => place(source),
            (false, None) => return Err(usage("name the SOURCE to export".to_owned())),
        };
        let known = "`.pftrace`, `.parquet`, `.jsonl`, `.csv`, `.data`";
        let format = self.format.or_else(|| ExportFormat::of_name(&output)).ok_or_else(|| {
            usage(match output.as_os_str() == "-" {
                true => "standard output has no ending: name the format, as in `--format csv`".to_owned(),
                false => format!("the ending of FILE names no format; use {known}, or name it with --format"),
            })
        })?;
        if format.is_folder() && output.as_os_str() == "-" {
            return Err(usage("a history is a folder, so FILE cannot be `-`".to_owned()));
        }
        if !format.is_table() && !self.columns.is_empty() {
            return Err(usage(format!("--columns is for tables: Parquet, CSV, and JSON lines, not for {format}")));
        }
        if format == ExportFormat::Perf && self.windows.is_some() {
            return Err(usage("perf needs events, so --windows cannot be used with this format".to_owned()));
        }
        if !format.is_folder() && self.began.is_some() {
            return Err(usage("--began is for a history".to_owned()));
        }
        let mut columns: Vec<Column> = Vec::new();
        for column in self.columns {
            if columns.contains(&column) {
                return Err(usage(format!("--columns has {} twice", column.name())));
            }
            columns.push(column);
        }
        let options = ExportOptions {
            place,
            filter: self.part.request()?,
            output,
            force: self.force,
            format,
            columns: (!columns.is_empty()).then_some(columns),
            windows_ns: self.windows.map(nanoseconds),
            began: self.began,
        };
        Ok(ExportRequest { options, manner: Manner::reading(self.quiet) })
    }
}

fn parse_windows(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        short if short < SHORTEST => Err("windows of less than 1 ms are hardly fewer than the events".to_owned()),
        length => Ok(length),
    }
}

fn parse_began(text: &str) -> Result<Ns, String> {
    match parse_moment(text) {
        Ok(Moment::Wall(time)) => Ok(Ns(time)),
        _ => Err("write a time in UTC, as in `2026-11-30 14:00:05`, or `2h ago`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::parse;

    #[test]
    fn an_export_takes_all_its_options() {
        let words =
            "rec out --format csv --columns tracepoint,cpu --windows 10ms --force -t sched -x *_waking --from 1s -q";
        let ExportRequest { options, manner } = parse::<ExportArgs>(words).and_then(ExportArgs::request).unwrap();
        assert_eq!((options.place, options.output), (Place::Path("rec".into()), PathBuf::from("out")));
        assert_eq!((options.format, options.windows_ns, options.force), (ExportFormat::Csv, Some(10_000_000), true));
        assert_eq!(options.columns.unwrap(), [Column::Tracepoint, Column::Cpu]);
        assert_eq!((options.filter.only.len(), options.filter.exclude.len(), manner.quiet), (1, 1, true));
        for words in ["--example a.csv", "--example -o a.csv"] {
            let options = parse::<ExportArgs>(words).and_then(ExportArgs::request).unwrap().options;
            assert_eq!((options.place, options.output), (Place::Example, "a.csv".into()));
        }
        let dash = parse::<ExportArgs>("- -o - --format jsonl").unwrap();
        assert!(dash.only_prints());
        assert_eq!(dash.request().unwrap().options.place, Place::Stdin);
    }

    #[test]
    fn wrong_usage_names_the_option() {
        let wrong = [
            ("", "SOURCE"),
            ("x", "FILE"),
            ("x -", "--format"),
            ("x a.txt", "--format"),
            ("x a.pftrace --columns cpu", "--columns"),
            ("x a.data --windows 1s", "--windows"),
            ("x a.csv --windows 1us", "1 ms"),
            ("x a.csv --columns cpu,cpu", "twice"),
            ("x a.csv --columns nothing", "--columns"),
            ("x a.csv --began 2026-11-30", "--began"),
            ("--example x a.csv", "--example"),
        ];
        for (words, said) in wrong {
            let error = parse::<ExportArgs>(words).and_then(ExportArgs::request).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{words:?}");
            assert!(error.to_string().contains(said), "{words:?} gave {error}");
        }
    }
}
