//! How a spool keeps its bytes, and how much memory it needs.

use super::PIECE;

/// The default number of bytes that are kept in memory.
pub const DEFAULT_MEMORY: usize = 256 << 20;

/// The address space in bytes of a spool whose head has `head` bytes. The kernel backs only the filled part
/// with memory.
pub fn memory_needed(keeping: &Keeping, head: usize) -> usize {
    (keeping.memory + headroom(keeping.rings, head) + head + PIECE).next_multiple_of(PIECE)
}

/// The approximate size in bytes of the head for this many opened events: the sample id and the CPU of each
/// event.
pub fn expected_head(events: usize) -> usize {
    events.saturating_mul(64).saturating_add(1 << 20)
}

/// Room in bytes for the round that finds the disk full, for the last two rounds of a capture, for the ends
/// of these rounds, and for the bytes behind them, which are not more than the head.
pub(super) fn headroom(rings: usize, head: usize) -> usize {
    3 * rings + head + PIECE
}

/// How a spool keeps its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// The number of bytes to keep in memory before the file is used; 0 streams from the first byte on.
    pub memory: usize,
    /// The maximum number of bytes in one round: the size of all rings.
    pub rings: usize,
    /// Whether the file is compressed.
    pub compress: bool,
    /// Whether memory is returned to the system as soon as its bytes are in the file. Each page then has to be
    /// backed again, which costs time while the events are on.
    pub frugal: bool,
}

impl Keeping {
    /// Keeps at most a quarter of the `available` bytes, and at most [`DEFAULT_MEMORY`]. If the room for the
    /// last rounds takes more than half of what is available, memory is returned early.
    pub fn within(available: Option<u64>, rings: usize, compress: bool) -> Self {
        let available = available.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let memory = DEFAULT_MEMORY.min(available / 4);
        Keeping { memory, rings, compress, frugal: memory + headroom(rings, 0) > available / 2 }
    }
}
