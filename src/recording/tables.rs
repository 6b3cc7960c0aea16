//! `tracepoints.csv` and `groups.csv`: what the numbers of the log mean.

use super::{Error, NewFile};
use crate::tracefs::{Selection, Table, Tracepoint};
use std::io;

const TRACEPOINT_FIELDS: [&str; 6] = ["tpid", "gid", "tracepoint name", "group name", "tracefs id", "status"];
const GROUP_FIELDS: [&str; 2] = ["gid", "group name"];

/// One tracepoint's row: the thesis's Figure 4, then the group's name, the tracefs id and the status.
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

/// Tracepoints as `tracepoints.csv` has them.
pub fn encode_tracepoints<'a>(
    tracepoints: impl IntoIterator<Item = &'a &'a Tracepoint>,
    selection: &Selection,
) -> io::Result<Vec<u8>> {
    encode(TRACEPOINT_FIELDS, tracepoints.into_iter().map(|tracepoint| tracepoint_fields(tracepoint, selection)))
}

/// Writes every tracepoint.
pub fn write_tracepoints(file: NewFile<'_>, table: &Table, selection: &Selection) -> Result<(), Error> {
    let all: Vec<_> = table.tracepoints().iter().collect();
    write(file, encode_tracepoints(&all, selection))
}

/// Writes every group.
pub fn write_groups(file: NewFile<'_>, table: &Table) -> Result<(), Error> {
    let rows = (1u32..).zip(table.groups()).map(|(gid, group)| [gid.to_string(), group.clone()]);
    write(file, encode(GROUP_FIELDS, rows))
}

fn encode<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row)?;
    }
    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

fn write(mut file: NewFile<'_>, bytes: io::Result<Vec<u8>>) -> Result<(), Error> {
    let bytes = bytes.map_err(|cause| Error::Io { verb: "encode", path: file.path(), cause })?;
    file.write(&bytes)?;
    file.finish();
    Ok(())
}
