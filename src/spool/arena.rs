//! The memory of a spool.

use super::{Keeping, memory_needed};
use crate::os::memory::release;
use memmap2::{Advice, MmapMut};
use std::io;
use std::ops::{Deref, DerefMut, Range};
use std::thread::JoinHandle;

/// The memory of a spool. It reserves address space; the kernel backs only the filled part with memory. Child
/// processes do not inherit it.
#[derive(Debug)]
pub struct Arena(MmapMut);

impl Arena {
    /// Reserves address space for a spool whose head has `head` bytes.
    pub fn new(keeping: &Keeping, head: usize) -> io::Result<Self> {
        let map = MmapMut::map_anon(memory_needed(keeping, head))?;
        // Huge pages avoid many page faults. If there are none, small pages work too.
        let _ = map.advise(Advice::HugePage);
        // If a child shared the memory, the kernel would copy each page that is then written.
        let _ = map.advise(Advice::DontFork);
        Ok(Arena(map))
    }

    /// Returns the whole pages of this range to the system. Their bytes are no longer needed.
    pub fn release(&mut self, range: Range<usize>) {
        release(&mut self.0, range);
    }

    /// Makes the kernel back the first `bytes` with memory now. A page fault while the events are on costs
    /// several times as much as filling the page, because the fault itself fires tracepoints that are on.
    pub fn back(&self, bytes: usize) {
        // If this fails (Linux before 5.14, or not enough memory), the pages are faulted in one by one later.
        let _ = self.0.advise_range(Advice::PopulateWrite, 0, bytes.min(self.len()));
    }
}

impl Deref for Arena {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Arena {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// An arena whose beginning is being [backed](Arena::back) on a separate thread. On a virtual machine,
/// backing can take long, because the hypervisor must find the memory first. So it runs while tp-perf lists
/// the tracepoints.
#[derive(Debug)]
pub struct Backed(JoinHandle<Arena>);

impl Backed {
    /// Starts to back the first `bytes` of a new arena. `head` has the same meaning as in [`Arena::new`].
    pub fn new(keeping: &Keeping, head: usize, bytes: usize) -> io::Result<Self> {
        let arena = Arena::new(keeping, head)?;
        let back = move || {
            arena.back(bytes);
            arena
        };
        Ok(Backed(std::thread::Builder::new().name("tp-perf-memory".to_owned()).spawn(back)?))
    }

    /// Waits until the arena is backed and the thread has ended.
    pub fn arena(self) -> Arena {
        self.0.join().expect("nothing in the thread panics")
    }
}
