//! The sampling engine: one ring per CPU, to which all events of that CPU write.

use super::open_events::OpenEvents;
use super::opening::Opening;
use super::{AttachRequest, Attached, Chunks, Detaching, Engine, Error, Opened, Sampling};
use crate::events::{Counted, SampleIds};
use crate::os::cpus::Cpu;
use crate::perf::Ring;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// perf's rings, attached and off.
///
/// Dropping it detaches in the background, as [`Engine::detach`] does. Rust drops fields in order, so rings
/// and descriptors close before the guardian wakes.
#[derive(Debug)]
pub struct SamplingEngine {
    rings: Vec<Ring>,
    events: OpenEvents,
}

impl SamplingEngine {
    /// Attaches, as [`Kernel::attach`](super::Kernel::attach) does.
    pub fn attach(request: &AttachRequest<'_>, opened: Opened<'_>) -> Result<Self, Error> {
        let (rings, events) = Opening::of_samples(request)?.open(opened)?;
        Ok(SamplingEngine { rings, events })
    }
}

impl Engine for SamplingEngine {
    fn attached(&self) -> &Attached {
        &self.events.attached
    }

    fn enable(&mut self) -> io::Result<()> {
        self.events.enable()
    }

    fn disable(&mut self) -> io::Result<()> {
        self.events.disable()
    }

    fn counters(&self) -> io::Result<Vec<Counted>> {
        self.events.counters()
    }

    fn time_on(&self) -> io::Result<Vec<(Cpu, Duration)>> {
        self.events.time_on()
    }

    fn detach(self) -> Detaching {
        let SamplingEngine { rings, events } = self;
        drop(rings);
        events.detach()
    }
}

impl Sampling for SamplingEngine {
    fn sample_ids(&self) -> &SampleIds {
        &self.events.ids
    }

    fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.events.leaders.iter().map(|leaders| leaders[0].as_fd()).collect()
    }

    fn round(&mut self, chunks: &mut dyn Chunks) -> io::Result<()> {
        for ring in &mut self.rings {
            chunks.append(ring.size(), &mut |room| ring.take(room).map(drop))?;
        }
        chunks.finish_round()
    }
}
