//! COMPRESSED records: the pieces of a zstd stream, as `perf record -z` writes them.

use crate::perf_data::ZstdWindow;
use crate::perf_data::{kind, push_record};
use byteorder::{ByteOrder, NativeEndian};
use std::io;
use zstd::stream::raw::{DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe;

/// The cheapest of zstd's regular levels. With it, the ring bytes of a kernel build shrink to a seventh.
const LEVEL: i32 = 1;

/// The number of bytes after which the stream is flushed. An incomplete file can be read up to the last
/// flush.
const PIECE: usize = 512 << 10;

/// The maximum number of bytes to which one COMPRESSED record decompresses: its own piece, and the rest of a
/// piece that an earlier record began. perf allocates a buffer of this size.
pub const MOST_INFLATED: u32 = 2 * PIECE as u32;

/// The maximum number of payload bytes in one record.
const MOST_IN_RECORD: usize = 65_520;

/// Compresses records into COMPRESSED records.
pub struct Compressor {
    encoder: Encoder<'static>,
    buffer: Vec<u8>,
}

impl Compressor {
    /// Starts a stream.
    pub fn new() -> io::Result<Self> {
        Ok(Compressor { encoder: Encoder::new(LEVEL)?, buffer: vec![0; zstd_safe::compress_bound(PIECE)] })
    }

    /// Compresses `bytes`, which must end at the end of a record, and appends the COMPRESSED records to
    /// `out`.
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

/// Appends a COMPRESSED record without padding, because readers take padding as a part of the stream.
fn push_unpadded(out: &mut Vec<u8>, payload: &[u8]) {
    let start = out.len();
    push_record(out, kind::COMPRESSED, &[payload]);
    out.truncate(start + 8 + payload.len());
    NativeEndian::write_u16(&mut out[start + 6..], (8 + payload.len()) as u16);
}

/// Decompresses the payloads of COMPRESSED records.
pub struct Inflate {
    decoder: Decoder<'static>,
    _window: ZstdWindow,
    /// The number of bytes that zstd expects next.
    hint: usize,
}

impl Inflate {
    /// Starts a stream that begins with this payload.
    ///
    /// # Errors
    /// If the stream takes too much memory.
    pub fn of(payload: &[u8]) -> io::Result<Self> {
        let window = ZstdWindow::of(payload)?;
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(window.log))?;
        Ok(Inflate { decoder, _window: window, hint: 0 })
    }

    /// Whether the stream is between two blocks, where its writer flushes it, or at its end.
    pub fn is_between(&self) -> bool {
        /// The size in bytes of a block's header, which comes next between two blocks.
        const BLOCK_HEADER: usize = 3;
        matches!(self.hint, 0 | BLOCK_HEADER)
    }

    /// Takes payload from `input`, and appends at most `most` decompressed bytes to `out`. So a small payload
    /// that decompresses to many bytes takes time, but no memory. All is done when `input` is empty and
    /// nothing was appended. Returns the number of bytes appended.
    ///
    /// # Errors
    /// If the stream is damaged.
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
        let mut inflate = Inflate::of(bytes).unwrap();
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
    fn incompressible_bytes_come_back_too() {
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
