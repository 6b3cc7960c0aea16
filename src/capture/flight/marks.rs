//! Readings of the kernel's counters between the rounds of a flight recorder.
//!
//! A recording of the last seconds begins and ends at such a reading, a **mark**. So the hits between the two are known:
//!
//! ```text
//!   rounds   ──────┤├──────┤├──────┤├──────┤├──────┤
//!   marks          ▲        ▲                 ▲
//!                  oldest                     newest: the recording ends here
//! ```

use crate::engine::{CountersRead, Sampling};
use crate::events::thinning::model::Thinning;
use crate::events::{Ns, Reading, RungStep, SampleId, Slot};
use crate::os::cpus::Cpu;
use crate::recording::CostOfRecording;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

/// A reading of the counters between two rounds.
#[derive(Debug, Clone)]
pub(super) struct CounterMark {
    /// Its number. The first one has 1.
    number: u64,
    /// The number of the byte behind the round before it.
    pub at: u64,
    /// When it was read.
    pub time: Instant,
    pub wall: SystemTime,
    /// The time and the place of each read of a group.
    reads: Rc<Vec<(Ns, Ns)>>,
    of_read: Rc<Vec<u32>>,
    /// What changed since the mark before it.
    changes: Vec<SlotChange>,
    pub time_on: Vec<(Cpu, Duration)>,
    /// The counters of the events that record changes of threads.
    pub threads: Vec<(SampleId, Reading)>,
    /// The CPU time of the recorder so far.
    pub own_cpu: Duration,
    /// The cost so far, and the seconds that it is about, if there is a budget.
    pub cost: Option<(CostOfRecording, f64)>,
}

/// The hits, losses and samples of a slot between two marks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SlotChange {
    slot: u32,
    pub hits: u64,
    pub lost: u64,
    pub samples: u64,
}

impl CounterMark {
    /// When the counter of a slot was read: between these times.
    pub fn time_of(&self, slot: usize) -> (Ns, Ns) {
        let read = self.of_read.get(slot).and_then(|read| self.reads.get(*read as usize));
        read.copied().unwrap_or_default()
    }

    /// When the first read began, and the last one ended.
    pub fn span(&self) -> (Ns, Ns) {
        let from = self.reads.iter().map(|(from, _)| *from).min().unwrap_or_default();
        (from, self.reads.iter().map(|(_, to)| *to).max().unwrap_or_default())
    }
}

/// A step that was made while the recorder ran.
#[derive(Debug)]
pub(super) struct NotedStep {
    /// The number of the byte that it stands before.
    pub at: u64,
    /// The number of the mark that came before it.
    after: u64,
    pub step: RungStep,
}

/// What a recorder knows at a mark besides the counters.
#[derive(Debug)]
pub(super) struct AtMark {
    /// The number of the next byte.
    pub at: u64,
    pub own_cpu: Duration,
    pub cost: Option<(CostOfRecording, f64)>,
}

/// The marks, the oldest first.
#[derive(Debug)]
pub(super) struct Marks {
    pub all: VecDeque<CounterMark>,
    slots: Vec<Slot>,
    places: HashMap<Slot, usize>,
    /// The counters at the oldest mark.
    oldest: Vec<Reading>,
    /// The counters at the newest one.
    newest: Vec<Reading>,
    /// By slot: its rung at the oldest mark, if it has stepped before.
    thinnings: HashMap<usize, Thinning>,
    /// The steps since the oldest mark.
    steps: VecDeque<NotedStep>,
    /// The number of marks so far.
    number: u64,
    read: CountersRead,
}

impl Marks {
    pub fn new(slots: &[Slot]) -> Self {
        let none = vec![Reading::default(); slots.len()];
        Marks {
            all: VecDeque::new(),
            slots: slots.to_vec(),
            places: slots.iter().enumerate().map(|(place, slot)| (*slot, place)).collect(),
            oldest: none.clone(),
            newest: none,
            thinnings: HashMap::new(),
            steps: VecDeque::new(),
            number: 0,
            read: CountersRead::default(),
        }
    }

    /// Notes steps that were made before this byte was taken.
    pub fn add_steps(&mut self, at: u64, steps: Vec<RungStep>) {
        let after = self.number;
        self.steps.extend(steps.into_iter().map(|step| NotedStep { at, after, step }));
    }

