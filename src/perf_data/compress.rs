//! COMPRESSED records: a zstd stream in pieces, as `perf record -z` writes it.

use crate::perf_data::{kind, push_record};
use byteorder::{ByteOrder, NativeEndian};
use std::io;
use zstd::stream::raw::{Decoder, Encoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe;

/// The level that costs least; the ring bytes of a kernel build shrink to a seventh with it.
const LEVEL: i32 = 1;

/// So much is compressed before the stream is flushed, in bytes: what is there of a file can be read up to there.
const PIECE: usize = 512 << 10;

/// At most so much comes out of one COMPRESSED record: its own piece, and what a record before it began. perf sets aside
/// memory of this size.
pub const MOST_INFLATED: u32 = 2 * PIECE as u32;

/// More does not fit into a record.
const MOST_IN_RECORD: usize = 65_520;

/// Turns records into COMPRESSED records.
pub struct Compressor {
    encoder: Encoder<'static>,
    buffer: Vec<u8>,
}

impl Compressor {
    /// At the start of a stream.
    pub fn new() -> io::Result<Self> {
        Ok(Compressor { encoder: Encoder::new(LEVEL)?, buffer: vec![0; zstd_safe::compress_bound(PIECE)] })
    }

    /// Appends to `out` all of `bytes`, which end with a record's end.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            let mut input = InBuffer::around(piece);
            loop {
                let mut output = OutBuffer::around(self.buffer.as_mut_slice());
                if input.pos() < piece.len() {
                    self.encoder.run(&mut input, &mut output)?;
                }
                let left = if input.pos() < piece.len() { 1 } else { self.encoder.flush(&mut output)? };
                let written = output.pos();
                for payload in self.buffer[..written].chunks(MOST_IN_RECORD) {
                    push_unpadded(out, payload);
                }
                if left == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Its size is that of the payload, to the byte: padding would be taken for the stream.
fn push_unpadded(out: &mut Vec<u8>, payload: &[u8]) {
    let start = out.len();
    push_record(out, kind::COMPRESSED, &[payload]);
    out.truncate(start + 8 + payload.len());
    NativeEndian::write_u16(&mut out[start + 6..], (8 + payload.len()) as u16);
}

/// Gives back what is in COMPRESSED records.
pub struct Inflate {
    decoder: Decoder<'static>,
    /// How many bytes zstd would like next.
    hint: usize,
}

impl Inflate {
    /// At the start of a stream.
    pub fn new() -> io::Result<Self> {
        Ok(Inflate { decoder: Decoder::new()?, hint: 0 })
    }

    /// Whether the stream is between two blocks, where its writer flushes it, or at an end.
    pub fn is_between(&self) -> bool {
        /// Bytes of a block's header, which is what comes next then.
        const BLOCK_HEADER: usize = 3;
        matches!(self.hint, 0 | BLOCK_HEADER)
    }

    /// Takes payload off `input` and appends at most `most` bytes to `out`, so that a small payload that unfolds to much
    /// costs time, and no memory. Done when `input` is empty and nothing was appended.
    ///
    /// # Errors
    /// A damaged stream.
    pub fn run(&mut self, input: &mut &[u8], most: usize, out: &mut Vec<u8>) -> io::Result<usize> {
        let start = out.len();
        out.resize(start + most, 0);
        let mut buffer = InBuffer::around(input);
        let mut output = OutBuffer::around(&mut out[start..]);
        let result = self.decoder.run(&mut buffer, &mut output);
        let (read, written) = (buffer.pos(), output.pos());
        out.truncate(start + written);
        *input = &input[read..];
        self.hint = result?;
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inflated(mut bytes: &[u8]) -> Vec<u8> {
        let mut inflate = Inflate::new().unwrap();
        let mut out = Vec::new();
        while !bytes.is_empty() {
            let (record, rest) = bytes.split_at(usize::from(NativeEndian::read_u16(&bytes[6..])));
            assert_eq!(NativeEndian::read_u32(record), kind::COMPRESSED);
            let mut payload = &record[8..];
            let before = out.len();
            while inflate.run(&mut payload, 1000, &mut out).unwrap() > 0 || !payload.is_empty() {}
            assert!(out.len() - before <= MOST_INFLATED as usize);
            bytes = rest;
        }
        out
    }

    #[test]
    fn what_does_not_shrink_comes_back_too() {
        let mut state = 1u64;
        let noise: Vec<u8> = (0..3 * PIECE + 17)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        let mut out = Vec::new();
        Compressor::new().unwrap().push(&noise, &mut out).unwrap();
        assert!(inflated(&out) == noise);
    }

    proptest! {
        #[test]
        fn pieces_come_back_joined(pieces in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..2_000), 0..20)) {
            let mut compressor = Compressor::new().unwrap();
            let mut out = Vec::new();
            pieces.iter().for_each(|piece| compressor.push(piece, &mut out).unwrap());
            prop_assert_eq!(inflated(&out), pieces.concat());
        }
    }
}
