//! The payload of a COMPRESSED2 record, which is read in parts.
//!
//! perf 6.16 and later write all compressed bytes of one ring as one record. If they take more than 65,519
//! bytes, the size field of the record, which has 16 bits, overflows. perf then has compressed them into
//! several records, and only the first one has the length of the whole:
//!
//! ```text
//!   head, size overflowed, length │ 65,519 bytes │ head of 16 bytes │ 65,519 bytes │ … │ no padding
//! ```

use crate::perf_data::record::{COMPRESSED2_HEAD, Record};
use byteorder::{ByteOrder, NativeEndian};

/// The payload of each such record but the last (perf's `max_record_size`).
const MOST_IN_RECORD: u64 = 65_519;

/// The part of a COMPRESSED2 record that follows in the file.
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// The number of bytes up to the end of the payload.
    left: u64,
    /// The number of bytes up to the head of the next record within the payload.
    up_to_head: u64,
    /// The number of bytes of padding behind the payload.
    padding: u64,
}

impl Behind {
    /// The payload behind the head of a COMPRESSED2 record. The number of bytes to skip first goes to `skip`.
    pub fn of(head: Record<'_>, skip: &mut u64) -> Result<Self, &'static str> {
        const SHORT: &str = "it is shorter than it says";
        let length = head.word(8).ok_or("it has no length")?;
        let size = u64::from(NativeEndian::read_u16(&head.bytes[6..]));
        let whole = length.checked_add(COMPRESSED2_HEAD as u64).ok_or(SHORT)?;
        if let Some(padding) = size.checked_sub(whole) {
            *skip = if length == 0 { padding } else { 0 };
            return Ok(Behind { left: length, up_to_head: u64::MAX, padding });
        }
        let padded = whole.checked_next_multiple_of(8).ok_or(SHORT)?;
        if padded % (1 << 16) != size {
            return Err(SHORT);
        }
        Ok(Behind { left: length, up_to_head: MOST_IN_RECORD, padding: 0 })
    }

    /// Whether the payload was taken to its end.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Takes the next part of the payload from a piece. The number of bytes to skip behind the part goes to
    /// `skip`.
    pub fn take<'a>(&mut self, piece: &'a [u8], skip: &mut u64) -> &'a [u8] {
        let length = self.left.min(self.up_to_head).min(piece.len() as u64);
        self.left -= length;
        self.up_to_head -= length;
        if self.left == 0 {
            *skip = self.padding;
        } else if self.up_to_head == 0 {
            *skip = COMPRESSED2_HEAD as u64;
            self.left = self.left.saturating_sub(COMPRESSED2_HEAD as u64);
            self.up_to_head = MOST_IN_RECORD;
        }
        &piece[..length as usize]
    }
}
