//! Tables as Parquet.
//!
//! Each column has the encoding in which it is the smallest, among those that all readers of Parquet know: times are differences
//! (DELTA_BINARY_PACKED), and all others have dictionaries.

use super::columns::Column;
use super::rows::{RowWriter, TableRow};
use crate::history::{optional_column, required_column, signed};
use crate::tracefs::Table;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use std::io::{self, Write};
use std::sync::Arc;

/// The most rows of a row group, unless a window has more. DuckDB works on as many at a time.
const GROUP: usize = 122_880;
/// A higher level takes longer, and saves little.
const ZSTD_LEVEL: i32 = 1;

/// Writes rows as a Parquet file.
pub(super) struct ParquetRows<W: Write + Send> {
    columns: Vec<Column>,
    file: SerializedFileWriter<W>,
    rows: Vec<TableRow>,
    /// By tpid minus 1.
    tracepoints: Vec<TracepointNames>,
}

/// The names of a tracepoint, and the number of its group.
struct TracepointNames {
    group: ByteArray,
    name: ByteArray,
    gid: u32,
}

impl<W: Write + Send> ParquetRows<W> {
    pub fn new(columns: Vec<Column>, out: W) -> io::Result<Self> {
        let lines: Vec<&str> = columns.iter().map(|column| schema_of(*column)).collect();
        let schema = parse_message_type(&format!("message rows {{ {} }}", lines.join(" ")));
        let open = |schema| SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties()));
        let file = schema.and_then(open).map_err(failed)?;
        Ok(ParquetRows { columns, file, rows: Vec::with_capacity(GROUP), tracepoints: Vec::new() })
    }

    fn write_group(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = &self.rows[..];
        let of = |row: &TableRow| &self.tracepoints[row.tpid.index() - 1];
        let mut whole = self.file.next_row_group()?;
        let group = &mut whole;
        for column in &self.columns {
            match column {
                Column::TimestampNs => required_column::<Int64Type, _, _>(group, rows, |row| signed(row.time.0)),
                Column::LengthNs => required_column::<Int64Type, _, _>(group, rows, |row| signed(row.length_ns)),
                Column::TracepointGroup => {
                    required_column::<ByteArrayType, _, _>(group, rows, |row| of(row).group.clone())
                }
                Column::Tracepoint => required_column::<ByteArrayType, _, _>(group, rows, |row| of(row).name.clone()),
                Column::Hits => optional_column::<Int64Type, _, _>(group, rows, |row| row.hits.map(signed)),
                Column::IsEstimate => required_column::<BoolType, _, _>(group, rows, |row| row.is_estimate),
                Column::Watched => required_column::<FloatType, _, _>(group, rows, |row| row.watched),
                Column::StandardError => optional_column::<DoubleType, _, _>(group, rows, |row| row.standard_error),
                Column::Comm => texts(group, rows, |row| row.comm.as_ref()),
                Column::Cgroup => texts(group, rows, |row| row.cgroup.as_ref()),
                Column::Tpid => numbers(group, rows, |row| Some(row.tpid.get())),
                Column::Gid => numbers(group, rows, |row| Some(of(row).gid)),
                Column::Cpu => numbers(group, rows, |row| row.cpu.map(|cpu| cpu.get())),
                Column::Pid => numbers(group, rows, |row| row.pid.map(|pid| pid.get())),
                Column::Tid => numbers(group, rows, |row| row.tid.map(|tid| tid.get())),
            }?;
        }
        whole.close()?;
        self.rows.clear();
        Ok(())
    }
}

impl<W: Write + Send> RowWriter for ParquetRows<W> {
    fn write(&mut self, rows: &mut Vec<TableRow>, table: &Table) -> io::Result<()> {
        for tracepoint in &table.tracepoints()[self.tracepoints.len()..] {
            let (group, name) = (tracepoint.group.as_str().into(), tracepoint.name.as_str().into());
            self.tracepoints.push(TracepointNames { group, name, gid: tracepoint.gid.get() });
        }
        if self.rows.len() + rows.len() > GROUP {
            self.write_group().map_err(failed)?;
        }
        self.rows.append(rows);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_group().map_err(failed)?;
        self.file.close().map(drop).map_err(failed)
    }
}

/// The line of the schema. Times are numbers, and not timestamps, because most clocks do not count from 1970.
fn schema_of(column: Column) -> &'static str {
    match column {
        Column::TimestampNs => "required int64 timestamp_ns;",
        Column::LengthNs => "required int64 length_ns;",
        Column::TracepointGroup => "required binary tracepoint_group (STRING);",
        Column::Tracepoint => "required binary tracepoint (STRING);",
        Column::Tpid => "optional int32 tpid;",
        Column::Gid => "optional int32 gid;",
        Column::Cpu => "optional int32 cpu;",
        Column::Pid => "optional int32 pid;",
        Column::Tid => "optional int32 tid;",
        Column::Comm => "optional binary comm (STRING);",
        Column::Cgroup => "optional binary cgroup (STRING);",
        Column::Hits => "optional int64 hits;",
        Column::IsEstimate => "required boolean is_estimate;",
        Column::Watched => "required float watched;",
        Column::StandardError => "optional double standard_error;",
    }
}

fn properties() -> WriterProperties {
    let time = ColumnPath::from(Column::TimestampNs.name());
    let zstd = ZstdLevel::try_new(ZSTD_LEVEL).expect("zstd has this level");
    // The smallest and the greatest name say nothing, and comparing names takes a tenth of the time.
    let texts = [Column::TracepointGroup, Column::Tracepoint, Column::Comm, Column::Cgroup].into_iter();
    let without = |properties: WriterPropertiesBuilder, column: Column| {
        properties.set_column_statistics_enabled(column.name().into(), EnabledStatistics::None)
    };
    let properties = WriterProperties::builder()
        .set_created_by(format!("{} version {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(zstd))
        .set_column_dictionary_enabled(time.clone(), false)
        .set_column_encoding(time, Encoding::DELTA_BINARY_PACKED)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    texts.fold(properties, without).build()
}

fn numbers<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[TableRow],
    number: impl Fn(&TableRow) -> Option<u32>,
) -> Result<()> {
    optional_column::<Int32Type, _, _>(group, rows, |row| number(row).map(u32::cast_signed))
}

fn texts<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[TableRow],
    text: impl Fn(&TableRow) -> Option<&Arc<str>>,
) -> Result<()> {
    optional_column::<ByteArrayType, _, _>(group, rows, |row| text(row).map(|text| ByteArray::from(&**text)))
}

/// The error of a write, as the system gave it.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        error => io::Error::other(error),
    }
}
