//! Activity over time: the sink that collects the data of reports and plots.

mod cells;

pub use cells::{Cell, Cells};

use crate::events::stream::Loss;
use crate::events::{Cpu, Event, MoreHits, Ns, RowRun, RungStep, Sink, Tpid};
use crate::stats::upper_median;
use crate::tracefs::Table;
use serde::Serialize;
use std::collections::BTreeMap;

/// The key of an unknown CPU, above the keys of all known CPUs.
const UNKNOWN_KEY: u32 = 1 << 13;

/// The most losses kept for each CPU. Beyond that, neighbours are joined.
const MOST_LOSSES: usize = 1_024;
/// The most losses kept for all CPUs, as far as each CPU keeps a few.
const MOST_OF_ALL: usize = 1 << 16;
/// The least losses kept for each CPU.
const FEWEST_LOSSES: usize = 8;

/// The hits of a window are spread over so many parts of it.
const PARTS_OF_WINDOW: u64 = 8;
/// A gap is at least this many times as long as the average time between two events.
const GAP_INTERVALS: u64 = 20;
/// A gap is at least one part in this many of the whole time.
const GAP_SHARE: u64 = 200;
/// A gap is at least this many times as long as the median silence, so the silences of an idle machine
/// between two timer ticks are not gaps.
const GAP_SILENCES: u64 = 4;
/// A silence counts for the median if it is at least one part in this many of the whole time. Shorter ones
/// cannot be seen.
const SILENCE_SHARE: u64 = 1_000;
/// With fewer silences than this, their median says nothing.
const FEWEST_SILENCES: usize = 5;

/// Events and losses over time, per tracepoint and per CPU.
#[derive(Debug, Clone)]
pub struct Activity {
    /// The events of each tracepoint; the key is its tpid.
    pub tracepoints: Cells,
    /// The events of each CPU, if they are kept; [`cpu_of`] explains the key.
    pub cpus: Option<Cells>,
    /// The losses by the key of their CPU.
    losses: BTreeMap<u32, Vec<Loss>>,
    /// The hits beyond one per event. `None` until a tracepoint has a step to another rung.
    more_hits: Option<MoreHits>,
    /// Whether it has all events of the source. Only then does a silence mean that nothing was recorded.
    is_all: bool,
}

/// A stretch in which nothing was recorded on any CPU, although events were frequent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Its begin, in nanoseconds since the first event.
    pub from_ns: u64,
    /// Its end, in nanoseconds since the first event.
    pub to_ns: u64,
}

impl Gap {
    fn length(&self) -> u64 {
        self.to_ns.saturating_sub(self.from_ns)
    }
}

impl Activity {
    /// No events yet. It will keep at most about this many cells for the tracepoints, and none for CPUs.
    pub fn new(most_cells: usize) -> Self {
        Activity {
            tracepoints: Cells::new(most_cells),
            cpus: None,
            losses: BTreeMap::new(),
            more_hits: None,
            is_all: true,
        }
    }

    /// Also keeps at most about this many cells for CPUs.
    pub fn with_cpus(self, most_cells: usize) -> Self {
        Activity { cpus: Some(Cells::new(most_cells)), ..self }
    }

    /// Adds the hits of a window, spread evenly over its time, because bins and windows have different lengths. Its begin must not be earlier than
    /// the end of the window before.
    pub fn add_window(&mut self, from: Ns, length_ns: u64, hits: &[(Tpid, u64)]) {
        // So many parts of `PARTS_OF_WINDOW`.
        let parts = |whole: u64, number: u64| {
            let part = u128::from(whole) * u128::from(number) / u128::from(PARTS_OF_WINDOW);
            u64::try_from(part).unwrap_or(whole)
        };
        for part in 0..PARTS_OF_WINDOW {
            let time = from.saturating_add(parts(length_ns, part));
            for (tpid, hits) in hits {
                let in_part = parts(*hits, part + 1) - parts(*hits, part);
                if in_part > 0 {
                    self.tracepoints.add(time, tpid.get());
                    self.tracepoints.add_more(time, tpid.get(), in_part - 1);
                }
            }
        }
    }

    /// Marks that it will have only some of the tracepoints or CPUs.
    pub fn of_part(self) -> Self {
        Activity { is_all: false, ..self }
    }

    /// Whether it has all tracepoints, CPUs, and processes of the source.
    pub fn is_all(&self) -> bool {
        self.is_all
    }

    /// Ends it. No events may follow.
    pub fn finish(&mut self) {
        self.tracepoints.finish();
        self.cpus.iter_mut().for_each(Cells::finish);
    }

