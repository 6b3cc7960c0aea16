//! One CPU's ring: memory that the kernel writes and tp-perf reads.
//!
//! ```text
//!   control page      data_size bytes of ring
//!   ┌───────────┬──────────────────────────────────────┐
//!   │ data_head │ …free… [tail ── records ── head) …   │   head: the kernel's, only grows
//!   │ data_tail │ ── records) …free… [tail ── records  │   tail: ours, what we have taken
//!   └───────────┴──────────────────────────────────────┘   both modulo data_size; records may wrap
//! ```
//!
//! Only this file deals with records that wrap around. The bytes it hands out are contiguous.

use memmap2::MmapRaw;
use perf_event_open_sys::bindings::perf_event_mmap_page as ControlPage;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// A destination for a ring's bytes.
pub trait Room {
    /// The next bytes to fill: at least one, at most `wanted`. They count as filled as soon as this returns.
    fn room(&mut self, wanted: usize) -> io::Result<&mut [u8]>;

    /// Copies these bytes into the room.
    fn fill(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = self.room(bytes.len())?;
            let (now, later) = bytes.split_at(room.len());
            room.copy_from_slice(now);
            bytes = later;
        }
        Ok(())
    }
}

impl Room for Vec<u8> {
    fn room(&mut self, wanted: usize) -> io::Result<&mut [u8]> {
        let filled = self.len();
        self.resize(filled + wanted, 0);
        Ok(&mut self[filled..])
    }
}

/// A mapped ring. The code accesses this memory only through raw pointers and atomics and never creates a
/// reference to it, because the kernel writes it at any time.
#[derive(Debug)]
pub struct Ring {
    map: MmapRaw,
    data_offset: usize,
    data_size: usize,
}

impl Ring {
    /// Wraps the map of an event's ring.
    ///
    /// # Errors
    /// If the control page does not describe a ring within the map.
    pub fn new(map: MmapRaw) -> io::Result<Self> {
        let bad =
            |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, format!("the ring's control page {what}")));
        if map.len() < size_of::<ControlPage>() {
            return bad("does not fit into the map");
        }
        let page = map.as_ptr().cast::<ControlPage>();
        // SAFETY: the map is at least as long as a ControlPage, and page-aligned. The kernel sets both fields
        // before mmap returns, and never afterwards.
        let (offset, size) =
            unsafe { ((&raw const (*page).data_offset).read(), (&raw const (*page).data_size).read()) };
        let (Ok(data_offset), Ok(data_size)) = (usize::try_from(offset), usize::try_from(size)) else {
            return bad("has sizes that are too large");
        };
        if !data_size.is_power_of_two() || data_offset.checked_add(data_size).is_none_or(|end| end > map.len()) {
            return bad("does not describe a ring within the map");
        }
        Ok(Ring { map, data_offset, data_size })
    }

    /// The ring's size in bytes.
    pub fn size(&self) -> usize {
        self.data_size
    }

    /// The number of bytes that are in the ring.
    pub fn waiting(&self) -> u64 {
        // ATOMICS: the number alone is of interest, and no byte of the ring is read.
        let (head, tail) = (self.data_head().load(Ordering::Relaxed), self.data_tail().load(Ordering::Relaxed));
        head.wrapping_sub(tail)
    }

    /// Takes everything that is in the ring: copies it to `out`, then returns the space to the kernel.
    /// Returns the number of bytes.
    ///
    /// # Errors
    /// If the kernel's position is not valid, or `out` has no room. In both cases, everything stays in the
    /// ring.
    pub fn take(&mut self, out: &mut dyn Room) -> io::Result<usize> {
        // ATOMICS: acquire pairs with the barrier before the kernel publishes data_head, so all bytes before
        // the head are visible.
        let head = self.data_head().load(Ordering::Acquire);
        // ATOMICS: only this thread writes data_tail.
        let tail = self.data_tail().load(Ordering::Relaxed);
        let length = head.wrapping_sub(tail);
        if length > self.data_size as u64 {
            let message = format!("the ring's head {head} is not within {} bytes of its tail {tail}", self.data_size);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        for mut piece in pieces(tail, length as usize, self.data_size) {
            while !piece.is_empty() {
                let room = out.room(piece.len())?;
                let copied = room.len().min(piece.len());
                self.copy(piece.start, &mut room[..copied]);
                piece.start += copied;
            }
        }
        // ATOMICS: release keeps the copies above this store. After it, the kernel may overwrite the bytes.
        self.data_tail().store(head, Ordering::Release);
        Ok(length as usize)
    }

    /// Copies the ring's bytes from offset `from` on.
    fn copy(&self, from: usize, to: &mut [u8]) {
        assert!(from + to.len() <= self.data_size, "the piece is within the ring");
        // SAFETY: the piece is within data_size (asserted above), and `new` has checked that the ring is
        // within the map. `to` does not overlap the map. The kernel does not write between tail and head.
        unsafe { self.map.as_ptr().add(self.data_offset + from).copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) };
    }

    fn data_head(&self) -> &AtomicU64 {
        let page = self.map.as_mut_ptr().cast::<ControlPage>();
        // SAFETY: the map holds a whole, aligned ControlPage (checked in `new`) for as long as `self` lives.
        // The kernel and this process access the field only with atomic loads and stores.
        unsafe { AtomicU64::from_ptr(&raw mut (*page).data_head) }
    }

    fn data_tail(&self) -> &AtomicU64 {
        let page = self.map.as_mut_ptr().cast::<ControlPage>();
        // SAFETY: as in `data_head`.
        unsafe { AtomicU64::from_ptr(&raw mut (*page).data_tail) }
    }
}

