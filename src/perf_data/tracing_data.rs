//! TRACING_DATA: the names of tracepoints, in the format of ftrace's tools (trace.dat, version 0.6).
//!
//! ```text
//!   17 08 44 "tracing" "0.6\0" │ u8 byte order │ u8 bytes of a long │ u32 page size
//!   "header_page\0" u64 n, n bytes │ "header_event\0" u64 n, n bytes
//!   u32 formats of ftrace itself: u64 n, n bytes
//!   u32 groups: name "\0" │ u32 tracepoints: u64 n, n bytes of tracefs's file `format`
//!   u32 n, n bytes of kallsyms │ u32 n, n bytes of printk formats │ u64 n, n bytes of command lines
//! ```

use crate::memory::Held;
use crate::perf_data::Fault;
use crate::tracefs::Table;
use byteorder::{ByteOrder, NativeEndian};

const MAGIC: &[u8] = b"\x17\x08\x44tracing";

/// The memory in bytes that a tracepoint takes until the end of the file, besides its place in a table, and without its
/// names.
const OF_NAMED: u64 = 512;
/// The memory in bytes that each byte of a name takes there.
const OF_NAME: u64 = 4;

/// A tracepoint in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The group.
    pub group: String,
    /// The name within the group.
    pub name: String,
    /// The tracefs id.
    pub tracefs_id: u64,
}

/// Encodes the names of a whole table. tp-perf's samples have no fields of the tracepoint, so the formats
/// have none.
pub(super) fn encode(table: &Table) -> Vec<u8> {
    let mut out = Vec::new();
    let sized = |out: &mut Vec<u8>, text: &str| {
        out.extend((text.len() as u64).to_ne_bytes());
        out.extend(text.as_bytes());
    };
    out.extend(MAGIC);
    out.extend(b"0.6\0");
    out.push(u8::from(cfg!(target_endian = "big")));
    out.push(size_of::<usize>() as u8);
    out.extend(4096u32.to_ne_bytes());
    out.extend(b"header_page\0");
    let page = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
                \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\
                \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\
                \tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";
    sized(&mut out, page);
    out.extend(b"header_event\0");
    sized(&mut out, "");
    out.extend(0u32.to_ne_bytes());
    out.extend((table.groups().len() as u32).to_ne_bytes());
    let mut tracepoints = table.tracepoints();
    for (gid, group) in (1..).zip(table.groups()) {
        let (own, others) = tracepoints.split_at(tracepoints.partition_point(|tracepoint| tracepoint.gid.get() <= gid));
        tracepoints = others;
        out.extend(group.as_bytes());
        out.push(0);
        out.extend((own.len() as u32).to_ne_bytes());
        for tracepoint in own {
            let id = tracepoint.tracefs_id;
            sized(
                &mut out,
                &format!(
                    "name: {}\nID: {id}\nformat:\n\
                     \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\n\
                     print fmt: \"\"\n",
                    tracepoint.name
                ),
            );
        }
    }
    out.extend(0u32.to_ne_bytes());
    out.extend(0u32.to_ne_bytes());
    out.extend(0u64.to_ne_bytes());
    out
}

/// Parses the names in a TRACING_DATA section of version 0.5 or later. Takes their memory with `held`.
///
/// # Errors
/// A description of what is wrong, with its offset in `bytes`, or that the names take too much memory.
pub(super) fn parse(bytes: &[u8], held: &mut Held) -> Result<Vec<Named>, Fault> {
    let mut reader = Reader { bytes, rest: bytes };
    if reader.take(MAGIC.len())? != MAGIC {
        return Err("they do not start with the mark of tracing data".into());
    }
    reader.text()?;
    let big = reader.take(1)?[0];
    if big != u8::from(cfg!(target_endian = "big")) {
        return Err("they come from a machine with the other byte order".into());
    }
    reader.take(1 + 4)?;
    for section in ["header_page", "header_event"] {
        let name = reader.text()?;
        if name != section {
            return Err(format!("`{section}` is missing at byte {}", reader.position()).into());
        }
        reader.sized()?;
    }
    for _ in 0..reader.u32()? {
        reader.sized()?;
    }
    let mut names = Vec::new();
    for _ in 0..reader.u32()? {
        let group = reader.text()?;
        for _ in 0..reader.u32()? {
            let position = reader.position();
            let format = String::from_utf8_lossy(reader.sized()?);
            let line = |start: &str| format.lines().find_map(|line| line.strip_prefix(start)).map(str::trim);
            let (Some(name), Some(Ok(tracefs_id))) = (line("name:"), line("ID:").map(str::parse)) else {
                return Err(format!("the format at byte {position} has no name and ID").into());
            };
            held.grow(OF_NAMED + OF_NAME * (group.len() + name.len()) as u64)?;
            names.push(Named { group: group.clone(), name: name.to_owned(), tracefs_id });
        }
    }
    Ok(names)
}

struct Reader<'a> {
    bytes: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn position(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(format!("they end at byte {}, where {length} more bytes should follow", self.bytes.len())),
        }
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.take(4).map(NativeEndian::read_u32)
    }

    fn sized(&mut self) -> Result<&'a [u8], String> {
        let length = self.take(8).map(NativeEndian::read_u64)?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Takes text up to a NUL.
    fn text(&mut self) -> Result<String, String> {
        let length = self.rest.iter().position(|byte| *byte == 0);
        let text = self.take(length.ok_or_else(|| format!("the name at byte {} has no end", self.position()))?)?;
        self.take(1)?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Held {
        Held::nothing(crate::memory::MemoryOf::Names)
    }

    fn table() -> Table {
        let entries = [("irq", "softirq_entry", 7), ("sched", "sched_switch", 300), ("sched", "sched_waking", 9)];
        Table::from_entries(entries.iter().map(|(g, n, id)| (g.to_string(), n.to_string(), *id)).collect())
    }

    #[test]
    fn written_names_read_back() {
        let table = table();
        let names = parse(&encode(&table), &mut held()).unwrap();
        let entries = names.into_iter().map(|named| (named.group, named.name, named.tracefs_id)).collect();
        assert_eq!(Table::from_entries(entries), table);
    }

    #[test]
    fn every_truncation_up_to_the_last_name_is_an_error() {
        let bytes = encode(&table());
        let last_name = bytes.len() - 16;
        for length in 0..last_name {
            assert!(parse(&bytes[..length], &mut held()).is_err(), "{length} bytes");
        }
        assert!(parse(&bytes[..last_name], &mut held()).is_ok());
    }
}
