//! The memory of a spool.

use super::{Keeping, memory_needed};
use memmap2::{Advice, MmapMut};
use std::io;
use std::ops::{Deref, DerefMut};
use std::thread::JoinHandle;

/// The memory of a spool: address space, of which only what is filled becomes memory. Children do not get it.
#[derive(Debug)]
pub struct Arena(MmapMut);

impl Arena {
    /// Address space for a spool with a head of so many bytes.
    pub fn new(keeping: &Keeping, head: usize) -> io::Result<Self> {
        let map = MmapMut::map_anon(memory_needed(keeping, head))?;
        // Huge pages spare many faults; where there are none, small ones do.
        let _ = map.advise(Advice::HugePage);
        // A child would share it page by page, and each page that is then written be copied.
        let _ = map.advise(Advice::DontFork);
        Ok(Arena(map))
    }

    /// Has the kernel back the first `bytes` with memory now. A page that is faulted in while the events are on costs several
    /// times its filling: the kernel's tracepoints on that way are switched on.
    pub fn back(&self, bytes: usize) {
        // Before Linux 5.14, or without memory enough, they come one by one.
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

/// An arena of which the beginning is being [backed](Arena::back), on a thread of its own: where a hypervisor has to find the
/// memory first it takes so long that it is better done while the tracepoints are being listed.
#[derive(Debug)]
pub struct Backed(JoinHandle<Arena>);

impl Backed {
    /// Starts to back the first `bytes` of a new arena; `head` as for [`Arena::new`].
    pub fn new(keeping: &Keeping, head: usize, bytes: usize) -> io::Result<Self> {
        let arena = Arena::new(keeping, head)?;
        let back = move || {
            arena.back(bytes);
            arena
        };
        Ok(Backed(std::thread::Builder::new().name("tp-perf-memory".to_owned()).spawn(back)?))
    }

    /// The arena, once it is backed and the thread is gone.
    pub fn arena(self) -> Arena {
        self.0.join().expect("the thread does nothing that could panic")
    }
}
