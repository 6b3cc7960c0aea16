//! When what was active: the sink that reports and plots are made from.

mod cells;

pub use cells::{Cell, Cells};

use crate::events::stream::Loss;
use crate::events::{Cpu, Event, Ns, Sink};
use crate::stats::upper_median;
use crate::tracefs::Table;
use serde::Serialize;
use std::collections::BTreeMap;

/// The key of a CPU that a source does not tell; above all that are.
const UNKNOWN_KEY: u32 = 1 << 13;

/// Losses kept for each CPU; beyond that neighbours become one.
const MOST_LOSSES: usize = 1_024;

/// A gap is as many times longer as events are apart on average,
const GAP_INTERVALS: u64 = 20;
/// is as large a part of the whole,
const GAP_SHARE: u64 = 200;
/// and so many times longer than most silences: those of an idle machine between two ticks are no gaps.
const GAP_SILENCES: u64 = 4;
/// Shorter silences, as a part of the whole, cannot be seen, and do not count among these.
const SILENCE_SHARE: u64 = 1_000;
/// Fewer silences say nothing of what is usual.
const FEWEST_SILENCES: usize = 5;

/// Events over time, per tracepoint and per CPU, and what was lost meanwhile.
#[derive(Debug, Clone)]
pub struct Activity {
    /// By tpid.
    pub tracepoints: Cells,
    /// By CPU, if that is wanted; see [`cpu_of`].
    pub cpus: Option<Cells>,
    /// By the CPU's key.
    losses: BTreeMap<u32, Vec<Loss>>,
    /// Whether all events of the source are here, so that where none is none was recorded.
    is_all: bool,
}

/// A stretch in which nothing was recorded on any CPU, although events were frequent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// From when, in nanoseconds since the first event.
    pub from_ns: u64,
    /// Until when.
    pub to_ns: u64,
}

impl Gap {
    fn length(&self) -> u64 {
        self.to_ns.saturating_sub(self.from_ns)
    }
}

impl Activity {
    /// Nothing yet. About so many cells are kept of the tracepoints; of the CPUs none unless asked for.
    pub fn new(most_cells: usize) -> Self {
        Activity { tracepoints: Cells::new(most_cells), cpus: None, losses: BTreeMap::new(), is_all: true }
    }

    /// Keeps about so many cells of the CPUs, too.
    pub fn with_cpus(self, most_cells: usize) -> Self {
        Activity { cpus: Some(Cells::new(most_cells)), ..self }
    }

    /// Of a part of the tracepoints or CPUs only.
    pub fn of_part(self) -> Self {
        Activity { is_all: false, ..self }
    }

    /// Ends it.
    pub fn finish(&mut self) {
        self.tracepoints.finish();
        self.cpus.iter_mut().for_each(Cells::finish);
    }

    /// The times of the first and the last event; `None` if there were none.
    pub fn span(&self) -> Option<(Ns, Ns)> {
        self.tracepoints.span()
    }

    /// All losses within the span of the events, by CPU and then by time; times are those since the first event.
    pub fn losses(&self) -> Vec<Loss> {
        let Some((first, last)) = self.span() else { return Vec::new() };
        let within = |loss: &&Loss| loss.to >= first && loss.from <= last;
        let since = |time: Ns| Ns(time.clamp(first, last) - first);
        let losses = self.losses.values().flatten().filter(within);
        losses.map(|loss| Loss { from: since(loss.from), to: since(loss.to), ..*loss }).collect()
    }

    /// The same in no more than about so many stretches, by joining neighbours.
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

    /// Samples lost of all tracepoints, as far as the rings told when; of these CPUs, but at any time.
    pub fn told_lost(&self) -> u64 {
        lost(self.losses.values().flatten())
    }

    /// The same within the span of the events.
    pub fn lost_within(&self) -> u64 {
        lost(self.losses().iter())
    }

    /// Stretches without any event that are far longer than what is usual: 20 times the average distance of two events, four
    /// times the median of the silences that can be seen, and a 200th of the whole at least. Of a part of the tracepoints
    /// or CPUs there are none: others may have been hit.
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

/// The CPU that a key of [`Activity::cpus`] stands for; `None` if the source does not tell it.
pub fn cpu_of(key: u32) -> Option<Cpu> {
    (key != UNKNOWN_KEY).then(|| Cpu::new(key))
}

/// The key in [`Activity::cpus`] of an event's CPU. That of the unknown one is the last.
pub fn key_of(cpu: Option<Cpu>) -> u32 {
    cpu.map_or(UNKNOWN_KEY, |cpu| cpu.get().min(UNKNOWN_KEY))
}

impl Sink for Activity {
    fn events(&mut self, events: &[Event], _table: &Table) {
        events.iter().for_each(|event| self.tracepoints.add(event.time, event.tpid.get()));
        let Some(cpus) = &mut self.cpus else { return };
        // One CPU's events often come in a row, and are counted at once.
        let mut rest = events;
        while let Some(Event { time, cpu, .. }) = rest.first() {
            let key = key_of(*cpu);
            cpus.add(*time, key);
            let end = cpus.end();
            let more = rest[1..].iter().take_while(|event| event.cpu == *cpu && event.time < end).count();
            if let Some(last) = rest[1..=more].last() {
                cpus.add_more(last.time, key, more as u64);
            }
            rest = &rest[1 + more..];
        }
    }

    fn losses(&mut self, losses: &[Loss]) {
        for loss in losses {
            let of_cpu = self.losses.entry(key_of(loss.cpu)).or_default();
            match of_cpu.last_mut() {
                Some(last) if loss.from <= last.to => *last = joined(last, loss),
                _ => of_cpu.push(*loss),
            }
            if of_cpu.len() > MOST_LOSSES {
                let halved = of_cpu.chunks(2).map(|pair| match pair {
                    [a, b] => joined(a, b),
                    rest => rest[0],
                });
                *of_cpu = halved.collect();
            }
        }
    }
}

/// Samples lost in all of these.
fn lost<'a>(losses: impl Iterator<Item = &'a Loss>) -> u64 {
    losses.fold(0, |sum, loss| sum.saturating_add(loss.lost))
}

/// Two losses of one CPU as one.
fn joined(a: &Loss, b: &Loss) -> Loss {
    Loss { cpu: a.cpu, lost: a.lost.saturating_add(b.lost), from: a.from.min(b.from), to: a.to.max(b.to) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Tpid;

    fn event(time: u64) -> Event {
        Event { time: Ns(time), cpu: None, tpid: Tpid::new(1) }
    }

    #[test]
    fn a_gap_is_long_for_how_frequent_events_are() {
        let mut activity = Activity::new(1_000);
        // A thousand events, a microsecond apart, but for a tenth of the time in the middle.
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
        assert!(rare.gaps().is_empty(), "three events tell of no gap");
        assert!(Activity::new(8).gaps().is_empty());

        // Ticks with bursts: however long the silence between two of them is for the average, it is usual.
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
