//! CRC-32 as Ethernet and zlib have it (the polynomial 0x04C11DB7, reflected).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file is read in pieces of this many bytes.
const PIECE: usize = 64 << 10;

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

/// The checksum of all parts, one after the other.
pub(super) fn crc32(parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(!0, |crc, part| step(crc, part))
}

/// The checksum of the first bytes of a file.
pub(super) fn crc32_of_file(file: &File, length: u64) -> io::Result<u32> {
    let (mut crc, mut at, mut bytes) = (!0, 0, vec![0; PIECE]);
    while at < length {
        let piece = &mut bytes[..(length - at).min(PIECE as u64) as usize];
        file.read_exact_at(piece, at)?;
        crc = step(crc, piece);
        at += piece.len() as u64;
    }
    Ok(!crc)
}

fn step(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| crc >> 8 ^ TABLE[((crc ^ u32::from(*byte)) & 0xFF) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_are_right() {
        // The check value of the catalogue of parametrised CRC algorithms (CRC-32/ISO-HDLC).
        assert_eq!(crc32(&[b"123456789"]), 0xCBF4_3926);
        assert_eq!(crc32(&[b"1234", b"", b"56789"]), 0xCBF4_3926);
        assert_eq!(crc32(&[]), 0);
    }
}
