//! The narrow seam between what captures and everything that comes after.

mod descriptors;
mod detach;
mod error;
mod sampling;

pub use descriptors::{RESERVED_DESCRIPTORS, descriptors_needed, raise_descriptor_limit};
pub use detach::{Detaching, expected_detach};
pub use error::Error;
pub use sampling::{AttachRequest, Attachment, Refusal, attach};

use crate::events::{Counted, SampleIds};
use crate::spool::Spool;
use std::io;
use std::os::fd::BorrowedFd;

/// A live source of events, attached and off. perf's rings are the one there is; nothing beyond the decoder knows it.
pub trait Engine {
    /// What the sample ids in the chunks stand for.
    fn sample_ids(&self) -> &SampleIds;

    /// Switches all events on.
    fn enable(&mut self) -> io::Result<()>;

    /// Descriptors that poll readable when a ring has filled up to its watermark.
    fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// One round: takes from every ring once.
    fn round(&mut self, spool: &mut Spool) -> io::Result<()>;

    /// Switches all events off. What is in the rings stays there.
    fn disable(&mut self) -> io::Result<()>;

    /// The kernel's own counters, one per opened event.
    fn account(&self) -> io::Result<Vec<Counted>>;

    /// Lets go of the kernel, in the background.
    fn detach(self) -> Detaching;
}
