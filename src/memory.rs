//! One bound for the memory that inputs take.
//!
//! A small input can need much memory: a file that zstd unpacks to gigabytes, a log with a million names, a session of a
//! million windows. So all readers follow one rule. Before a reader keeps a part whose size depends on the
//! input, it [takes](Held::take) the memory for this part and for all that later steps make of it. If the bound does
//! not allow that, the reader refuses the input.
//!
//! The bound belongs to the process, as its memory does. A capture raises it: its own bytes are no foreign input.

use crate::units::Bytes;
use std::cell::RefCell;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::{fmt, io};

/// The bound in bytes, unless the user sets another one.
pub const DEFAULT: u64 = 256 << 20;

/// What inputs may take, and what they have taken.
#[derive(Debug)]
struct Limit {
    bound: AtomicU64,
    taken: AtomicU64,
}

impl Limit {
    const fn new(bound: u64) -> Self {
        Limit { bound: AtomicU64::new(bound), taken: AtomicU64::new(0) }
    }
}

static OF_PROCESS: LazyLock<Arc<Limit>> = LazyLock::new(|| Arc::new(Limit::new(DEFAULT)));

thread_local! {
    /// The limit of a thread that has its own.
    static OF_THREAD: RefCell<Option<Arc<Limit>>> = const { RefCell::new(None) };
}

fn limit() -> Arc<Limit> {
    OF_THREAD.with_borrow(|own| own.clone()).unwrap_or_else(|| Arc::clone(&OF_PROCESS))
}

/// Sets the bound of the process in bytes.
pub fn set_bound(bytes: u64) {
    OF_PROCESS.bound.store(bytes, Relaxed);
}

/// Raises the bound of the process to this many bytes, if it is lower.
pub fn raise_bound(bytes: u64) {
    limit().bound.fetch_max(bytes, Relaxed);
}

/// Does work that has a bound of its own.
// Tests run side by side in one process, and must not take the memory of each other.
#[doc(hidden)]
pub fn apart<T>(bound: u64, work: impl FnOnce() -> T) -> T {
    let before = OF_THREAD.replace(Some(Arc::new(Limit::new(bound))));
    let result = work();
    OF_THREAD.set(before);
    result
}

/// A part of an input that takes memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryOf {
    /// The names of tracepoints.
    Names,
    /// The sample ids, and the counts of tracepoints per CPU.
    Ids,
    /// The header of a perf.data file.
    Header,
    /// Events that wait for the end of their round.
    Waiting,
    /// The window of zstd, from which it copies.
    Zstd,
    /// The counts per window of time.
    Windows,
    /// The sessions of a library, or of a file.
    Sessions,
    /// The rows of reports and pages.
    Rows,
    /// The comparison of several sources.
    Comparison,
    /// The steps of tracepoints to other rungs.
    Steps,
    /// The threads and processes.
    Threads,
    /// A file that is read at once.
    File,
}

impl fmt::Display for MemoryOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MemoryOf::Names => "the names of its tracepoints",
            MemoryOf::Ids => "its sample ids",
            MemoryOf::Header => "its header",
            MemoryOf::Waiting => "events that wait for the end of their round (FINISHED_ROUND)",
            MemoryOf::Zstd => "the window of zstd",
            MemoryOf::Windows => "the counts of its windows",
            MemoryOf::Sessions => "the counts of its sessions",
            MemoryOf::Rows => "the rows of a report",
            MemoryOf::Comparison => "the comparison of the sources",
            MemoryOf::Steps => "the steps of its tracepoints to other rungs",
            MemoryOf::Threads => "its threads and processes",
            MemoryOf::File => "the bytes of a file",
        })
    }
}

/// An input needs more memory than the bound allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch {
    /// The part that exceeded the bound.
    pub part: MemoryOf,
    /// The memory in bytes that all inputs would take.
    pub needed: u64,
    /// Whether the reader refused the input before its end and estimated the rest.
    pub is_estimate: bool,
    /// The bound in bytes.
    pub bound: u64,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooMuch { part, needed, is_estimate, bound } = *self;
        let is_close = needed.saturating_sub(bound) < bound / 64;
        let (needed, bound) = (Bytes(needed), Bytes(bound));
        match (is_estimate, is_close) {
            (false, true) => write!(f, "{part} would bring the memory of all inputs above the limit of {bound}"),
            (false, false) => {
                write!(f, "{part} would bring the memory of all inputs to at least {needed}; the limit is {bound}")
            }
            (true, _) => {
                write!(f, "{part} would bring the memory of all inputs to about {needed}; the limit is {bound}")
            }
        }
    }
}

impl Error for TooMuch {}

impl From<TooMuch> for io::Error {
    fn from(error: TooMuch) -> Self {
        io::Error::new(io::ErrorKind::OutOfMemory, error)
    }
}

impl TooMuch {
    /// The refusal within an error of reading or writing, also if other errors are around it.
    pub fn within(error: &io::Error) -> Option<&Self> {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = next {
            if error.is::<Self>() {
                return error.downcast_ref();
            }
            next = match error.downcast_ref::<io::Error>() {
                Some(error) => error.get_ref().map(|inner| inner as _),
                None => error.source(),
            };
        }
        None
    }

    /// Estimates how much a whole input would take, if `read` of its `length` bytes took this much.
    pub fn of_whole(self, read: u64, length: u64) -> Self {
        match length > read && read > 0 {
            true => {
                let whole = u128::from(self.needed) * u128::from(length) / u128::from(read);
                TooMuch { needed: u64::try_from(whole).unwrap_or(u64::MAX), is_estimate: true, ..self }
            }
            false => self,
        }
    }