    /// Reads the counters. `samples` has the samples of each slot since the last mark.
    pub fn read(
        &mut self,
        engine: &mut impl Sampling,
        now: AtMark,
        samples: impl Iterator<Item = (usize, u32)>,
    ) -> io::Result<()> {
        engine.read_counters(&mut self.read)?;
        let mut changes = HashMap::<usize, SlotChange>::new();
        for (slot, samples) in samples {
            changes.entry(slot).or_default().samples = samples.into();
        }
        for (slot, (before, now)) in self.newest.iter_mut().zip(&self.read.readings).enumerate() {
            if before != now {
                let change = changes.entry(slot).or_default();
                (change.hits, change.lost) =
                    (now.value.saturating_sub(before.value), now.lost.saturating_sub(before.lost));
                *before = *now;
            }
        }
        let changes = changes.into_iter().map(|(slot, change)| SlotChange { slot: slot as u32, ..change }).collect();
        let last = self.all.back();
        let of_read = last.map(|last| Rc::clone(&last.of_read)).filter(|of_read| **of_read == self.read.of_read);
        let AtMark { at, own_cpu, cost } = now;
        self.number += 1;
        self.all.push_back(CounterMark {
            number: self.number,
            at,
            time: Instant::now(),
            wall: SystemTime::now(),
            reads: Rc::new(self.read.reads.clone()),
            of_read: of_read.unwrap_or_else(|| Rc::new(self.read.of_read.clone())),
            changes,
            time_on: self.read.time_on.clone(),
            threads: engine.thread_counters()?,
            own_cpu,
            cost,
        });
        if self.all.len() == 1 {
            self.oldest.copy_from_slice(&self.newest);
            self.pass_steps();
        }
        Ok(())
    }

    /// Forgets the oldest mark. There must be another one.
    pub fn forget_oldest(&mut self) {
        self.all.pop_front();
        let Some(oldest) = self.all.front() else { return };
        for SlotChange { slot, hits, lost, .. } in &oldest.changes {
            let reading = &mut self.oldest[*slot as usize];
            reading.value += hits;
            reading.lost += lost;
        }
        self.pass_steps();
    }

    /// Lets the steps before the oldest mark take effect.
    fn pass_steps(&mut self) {
        let Some(oldest) = self.all.front().map(|mark| mark.number) else { return };
        while self.steps.front().is_some_and(|noted| noted.after < oldest)
            && let Some(NotedStep { step, .. }) = self.steps.pop_front()
        {
            for on in &step.on {
                if let Some(slot) = self.places.get(&Slot { tpid: step.tpid, cpu: Some(on.cpu) }) {
                    self.thinnings.entry(*slot).or_default().step(step.one_in, *on);
                }
            }
        }
    }

    /// The steps between the oldest and the newest mark.
    pub fn steps(&self) -> impl Iterator<Item = &NotedStep> {
        let newest = self.number;
        self.steps.iter().filter(move |noted| noted.after < newest)
    }

    /// By slot: what came between the oldest and the newest mark.
    pub fn changes(&self) -> Vec<SlotChange> {
        let mut all: Vec<_> =
            (0..self.slots.len() as u32).map(|slot| SlotChange { slot, ..SlotChange::default() }).collect();
        for SlotChange { slot, hits, lost, samples } in self.all.iter().skip(1).flat_map(|mark| &mark.changes) {
            let sum = &mut all[*slot as usize];
            sum.hits += hits;
            sum.lost += lost;
            sum.samples += samples;
        }
        all
    }

    /// The samples that the kernel dropped until the newest mark.
    pub fn lost(&self) -> u64 {
        self.newest.iter().map(|reading| reading.lost).sum()
    }

    /// The counter of a slot at the oldest mark.
    pub fn oldest(&self, slot: usize) -> u64 {
        self.oldest[slot].value
    }

    /// The rung of a slot at the oldest mark; `None` if it has never stepped.
    pub fn thinning(&self, slot: usize) -> Option<&Thinning> {
        self.thinnings.get(&slot)
    }

    /// The rungs at the oldest mark, by slot.
    pub fn thinnings(&self) -> impl Iterator<Item = (usize, &Thinning)> {
        self.thinnings.iter().map(|(slot, thinning)| (*slot, thinning))
    }

    /// The place of a slot.
    pub fn place(&self, slot: Slot) -> Option<usize> {
        self.places.get(&slot).copied()
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
}
