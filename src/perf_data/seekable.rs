//! The seekable form of perf.data, which perf writes to files. Its header has the positions of all sections.
//!
//! ```text
//!   "PERFILE2" │ u64 104 │ u64 bytes of an attribute entry
//!     │ attributes │ data │ event types │ 256 bits of features
//!   each section is u64 offset, u64 size; behind the data come the sections of the features, one per bit
//! ```

use crate::memory::{Held, MemoryOf, TooMuch};
use crate::perf_data::features::id;
use crate::perf_data::{Attr, Error, Fault, Header, Shortfall};
use byteorder::{ByteOrder, NativeEndian};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The size of the header in bytes.
pub const HEADER: usize = 104;

/// The contents of a file's header.
#[derive(Debug)]
pub struct Seekable {
    /// The descriptions of the events.
    pub header: Header,
    /// The position of the records, in bytes from the start of the file.
    pub data: Range<u64>,
    /// The missing part, if the writer did not finish or the end of the file is damaged.
    pub problem: Option<Shortfall>,
}

/// Reads the header of a file.
///
/// # Errors
/// [`Error::Threads`] if the file holds only a part of the events. [`Error::Read`] with
/// [`io::ErrorKind::InvalidData`], the damage and its position, and with errors of the operating system.
pub fn read(file: &File) -> Result<Seekable, Error> {
    let length = file.metadata()?.len();
    let mut head = [0; HEADER];
    file.read_exact_at(&mut head, 0).map_err(|_| bad(format!("the header of {HEADER} bytes is cut short")))?;
    let word = |offset: usize| NativeEndian::read_u64(&head[offset..]);
    let section = |offset: usize| (word(offset), word(offset + 8));
    let (entry, attributes, data, features) = (word(16), section(24), section(40), &head[72..104]);

    let mut header = Header::default();
    if !(64..=4096).contains(&entry) {
        return Err(bad(format!("the header says that an attribute has {entry} bytes (at byte 16)")).into());
    }
    let mut ids_left = length / 8;
    let (attributes, _held) = part(file, attributes, length, "the attributes (at byte 24)")?;
    for bytes in attributes.chunks_exact(entry as usize) {
        let (attr, place) = bytes.split_at(bytes.len() - 16);
        let (attr, _) = Attr::parse(attr).ok_or_else(|| bad("an attribute is damaged".to_owned()))?;
        let place = (NativeEndian::read_u64(place), NativeEndian::read_u64(&place[8..]));
        ids_left = ids_left
            .checked_sub(place.1 / 8)
            .ok_or_else(|| bad("the attributes have more sample ids than the file has bytes".to_owned()))?;
        let (ids, _held) = part(file, place, length, "the sample ids of an attribute")?;
        header.add_event(attr, &ids)?;
    }

    let (start, size) = data;
    if start > length {
        return Err(bad(format!("the header says that the data starts at byte {start} of {length}")).into());
    }
    let end = start.saturating_add(size);
    if size == 0 || end > length {
        let problem = if size == 0 { Shortfall::NoEnd } else { Shortfall::Cut };
        return Ok(Seekable { header, data: start..length, problem: Some(problem) });
    }
    let mut problem = None;
    let set: Vec<u64> = (0..256).filter(|bit| features[(bit / 8) as usize] & (1 << (bit % 8)) != 0).collect();
    let sections = part(file, (end, 16 * set.len() as u64), length, "the list of features");
    match sections {
        Err(cause) if TooMuch::within(&cause).is_some() => return Err(cause.into()),
        Err(cause) => problem = Some(Shortfall::Features(cause)),
        Ok((sections, _held)) => {
            for (bit, place) in set.into_iter().zip(sections.chunks_exact(16)) {
                let place = (NativeEndian::read_u64(place), NativeEndian::read_u64(&place[8..]));
                let bytes = part(file, place, length, "a feature");
                if bit == id::DIR_FORMAT && !bytes.as_ref().is_ok_and(|(bytes, _)| is_one_file(bytes)) {
                    return Err(Error::Threads);
                }
                let taken = bytes.and_then(|(bytes, _held)| match bit {
                    id::TRACING_DATA => header.take_tracing_data(&bytes).map_err(|fault| match fault {
                        Fault::TooMuch(cause) => cause.into(),
                        reason => bad(format!("failed to read the names of tracepoints: {reason}")),
                    }),
                    _ => Ok(header.take_feature(bit, &bytes)?),
                });
                match taken {
                    Ok(()) => {}
                    Err(cause) if TooMuch::within(&cause).is_some() => return Err(cause.into()),
                    Err(cause) => drop(problem.get_or_insert(Shortfall::Feature { bit, cause })),
                }
            }
        }
    }
    Ok(Seekable { header, data: start..end, problem })
}

/// Whether the feature DIR_FORMAT says that one file holds all events. perf writes such a directory with
/// `--kcore`: the file `data`, and a copy of the kernel's code. With `--threads`, each thread writes its own
/// file (format 1).
fn is_one_file(feature: &[u8]) -> bool {
    const ONE_FILE: u64 = 0;
    feature.get(..8).map(NativeEndian::read_u64) == Some(ONE_FILE)
}

/// Reads a part of a file, which has `length` bytes. The part takes memory until its share is dropped.
fn part(file: &File, (offset, size): (u64, u64), length: u64, what: &str) -> io::Result<(Vec<u8>, Held)> {
    if offset.checked_add(size).is_none_or(|end| end > length) {
        return Err(bad(format!("{what} should have {size} bytes at byte {offset}, but the file has {length}")));
    }
    let held = Held::take(MemoryOf::Header, size)?;
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, offset)?;
    Ok((bytes, held))
}

fn bad(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