    /// A bound that is enough, as an option takes it: `512M`, `4G`.
    pub fn enough(&self) -> String {
        const GIB: u64 = 1 << 30;
        let bytes = self.needed.max(self.bound + 1).checked_next_power_of_two().unwrap_or(1 << 63);
        if bytes >= GIB { format!("{}G", bytes / GIB) } else { format!("{}M", bytes.div_ceil(1 << 20)) }
    }
}

/// Memory that a part of an input takes, until this is dropped.
#[derive(Debug)]
pub struct Held {
    part: MemoryOf,
    bytes: u64,
    limit: Arc<Limit>,
}

impl Held {
    /// Nothing yet.
    pub fn nothing(part: MemoryOf) -> Self {
        Held { part, bytes: 0, limit: limit() }
    }

    /// Takes memory.
    ///
    /// # Errors
    /// If the bound does not allow it.
    pub fn take(part: MemoryOf, bytes: u64) -> Result<Self, TooMuch> {
        let mut held = Held::nothing(part);
        held.grow(bytes).map(|()| held)
    }

    /// Takes more memory.
    ///
    /// # Errors
    /// If the bound does not allow it.
    pub fn grow(&mut self, bytes: u64) -> Result<(), TooMuch> {
        let bound = self.limit.bound.load(Relaxed);
        let sum = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= bound);
        match self.limit.taken.fetch_update(Relaxed, Relaxed, sum) {
            Ok(_) => {
                self.bytes += bytes;
                Ok(())
            }
            Err(taken) => {
                let needed = taken.saturating_add(bytes);
                Err(TooMuch { part: self.part, needed, is_estimate: false, bound })
            }
        }
    }

    /// Makes the memory exactly this many bytes: takes more, or returns the rest.
    ///
    /// # Errors
    /// If the bound does not allow it.
    pub fn resize(&mut self, bytes: u64) -> Result<(), TooMuch> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.grow(more),
            None => {
                self.limit.taken.fetch_sub(self.bytes - bytes, Relaxed);
                self.bytes = bytes;
                Ok(())
            }
        }
    }

    /// Holds the memory until the process ends.
    pub fn forever(self) {
        std::mem::forget(self);
    }
}

/// Bytes that are written into memory, such as a report before it is printed. They take memory as they are written, so a
/// text counts with the length of its escapes.
#[derive(Debug)]
pub struct HeldBytes {
    bytes: Vec<u8>,
    held: Held,
}

impl HeldBytes {
    /// No bytes yet.
    pub fn nothing(part: MemoryOf) -> Self {
        HeldBytes { bytes: Vec::new(), held: Held::nothing(part) }
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }
}

impl io::Write for HeldBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.capacity() - self.bytes.len() < bytes.len() {
            // Doubling could waste half of the memory.
            let more = bytes.len().max(self.bytes.capacity() / 4).max(8 << 10);
            self.held.resize((self.bytes.len() + more) as u64)?;
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A copy of a part takes as much memory as the part. It may exceed the bound: the reader of a part takes the memory for
/// the copies that later steps keep beside it.
impl Clone for Held {
    fn clone(&self) -> Self {
        self.limit.taken.fetch_add(self.bytes, Relaxed);
        Held { part: self.part, bytes: self.bytes, limit: Arc::clone(&self.limit) }
    }
}

/// Values that hold memory compare by their contents, so all shares of memory are equal.
impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.limit.taken.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_up_to_the_bound_and_returned() {
        apart(1_000, || {
            let mut held = Held::take(MemoryOf::Names, 900).unwrap();
            let refused = held.grow(101).unwrap_err();
            assert_eq!(refused, TooMuch { part: MemoryOf::Names, needed: 1_001, is_estimate: false, bound: 1_000 });
            held.resize(500).unwrap();
            let copy = held.clone();
            assert_eq!(held.grow(1).unwrap_err().needed, 1_001);
            drop(copy);
            assert!(Held::take(MemoryOf::Ids, 500).is_ok() && Held::take(MemoryOf::Ids, 501).is_err());
            drop(held);
            assert!(Held::take(MemoryOf::Ids, u64::MAX).is_err() && Held::take(MemoryOf::Ids, 1_000).is_ok());
        });
    }

    #[test]
    fn bytes_take_memory_as_they_are_written() {
        use std::io::Write;
        apart(100_000, || {
            let mut out = HeldBytes::nothing(MemoryOf::Rows);
            (0..9_000).try_for_each(|_| out.write_all(b"01234567")).unwrap();
            assert!(out.as_slice().len() == 72_000 && Held::take(MemoryOf::Ids, 28_001).is_err());
            let refused = out.write_all(&[0; 30_000]).unwrap_err();
            assert!(TooMuch::within(&refused).is_some(), "{refused}");
            drop(out);
            assert!(Held::take(MemoryOf::Ids, 100_000).is_ok());
        });
    }

    #[test]
    fn a_refusal_estimates_the_whole_and_names_a_bound_that_is_enough() {
        let refused = TooMuch { part: MemoryOf::Names, needed: 300 << 20, is_estimate: false, bound: 256 << 20 };
        assert_eq!(
            refused.to_string(),
            "the names of its tracepoints would bring the memory of all inputs to at least 300 MiB; the limit is 256 MiB"
        );
        let whole = refused.of_whole(10, 100);
        assert!(whole.to_string().contains("to about 2.9 GiB;"), "{whole}");
        assert_eq!((refused.enough().as_str(), whole.enough().as_str()), ("512M", "4G"));
        assert_eq!((refused.of_whole(0, 100), refused.of_whole(100, 100)), (refused, refused));
        let error = io::Error::from(refused);
        assert_eq!((TooMuch::within(&error), TooMuch::within(&io::Error::other("x"))), (Some(&refused), None));
        assert_eq!(TooMuch::within(&io::Error::other(io::Error::from(refused))), Some(&refused));
    }
}
