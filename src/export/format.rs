//! The formats, and their files' endings.

use clap::ValueEnum;
use std::fmt;
use std::path::Path;

/// A format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A trace for ui.perfetto.dev: `.pftrace`, `.perfetto-trace`
    Perfetto,
    /// A table for DuckDB, pandas, Spark: `.parquet`
    #[cfg(feature = "history")]
    Parquet,
    /// A JSON object on each line: `.jsonl`, `.ndjson`
    Jsonl,
    /// A table as text: `.csv`
    Csv,
    /// Samples with CPU and process for `perf script`: `.data`, `.perf`
    Perf,
    /// A folder like that of `monitor --history`: a name without an ending
    #[cfg(feature = "history")]
    History,
}

impl ExportFormat {
    /// The format of a file with this name. `None` if its ending is unknown.
    pub fn of_name(path: &Path) -> Option<Self> {
        let Some(ending) = path.extension() else {
            #[cfg(feature = "history")]
            return (path.as_os_str() != "-" && path.file_name().is_some()).then_some(ExportFormat::History);
            #[cfg(not(feature = "history"))]
            return None;
        };
        Some(match ending.to_str()? {
            "pftrace" | "perfetto-trace" => ExportFormat::Perfetto,
            #[cfg(feature = "history")]
            "parquet" => ExportFormat::Parquet,
            "jsonl" | "ndjson" => ExportFormat::Jsonl,
            "csv" => ExportFormat::Csv,
            "data" | "perf" => ExportFormat::Perf,
            _ => return None,
        })
    }

    /// Whether it is a table, whose columns can be chosen.
    pub fn is_table(self) -> bool {
        match self {
            #[cfg(feature = "history")]
            ExportFormat::Parquet => true,
            ExportFormat::Jsonl | ExportFormat::Csv => true,
            _ => false,
        }
    }

    /// Whether it is a folder.
    pub fn is_folder(self) -> bool {
        match self {
            #[cfg(feature = "history")]
            ExportFormat::History => true,
            _ => false,
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ExportFormat::Perfetto => "Perfetto",
            #[cfg(feature = "history")]
            ExportFormat::Parquet => "Parquet",
            ExportFormat::Jsonl => "JSON lines",
            ExportFormat::Csv => "CSV",
            ExportFormat::Perf => "perf",
            #[cfg(feature = "history")]
            ExportFormat::History => "history",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_names_the_format() {
        let of = |name: &str| ExportFormat::of_name(Path::new(name));
        assert_eq!(of("a.pftrace"), Some(ExportFormat::Perfetto));
        assert_eq!(of("a.b.perfetto-trace"), Some(ExportFormat::Perfetto));
        assert_eq!(of("d.x/a.jsonl"), Some(ExportFormat::Jsonl));
        assert_eq!(of("perf.data"), Some(ExportFormat::Perf));
        assert_eq!((of("a.txt"), of("-"), of("..")), (None, None, None));
        #[cfg(feature = "history")]
        assert_eq!((of("d.x/a"), of("a.parquet")), (Some(ExportFormat::History), Some(ExportFormat::Parquet)));
    }
}
