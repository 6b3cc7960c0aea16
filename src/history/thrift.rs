//! Thrift's compact protocol, in which Parquet stores its metadata:
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>
//!
//! The crate `parquet` reserves memory for the sizes that metadata promise, and nests as deep as they do. So tp-perf walks
//! them first. The crate goes by the number of a field alone, whatever its kind is. So a known field of another kind is refused here,
//! and both walks see the same. All methods return `None` if the bytes are wrong.

/// The deepest nesting of a structure that is skipped.
const DEEPEST: u32 = 8;

/// The kinds of fields that tp-perf reads.
pub(super) mod kind {
    /// A number of 16 bits.
    pub(in crate::history) const I16: u8 = 4;
    /// A number of 32 bits.
    pub(in crate::history) const I32: u8 = 5;
    /// A number of 64 bits.
    pub(in crate::history) const I64: u8 = 6;
    /// Bytes, or a text.
    pub(in crate::history) const BINARY: u8 = 8;
    /// A list.
    pub(in crate::history) const LIST: u8 = 9;
    /// A structure.
    pub(in crate::history) const STRUCT: u8 = 12;
}

/// What a value must be.
pub(super) enum Shape {
    /// True or false.
    Bool,
    /// A value of this kind, whatever is in it.
    Of(u8),
    /// A list with at most so many elements.
    List(u64, &'static Shape),
    /// A structure. Fields with other numbers may be anything.
    Struct(&'static [(i64, Shape)]),
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
        let next = if more == 0 { self.signed()? } else { field.checked_add(i64::from(more))? };
        // Fields ascend, so none is there twice.
        if next <= *field || next > i64::from(i16::MAX) {
            return None;
        }
        *field = next;
        Some(Some(kind))
    }

    /// Reads a value of this kind, which must have this shape.
    pub(super) fn check(&mut self, kind: u8, shape: &Shape) -> Option<()> {
        match (shape, kind) {
            (Shape::Bool, 1 | 2) => Some(()),
            (Shape::Of(wanted), kind) if kind == *wanted => self.skip(kind, 0),
            (Shape::List(most, shape), kind::LIST) => {
                let (number, kind) = self.list()?;
                if number > *most {
                    return None;
                }
                (0..number).try_for_each(|_| self.check(kind, shape))
            }
            (Shape::Struct(fields), kind::STRUCT) => {
                let mut number = 0;
                while let Some(kind) = self.field(&mut number)? {
                    match fields.iter().find(|(known, _)| *known == number) {
                        Some((_, shape)) => self.check(kind, shape)?,
                        None => self.skip(kind, 1)?,
                    }
                }
                Some(())
            }
            _ => None,
        }
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
                // The crate takes no byte for true and false in a list, so it would not end for a long time.
                if matches!(kind, 1 | 2) {
                    return None;
                }
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
