//! The memory that zstd needs to decompress: its window, from which it copies earlier bytes.

use crate::memory::{Held, MemoryOf, TooMuch};

/// The smallest limit of a window, as a power of two. zstd's usual levels have at most this.
const LEAST: u32 = 23;
/// The largest window, as a power of two. zstd's decoder accepts no larger one unless it is told to.
const MOST: u32 = 27;

/// The memory for a window, and the limit for all windows of one stream.
#[derive(Debug)]
pub struct ZstdWindow {
    /// The limit as a power of two, for the decoder.
    pub log: u32,
    _held: Held,
}

impl ZstdWindow {
    /// Takes the memory for a stream that begins with these bytes.
    ///
    /// # Errors
    /// If the window takes too much memory.
    pub fn of(head: &[u8]) -> Result<Self, TooMuch> {
        let log =
            size(head).map_or(MOST, |size| size.clamp(1, 1 << MOST).next_power_of_two().ilog2()).clamp(LEAST, MOST);
        Ok(ZstdWindow { log, _held: Held::take(MemoryOf::Zstd, 1 << log)? })
    }
}

/// The size in bytes of the window of the first frame (RFC 8878, section 3.1.1.1). `None` if its header is incomplete, or
/// if the frame has no content.
fn size(head: &[u8]) -> Option<u64> {
    let descriptor = *head.get(4)?;
    let is_single_segment = descriptor & 1 << 5 != 0;
    if !is_single_segment {
        let window = *head.get(5)?;
        let base = 1u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // The window is the whole content, whose size follows the id of the dictionary.
    let at = 5 + [0, 1, 2, 4][usize::from(descriptor & 3)];
    let length = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let mut size = [0; 8];
    size[..length].copy_from_slice(head.get(at..at + length)?);
    Some(u64::from_le_bytes(size) + if length == 2 { 256 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_that_of_the_first_frame() {
        let frame = |log: Option<u32>, length: usize| {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            match log {
                Some(log) => encoder.window_log(log).unwrap(),
                None => encoder.set_pledged_src_size(Some(length as u64)).unwrap(),
            }
            std::io::Write::write_all(&mut encoder, &vec![7; length]).unwrap();
            encoder.finish().unwrap()
        };
        for log in [10, 20, 27] {
            assert_eq!(size(&frame(Some(log), 300)), Some(1 << log));
        }
        for length in [1, 255, 256, 300, 65_535, 70_000] {
            assert_eq!(size(&frame(None, length)), Some(length as u64), "{length}");
        }
        assert_eq!(size(&frame(Some(20), 300)[..5]), None);
        let log = |head: &[u8]| ZstdWindow::of(head).unwrap().log;
        assert_eq!((log(&frame(None, 10)), log(&frame(Some(26), 10)), log(b"")), (23, 26, 27));
    }
}
