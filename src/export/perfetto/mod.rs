//! A trace for Perfetto, by tracepoint, CPU, process and thread.
//!
//! The UI of Perfetto becomes slow with some millions of events, and does not open any number of them. So a trace has at most
//! [`MOST_INSTANTS`] events. While a source has more, the tracepoint that has the most of them loses its events: it becomes a
//! counter of its hits per interval. Counters take a fixed amount of memory, whatever the length of the source. Each CPU and each
//! process has a counter of all its hits, and the events of the tracepoints that are no counters.
//!
//! The fields and their numbers come from Perfetto's `protos/perfetto/trace/perfetto_trace.proto`.

mod counters;
mod packets;
mod proto;
mod threads;
mod tracks;

use super::windows::{ExportedWindow, TakesWindows};
use crate::activity::{Cells, key_of};
use crate::events::{Event, EventHits, Ns, RowRun, RungStep, Sink, ThreadChange, Tpid};
use crate::memory::{Held, MemoryOf, TooMuch};
use crate::tracefs::Table;
use counters::CounterTracks;
use packets::{Packets, Sequence};
use std::collections::BTreeSet;
use std::io::{self, Write};
use threads::{NO_THREAD, Threads};
use tracks::{Track, TrackKind};

/// The most events of a trace. An event is shown on up to three tracks, and takes about 20 bytes on each.
pub const MOST_INSTANTS: usize = 1_000_000;
/// The most cells of each kind of counter. A cell takes up to two values of about 15 bytes each.
const MOST_CELLS: usize = 400_000;
/// The most intervals of a counter. A screen has hardly more columns.
const MOST_INTERVALS: u64 = 4_096;

/// A recorded event, and what it needs on its tracks.
#[derive(Debug, Clone, Copy)]
struct Instant {
    event: Event,
    hits: u64,
    /// The number of its thread.
    thread: u32,
}

/// The clock of a source, as Perfetto numbers clocks; and the nanoseconds from it to the wall clock, if they are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct TraceClock {
    pub number: u64,
    pub wall_offset_ns: Option<i64>,
}

impl TraceClock {
    /// The clock of this name. A clock that Perfetto does not know, such as perf's own, counts as its usual one.
    pub fn of(name: Option<&str>, wall_offset_ns: Option<i64>) -> Self {
        let number = match name {
            Some("realtime") => 1,
            Some("monotonic") => 3,
            Some("monotonic-raw") => 5,
            _ => 6,
        };
        TraceClock { number, wall_offset_ns }
    }
}

/// What became of a source in a trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerfettoFacts {
    /// The number of events that are in the trace as events.
    pub instants: u64,
    /// The tracepoints that became counters, by name, and their events.
    pub counters: Vec<(String, u64)>,
    /// The length of an interval of these counters in nanoseconds.
    pub interval_ns: u64,
}

/// The sink that makes a trace of events.
pub(super) struct PerfettoEvents {
    most: usize,
    hits: EventHits,
    instants: Vec<Instant>,
    /// The number of instants by tpid.
    kept: Vec<usize>,
    counters: BTreeSet<Tpid>,
    of_tracepoints: Cells,
    of_cpus: Option<Cells>,
    of_processes: Cells,
    threads: Threads,
    held: Held,
    failed: Option<TooMuch>,
}

impl PerfettoEvents {
    /// A trace with at most `most` events.
    pub fn new(most: usize, knows_cpus: bool) -> Self {
        PerfettoEvents {
            most,
            hits: EventHits::default(),
            instants: Vec::new(),
            kept: Vec::new(),
            counters: BTreeSet::new(),
            of_tracepoints: Cells::new(MOST_CELLS),
            of_cpus: knows_cpus.then(|| Cells::new(MOST_CELLS)),
            of_processes: Cells::new(MOST_CELLS),
            threads: Threads::default(),
            held: Held::nothing(MemoryOf::Waiting),
            failed: None,
        }
    }

    fn take(&mut self, event: &Event) -> Result<(), TooMuch> {
        let hits = self.hits.of_next(event);
        let add = |cells: &mut Cells, key: u32| {
            cells.add(event.time, key);
            if hits > 1 {
                cells.add_more(event.time, key, hits - 1);
            }
        };
        add(&mut self.of_tracepoints, event.tpid().get());
        if let Some(cpus) = &mut self.of_cpus {
            add(cpus, key_of(event.cpu()));
        }
        let thread = self.threads.of(event)?;
        if let Some(process) = self.threads.process_of(thread) {
            add(&mut self.of_processes, process);
        }
        if self.counters.contains(&event.tpid()) {
            return Ok(());
        }
        let place = event.tpid().index();
        if place >= self.kept.len() {
            self.kept.resize(place + 1, 0);
        }
        if self.instants.len() == self.instants.capacity() {
            let room = (2 * self.instants.len()).clamp(1 << 10, self.most + 1);
            self.held.resize((room * size_of::<Instant>()) as u64)?;
            self.instants.reserve_exact(room - self.instants.len());
        }
        self.kept[place] += 1;
        self.instants.push(Instant { event: *event, hits, thread });
        if self.instants.len() > self.most {
            self.make_counter();
        }
        Ok(())
    }

    /// Makes a counter of the tracepoint that has the most events.
    fn make_counter(&mut self) {
        let most = self.kept.iter().enumerate().max_by_key(|(place, kept)| (**kept, usize::MAX - place));
        let Some((place, _)) = most else { return };
        self.kept[place] = 0;
        self.instants.retain(|instant| instant.event.tpid().index() != place);
        self.counters.insert(Tpid::new(place as u32));
    }

