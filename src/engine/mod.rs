//! Engines: they attach to the kernel's tracepoints, and deliver samples or counts.
//!
//! ```text
//!   Kernel ── attach ──> Sampling   rounds: the bytes of all rings ──> Chunks (a spool)
//!          └─ count ───> Counting   ticks: hits since the last one ──> sinks
//! ```
//!
//! Both kinds share [`Engine`]: its events are attached and off at first, go on and off together, and are
//! closed in the background. [`Live`] is the running kernel. [`simulated`] is a kernel that follows the
//! script of a test.
//!
//! This example counts for a second. It needs the permission to trace:
//!
//! ```no_run
//! use tp_perf::engine::{CountRequest, Counting, Engine, Kernel, Live, unwatched};
//! use tp_perf::tracefs::Selection;
//!
//! let table = Live.table()?;
//! let tracepoints = Selection::by_default(&table)?.tracepoints(&table);
//! let request = CountRequest { tracepoints, cpus: Live.online()?, exclude_thread: None, may_move: false };
//! let mut engine = Live.count(&request, &mut unwatched)?;
//! engine.enable()?;
//! std::thread::sleep(std::time::Duration::from_secs(1));
//! println!("{} hits", engine.tick()?.total());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attached;
mod counters_read;
mod counting;
mod descriptors;
mod detach;
mod error;
mod groups;
mod hit_cost;
mod open_events;
mod opening;
mod record_cost;
mod request;
mod rungs;
mod sampling;
pub mod simulated;
mod small_groups;

pub use attached::{Attached, Refusal};
pub use counters_read::CountersRead;
pub use counting::CountingEngine;
pub use descriptors::{MOST_MEMBERS, RESERVED_DESCRIPTORS, descriptors_needed, raise_descriptor_limit};
pub use detach::{Detaching, expected_detach, held_by_others};
pub use error::Error;
pub use groups::is_hit_by_visits;
pub use hit_cost::{HitCost, cost_of_ways, rename_ns};
pub use opening::LEAST_RING;
pub use record_cost::RecordCost;
pub use request::{AttachRequest, CountRequest};
pub use sampling::SamplingEngine;

// Users of this module need these types, and some of their modules are not part of the library's API.
pub use crate::os::clock::Clock;
pub use crate::os::cpus::CpuList;
pub use crate::perf::{ProcessFields, Room};

use crate::events::{Counted, Reading, Rung, RungStep, SampleId, SampleIds, Tick};
use crate::os::cpus::Cpu;
use crate::os::machine::MachineTimes;
use crate::os::privileges::raised;
use crate::tracefs::{self, Table, Tpid};
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// A callback that gets the number of open events and their total number. It can stop the attaching.
pub type Opened<'a> = &'a mut dyn FnMut(usize, usize) -> ControlFlow<()>;

