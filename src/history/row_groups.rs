//! Reads the windows of a Parquet file, one row group at a time.

use super::error::{Error, damaged, failed, too_much};
use super::facts::HistoryFacts;
use super::footer::{OpenParquet, guarded};
use super::pages::check_pages;
use super::window::{HistoryHits, HistoryWindow};
use crate::events::{Ns, Tpid};
use crate::memory::{Held, MemoryOf};
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The rows that the crate delivers at a time.
const BATCH: usize = 4 << 10;
/// The memory that a row takes while its group is read.
const OF_ROW: u64 = 96;
/// The memory of a window without rows.
const OF_SILENT: u64 = 48;

/// The windows of a Parquet file.
pub(super) struct ParquetWindows {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    /// Another descriptor of the file.
    file: File,
    /// The tpids by group and name.
    tpids: BTreeMap<(String, String), Tpid>,
    next_group: usize,
    /// The windows of the group that was read last.
    ready: VecDeque<HistoryWindow>,
    /// The windows without rows.
    silent: VecDeque<(Ns, u64)>,
    /// The begin of the last window.
    last: Option<Ns>,
    _held: Held,
}

impl ParquetWindows {
    /// Opens a file. `tpid` has the numbers for names.
    pub(super) fn open(path: &Path, tpid: impl Fn(&str, &str) -> Option<Tpid>) -> Result<(Self, HistoryFacts), Error> {
        let open = OpenParquet::open(path)?;
        open.check(path)?;
        check_groups(open.metadata()).map_err(|what| damaged(path, what))?;
        let OpenParquet { file, reader, notes, .. } = open;
        let mut silent: Vec<(Ns, u64)> =
            notes.silent_windows.iter().map(|(start, length)| (Ns(*start), *length)).collect();
        let held = Held::take(MemoryOf::Windows, silent.len() as u64 * OF_SILENT).map_err(too_much(path))?;
        silent.sort_unstable();
        let names = notes
            .facts
            .names()
            .filter_map(|(group, name)| Some(((group.to_owned(), name.to_owned()), tpid(group, name)?)));
        let tpids = names.collect();
        let windows = ParquetWindows {
            path: path.to_owned(),
            reader,
            file,
            tpids,
            next_group: 0,
            ready: VecDeque::new(),
            silent: silent.into(),
            last: None,
            _held: held,
        };
        Ok((windows, notes.facts))
    }

    /// The next window.
    pub(super) fn next(&mut self) -> Result<Option<HistoryWindow>, Error> {
        while self.ready.is_empty() && self.next_group < self.reader.num_row_groups() {
            let group = self.next_group;
            self.next_group += 1;
            self.ready = self.read_group(group)?;
        }
        let is_silent = match (self.ready.front(), self.silent.front()) {
            (Some(window), Some((start, _))) => *start < window.start,
            (None, silent) => silent.is_some(),
            (Some(_), None) => false,
        };
        let next = match is_silent {
            true => {
                self.silent.pop_front().map(|(start, length_ns)| HistoryWindow { start, length_ns, hits: Vec::new() })
            }
            false => self.ready.pop_front(),
        };
        if let Some(window) = &next
            && self.last.replace(window.start).is_some_and(|last| last >= window.start)
        {
            self.ready.clear();
            self.silent.clear();
            self.next_group = usize::MAX;
            return Err(damaged(&self.path, "its windows are not in time order"));
        }
        Ok(next)
    }

    fn read_group(&mut self, group: usize) -> Result<VecDeque<HistoryWindow>, Error> {
        let path = &self.path;
        let metadata = self.reader.metadata().row_group(group);
        let rows = u64::try_from(metadata.num_rows()).map_err(|_| damaged(path, "a row group has a negative size"))?;
        let _held = Held::take(MemoryOf::Rows, rows.saturating_mul(OF_ROW)).map_err(too_much(path))?;
        for column in metadata.columns() {
            let (at, length) = guarded(path, || Ok(column.byte_range()))?;
            let checked = check_pages(&self.file, at, length, rows).map_err(failed("read", path))?;
            checked.map_err(|what| damaged(path, what))?;
        }
        let tpids = &self.tpids;
        let columns = guarded(path, || {
            let group = self.reader.get_row_group(group)?;
            GroupColumns::read(&*group, rows as usize, tpids)
        })?;
        columns.windows().map_err(|what| damaged(path, what))
    }
}

/// Checks the numbers in a footer on which reading relies.
fn check_groups(metadata: &ParquetMetaData) -> Result<(), &'static str> {
    for group in metadata.row_groups() {
        if group.num_rows() < 0 || group.columns().iter().any(|column| column.num_values() != group.num_rows()) {
            return Err("the columns of a row group differ in length");
        }
    }
    Ok(())
}

/// The columns of a row group.
struct GroupColumns {
    starts: Vec<i64>,
    lengths: Vec<i64>,
    tpids: Vec<Tpid>,
    hits: Vec<Option<i64>>,
    watched: Vec<f32>,
    errors: Vec<Option<f64>>,
}

