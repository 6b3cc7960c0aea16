//! The event stream: from the bytes of a source, through decode and merge, to events in time order.
//!
//! This is the one road for every source. A sink asks for batch after batch.

use crate::events::Event;
use crate::events::Filter;
use crate::events::merge::Merge;
use crate::events::{Counted, Cpu, Ns, Slot};
use crate::os::machine::available_memory;
use crate::tracefs::Table;
use std::io;

/// What turns a source's bytes into events.
pub trait Decode {
    /// Decodes the next block: its events go into the merge, and what is complete by then to `out`. False at the end.
    ///
    /// # Errors
    /// Those of the source, and damage with its place. What was decoded before is in the merge.
    fn step(&mut self, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<bool>;

    /// The tracepoints that events may be of. It may grow with each step.
    fn table(&self) -> &Table;

    /// Leaves out tracepoints and CPUs that are not wanted. To be called before the first step.
    fn restrict(&mut self, filter: Filter);

    /// From now on counts, but gives no events.
    fn count_only(&mut self);

    /// What has been decoded so far.
    fn decoded(&self, merge: &Merge) -> Decoded;

    /// The time of the earliest event so far, wanted or not.
    fn earliest(&self) -> Option<Ns>;

    /// The losses told since the last call, of each CPU in the order of time.
    fn take_losses(&mut self) -> Vec<Loss> {
        Vec::new()
    }

    /// tp-perf's own notes that came behind the first event: the last one says how the capture ended.
    fn last_note(&self) -> Option<&str> {
        None
    }

    /// Bytes of the source read so far, and of how many.
    fn progress(&self) -> (u64, Option<u64>);
}

/// Samples that a CPU's ring had no room for, and when that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The CPU; `None` if the source does not tell it.
    pub cpu: Option<Cpu>,
    /// How many samples.
    pub lost: u64,
    /// The time of the last sample before, by the capture's clock.
    pub from: Ns,
    /// When there was room again.
    pub to: Ns,
}

/// Events in the order of (time, cpu, arrival), and the counts of all that was decoded.
pub struct EventStream {
    decoder: Box<dyn Decode>,
    merge: Merge,
    batch: Vec<Event>,
    losses: Vec<Loss>,
    ended: bool,
    damage: Option<io::Error>,
    most_waiting: usize,
}

/// What a stream has decoded so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// Samples of each tracepoint on each CPU.
    pub samples: Vec<(Slot, u64)>,
    /// For each CPU, ascending: losses that the rings tell of (LOST records), and late events.
    pub per_cpu: Vec<DecodedCpu>,
    /// Samples whose id stands for nothing that was opened.
    pub unknown: u64,
    /// The kernel's counters, if they came.
    pub counted: Option<Vec<Counted>>,
    /// Losses of each tracepoint on each CPU, if the source tells them beside the rings.
    pub lost: Option<Vec<(Slot, u64)>>,
}

/// One CPU's part of [`Decoded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodedCpu {
    /// The CPU; `None` if the source does not tell it.
    pub cpu: Option<Cpu>,
    /// Samples lost, as LOST records tell. A loss is told only when a later record fits.
    pub lost: u64,
    /// Events that came behind the merge's watermark.
    pub late: u64,
}

impl EventStream {
    /// The stream of what a decoder gives.
    pub fn new(decoder: impl Decode + 'static) -> Self {
        let sixteenth = available_memory().unwrap_or(0) / 16;
        EventStream {
            decoder: Box::new(decoder),
            merge: Merge::default(),
            batch: Vec::new(),
            losses: Vec::new(),
            ended: false,
            damage: None,
            most_waiting: (32 << 20).max(sixteenth as usize / size_of::<Event>()),
        }
    }

    /// The next events, or `None` at the end. A batch may be empty.
    ///
    /// # Errors
    /// Those of the source, and damage with its place, once all events before it have been given. After an error comes the
    /// end.
    pub fn next_batch(&mut self) -> io::Result<Option<&[Event]>> {
        if self.ended {
            return self.damage.take().map_or(Ok(None), Err);
        }
        self.batch.clear();
        let more = self.decoder.step(&mut self.merge, &mut self.batch).and_then(|more| self.fits().map(|()| more));
        self.losses = self.decoder.take_losses();
        match more {
            Ok(true) => {}
            Ok(false) => self.end(None),
            Err(error) => self.end(Some(error)),
        }
        Ok(Some(&self.batch))
    }

    fn end(&mut self, damage: Option<io::Error>) {
        self.ended = true;
        self.damage = damage;
        self.merge.finish(&mut self.batch);
    }

    /// Lets no more than so many events wait in memory for the end of their round: a file without rounds, or a small one that
    /// unfolds to much, must not take the machine down. By default 32 Mi (512 MiB), or what a sixteenth of the memory that
    /// is available holds, if that is more.
    // The default is right for users. A test needs a bound that it can reach.
    #[doc(hidden)]
    pub fn holding_at_most(mut self, events: usize) -> Self {
        self.most_waiting = events;
        self
    }

    fn fits(&self) -> io::Result<()> {
        let waiting = self.merge.waiting();
        if waiting > self.most_waiting {
            let message = format!(
                "{waiting} events came without the end of a round (FINISHED_ROUND): more than may be held in memory; record with \
                 smaller rings, or replay where there is more memory"
            );
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, message));
        }
        Ok(())
    }

    /// From now on counts, but gives no more events: the quick way to the end.
    pub fn count_only(&mut self) {
        self.decoder.count_only();
    }

    /// Leaves out tracepoints and CPUs that are not wanted. To be called before the first batch.
    pub fn restrict(&mut self, filter: Filter) {
        self.decoder.restrict(filter);
    }

    /// The next events with the table that has their tracepoints, or `None` at the end. There may be no events in a batch.
    ///
    /// ```
    /// # use tp_perf::source::{self, Place};
    /// # let mut stream = source::open(&Place::Example, None)?.stream;
    /// while let Some((events, table)) = stream.next_with_table()? {
    ///     for event in events {
    ///         println!("{} {}", event.time, table.get(event.tpid).full_name());
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`next_batch`](Self::next_batch).
    pub fn next_with_table(&mut self) -> io::Result<Option<(&[Event], &Table)>> {
        Ok(self.next_batch()?.is_some().then(|| self.batch()))
    }

    /// The tracepoints that the last batch's events are of.
    pub fn table(&self) -> &Table {
        self.decoder.table()
    }

    /// The events of the last batch, and their tracepoints.
    pub fn batch(&self) -> (&[Event], &Table) {
        (&self.batch, self.decoder.table())
    }

    /// The losses that were told in the same bytes as the last batch. Their times may be ahead of its events.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// What has been decoded so far; of everything at the end.
    pub fn decoded(&self) -> Decoded {
        self.decoder.decoded(&self.merge)
    }

    /// The time of the earliest event so far, wanted or not.
    pub fn earliest(&self) -> Option<Ns> {
        self.decoder.earliest()
    }

    /// How the capture ended, as tp-perf noted it in the file; known at the end.
    pub fn last_note(&self) -> Option<&str> {
        self.decoder.last_note()
    }

    /// Bytes of the source read so far, and of how many.
    pub fn progress(&self) -> (u64, Option<u64>) {
        self.decoder.progress()
    }
}
