//! The rows of a Parquet file: its schema, and its encodings.
//!
//! A row group has all rows of some windows, sorted by tracepoint and then by window. So the hits of a tracepoint stand
//! together, and the same sequence of windows repeats for each tracepoint that is always hit. Each column has the encoding
//! in which it is the smallest, among those that all readers of Parquet know:
//!
//! | column | encoding |
//! |---|---|
//! | `window_start`, `length_ns` | dictionary: a byte for each of up to 256 windows, and zstd finds the repeated sequence |
//! | `tracepoint_group`, `tracepoint` | dictionary: a run for each tracepoint |
//! | `hits` | differences, packed (DELTA_BINARY_PACKED) |
//! | `watched`, `standard_error` | dictionary: nearly always 1, and nearly always null |

use super::columns::{BATCH, optional_column, required_column, signed};
use super::facts::HistoryFacts;
use super::window::HistoryWindow;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, TypePtr};
use std::io::Write;
use std::sync::Arc;

/// The columns. The time is in microseconds, because Spark does not read nanoseconds.
const SCHEMA: &str = "message history {
    required int64 window_start (TIMESTAMP(MICROS,true));
    required int64 length_ns;
    required binary tracepoint_group (STRING);
    required binary tracepoint (STRING);
    optional int64 hits;
    required float watched;
    optional double standard_error;
}";

/// The most rows of a row group.
pub(super) const MOST_ROWS: usize = 64 << 10;
/// The most windows of a row group: their numbers fit in a byte.
pub(super) const MOST_WINDOWS: usize = 256;

/// The schema.
pub(super) fn schema() -> TypePtr {
    Arc::new(parse_message_type(SCHEMA).expect("the schema is correct"))
}

/// The properties of a file.
pub(super) fn properties() -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    // With a level above 9, files become no smaller.
    let zstd = ZstdLevel::try_new(9).expect("zstd has this level");
    let sorted = [2, 3, 0].map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false });
    WriterProperties::builder()
        .set_created_by(format!("{} version {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(zstd))
        .set_column_dictionary_enabled(column("hits"), false)
        .set_column_encoding(column("hits"), Encoding::DELTA_BINARY_PACKED)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_sorting_columns(Some(sorted.to_vec()))
        // One page for a column.
        .set_data_page_row_count_limit(usize::MAX)
        .set_data_page_size_limit(4 << 20)
        .set_write_batch_size(BATCH)
        .build()
}

/// The names of tracepoints, by the number in a journal minus 1.
pub(super) struct RowNames(Vec<(ByteArray, ByteArray)>);

impl RowNames {
    pub(super) fn of(facts: &HistoryFacts) -> Self {
        RowNames(facts.names().map(|(group, name)| (ByteArray::from(group), ByteArray::from(name))).collect())
    }
}

impl std::fmt::Debug for RowNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} names", self.0.len())
    }
}

/// A row.
#[derive(Debug, Clone, Copy)]
struct StoredRow {
    tpid: u32,
    /// The place of the window in the group.
    window: u32,
    hits: Option<u64>,
    watched: f32,
    standard_error: Option<f64>,
}

/// Rows that become a row group.
#[derive(Debug, Default)]
pub(super) struct RowGroup {
    /// The begin in microseconds, and the length.
    windows: Vec<(i64, i64)>,
    rows: Vec<StoredRow>,
}

impl RowGroup {
    /// Whether another window with up to this many rows may not fit.
    pub(super) fn is_full(&self, more: usize) -> bool {
        !self.rows.is_empty() && (self.rows.len() + more > MOST_ROWS || self.windows.len() >= MOST_WINDOWS)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a window with hits.
    pub(super) fn push(&mut self, window: &HistoryWindow) {
        let place = self.windows.len() as u32;
        self.windows.push(((window.start.0 / 1_000).cast_signed(), signed(window.length_ns)));
        self.rows.extend(window.hits.iter().map(|hits| StoredRow {
            tpid: hits.tpid.get(),
            window: place,
            hits: hits.hits,
            watched: hits.watched,
            standard_error: hits.standard_error,
        }));
    }

    /// Writes the rows as a row group, and forgets them. Returns their number.
    pub(super) fn write<W: Write + Send>(
        &mut self,
        file: &mut SerializedFileWriter<W>,
        names: &RowNames,
    ) -> Result<u64> {
        self.rows.sort_unstable_by_key(|row| (row.tpid, row.window));
        let (windows, rows) = (&self.windows, &self.rows);
        let name = |row: &StoredRow| &names.0[row.tpid as usize - 1];
        let mut group = file.next_row_group()?;
        required_column::<Int64Type, _, _>(&mut group, rows, |row| windows[row.window as usize].0)?;
        required_column::<Int64Type, _, _>(&mut group, rows, |row| windows[row.window as usize].1)?;
        required_column::<ByteArrayType, _, _>(&mut group, rows, |row| name(row).0.clone())?;
        required_column::<ByteArrayType, _, _>(&mut group, rows, |row| name(row).1.clone())?;
        optional_column::<Int64Type, _, _>(&mut group, rows, |row| row.hits.map(signed))?;
        required_column::<FloatType, _, _>(&mut group, rows, |row| row.watched)?;
        optional_column::<DoubleType, _, _>(&mut group, rows, |row| row.standard_error)?;
        group.close()?;
        let number = rows.len() as u64;
        self.windows.clear();
        self.rows.clear();
        Ok(number)
    }
}