/// An [`Opened`] callback that ignores the progress and never stops.
pub fn unwatched(_open: usize, _total: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A kernel to attach to.
pub trait Kernel {
    /// The engine for samples.
    type Sampling: Sampling;
    /// The engine for counts.
    type Counting: Counting;

    /// The CPUs that are online.
    fn online(&self) -> io::Result<CpuList>;

    /// All tracepoints of this kernel.
    fn table(&self) -> Result<Table, tracefs::Error>;

    /// Opens the tracepoints for sampling. Afterwards they are attached and off.
    ///
    /// # Errors
    /// Errors that affect more than one tracepoint or one CPU. The events opened by then are closed in the
    /// background.
    fn attach(&self, request: &AttachRequest<'_>, opened: Opened<'_>) -> Result<Self::Sampling, Error>;

    /// Opens the tracepoints for counting. Afterwards they are attached and off.
    ///
    /// # Errors
    /// As [`attach`](Self::attach).
    fn count(&self, request: &CountRequest<'_>, opened: Opened<'_>) -> Result<Self::Counting, Error>;

    /// Measures the cost of a hit, in about a tenth of a second. The second part of the result keeps a tracepoint
    /// attached. Drop it when others are attached to `task:task_rename`, if that happens.
    fn hit_cost(&self, table: &Table) -> (HitCost, Option<OwnedFd>);

    /// Measures the cost of a hit in a recording, in about a fifth of a second. As with
    /// [`hit_cost`](Self::hit_cost), the second part of the result keeps a tracepoint attached.
    fn record_cost(&self, table: &Table) -> (RecordCost, Option<OwnedFd>);
}

/// Events that are attached and off.
pub trait Engine {
    /// The result of attaching.
    fn attached(&self) -> &Attached;

    /// Switches all events on.
    fn enable(&mut self) -> io::Result<()>;

    /// Switches all events off. Samples stay in the rings.
    fn disable(&mut self) -> io::Result<()>;

    /// The kernel's counters since the events were opened, one per opened event.
    fn counters(&self) -> io::Result<Vec<Counted>>;

    /// For each CPU, how long its events have been on. The kernel removes the events of a CPU that goes
    /// offline. They do not return with the CPU, and their time ends.
    fn time_on(&self) -> io::Result<Vec<(Cpu, Duration)>>;

    /// Closes the events in the background.
    fn detach(self) -> Detaching;
}

/// An engine that delivers samples.
pub trait Sampling: Engine {
    /// The opened events to which the sample ids in the chunks belong.
    fn sample_ids(&self) -> &SampleIds;

    /// Descriptors that poll readable when a ring is filled up to its wakeup watermark.
    fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// The counters of the events that record changes of threads: how many of their records were lost.
    fn thread_counters(&self) -> io::Result<Vec<(SampleId, Reading)>>;

    /// The part of the fullest ring that is filled, from 0 to 1. Polling a [wake descriptor](Self::wake_descriptors) shows only once
    /// that its ring has reached its watermark.
    fn fullest(&self) -> f64;

    /// Runs one round: takes the bytes of every ring once.
    fn round(&mut self, chunks: &mut dyn Chunks) -> io::Result<()>;

    /// The kernel's counters since the events were opened, one per slot, group by group. Call this only
    /// if the request had [`AttachRequest::may_thin`]: groups cannot be read otherwise.
    fn hits(&mut self) -> io::Result<&[u64]>;

    /// Reads the kernel's counters of all slots, whether or not the events are on. Call this only if the request had
    /// [`AttachRequest::may_thin`].
    fn read_counters(&mut self, read: &mut CountersRead) -> io::Result<()>;

    /// Makes all tracepoints record each hit, just after the events went on. Until then, they record one in
    /// [`OPENED_WITH`](crate::events::thinning::OPENED_WITH). Returns the steps of those that were hit before. Call
    /// this only if the request had [`AttachRequest::may_thin`].
    fn record_all(&mut self) -> io::Result<Vec<RungStep>>;

    /// Moves tracepoints: records one in so many hits of each from now on, or detaches it for good if the number is 0.
    /// Appends the steps to `steps`, also if a CPU fails. Call this only if the request had [`AttachRequest::may_thin`].
    fn thin(&mut self, moves: &[(Tpid, u64)], steps: &mut Vec<RungStep>) -> io::Result<()>;
}

/// An engine that delivers counts.
pub trait Counting: Engine {
    /// The times of each CPU until now, if they are known.
    fn cpu_times() -> Option<BTreeMap<Cpu, MachineTimes>>
    where
        Self: Sized;

    /// Ends a window: reads all counters. The first window starts when the events go on.
    fn tick(&mut self) -> io::Result<Tick<'_>>;

    /// Moves a tracepoint to a rung, at the begin of a window. A tracepoint that has no room there stays where it is.
    /// Leaving [`Rung::Counted`] and coming back needs the right to open events.
    ///
    /// # Errors
    /// If its events cannot be opened or switched. The tracepoint then stays where it is.
    fn set_rung(&mut self, tpid: Tpid, rung: Rung) -> io::Result<()>;

    /// Detaches the tracepoints that were moved to [`Rung::Detached`], in the background. Until the kernel has detached
    /// them ([`is_detaching`](Self::is_detaching)), no tracepoint can move without a long wait.
    fn finish_moves(&mut self) -> io::Result<()>;

    /// Whether tracepoints are being detached.
    fn is_detaching(&mut self) -> io::Result<bool>;

    /// The tracepoints that were moved, and their rungs.
    fn moved(&self) -> Vec<(Tpid, Rung)>;

    /// The rung of a tracepoint.
    fn rung(&self, tpid: Tpid) -> Rung;

    /// Begins a visit: counts the hits of all tracepoints on [`Rung::Visited`].
    fn begin_visit(&mut self) -> io::Result<()>;

    /// Ends the visit.
    fn end_visit(&mut self) -> io::Result<()>;
}

/// Receives the bytes of a sampling engine, round by round.
pub trait Chunks {
    /// Appends one ring's chunk of at most `most` bytes. `take` writes the chunk, which consists of whole
    /// records.
    ///
    /// # Errors
    /// Errors of `take`, and a chunk that does not consist of whole records. Such a chunk is left out.
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
        raised(tracefs::table)
    }

    fn attach(&self, request: &AttachRequest<'_>, opened: Opened<'_>) -> Result<SamplingEngine, Error> {
        raised(|| SamplingEngine::attach(request, opened))
    }

    fn count(&self, request: &CountRequest<'_>, opened: Opened<'_>) -> Result<CountingEngine, Error> {
        raised(|| CountingEngine::attach(request, opened))
    }

    fn hit_cost(&self, table: &Table) -> (HitCost, Option<OwnedFd>) {
        raised(|| HitCost::measure(table))
    }

    fn record_cost(&self, table: &Table) -> (RecordCost, Option<OwnedFd>) {
        raised(|| RecordCost::measure(table))
    }
}