    /// The times of the first and the last event; `None` if there were none.
    pub fn span(&self) -> Option<(Ns, Ns)> {
        self.tracepoints.span()
    }

    /// The hits that the events of each tracepoint stand for beyond themselves: an estimate. It is 0 unless the tracepoint was
    /// thinned.
    pub fn more_hits(&self, tpid: Tpid) -> u64 {
        self.more_hits.as_ref().map_or(0, |more| more.of(tpid))
    }

    /// All losses within the span of the events, by CPU and then by time. Their times count from the first
    /// event.
    pub fn losses(&self) -> Vec<Loss> {
        let Some((first, last)) = self.span() else { return Vec::new() };
        let within = |loss: &&Loss| loss.to >= first && loss.from <= last;
        let since = |time: Ns| Ns(time.clamp(first, last) - first);
        let losses = self.losses.values().flatten().filter(within);
        losses.map(|loss| Loss { from: since(loss.from), to: since(loss.to), ..*loss }).collect()
    }

    /// The same losses in at most about this many stretches. Neighbours are joined.
    pub fn losses_at_most(&self, most: usize) -> Vec<Loss> {
        let per_cpu = (most / self.losses.len().max(1)).max(1);
        let losses = self.losses();
        let of_cpus = losses.chunk_by(|a, b| a.cpu == b.cpu);
        let joined = of_cpus.flat_map(|losses| {
            let together = losses.len().div_ceil(per_cpu);
            losses.chunks(together).filter_map(|chunk| chunk.iter().copied().reduce(|a, b| joined(&a, &b)))
        });
        joined.collect()
    }

    /// Events lost on these CPUs, over all tracepoints and at any time, as far as the rings reported a time.
    pub fn told_lost(&self) -> u64 {
        lost(self.losses.values().flatten())
    }

    /// The same, limited to the span of the events.
    pub fn lost_within(&self) -> u64 {
        lost(self.losses().iter())
    }

    /// The stretches without any event that are far longer than usual. A gap is at least 20 times as long as
    /// the average time between two events, four times as long as the median of the silences that can be
    /// seen, and a 200th of the whole time. There are no gaps if tracepoints or CPUs are missing, because
    /// those may have been hit.
    pub fn gaps(&self) -> Vec<Gap> {
        let Some((first, last)) = self.span().filter(|_| self.is_all) else { return Vec::new() };
        let span = last - first;
        let width = self.tracepoints.width();
        let ends = self.tracepoints.iter().map(|(index, _)| index.saturating_add(1).saturating_mul(width));
        let starts = self.tracepoints.iter().skip(1).map(|(index, _)| index.saturating_mul(width));
        let silences = ends.zip(starts).map(|(from_ns, to_ns)| Gap { from_ns, to_ns });
        let mut gaps: Vec<Gap> = silences.filter(|silence| silence.length() > span / SILENCE_SHARE).collect();
        let usual = upper_median(gaps.iter().map(Gap::length)).filter(|_| gaps.len() >= FEWEST_SILENCES).unwrap_or(0);
        let events = self.tracepoints.events();
        let least = GAP_INTERVALS.saturating_mul(span / events.max(1)).max(span / GAP_SHARE);
        let least = least.max(GAP_SILENCES.saturating_mul(usual)).max(1);
        gaps.retain(|gap| gap.length() >= least);
        gaps
    }
}

/// The CPU of a key in [`Activity::cpus`]. `None` if the source does not have it.
pub fn cpu_of(key: u32) -> Option<Cpu> {
    (key != UNKNOWN_KEY).then(|| Cpu::new(key))
}

/// The key of an event's CPU in [`Activity::cpus`]. An unknown CPU has the highest key.
pub fn key_of(cpu: Option<Cpu>) -> u32 {
    cpu.map_or(UNKNOWN_KEY, |cpu| cpu.get().min(UNKNOWN_KEY))
}

impl Sink for Activity {
    fn events(&mut self, events: &[Event], _table: &Table) {
        events.iter().for_each(|event| self.tracepoints.add(event.time, event.tpid().get()));
        if let Some(more) = &mut self.more_hits {
            events.iter().for_each(|event| more.event(*event));
        }
        let Some(cpus) = &mut self.cpus else { return };
        // Runs of events of one CPU are frequent, so each run is counted at once.
        let mut rest = events;
        while let Some(first) = rest.first() {
            let cpu = first.cpu();
            let key = key_of(cpu);
            cpus.add(first.time, key);
            let end = cpus.end();
            let more = rest[1..].iter().take_while(|event| event.cpu() == cpu && event.time < end).count();
            if let Some(last) = rest[1..=more].last() {
                cpus.add_more(last.time, key, more as u64);
            }
            rest = &rest[1 + more..];
        }
    }