    /// Writes the trace.
    pub fn finish(mut self, clock: TraceClock, table: &Table, out: &mut dyn Write) -> io::Result<PerfettoFacts> {
        if let Some(refused) = self.failed {
            return Err(refused.into());
        }
        let cells = [&mut self.of_tracepoints, &mut self.of_processes].into_iter().chain(&mut self.of_cpus);
        cells.for_each(|cells| {
            cells.finish();
            cells.widen(MOST_INTERVALS);
        });
        let begin = self.of_tracepoints.span().map_or(Ns(0), |(first, _)| first);
        let mut packets = Packets::new(out, clock, begin)?;
        let width = self.of_tracepoints.width();
        self.write_instants(&mut packets, table)?;
        let counters = &self.counters;
        let is_counter = |key: u32| counters.contains(&Tpid::new(key));
        let cells = [
            (Sequence::Tracepoints, TrackKind::Tracepoint, Some(&self.of_tracepoints)),
            (Sequence::Cpus, TrackKind::CpuHits, self.of_cpus.as_ref()),
            (Sequence::Processes, TrackKind::ProcessHits, Some(&self.of_processes)),
        ];
        for (sequence, kind, cells) in cells {
            let Some(cells) = cells else { continue };
            let names = tracks::TrackNames { table, threads: &self.threads };
            let mut counters = CounterTracks::new(sequence, kind, Some(cells.width()));
            for (index, bin) in cells.iter() {
                let from = begin.saturating_add(index.saturating_mul(cells.width()));
                let values = bin.iter().map(|cell| (cell.key, cell.count));
                let wanted = values.filter(|(key, _)| kind != TrackKind::Tracepoint || is_counter(*key));
                counters.window(from, cells.width(), wanted, &names, &mut packets)?;
            }
            counters.finish(&mut packets)?;
        }
        packets.finish()?;
        let totals = self.of_tracepoints.totals();
        let of = |tpid: &Tpid| (table.get(*tpid).full_name(), totals.get(tpid.index()).copied().unwrap_or(0));
        let counters = self.counters.iter().map(of).collect();
        Ok(PerfettoFacts { instants: self.instants.len() as u64, counters, interval_ns: width })
    }

    fn write_instants(&self, packets: &mut Packets<'_>, table: &Table) -> io::Result<()> {
        let names = tracks::TrackNames { table, threads: &self.threads };
        for Instant { event, hits, thread } in &self.instants {
            let name = event.tpid();
            let hits = (*hits > 1).then_some(*hits);
            let of_cpu = event.cpu().map(|cpu| Track { kind: TrackKind::Cpu, number: cpu.get() });
            let of_thread = (*thread != NO_THREAD).then_some(Track { kind: TrackKind::Thread, number: *thread });
            let of_tracepoint = Track { kind: TrackKind::Tracepoint, number: name.get() };
            for track in [Some(of_tracepoint), of_cpu, of_thread].into_iter().flatten() {
                packets.describe(track, None, &names)?;
                packets.instant(event.time, track, name, hits, table)?;
            }
        }
        Ok(())
    }
}

impl Sink for PerfettoEvents {
    fn only_some(&mut self) {
        self.hits.only_some();
    }

    fn events(&mut self, events: &[Event], _table: &Table) {
        for event in events {
            if self.failed.is_none() {
                self.failed = self.take(event).err();
            }
        }
    }

    fn steps(&mut self, steps: &[RungStep]) {
        self.failed = self.failed.take().or(self.hits.steps(steps).err());
    }

    fn row_runs(&mut self, runs: &[RowRun]) {
        self.hits.rows(runs);
    }

    fn threads(&mut self, changes: &[ThreadChange]) {
        self.failed = self.failed.take().or(self.threads.take(changes).err());
    }

    fn passed(&mut self, time: Ns) {
        self.threads.passed(time);
    }

    fn takes_more(&self) -> bool {
        self.failed.is_none()
    }
}

/// Makes a trace of windows, which has only counters.
pub(super) struct PerfettoWindows<'a> {
    out: Option<&'a mut dyn Write>,
    clock: TraceClock,
    packets: Option<Packets<'a>>,
    counters: CounterTracks,
}

impl<'a> PerfettoWindows<'a> {
    pub fn new(clock: TraceClock, out: &'a mut dyn Write) -> Self {
        let counters = CounterTracks::new(Sequence::Tracepoints, TrackKind::Tracepoint, None);
        PerfettoWindows { out: Some(out), clock, packets: None, counters }
    }

    /// Writes the rest.
    pub fn finish(mut self) -> io::Result<()> {
        match self.packets {
            Some(mut packets) => {
                self.counters.finish(&mut packets)?;
                packets.finish()
            }
            None => Ok(()),
        }
    }
}

impl TakesWindows for PerfettoWindows<'_> {
    fn window(&mut self, window: &ExportedWindow, table: &Table) -> io::Result<()> {
        if let Some(out) = self.out.take() {
            self.packets = Some(Packets::new(out, self.clock, window.from)?);
        }
        let Some(packets) = &mut self.packets else { return Ok(()) };
        let names = tracks::TrackNames { table, threads: &Threads::default() };
        let values = window.hits.iter().filter_map(|hits| Some((hits.tpid.get(), hits.hits?)));
        self.counters.window(window.from, window.length_ns, values, &names, packets)
    }
}
