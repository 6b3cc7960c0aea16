//! The sampling engine: one ring per CPU, to which all events of that CPU write.

use super::open_events::OpenEvents;
use super::opening::Opening;
use super::{AttachRequest, Attached, Chunks, Detaching, Engine, Error, Opened, Sampling};
use crate::events::thinning::OPENED_WITH;
use crate::events::{Counted, Reading, RungStep, SampleIds, Tpid};
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::os::thread::on_cpu;
use crate::perf::{Ring, sys};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// perf's rings, attached and off.
///
/// Dropping it detaches in the background, as [`Engine::detach`] does. Rust drops fields in order, so rings
/// and descriptors close before the guardian wakes.
#[derive(Debug)]
pub struct SamplingEngine {
    rings: Vec<Ring>,
    events: OpenEvents,
    clock: Clock,
    may_thin: bool,
    /// Per slot: the counters at the last reading.
    hits: Vec<u64>,
    /// Scratch space for a reading.
    now: Vec<Option<u64>>,
    bytes: Vec<u8>,
}

impl SamplingEngine {
    /// Attaches, as [`Kernel::attach`](super::Kernel::attach) does.
    pub fn attach(request: &AttachRequest<'_>, opened: Opened<'_>) -> Result<Self, Error> {
        let (rings, events) = Opening::of_samples(request)?.open(opened)?;
        let slots = events.ids.slots().len();
        let (clock, hits, now) = (request.clock.sampled(), vec![0; slots], vec![None; slots]);
        Ok(SamplingEngine { rings, events, clock, may_thin: request.may_thin, hits, now, bytes: Vec::new() })
    }
}

impl Engine for SamplingEngine {
    fn attached(&self) -> &Attached {
        &self.events.attached
    }

    fn enable(&mut self) -> io::Result<()> {
        if self.may_thin {
            // As when they were opened: `record_all` needs it.
            self.events.in_use().flatten().try_for_each(|event| sys::set_period(event.as_fd(), OPENED_WITH))?;
        }
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
        let SamplingEngine { rings, events, .. } = self;
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

    fn hits(&mut self) -> io::Result<&[u64]> {
        self.events.read_groups(&mut self.now, &mut self.bytes)?;
        for (hits, now) in self.hits.iter_mut().zip(&self.now) {
            *hits = now.unwrap_or(*hits).max(*hits);
        }
        Ok(&self.hits)
    }

    fn record_all(&mut self) -> io::Result<Vec<RungStep>> {
        let lost_known = self.events.attached.lost_known;
        let begin = self.clock.now_ns()?;
        let mut counters = BTreeMap::<Tpid, Vec<(Cpu, u64, u64)>>::new();
        let mut is_hit = BTreeSet::new();
        for cpu in self.events.attached.cpus.as_slice() {
            let events = self.events.in_use().zip(self.events.ids.slots());
            // A call for an event of another CPU interrupts that CPU.
            on_cpu(*cpu, || {
                for (event, slot) in events.filter(|(_, slot)| slot.cpu == Some(*cpu)) {
                    let Some(event) = event else { continue };
                    let (before, after) = change(event, 1, lost_known)?;
                    if after.value > 0 {
                        is_hit.insert(slot.tpid);
                    }
                    counters.entry(slot.tpid).or_default().push((*cpu, before.value, after.value));
                }
                io::Result::Ok(())
            })?;
        }
        let at = self.clock.now_ns()?;
        let step = |at, one_in, tpid: &Tpid, counters: Vec<_>| RungStep { tpid: *tpid, at, one_in, counters };
        let steps = counters.into_iter().filter(|(tpid, _)| is_hit.contains(tpid)).flat_map(|(tpid, counters)| {
            let opened = counters.iter().map(|(cpu, ..)| (*cpu, 0, 0)).collect();
            [step(begin, OPENED_WITH, &tpid, opened), step(at, 1, &tpid, counters)]
        });
        Ok(steps.collect())
    }

    fn thin(&mut self, tpid: Tpid, one_in: u64) -> io::Result<RungStep> {
        let lost_known = self.events.attached.lost_known;
        // The time before the change, unless each hit is recorded from now on: then the time after it. So the hits that came
        // during the change count as thinned.
        let mut at = self.clock.now_ns()?;
        let (mut counters, mut last) = (Vec::new(), Vec::new());
        for (place, cpu, event) in self.events.of(tpid) {
            let (before, after) = change(event, one_in, lost_known)?;
            last.push((place, after));
            self.hits[place] = self.hits[place].max(after.value);
            counters.push((cpu, before.value, after.value));
        }
        match one_in {
            0 => {
                self.events.last.extend(last);
                self.events.close(tpid);
            }
            1 => at = self.clock.now_ns()?,
            _ => {}
        }
        Ok(RungStep { tpid, at, one_in, counters })
    }

    fn finish_moves(&mut self) -> io::Result<()> {
        self.events.finish_closing()
    }
}

/// Changes the period of an event, or switches the event off if `one_in` is 0. Returns its counter just before and just
/// after that.
fn change(event: &OwnedFd, one_in: u64, lost_known: bool) -> io::Result<(Reading, Reading)> {
    let event = event.as_fd();
    let before = sys::read_count(event, lost_known)?;
    match one_in {
        0 => sys::disable(event)?,
        one_in => sys::set_period(event, one_in)?,
    }
    Ok((before, sys::read_count(event, lost_known)?))
}
