//! Checks the pages of a column before the crate `parquet` reads them.
//!
//! The header of a page promises sizes, and the crate reserves memory for them. So a file of some bytes could take
//! gigabytes.

use super::thrift::{Thrift, kind};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The longest page in bytes, unpacked. Those of tp-perf take up to 2 MiB.
const LONGEST_PAGE: u64 = 16 << 20;
/// The longest header of a page in bytes.
const LONGEST_HEADER: u64 = 4 << 10;

/// The facts in the header of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct PageHeader {
    unpacked: i64,
    packed: i64,
    values: i64,
    is_dictionary: bool,
}

/// Checks all pages of a column, which has this place in the file and this many rows. Returns what is wrong, if something is.
pub(super) fn check_pages(file: &File, mut at: u64, length: u64, rows: u64) -> io::Result<Result<(), &'static str>> {
    let end = at.saturating_add(length);
    if end > file.metadata()?.len() {
        return Ok(Err("a column is not within the file"));
    }
    let mut left = rows;
    while at < end {
        let mut bytes = vec![0; (end - at).min(LONGEST_HEADER) as usize];
        file.read_exact_at(&mut bytes, at)?;
        let mut thrift = Thrift { rest: &bytes };
        let Some(header) = PageHeader::of(&mut thrift) else { return Ok(Err("the header of a page is wrong")) };
        at += (bytes.len() - thrift.rest.len()) as u64;
        let sizes = [header.unpacked, header.packed, header.values].map(u64::try_from);
        let [Ok(unpacked), Ok(packed), Ok(values)] = sizes else { return Ok(Err("a page has a negative size")) };
        if unpacked > LONGEST_PAGE || packed > end - at {
            return Ok(Err("a page is too long"));
        }
        if values > left {
            return Ok(Err("a page has more values than the file has rows"));
        }
        left -= if header.is_dictionary { 0 } else { values };
        at += packed;
    }
    Ok(Ok(()))
}

impl PageHeader {
    /// Reads a header.
    fn of(thrift: &mut Thrift<'_>) -> Option<PageHeader> {
        let mut header = PageHeader::default();
        let mut field = 0;
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (2, kind::I32) => header.unpacked = thrift.signed()?,
                (3, kind::I32) => header.packed = thrift.signed()?,
                // A data page, a dictionary, or a data page of version 2. Each begins with its number of values.
                (5 | 7 | 8, kind::STRUCT) => {
                    header.is_dictionary = field == 7;
                    header.values = first_number(thrift)?;
                }
                (1 | 4, kind::I32) | (9.., _) => thrift.skip(kind, 0)?,
                _ => return None,
            }
        }
        Some(header)
    }
}

/// The number in the first field of a structure. Reads the structure to its end.
fn first_number(thrift: &mut Thrift<'_>) -> Option<i64> {
    let (mut number, mut field) = (0, 0);
    while let Some(kind) = thrift.field(&mut field)? {
        match (field, kind) {
            (1, kind::I32) => number = thrift.signed()?,
            (1, _) => return None,
            _ => thrift.skip(kind, 1)?,
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn check(bytes: &[u8], rows: u64) -> Result<(), &'static str> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        check_pages(&file, 0, bytes.len() as u64, rows).unwrap()
    }

    /// A data page of 3 values and 2 bytes: its type, its sizes, and a structure with its number of values.
    const PAGE: [u8; 13] = [0x15, 0, 0x15, 8, 0x15, 4, 0x2C, 0x15, 6, 0, 0, 0xAA, 0xBB];

    #[test]
    fn pages_are_walked_and_impossible_sizes_refused() {
        assert_eq!(check(&PAGE, 3), Ok(()));
        assert_eq!(check(&PAGE.repeat(2), 6), Ok(()));
        assert_eq!(check(&PAGE.repeat(2), 5), Err("a page has more values than the file has rows"));
        let mut longer = PAGE;
        longer[5] = 6;
        assert_eq!(check(&longer, 3), Err("a page is too long"));
        longer[5] = 3;
        assert_eq!(check(&longer, 3), Err("a page has a negative size"));
        assert_eq!(check(&PAGE[..9], 3), Err("the header of a page is wrong"));
        // A known field of another kind, which the crate would read all the same: the unpacked size, and the number of values.
        for place in [2, 7] {
            let mut other = PAGE;
            other[place] += 1;
            assert_eq!(check(&other, 3), Err("the header of a page is wrong"), "{place}");
        }
        // 1 GiB, unpacked.
        let huge = [&PAGE[..3], &[0x80, 0x80, 0x80, 0x80, 0x08], &PAGE[4..]].concat();
        assert_eq!(check(&huge, 3), Err("a page is too long"));
        let mut outside = tempfile::tempfile().unwrap();
        outside.write_all(&PAGE).unwrap();
        let error = check_pages(&outside, 1, PAGE.len() as u64, 3).unwrap();
        assert_eq!(error, Err("a column is not within the file"));
    }

    #[test]
    fn any_bytes_end() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..2_000 {
            let bytes: Vec<u8> = (0..random.usize(..60)).map(|_| random.u8(..)).collect();
            let _ = PageHeader::of(&mut Thrift { rest: &bytes });
        }
        // A list of 2^60 booleans, lists in lists, and a string without an end.
        for bytes in [&[0x19, 0xF3, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F][..], &[0x19; 100], &[0x18, 0xFF, 0xFF, 0x7F]] {
            assert_eq!(PageHeader::of(&mut Thrift { rest: bytes }), None);
        }
    }
}
