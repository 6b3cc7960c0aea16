//! `tracepoints.csv` and `groups.csv`: the names for the numbers in the log.

use super::{Error, NewFile};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::os::files::open_to_read;
use crate::text::{CsvCell, of_csv_cell, of_csv_error};
use crate::tracefs::{Gid, Selection, Table, Tpid, Tracepoint};
use std::io::{self, Write};
use std::path::Path;

const TRACEPOINT_FIELDS: [&str; 6] = ["tpid", "gid", "tracepoint name", "group name", "tracefs id", "status"];
const GROUP_FIELDS: [&str; 2] = ["gid", "group name"];

/// The row of one tracepoint: the fields of Figure 4 in the thesis, then the group's name, the tracefs id and
/// the status.
pub fn tracepoint_fields(tracepoint: &Tracepoint, selection: &Selection) -> [String; 6] {
    [
        tracepoint.tpid.to_string(),
        tracepoint.gid.to_string(),
        tracepoint.name.clone(),
        tracepoint.group.clone(),
        tracepoint.tracefs_id.to_string(),
        selection.status(tracepoint.tpid).to_string(),
    ]
}

/// Encodes tracepoints in the form of `tracepoints.csv`.
pub fn encode_tracepoints<'a>(
    tracepoints: impl IntoIterator<Item = &'a &'a Tracepoint>,
    selection: &Selection,
) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    encode(TRACEPOINT_FIELDS, rows(tracepoints, selection), &mut out).map(|()| out)
}

/// The rows of `tracepoints.csv`.
fn rows<'a>(
    tracepoints: impl IntoIterator<Item = &'a &'a Tracepoint>,
    selection: &Selection,
) -> impl Iterator<Item = [String; 6]> {
    let fields = tracepoints.into_iter().map(|tracepoint| tracepoint_fields(tracepoint, selection));
    fields.map(|fields| fields.map(|field| CsvCell(&field).to_string()))
}

/// Writes all tracepoints.
pub fn write_tracepoints(file: NewFile<'_>, table: &Table, selection: &Selection) -> Result<(), Error> {
    let all: Vec<_> = table.tracepoints().iter().collect();
    write(file, |out| encode(TRACEPOINT_FIELDS, rows(&all, selection), out))
}

/// Writes all groups.
pub fn write_groups(file: NewFile<'_>, table: &Table) -> Result<(), Error> {
    let known = (1u32..).zip(table.groups()).filter(|(_, group)| !group.is_empty());
    let rows = known.map(|(gid, group)| [gid.to_string(), CsvCell(group).to_string()]);
    write(file, |out| encode(GROUP_FIELDS, rows, out))
}

/// Why a `tracepoints.csv` cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A description of what is wrong, with the line.
    #[error("{0}")]
    Damaged(String),
    /// Its names take too much memory.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

impl From<String> for TableError {
    fn from(reason: String) -> Self {
        TableError::Damaged(reason)
    }
}

/// Reads the table in a `tracepoints.csv`.
///
/// # Errors
/// If it cannot be read, or takes too much memory.
pub fn read_tracepoints(path: &Path) -> Result<Table, TableError> {
    let file = open_to_read(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned().into());
    }
    // The whole file can be one row, which the reader holds three times.
    let _held = Held::take(MemoryOf::File, metadata.len().saturating_mul(3))?;
    let mut reader = csv::Reader::from_reader(file);
    let mut table = Table::default();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let line = row.position().map_or(0, csv::Position::line);
        let number = |field: usize| row.get(field).and_then(|text| text.parse::<u32>().ok());
        // This is more than any kernel has, and little enough for a table.
        let number = |field| number(field).filter(|number| (1..=1_000_000).contains(number));
        let (Some(tpid), Some(gid), Some(name), Some(group)) = (number(0), number(1), row.get(2), row.get(3)) else {
            return Err(format!("line {line} must start with tpid, gid, tracepoint name and group name").into());
        };
        let (tpid, gid) = (Tpid::new(tpid), Gid::new(gid));
        if table.find(tpid).is_some() {
            return Err(format!("line {line} repeats tpid {tpid}").into());
        }
        let tracefs_id = row.get(4).and_then(|id| id.parse().ok()).unwrap_or(0);
        let [group, name] = [group, name].map(|cell| of_csv_cell(cell).into_owned());
        table.add_from_input(Tracepoint { tpid, gid, group, name, tracefs_id })?;
    }
    Ok(table)
}

fn encode<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(header).map_err(of_csv_error)?;
    for row in rows {
        writer.write_record(row).map_err(of_csv_error)?;
    }
    writer.flush()
}

fn write(mut file: NewFile<'_>, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    file.write_with(write)?;
    file.finish();
    Ok(())
}
