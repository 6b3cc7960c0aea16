//! The event stream: it turns the bytes of a source, by decoding and merging, into events in time order.
//!
//! Every source goes through this stream. The consumer pulls one batch after the other.

use crate::events::Event;
use crate::events::Filter;
use crate::events::merge::Merge;
use crate::events::{Counted, Cpu, Ns, RowRun, RungStep, Slot, ThreadChange, Tpid};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::tracefs::Table;
use std::io;

/// A decoder: turns the bytes of a source into events.
pub trait Decode {
    /// Decodes the next part of the source: pushes its events to `merge`, and appends the events that are
    /// complete by then to `out`. Returns false at the end.
    ///
    /// # Errors
    /// Errors of the source, and damage with its position. The events decoded before the error are in the
    /// merge.
    fn step(&mut self, merge: &mut Merge, out: &mut Vec<Event>) -> io::Result<bool>;

    /// The tracepoints of the events. The table may grow with each step.
    fn table(&self) -> &Table;

    /// Leaves out the tracepoints and CPUs that the filter does not keep. Must be called before the first
    /// step.
    fn restrict(&mut self, filter: Filter);

    /// Stops producing events; from now on, the decoder only counts.
    fn count_only(&mut self);

    /// The counts of everything decoded so far. The steps move out of the decoder, because there can be many.
    fn decoded(&mut self, merge: &Merge) -> Decoded;

    /// The time of the earliest event so far, whether or not the filter keeps it.
    fn earliest(&self) -> Option<Ns>;

    /// The losses reported since the last call, in time order per CPU.
    fn take_losses(&mut self) -> Vec<Loss> {
        Vec::new()
    }

    /// What happened to threads since the last call. It comes before the events that follow it.
    fn take_threads(&mut self) -> Vec<ThreadChange> {
        Vec::new()
    }

    /// The steps of tracepoints to other rungs so far. They come before the events that follow them.
    fn steps(&self) -> &[RungStep] {
        &[]
    }

    /// The runs of rows of a log so far that stand for several hits each. They come before their events.
    fn row_runs(&self) -> &[RowRun] {
        &[]
    }

    /// The last of tp-perf's own notes behind the first event: it says how the capture ended.
    fn last_note(&self) -> Option<&str> {
        None
    }

    /// Bytes of the source read so far, and in total if that is known.
    fn progress(&self) -> (u64, Option<u64>);
}

/// Samples that the kernel dropped because a CPU's ring was full, and the time of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// The CPU; `None` if the source does not record it.
    pub cpu: Option<Cpu>,
    /// The number of samples.
    pub lost: u64,
    /// The time of the last sample before the loss, by the capture's clock.
    pub from: Ns,
    /// The time at which the ring had room again.
    pub to: Ns,
}

/// Events ordered by (time, cpu, arrival), and the counts of everything decoded.
pub struct EventStream {
    decoder: Box<dyn Decode>,
    merge: Merge,
    batch: Vec<Event>,
    losses: Vec<Loss>,
    threads: Vec<ThreadChange>,
    ended: bool,
    damage: Option<io::Error>,
    /// The memory of the waiting events.
    held: Held,
    /// Reports how many bytes of a compressed source were read, and in total.
    packed: Option<Packed>,
}

/// Reports how many bytes of a compressed file were read, and how many the file has.
pub type Packed = Box<dyn Fn() -> (u64, u64)>;

/// The counts of everything that a stream has decoded so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// The number of samples per tracepoint and CPU.
    pub samples: Vec<(Slot, u64)>,
    /// Per CPU, ascending: losses that the ring reported (LOST records), and late events.
    pub per_cpu: Vec<DecodedCpu>,
    /// Samples whose id does not belong to any opened event.
    pub unknown: u64,
    /// The kernel's counters, if the source has them.
    pub counted: Option<Vec<Counted>>,
    /// Losses per tracepoint and CPU, if the source has them in addition to LOST records. They include all
    /// losses of the tracepoints.
    pub lost: Option<Vec<(Slot, u64)>>,
    /// Records lost in rings that tracepoints share with other events, if the source has no losses per event.
    pub lost_unassigned: u64,
    /// Records about threads that were lost in the rings that hold only these.
    pub threads_lost: u64,
    /// The hits that the samples of thinned tracepoints stand for, beyond one per sample: an estimate.
    pub more_hits: Vec<(Tpid, u64)>,
    /// The steps of tracepoints to other rungs.
    pub steps: Vec<RungStep>,
}

