//! The sampling engine: one ring per CPU, to which all tracepoints of that CPU write, and one for records about threads.

use super::open_events::OpenEvents;
use super::opening::Opening;
use super::{AttachRequest, Attached, Chunks, CountersRead, Detaching, Engine, Error, Opened, Sampling};
use crate::events::thinning::OPENED_WITH;
use crate::events::{Counted, Ns, Reading, RungStep, SampleId, SampleIds, StepOnCpu, Tpid};
use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::os::thread::on_cpu;
use crate::perf::{Ring, sys};
use std::collections::BTreeMap;
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
    /// Just before the events went on, if they may be thinned.
    on: Ns,
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
        let (clock, hits, now, bytes) = (request.clock.sampled(), vec![0; slots], vec![None; slots], Vec::new());
        Ok(SamplingEngine { rings, events, clock, may_thin: request.may_thin, on: Ns(0), hits, now, bytes })
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
            self.on = self.clock.now_ns()?;
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
        let leaders = self.events.leaders.iter().map(|leaders| &leaders[0]);
        leaders.chain(&self.events.threads).map(AsFd::as_fd).collect()
    }

    fn thread_counters(&self) -> io::Result<Vec<(SampleId, Reading)>> {
        let Attached { thread_ids, lost_known, .. } = &self.events.attached;
        let events = thread_ids.iter().zip(&self.events.threads);
        events.map(|((id, _), event)| Ok((*id, sys::read_count(event.as_fd(), *lost_known)?))).collect()
    }

    fn fullest(&self) -> f64 {
        self.rings.iter().map(|ring| ring.waiting() as f64 / ring.size() as f64).fold(0.0, f64::max)
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

    fn read_counters(&mut self, read: &mut CountersRead) -> io::Result<()> {
        self.events.read_with_times(|| self.clock.now_ns(), read, &mut self.bytes)
    }

    fn record_all(&mut self) -> io::Result<Vec<RungStep>> {
        let mut of = BTreeMap::<Tpid, Vec<StepOnCpu>>::new();
        for cpu in self.events.attached.cpus.as_slice() {
            let events = self.events.in_use().zip(self.events.ids.slots());
            let mut steps = Vec::new();
            // A call for an event of another CPU interrupts that CPU.
            on_cpu(*cpu, || {
                events.filter(|(_, slot)| slot.cpu == Some(*cpu)).try_for_each(|(event, slot)| {
                    let Some(event) = event else { return Ok(()) };
                    steps.push((slot.tpid, self.change(event, *cpu, 1)?.0));
                    io::Result::Ok(())
                })
            })?;
            steps.into_iter().for_each(|(tpid, step)| of.entry(tpid).or_default().push(step));
        }
        // The kernel samples each hit of a weighted tracepoint, whatever the period.
        of.retain(|tpid, on| !self.events.attached.weighted.contains(tpid) && on.iter().any(|step| step.after > 0));
        let steps = of.into_iter().flat_map(|(tpid, on)| {
            let opened = on.iter().map(|step| StepOnCpu { cpu: step.cpu, at: self.on, before: 0, after: 0 });
            let opened = RungStep { tpid, at: self.on, one_in: OPENED_WITH, on: opened.collect(), earlier: Vec::new() };
            [opened, RungStep { tpid, at: on[0].at, one_in: 1, on, earlier: Vec::new() }]
        });
        Ok(steps.collect())
    }

    fn thin(&mut self, moves: &[(Tpid, u64)], steps: &mut Vec<RungStep>) -> io::Result<()> {
        let (mut detached, from) = (Vec::new(), steps.len());
        for (tpid, one_in) in moves {
            let at = self.clock.now_ns()?;
            steps.push(RungStep { tpid: *tpid, at, one_in: *one_in, on: Vec::new(), earlier: Vec::new() });
            let step = steps.last_mut().expect("it was just pushed");
            for (place, cpu, event) in self.events.of(*tpid) {
                let (on, reading) = self.change(event, cpu, *one_in)?;
                step.on.push(on);
                self.hits[place] = self.hits[place].max(reading.value);
                if *one_in == 0 {
                    detached.push((place, reading));
                }
            }
        }
        if detached.is_empty() {
            return Ok(());
        }
        self.events.last.extend(detached);
        steps[from..].iter().filter(|step| step.one_in == 0).for_each(|step| self.events.close(step.tpid));
        self.events.finish_closing()
    }
}

impl SamplingEngine {
    /// Changes the period of an event, or switches the event off if `one_in` is 0. Returns the step, and the reading after
    /// it.
    fn change(&self, event: &OwnedFd, cpu: Cpu, one_in: u64) -> io::Result<(StepOnCpu, Reading)> {
        let (event, lost_known) = (event.as_fd(), self.events.attached.lost_known);
        let before = sys::read_count(event, lost_known)?;
        let started = self.clock.now_ns()?;
        match one_in {
            0 => sys::disable(event)?,
            one_in => sys::set_period(event, one_in)?,
        }
        // Of the samples that were taken meanwhile, most stand for one hit.
        let at = if one_in == 1 { started } else { self.clock.now_ns()? };
        let after = sys::read_count(event, lost_known)?;
        Ok((StepOnCpu { cpu, at, before: before.value, after: after.value }, after))
    }
}
