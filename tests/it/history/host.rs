//! A host whose clock and hits a test decides.

use fastrand::Rng;
use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use tp_perf::events::{Cpu, Ns, Partly, Sink, Slot, Tick, Tpid};
use tp_perf::history::{ClockReading, HistoryClock, HistoryFacts, HistoryReport, HistoryWriter, Keep};
use tp_perf::recording::Tool;
use tp_perf::tracefs::Table;

/// 2026-11-30T14:00:00Z
pub const BEGIN: u64 = 1_796_047_200_000_000_000;
pub const S: u64 = 1_000_000_000;

/// The clock of a host.
#[derive(Clone)]
pub struct HostClock(pub Rc<Cell<u64>>);

impl HistoryClock for HostClock {
    fn now(&mut self) -> io::Result<ClockReading> {
        let wall = Ns(self.0.get());
        let since = Ns(wall.0 - BEGIN + 100 * S);
        Ok(ClockReading { wall, monotonic: since, boot: since })
    }
}

/// A host with a monitor.
pub struct Host {
    pub clock: HostClock,
    pub writer: HistoryWriter<HostClock>,
    pub reports: Vec<HistoryReport>,
    slots: Vec<Slot>,
}

/// The facts of a host with this many tracepoints: `group00:tracepoint_000`, …
pub fn facts(tracepoints: u32) -> HistoryFacts {
    let mut facts = HistoryFacts {
        tool: Tool::this(),
        hostname: "here".to_owned(),
        kernel: "6.18.0".to_owned(),
        boot_id: "b".to_owned(),
        cpus: vec![Cpu::new(0)],
        watched: Default::default(),
        left_out: Vec::new(),
    };
    for n in 0..tracepoints {
        let (group, name) = name(n);
        facts.watched.entry(group).or_default().push(name);
    }
    facts
}

/// The group and the name of a tracepoint, counted from 0.
pub fn name(n: u32) -> (String, String) {
    (format!("group{:02}", n / 20), format!("tracepoint_{n:04}"))
}

impl Host {
    /// Starts a monitor, so many nanoseconds after [`BEGIN`].
    pub fn start(root: &Path, at: u64, tracepoints: u32) -> Self {
        let facts = facts(tracepoints);
        let entries = facts.names().map(|(group, name)| (group.to_owned(), name.to_owned(), 1)).collect();
        let clock = HostClock(Rc::new(Cell::new(BEGIN + at)));
        let table = Table::from_entries(entries);
        // A test can take months of the host's time, and compares all of it.
        let keep = Keep { windows_for: Duration::MAX, minutes_for: Duration::MAX, bytes: u64::MAX };
        let writer = HistoryWriter::open(root, facts, &table, keep, clock.clone()).unwrap();
        let slot = |tpid| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(0)) };
        Host { clock, writer, reports: Vec::new(), slots: (1..=tracepoints).map(slot).collect() }
    }

    /// Lets a window pass. `hits` has an element per tracepoint.
    pub fn window(&mut self, length_ns: u64, hits: &[u64], partly: &[Partly]) {
        let from = self.clock.now().unwrap().monotonic;
        self.clock.0.set(self.clock.0.get() + length_ns);
        let (slots, to) = (&self.slots[..], from + length_ns);
        self.writer.tick(&Tick { from, to, late_ns: 0, slots, hits, partly, cost: None });
        self.reports.extend(self.writer.take_reports());
    }

    /// Does all the work that waits.
    pub fn work(&mut self) {
        while self.writer.has_work() {
            self.writer.step();
        }
        self.reports.extend(self.writer.take_reports());
    }
}

/// A tracepoint of a simulated busy machine: its rate drifts, and its hits vary around the rate.
pub struct Source {
    rate: f64,
    drift: f64,
    spread: f64,
}

impl Source {
    pub fn new(random: &mut Rng) -> Self {
        // Half of the tracepoints come less than three times a second, and one in 100 a thousand times or more.
        Source { rate: 3.0 * (2.5 * normal(random)).exp(), drift: 0.0, spread: random.f64() * 0.4 }
    }

    /// The hits of a second.
    pub fn next(&mut self, random: &mut Rng) -> u64 {
        self.drift = 0.95 * self.drift + 0.1 * normal(random);
        let rate = self.rate * (self.drift + self.spread * normal(random)).exp();
        poisson(rate, random)
    }
}

/// A number of the standard normal distribution (Box and Muller).
pub fn normal(random: &mut Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// A number of the Poisson distribution; for large means, of the normal one.
fn poisson(mean: f64, random: &mut Rng) -> u64 {
    if mean > 30.0 {
        return (mean + mean.sqrt() * normal(random)).round().max(0.0) as u64;
    }
    let (limit, mut product, mut hits) = ((-mean).exp(), random.f64(), 0);
    while product > limit {
        product *= random.f64();
        hits += 1;
    }
    hits
}