    fn steps(&mut self, steps: &[RungStep]) {
        if !steps.is_empty() {
            self.more_hits.get_or_insert_default().steps(steps);
        }
    }

    fn row_runs(&mut self, runs: &[RowRun]) {
        if !runs.is_empty() {
            self.more_hits.get_or_insert_default().rows(runs);
        }
    }

    fn losses(&mut self, losses: &[Loss]) {
        for loss in losses {
            let most = (MOST_OF_ALL / self.losses.len().max(1)).clamp(FEWEST_LOSSES, MOST_LOSSES);
            let of_cpu = self.losses.entry(key_of(loss.cpu)).or_default();
            match of_cpu.last_mut() {
                Some(last) if loss.from <= last.to => *last = joined(last, loss),
                _ => of_cpu.push(*loss),
            }
            if of_cpu.len() > most {
                let halved = of_cpu.chunks(2).map(|pair| match pair {
                    [a, b] => joined(a, b),
                    rest => rest[0],
                });
                *of_cpu = halved.collect();
            }
        }
    }
}

/// The sum of these losses.
fn lost<'a>(losses: impl Iterator<Item = &'a Loss>) -> u64 {
    losses.fold(0, |sum, loss| sum.saturating_add(loss.lost))
}

/// Joins two losses of one CPU.
fn joined(a: &Loss, b: &Loss) -> Loss {
    Loss { cpu: a.cpu, lost: a.lost.saturating_add(b.lost), from: a.from.min(b.from), to: a.to.max(b.to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time: u64) -> Event {
        Event::new(Ns(time), None, Tpid::new(1))
    }

    #[test]
    fn a_gap_is_long_for_how_frequent_events_are() {
        let mut activity = Activity::new(1_000);
        // A thousand events, a microsecond apart, with a gap of a tenth of the time in the middle.
        let events: Vec<_> = (0..1_000).map(|n| event(5_000 + n * 1_000 + if n < 500 { 0 } else { 111_000 })).collect();
        activity.events(&events, &Table::default());
        activity.finish();
        let gaps = activity.gaps();
        assert_eq!(gaps.len(), 1);
        let width = activity.tracepoints.width();
        assert!(gaps[0].from_ns.abs_diff(499_000) <= width && gaps[0].to_ns.abs_diff(611_000) <= width, "{gaps:?}");

        let mut rare = Activity::new(1_000);
        rare.events(&[event(0), event(1_000_000), event(5_000_000)], &Table::default());
        rare.finish();
        assert!(rare.gaps().is_empty(), "three events are too few for a gap");
        assert!(Activity::new(8).gaps().is_empty());

        // Ticks with bursts. The silence between two of them is long compared with the average, but usual.
        let mut idle = Activity::new(100_000);
        let ticks = (0..40u64).flat_map(|tick| (0..200).map(move |n| event(tick * 10_000_000 + n * 100)));
        idle.events(&ticks.collect::<Vec<_>>(), &Table::default());
        idle.events(&[event(600_000_000)], &Table::default());
        idle.finish();
        let gaps = idle.gaps();
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert!(gaps[0].length() > 200_000_000);
    }

    #[test]
    fn losses_are_kept_whole_in_few_stretches() {
        let mut activity = Activity::new(1_000);
        activity.events(&[event(1_000), event(101_000_000)], &Table::default());
        let loss = |n: u64| Loss {
            cpu: Some(Cpu::new((n % 2) as u32)),
            lost: 3,
            from: Ns(n * 10_000),
            to: Ns(n * 10_000 + 5),
        };
        for n in 0..10_000 {
            Sink::losses(&mut activity, &[loss(n)]);
        }
        activity.finish();
        let losses = activity.losses();
        assert!(losses.len() <= 2 * MOST_LOSSES);
        assert_eq!(losses.iter().map(|loss| loss.lost).sum::<u64>(), 30_000);
        assert!(losses.is_sorted_by_key(|loss| (loss.cpu, loss.from)));
        assert!(losses.iter().all(|loss| loss.to <= Ns(101_000_000 - 1_000)));
        let few = activity.losses_at_most(10);
        assert!(few.len() <= 10 && few.iter().map(|loss| loss.lost).sum::<u64>() == 30_000, "{few:?}");
    }
}
