//! Engines: what attaches to the kernel's tracepoints, and gives samples or counts.
//!
//! ```text
//!   Kernel ── attach ──> Sampling   rounds: the bytes of all rings ──> Chunks (a spool)
//!          └─ count ───> Counting   ticks: hits since the last one ──> sinks
//! ```
//!
//! Both kinds share [`Engine`]: events that are attached and off, go on and off together, and are closed in the
//! background. [`Live`] is the running kernel. [`simulated`] is one made of what a test says.
//!
//! This counts for a second, where the kernel lets it:
//!
//! ```no_run
//! use tp_perf::engine::{CountRequest, Counting, Engine, Kernel, Live, unwatched};
//! use tp_perf::tracefs::Selection;
//!
//! let table = Live.table()?;
//! let tracepoints = Selection::by_default(&table)?.tracepoints(&table);
//! let request = CountRequest { tracepoints, cpus: Live.online()?, exclude_thread: None };
//! let mut engine = Live.count(&request, &mut unwatched)?;
//! engine.enable()?;
//! std::thread::sleep(std::time::Duration::from_secs(1));
//! println!("{} hits", engine.tick()?.total());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attached;
mod counting;
mod descriptors;
mod detach;
mod error;
mod groups;
mod open_events;
mod opening;
mod request;
mod sampling;
pub mod simulated;

pub use attached::{Attached, Refusal};
pub use counting::CountingEngine;
pub use descriptors::{RESERVED_DESCRIPTORS, descriptors_needed, raise_descriptor_limit};
pub use detach::{Detaching, expected_detach};
pub use error::Error;
pub use request::{AttachRequest, CountRequest};
pub use sampling::SamplingEngine;

// The library shows these here, where its users need them.
pub use crate::os::clock::Clock;
pub use crate::os::cpus::CpuList;
pub use crate::perf::Room;

use crate::events::{Counted, SampleIds, Tick};
use crate::tracefs::{self, Table};
use std::io;
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;

/// Told how many events are open, and of how many; may break off.
pub type Opened<'a> = &'a mut dyn FnMut(usize, usize) -> ControlFlow<()>;

/// Nobody watches, and nothing breaks off: for [`Opened`].
pub fn unwatched(_open: usize, _total: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A kernel to attach to.
pub trait Kernel {
    /// Its engine for samples.
    type Sampling: Sampling;
    /// Its engine for counts.
    type Counting: Counting;

    /// The CPUs that are online.
    fn online(&self) -> io::Result<CpuList>;

    /// All its tracepoints.
    fn table(&self) -> Result<Table, tracefs::Error>;

    /// Opens the tracepoints for samples: attached, and off.
    ///
    /// # Errors
    /// Those that leaving out one tracepoint or one CPU does not cure. What was opened by then is closed in the background.
    fn attach(&self, request: &AttachRequest<'_>, opened: Opened<'_>) -> Result<Self::Sampling, Error>;

    /// Opens the tracepoints for counts: attached, and off.
    ///
    /// # Errors
    /// As [`attach`](Self::attach).
    fn count(&self, request: &CountRequest<'_>, opened: Opened<'_>) -> Result<Self::Counting, Error>;
}

/// Events that are attached and off.
pub trait Engine {
    /// How attaching went.
    fn attached(&self) -> &Attached;

    /// Switches all events on.
    fn enable(&mut self) -> io::Result<()>;

    /// Switches all events off. Samples in the rings stay there.
    fn disable(&mut self) -> io::Result<()>;

    /// The kernel's own counters since the events were opened, one per opened event.
    fn counters(&self) -> io::Result<Vec<Counted>>;

    /// Closes the events in the background.
    fn detach(self) -> Detaching;
}

/// An engine that gives samples.
pub trait Sampling: Engine {
    /// The opened events that the sample ids in the chunks are of.
    fn sample_ids(&self) -> &SampleIds;

    /// Descriptors that poll readable when a ring has filled up to its watermark.
    fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// One round: takes from every ring once.
    fn round(&mut self, chunks: &mut dyn Chunks) -> io::Result<()>;
}

/// An engine that counts.
pub trait Counting: Engine {
    /// Ends a window: reads all counters. The first tick counts from the moment the events went on.
    fn tick(&mut self) -> io::Result<Tick<'_>>;
}

/// Takes a sampling engine's bytes, round by round.
pub trait Chunks {
    /// Takes one ring's chunk of at most `most` bytes, which `take` fills in: whole records.
    ///
    /// # Errors
    /// Those of `take`, and a chunk that does not hold whole records. That chunk is then left out.
    fn append(&mut self, most: usize, take: &mut dyn FnMut(&mut dyn Room) -> io::Result<()>) -> io::Result<()>;

    /// Ends a round.
    fn finish_round(&mut self) -> io::Result<()>;
}

/// The running kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Live;

impl Kernel for Live {
    type Sampling = SamplingEngine;
    type Counting = CountingEngine;

    fn online(&self) -> io::Result<CpuList> {
        CpuList::online()
    }

    fn table(&self) -> Result<Table, tracefs::Error> {
        tracefs::table()
    }

    fn attach(&self, request: &AttachRequest<'_>, opened: Opened<'_>) -> Result<SamplingEngine, Error> {
        SamplingEngine::attach(request, opened)
    }

    fn count(&self, request: &CountRequest<'_>, opened: Opened<'_>) -> Result<CountingEngine, Error> {
        CountingEngine::attach(request, opened)
    }
}