impl GroupColumns {
    fn read(
        group: &dyn RowGroupReader,
        rows: usize,
        tpids: &BTreeMap<(String, String), Tpid>,
    ) -> parquet::errors::Result<Self> {
        let text = |bytes: &[u8]| {
            std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|_| ParquetError::General("a name is no text".to_owned()))
        };
        let starts = column::<Int64Type, _>(group, 0, rows, |value| Ok(*value))?;
        let lengths = column::<Int64Type, _>(group, 1, rows, |value| Ok(*value))?;
        // The names come in runs. Each run gets a number.
        let mut names: Vec<(String, String)> = Vec::new();
        let mut groups: Vec<(usize, String)> = Vec::new();
        let mut row = 0;
        column::<ByteArrayType, _>(group, 2, rows, |value| {
            if groups.last().is_none_or(|(_, last)| last.as_bytes() != value.data()) {
                groups.push((row, text(value.data())?));
            }
            row += 1;
            Ok(())
        })?;
        let (mut row, mut run) = (0, 0);
        let numbers = column::<ByteArrayType, _>(group, 3, rows, |value| {
            let is_new_group = groups.get(run + 1).is_some_and(|(first, _)| *first == row);
            run += usize::from(is_new_group);
            row += 1;
            let last = names.last().filter(|(_, name)| !is_new_group && name.as_bytes() == value.data());
            if last.is_none() {
                let group = groups.get(run).map(|(_, group)| group.clone()).unwrap_or_default();
                names.push((group, text(value.data())?));
            }
            Ok(names.len() - 1)
        })?;
        let unknown = |name: &(String, String)| {
            ParquetError::General(format!("its notes do not have the tracepoint `{}:{}`", name.0, name.1))
        };
        let by_run = names.iter().map(|name| tpids.get(name).copied().ok_or_else(|| unknown(name)));
        let by_run = by_run.collect::<parquet::errors::Result<Vec<Tpid>>>()?;
        Ok(GroupColumns {
            starts,
            lengths,
            tpids: numbers.into_iter().map(|run| by_run[run]).collect(),
            hits: optional::<Int64Type>(group, 4, rows)?,
            watched: column::<FloatType, _>(group, 5, rows, |value| Ok(*value))?,
            errors: optional::<DoubleType>(group, 6, rows)?,
        })
    }

    /// The windows in time order.
    fn windows(&self) -> Result<VecDeque<HistoryWindow>, String> {
        let mut order: Vec<u32> = (0..self.starts.len() as u32).collect();
        order.sort_unstable_by_key(|row| (self.starts[*row as usize], self.tpids[*row as usize]));
        let mut windows = VecDeque::<HistoryWindow>::new();
        for row in order {
            let row = row as usize;
            let start = u64::try_from(self.starts[row]).ok().and_then(|start| start.checked_mul(1_000));
            let start = Ns(start.ok_or("a window begins before 1970, or after 2500")?);
            let length_ns = u64::try_from(self.lengths[row]).map_err(|_| "a window has a negative length")?;
            let hits = self.hits(row)?;
            match windows.back_mut().filter(|last| last.start == start) {
                Some(window) if window.length_ns != length_ns => {
                    return Err("a window has two lengths".to_owned());
                }
                Some(window) if window.hits.last().is_some_and(|last| last.tpid == hits.tpid) => {
                    return Err("a window has a tracepoint twice".to_owned());
                }
                Some(window) => window.hits.push(hits),
                None => windows.push_back(HistoryWindow { start, length_ns, hits: vec![hits] }),
            }
        }
        Ok(windows)
    }

    fn hits(&self, row: usize) -> Result<HistoryHits, String> {
        let hits = self.hits[row].map(u64::try_from).transpose().map_err(|_| "a tracepoint has negative hits")?;
        let (watched, standard_error) = (self.watched[row], self.errors[row]);
        if !(0.0..=1.0).contains(&watched) || standard_error.is_some_and(|error| !(error >= 0.0 && error.is_finite())) {
            return Err("the part that was watched, or a standard error, is impossible".to_owned());
        }
        Ok(HistoryHits { tpid: self.tpids[row], hits, watched, standard_error })
    }
}

/// Reads a column without nulls.
fn column<T: DataType, V>(
    group: &dyn RowGroupReader,
    place: usize,
    rows: usize,
    mut value: impl FnMut(&T::T) -> parquet::errors::Result<V>,
) -> parquet::errors::Result<Vec<V>> {
    let mut all = Vec::with_capacity(rows);
    batches::<T>(group, place, rows, |values, _| {
        for each in values {
            all.push(value(each)?);
        }
        Ok(())
    })?;
    Ok(all)
}

/// Reads a column that may have nulls.
fn optional<T: DataType>(
    group: &dyn RowGroupReader,
    place: usize,
    rows: usize,
) -> parquet::errors::Result<Vec<Option<T::T>>>
where
    T::T: Clone,
{
    let mut all = Vec::with_capacity(rows);
    batches::<T>(group, place, rows, |values, levels| {
        let mut values = values.iter();
        all.extend(levels.iter().map(|level| if *level > 0 { values.next().cloned() } else { None }));
        Ok(())
    })?;
    Ok(all)
}

/// Reads a column in batches: their values, and for columns with nulls, their levels.
fn batches<T: DataType>(
    group: &dyn RowGroupReader,
    place: usize,
    rows: usize,
    mut take: impl FnMut(&[T::T], &[i16]) -> parquet::errors::Result<()>,
) -> parquet::errors::Result<()> {
    let wrong = |what: &str| ParquetError::General(what.to_owned());
    let reader: ColumnReader = group.get_column_reader(place)?;
    let mut reader = T::get_column_reader(reader).ok_or_else(|| wrong("a column has another type"))?;
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let mut read = 0;
    while read < rows {
        values.clear();
        levels.clear();
        let (records, ..) = reader.read_records(BATCH.min(rows - read), Some(&mut levels), None, &mut values)?;
        if records == 0 {
            return Err(wrong("a column ends early"));
        }
        take(&values, &levels)?;
        read += records;
    }
    Ok(())
}