/// One CPU's part of [`Decoded`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodedCpu {
    /// The CPU; `None` if the source does not record it.
    pub cpu: Option<Cpu>,
    /// Lost samples, according to LOST records of rings that hold only tracepoints. The kernel reports a loss
    /// only once a later record fits in the ring.
    pub lost: u64,
    /// Late events: those that arrived below the merge's watermark.
    pub late: u64,
}

impl EventStream {
    /// The stream of a decoder's events.
    pub fn new(decoder: impl Decode + 'static) -> Self {
        EventStream {
            decoder: Box::new(decoder),
            merge: Merge::default(),
            batch: Vec::new(),
            losses: Vec::new(),
            threads: Vec::new(),
            ended: false,
            damage: None,
            held: Held::nothing(MemoryOf::Waiting),
            packed: None,
        }
    }

    /// Measures the progress in a compressed file.
    pub fn within(self, packed: Packed) -> Self {
        EventStream { packed: Some(packed), ..self }
    }

    /// The next batch of events, or `None` at the end. A batch may be empty.
    ///
    /// # Errors
    /// Errors of the source, and damage with its position. All events before the error are returned first.
    /// After an error, the stream is at its end.
    pub fn next_batch(&mut self) -> io::Result<Option<&[Event]>> {
        if self.ended {
            return self.damage.take().map_or(Ok(None), Err);
        }
        self.batch.clear();
        let more = self.decoder.step(&mut self.merge, &mut self.batch).and_then(|more| self.fits().map(|()| more));
        let more = more.map_err(|error| self.estimated(error));
        self.losses = self.decoder.take_losses();
        self.threads = self.decoder.take_threads();
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

    /// Takes the memory for the events that wait for the end of their round. Without a bound, a file without rounds, or
    /// a small file that decompresses to a huge one, could exhaust memory.
    fn fits(&mut self) -> io::Result<()> {
        let batch = self.batch.capacity().saturating_sub(self.merge.waiting()) * size_of::<Event>();
        Ok(self.held.resize((self.merge.memory() + batch) as u64)?)
    }

    /// The error, with an estimate for the whole source if the source needs too much memory.
    fn estimated(&self, error: io::Error) -> io::Error {
        match (TooMuch::within(&error), self.progress()) {
            (Some(refused), (read, Some(length))) => refused.of_whole(read, length).into(),
            _ => error,
        }
    }

    /// Stops returning events; from now on, the stream only counts. This is the fastest way to the end.
    pub fn count_only(&mut self) {
        self.decoder.count_only();
    }

    /// Leaves out the tracepoints and CPUs that the filter does not keep. Must be called before the first
    /// batch.
    pub fn restrict(&mut self, filter: Filter) {
        self.decoder.restrict(filter);
    }

    /// The next batch of events with the table of their tracepoints, or `None` at the end. A batch may be
    /// empty.
    ///
    /// ```
    /// # use tp_perf::source::{self, Place};
    /// # let mut stream = source::open(&Place::Example, None)?.stream;
    /// while let Some((events, table)) = stream.next_with_table()? {
    ///     for event in events {
    ///         println!("{} {}", event.time, table.get(event.tpid()).full_name());
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

    /// The table with the tracepoints of all events so far.
    pub fn table(&self) -> &Table {
        self.decoder.table()
    }

    /// The events of the last batch, and the table with their tracepoints.
    pub fn batch(&self) -> (&[Event], &Table) {
        (&self.batch, self.decoder.table())
    }

    /// The losses decoded together with the last batch. Their times can be later than its events.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// What happened to threads, decoded together with the last batch. Its times can be later than the events of the batch.
    pub fn threads(&self) -> &[ThreadChange] {
        &self.threads
    }

    /// The counts of everything decoded so far; at the end, of the whole source. The steps move out of the stream.
    pub fn decoded(&mut self) -> Decoded {
        self.decoder.decoded(&self.merge)
    }

    /// The time of the earliest event so far, whether or not the filter keeps it.
    pub fn earliest(&self) -> Option<Ns> {
        self.decoder.earliest()
    }

    /// The steps of tracepoints to other rungs so far, until [`decoded`](Self::decoded) takes them.
    pub fn steps(&self) -> &[RungStep] {
        self.decoder.steps()
    }

    /// The runs of rows of a log so far that stand for several hits each.
    pub fn row_runs(&self) -> &[RowRun] {
        self.decoder.row_runs()
    }

    /// How the capture ended, as tp-perf noted it in the file. Known once the stream is at its end.
    pub fn last_note(&self) -> Option<&str> {
        self.decoder.last_note()
    }

    /// Bytes of the source read so far, and in total if that is known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        match &self.packed {
            Some(packed) => {
                let (read, length) = packed();
                (read, Some(length))
            }
            None => self.decoder.progress(),
        }
    }
}