/// Splits `length` bytes from position `tail` on into the two contiguous pieces that they occupy in a ring of
/// `size` bytes (a power of two). A piece may be empty.
fn pieces(tail: u64, length: usize, size: usize) -> [Range<usize>; 2] {
    let start = (tail & (size as u64 - 1)) as usize;
    let first = length.min(size - start);
    [start..start + first, 0..length - first]
}

#[cfg(test)]
mod tests {
    use super::*;
    use memmap2::MmapMut;
    use proptest::prelude::*;

    const PAGE: usize = 4096;

    /// Plays the kernel's side of a ring, in ordinary memory.
    struct Kernel {
        map: *mut u8,
        size: usize,
        head: u64,
    }

    fn ring(size: usize) -> (Ring, Kernel) {
        let map = MmapRaw::from(MmapMut::map_anon(PAGE + size).unwrap());
        let page = map.as_mut_ptr().cast::<ControlPage>();
        // SAFETY: the map begins with a whole zeroed page.
        unsafe {
            (*page).data_offset = PAGE as u64;
            (*page).data_size = size as u64;
        }
        let kernel = Kernel { map: map.as_mut_ptr(), size, head: 0 };
        (Ring::new(map).unwrap(), kernel)
    }

    impl Kernel {
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                // SAFETY: the offset is within the map of PAGE + size bytes.
                unsafe { self.map.add(PAGE + (self.head as usize % self.size)).write(*byte) };
                self.head += 1;
            }
            self.publish(self.head);
        }

        fn publish(&self, head: u64) {
            // SAFETY: the map begins with a control page.
            unsafe { (*self.map.cast::<ControlPage>()).data_head = head };
        }

        fn tail(&self) -> u64 {
            // SAFETY: the map begins with a control page.
            unsafe { (*self.map.cast::<ControlPage>()).data_tail }
        }
    }

    #[test]
    fn a_record_that_straddles_the_end_comes_out_whole() {
        let (mut ring, mut kernel) = ring(64);
        let mut out = Vec::new();
        kernel.write(&[1; 48]);
        assert_eq!(ring.waiting(), 48);
        assert_eq!(ring.take(&mut out).unwrap(), 48);
        assert_eq!(ring.waiting(), 0);
        let record: Vec<u8> = (10..34).collect();
        kernel.write(&record);
        out.clear();
        assert_eq!(ring.take(&mut out).unwrap(), 24);
        assert_eq!(out, record);
        assert_eq!(kernel.tail(), 72);
        assert_eq!(ring.take(&mut out).unwrap(), 0);
    }

    #[test]
    fn a_full_ring_is_taken_whole() {
        let (mut ring, mut kernel) = ring(64);
        let mut out = Vec::new();
        kernel.write(&[7; 24]);
        ring.take(&mut out).unwrap();
        out.clear();
        let full: Vec<u8> = (0..64).collect();
        kernel.write(&full);
        assert_eq!(ring.take(&mut out).unwrap(), 64);
        assert_eq!(out, full);
    }

    #[test]
    fn an_invalid_head_is_an_error_and_moves_nothing() {
        let (mut ring, kernel) = ring(64);
        let mut out = Vec::new();
        kernel.publish(65);
        assert!(ring.take(&mut out).is_err());
        assert!(out.is_empty());
        assert_eq!(kernel.tail(), 0);
    }

    #[test]
    fn a_control_page_without_a_valid_ring_is_refused() {
        for (offset, size) in [(PAGE, 0), (PAGE, 96), (PAGE, 1 << 40), (usize::MAX, 64), (0, PAGE * 4)] {
            let map = MmapRaw::from(MmapMut::map_anon(PAGE * 2).unwrap());
            let page = map.as_mut_ptr().cast::<ControlPage>();
            // SAFETY: the map begins with a whole zeroed page.
            unsafe {
                (*page).data_offset = offset as u64;
                (*page).data_size = size as u64;
            }
            assert!(Ring::new(map).is_err(), "offset {offset}, size {size}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_out_in_the_order_they_went_in(writes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..60)) {
            let (mut ring, mut kernel) = ring(64);
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            for write in writes {
                if kernel.head - kernel.tail() + write.len() as u64 > 64 {
                    ring.take(&mut out).unwrap();
                }
                kernel.write(&write);
                expected.extend(write);
            }
            ring.take(&mut out).unwrap();
            prop_assert_eq!(out, expected);
        }
    }
}
