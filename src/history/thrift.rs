//! Thrift's compact protocol, in which Parquet stores its metadata:
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>
//!
//! The crate `parquet` reserves memory for the sizes that metadata promise, and nests as deep as they do. So tp-perf walks
//! them first. All methods return `None` if the bytes are wrong.

/// The deepest nesting of a structure that is skipped.
const DEEPEST: u32 = 8;

/// The kinds of fields that tp-perf reads.
pub(super) mod kind {
    /// A number of 32 bits.
    pub(in crate::history) const I32: u8 = 5;
    /// Bytes, or a text.
    pub(in crate::history) const BINARY: u8 = 8;
    /// A list.
    pub(in crate::history) const LIST: u8 = 9;
    /// A structure.
    pub(in crate::history) const STRUCT: u8 = 12;
}

/// The rest of a structure.
#[derive(Debug)]
pub(super) struct Thrift<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Thrift<'a> {
    /// The kind of the next field, whose number replaces `field`. `Some(None)` at the end of a structure.
    pub(super) fn field(&mut self, field: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        let (more, kind) = (byte >> 4, byte & 0x0F);
        if kind == 0 {
            return Some(None);
        }
        *field = if more == 0 { self.signed()? } else { field.checked_add(i64::from(more))? };
        Some(Some(kind))
    }

    /// Skips a value. `depth` is the number of values around it.
    pub(super) fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            // True and false have no bytes.
            1 | 2 => Some(()),
            3 => self.byte().map(drop),
            4..=6 => self.unsigned().map(drop),
            7 => self.take(8).map(drop),
            kind::BINARY => self.bytes().map(drop),
            kind::LIST | 10 => {
                let (number, kind) = self.list()?;
                // In a list, true and false have a byte each.
                let kind = if matches!(kind, 1 | 2) { 3 } else { kind };
                (0..number).try_for_each(|_| self.skip(kind, depth + 1))
            }
            kind::STRUCT => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            // Nothing that tp-perf reads has a map.
            _ => None,
        }
    }

    /// The number of elements of a list, and their kind.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let byte = self.byte()?;
        let number = if byte >> 4 == 15 { self.unsigned()? } else { u64::from(byte >> 4) };
        Some((number, byte & 0x0F))
    }

    /// Bytes with their length before them.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.unsigned()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn take(&mut self, number: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(number)?;
        self.rest = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number whose lowest bit is its sign.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.unsigned()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}
