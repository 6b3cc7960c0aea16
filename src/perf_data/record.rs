//! perf's records: the contents of a chunk.
//!
//! ```text
//!   u32 type │ u16 misc │ u16 size │ size − 8 bytes of body
//!   SAMPLE (24 bytes)       u64 sample id │ u64 time │ …
//!   LOST                    u64 sample id │ u64 lost │ …
//!   FINISHED_ROUND (8)      every ring has been taken from once since the last FINISHED_ROUND
//! ```

use crate::perf_data::kind::{COMPRESSED2, FINISHED_ROUND, SIMPLEPERF};
use crate::perf_data::push_record;
use byteorder::{ByteOrder, NativeEndian};
use perf_event_open_sys::bindings as abi;

/// The size in bytes of a sample with IDENTIFIER and TIME.
pub const SAMPLE_SIZE: usize = 24;
/// The size in bytes of a record's header.
pub const HEADER_SIZE: usize = 8;
/// The size in bytes of a COMPRESSED2 record without its payload: the header, and the payload's length. The
/// payload is read separately, because it can be longer than the header's size field can say.
pub const COMPRESSED2_HEAD: usize = 16;

/// An invalid record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record at byte {offset} is damaged: type {kind}, size {size}")]
pub struct Damaged {
    /// The position of the record, in bytes from the start of the bytes that were being read.
    pub offset: u64,
    /// The type field.
    pub kind: u32,
    /// The size field, in bytes.
    pub size: u16,
}

impl From<Damaged> for std::io::Error {
    fn from(damaged: Damaged) -> Self {
        std::io::Error::new(std::io::ErrorKind::InvalidData, damaged)
    }
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// The type, `PERF_RECORD_…`.
    pub kind: u32,
    /// The whole record, including its header.
    pub bytes: &'a [u8],
}

impl Record<'_> {
    /// The word at this offset from the start of the record; `None` if the record is too short.
    #[inline]
    pub fn word(&self, offset: usize) -> Option<u64> {
        self.bytes.get(offset..offset + 8).map(NativeEndian::read_u64)
    }

    /// Makes the error for this record.
    pub fn damaged(&self) -> Damaged {
        Damaged { offset: 0, kind: self.kind, size: self.bytes.len() as u16 }
    }
}

/// The first record in `bytes`; `None` if it is incomplete. For a COMPRESSED2 record, this is only its
/// [head](COMPRESSED2_HEAD). For a record of simpleperf's own, this is only its header.
///
/// # Errors
/// If the record's size is smaller than its header. The offset in the error is 0.
#[inline]
pub fn first(bytes: &[u8]) -> Result<Option<Record<'_>>, Damaged> {
    if bytes.len() < HEADER_SIZE {
        return Ok(None);
    }
    let kind = NativeEndian::read_u32(bytes);
    let length = length(bytes);
    if length < HEADER_SIZE {
        return Err(Damaged { offset: 0, kind, size: length as u16 });
    }
    Ok(bytes.get(..length).map(|bytes| Record { kind, bytes }))
}

/// The length in bytes of the record that starts with this header, as far as [`first`] returns the record.
#[inline]
pub(super) fn length(header: &[u8]) -> usize {
    match NativeEndian::read_u32(header) {
        COMPRESSED2 => COMPRESSED2_HEAD,
        SIMPLEPERF.. => HEADER_SIZE,
        _ => usize::from(NativeEndian::read_u16(&header[6..])),
    }
}

/// The number of bytes behind the header of a record of simpleperf's own; `None` if the header is damaged.
pub(super) fn behind_simpleperf(header: &[u8]) -> Option<u64> {
    let half = |at: usize| u64::from(NativeEndian::read_u16(&header[at..]));
    (half(4) << 16 | half(6)).checked_sub(HEADER_SIZE as u64)
}

/// Counts the samples in a stream of records that comes in pieces. It reads only the headers of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleCounter {
    /// The number of samples so far.
    pub samples: u64,
    /// The number of bytes at the start of the next piece that belong to a record that is already counted.
    rest: usize,
}

impl SampleCounter {
    /// Counts the samples of the next piece.
    ///
    /// # Errors
    /// A damaged record, with its offset in this piece. Records and pieces end at multiples of 8 bytes, so no
    /// header can be split between two pieces.
    pub fn count(&mut self, piece: &[u8]) -> Result<(), Damaged> {
        let mut start = self.rest;
        while let Some(header) = piece.get(start..start + HEADER_SIZE) {
            let kind = NativeEndian::read_u32(header);
            let size = NativeEndian::read_u16(&header[6..]);
            if usize::from(size) < least_size(kind) || !size.is_multiple_of(8) {
                return Err(Damaged { offset: start as u64, kind, size });
            }
            self.samples += u64::from(kind == abi::PERF_RECORD_SAMPLE);
            start += usize::from(size);
        }
        if start < piece.len() {
            return Err(Damaged { offset: start as u64, ..torn(&piece[start..]) });
        }
        self.rest = start - piece.len();
        Ok(())
    }

