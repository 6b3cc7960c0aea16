//! The form of perf.data that perf writes to a file: a header that says where everything is.
//!
//! ```text
//!   "PERFILE2" │ u64 104 │ u64 bytes of an attribute entry │ attributes │ data │ event types │ 256 bits of features
//!   where each section is u64 offset, u64 size; behind the data stand the sections of the features, one for each bit
//! ```

use crate::perf_data::features::id;
use crate::perf_data::header::sample_ids;
use crate::perf_data::{Attr, Described, Header, Shortfall};
use byteorder::{ByteOrder, NativeEndian};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Bytes of the header.
pub const HEADER: usize = 104;

/// No part of a header is longer; a longer one is damaged.
const MOST: u64 = 1 << 30;

/// What a file's header says.
#[derive(Debug)]
pub struct Seekable {
    /// All that describes the events.
    pub header: Header,
    /// Where the records are, in bytes from the file's start.
    pub data: Range<u64>,
    /// What is missing, if its writer did not come to an end or its end is damaged.
    pub problem: Option<Shortfall>,
}

/// Reads the header of a file.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] with what is wrong and where, and those of reading.
pub fn read(file: &File) -> io::Result<Seekable> {
    let length = file.metadata()?.len();
    let mut head = [0; HEADER];
    file.read_exact_at(&mut head, 0).map_err(|_| bad(format!("its header of {HEADER} bytes is cut short")))?;
    let word = |offset: usize| NativeEndian::read_u64(&head[offset..]);
    let section = |offset: usize| (word(offset), word(offset + 8));
    let (entry, attributes, data, features) = (word(16), section(24), section(40), &head[72..104]);

    let mut header = Header::default();
    if !(64..=4096).contains(&entry) {
        return Err(bad(format!("its attributes are said to have {entry} bytes (at byte 16)")));
    }
    let mut ids_left = length / 8;
    for bytes in part(file, attributes, length, "its attributes (at byte 24)")?.chunks_exact(entry as usize) {
        let (attr, place) = bytes.split_at(bytes.len() - 16);
        let (attr, _) = Attr::parse(attr).ok_or_else(|| bad("an attribute is damaged".to_owned()))?;
        let place = (NativeEndian::read_u64(place), NativeEndian::read_u64(&place[8..]));
        ids_left = ids_left
            .checked_sub(place.1 / 8)
            .ok_or_else(|| bad("its attributes have more sample ids than it has bytes".to_owned()))?;
        let ids = sample_ids(&part(file, place, length, "an attribute's sample ids")?);
        header.events.push(Described { attr, ids });
    }

    let (start, size) = data;
    if start > length {
        return Err(bad(format!("its data is said to begin at byte {start} of {length}")));
    }
    let end = start.saturating_add(size);
    if size == 0 || end > length {
        let problem = if size == 0 { Shortfall::NoEnd } else { Shortfall::Cut };
        return Ok(Seekable { header, data: start..length, problem: Some(problem) });
    }
    let mut problem = None;
    if features[(id::DIR_FORMAT / 8) as usize] & (1 << (id::DIR_FORMAT % 8)) != 0 {
        return Err(bad("it is a part of a directory of `perf record --threads`; record without --threads".to_owned()));
    }
    let set: Vec<u64> = (0..256).filter(|bit| features[(bit / 8) as usize] & (1 << (bit % 8)) != 0).collect();
    let sections = part(file, (end, 16 * set.len() as u64), length, "its list of features");
    match sections {
        Err(cause) => problem = Some(Shortfall::Features(cause)),
        Ok(sections) => {
            for (bit, place) in set.into_iter().zip(sections.chunks_exact(16)) {
                let place = (NativeEndian::read_u64(place), NativeEndian::read_u64(&place[8..]));
                let taken = part(file, place, length, "a feature").and_then(|bytes| match bit {
                    id::TRACING_DATA => {
                        header.take_tracing_data(&bytes).map_err(|error| bad(format!("names: {error}")))
                    }
                    _ => {
                        header.features.take(bit, &bytes);
                        Ok(())
                    }
                });
                if let Err(cause) = taken {
                    problem.get_or_insert(Shortfall::Feature { bit, cause });
                }
            }
        }
    }
    Ok(Seekable { header, data: start..end, problem })
}

/// A part of a file of this length.
fn part(file: &File, (offset, size): (u64, u64), length: u64, what: &str) -> io::Result<Vec<u8>> {
    if size > MOST || offset.checked_add(size).is_none_or(|end| end > length) {
        return Err(bad(format!("{what}: {size} bytes at byte {offset} of {length}")));
    }
    let mut bytes = vec![0; size as usize];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn bad(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
