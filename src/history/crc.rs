//! CRC-32 as Ethernet and zlib have it (the polynomial 0x04C11DB7, reflected).

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
    let step = |crc: u32, byte: &u8| crc >> 8 ^ TABLE[((crc ^ u32::from(*byte)) & 0xFF) as usize];
    !parts.iter().fold(!0, |crc, part| part.iter().fold(crc, step))
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
