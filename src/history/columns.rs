//! The columns of a row group, written from rows.

use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::DataType;
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::SerializedRowGroupWriter;
use std::io::Write;

/// The rows that the crate gets at a time.
pub(super) const BATCH: usize = 4 << 10;

/// The number as Parquet stores it; numbers beyond that do not occur.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes the next column, which has no nulls.
pub(crate) fn required_column<T: DataType, W: Write + Send, R>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[R],
    value: impl Fn(&R) -> T::T,
) -> Result<()> {
    let mut values = Vec::with_capacity(BATCH.min(rows.len()));
    column::<T, W>(group, |column| {
        rows.chunks(BATCH).try_for_each(|rows| {
            values.clear();
            values.extend(rows.iter().map(&value));
            column.write_batch(&values, None, None).map(drop)
        })
    })
}

/// Writes the next column, which may have nulls.
pub(crate) fn optional_column<T: DataType, W: Write + Send, R>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[R],
    value: impl Fn(&R) -> Option<T::T>,
) -> Result<()> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    column::<T, W>(group, |column| {
        rows.chunks(BATCH).try_for_each(|rows| {
            values.clear();
            levels.clear();
            for value in rows.iter().map(&value) {
                levels.push(i16::from(value.is_some()));
                values.extend(value);
            }
            column.write_batch(&values, Some(&levels), None).map(drop)
        })
    })
}

/// Writes the next column.
fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    write: impl FnOnce(&mut ColumnWriterImpl<'_, T>) -> Result<()>,
) -> Result<()> {
    let missing = || ParquetError::General("the schema has fewer columns".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    write(column.typed::<T>())?;
    column.close()
}