    /// Whether the last record is complete.
    pub fn is_whole(&self) -> bool {
        self.rest == 0
    }
}

/// The minimum size in bytes of a record of this type.
fn least_size(kind: u32) -> usize {
    match kind {
        abi::PERF_RECORD_SAMPLE | abi::PERF_RECORD_LOST => SAMPLE_SIZE,
        _ => HEADER_SIZE,
    }
}

/// The error for a record that is cut short, so only `bytes` of it are there.
pub fn torn(bytes: &[u8]) -> Damaged {
    match bytes.len() {
        0..HEADER_SIZE => Damaged { offset: 0, kind: 0, size: bytes.len() as u16 },
        _ => Damaged { offset: 0, kind: NativeEndian::read_u32(bytes), size: NativeEndian::read_u16(&bytes[6..]) },
    }
}

/// The FINISHED_ROUND record.
pub fn finished_round() -> Vec<u8> {
    let mut bytes = Vec::new();
    push(&mut bytes, FINISHED_ROUND, &[]);
    bytes
}

/// Appends a SAMPLE record, as the kernel writes it.
// Only tests, benches and fuzz targets write the kernel's records.
#[doc(hidden)]
pub fn push_sample(out: &mut Vec<u8>, id: u64, time: u64) {
    push(out, abi::PERF_RECORD_SAMPLE, &[id, time]);
}

/// Appends a LOST record, as the kernel writes it with `sample_id_all`.
// Only tests and benches write the kernel's records.
#[doc(hidden)]
pub fn push_lost(out: &mut Vec<u8>, id: u64, lost: u64, time: u64) {
    push(out, abi::PERF_RECORD_LOST, &[id, lost, time, id]);
}

fn push(out: &mut Vec<u8>, kind: u32, body: &[u64]) {
    let body: Vec<u8> = body.iter().flat_map(|word| word.to_ne_bytes()).collect();
    push_record(out, kind, &[&body]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A sample, a loss, a record of another type, and the end of a round.
    fn records() -> Vec<u8> {
        let mut bytes = Vec::new();
        push_sample(&mut bytes, 7, 1_000);
        push_lost(&mut bytes, 7, 33, 1_001);
        push(&mut bytes, 5, &[1, 2]);
        bytes.extend(finished_round());
        bytes
    }

    fn counted(bytes: &[u8]) -> Result<SampleCounter, Damaged> {
        let mut counter = SampleCounter::default();
        counter.count(bytes).map(|()| counter)
    }

    #[test]
    fn records_are_split_where_they_end() {
        let bytes = records();
        let mut rest = bytes.as_slice();
        let mut records = Vec::new();
        while let Some(record) = first(rest).unwrap() {
            records.push((record.kind, record.bytes.len()));
            rest = &rest[record.bytes.len()..];
        }
        assert_eq!(first(&bytes).unwrap().unwrap().word(16), Some(1_000));
        assert_eq!(records, [(9, 24), (2, 40), (5, 24), (68, 8)]);
    }

    #[test]
    fn a_record_of_size_zero_is_an_error_and_does_not_loop() {
        let mut bytes = Vec::new();
        push_sample(&mut bytes, 1, 1);
        bytes.extend([0; 16]);
        assert_eq!(counted(&bytes), Err(Damaged { offset: 24, kind: 0, size: 0 }));
        assert_eq!(first(&bytes[24..]), Err(Damaged { offset: 0, kind: 0, size: 0 }));
    }

    #[test]
    fn a_sample_too_short_for_its_fields_is_damaged() {
        let mut bytes = Vec::new();
        push(&mut bytes, abi::PERF_RECORD_SAMPLE, &[1]);
        assert_eq!(counted(&bytes), Err(Damaged { offset: 0, kind: 9, size: 16 }));
    }

    #[test]
    fn a_torn_record_is_not_a_record() {
        let mut bytes = Vec::new();
        push_sample(&mut bytes, 1, 1);
        for length in 0..24 {
            assert_eq!(first(&bytes[..length]), Ok(None), "{length} bytes");
        }
        assert!(!counted(&bytes[..16]).unwrap().is_whole());
        assert_eq!(counted(&bytes[..4]), Err(Damaged { offset: 0, kind: 0, size: 4 }));
    }

    proptest! {
        #[test]
        fn samples_are_counted_whatever_the_pieces(cuts in proptest::collection::vec(0usize..=36, 0..5)) {
            let bytes = [records(), records(), records()].concat();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut * 8).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let mut counter = SampleCounter::default();
            cuts.windows(2).for_each(|cut| counter.count(&bytes[cut[0]..cut[1]]).unwrap());
            prop_assert_eq!(counter, SampleCounter { samples: 3, rest: 0 });
        }

        #[test]
        fn arbitrary_bytes_are_counted_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = counted(&bytes);
        }
    }
}
