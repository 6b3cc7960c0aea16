//! Finds the stretches of a capture in which a CPU was not watched.

use crate::os::cpus::{Cpu, CpuList};
use crate::os::hotplug::Hotplug;
use crate::recording::Unwatched;
use crate::units::{Ns, nanoseconds};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// A CPU that came online or went offline during a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuChange {
    /// The time at which tp-perf noticed it.
    pub at: Instant,
    /// The CPU.
    pub cpu: Cpu,
    /// Whether it came online.
    pub online: bool,
}

/// Notes each change of the online CPUs.
pub(crate) struct CpuChanges {
    /// `None` where the kernel does not announce changes, or from the first lost announcement on.
    hotplug: Option<Hotplug>,
    seen: Vec<CpuChange>,
}

impl CpuChanges {
    /// Watches from now on.
    pub fn watch() -> Self {
        CpuChanges { hotplug: Hotplug::listen().ok(), seen: Vec::new() }
    }

    /// Polls readable at a change.
    pub fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.hotplug.as_ref().map(AsFd::as_fd)
    }

    /// Notes the changes since the last call.
    pub fn note(&mut self) {
        let Some(hotplug) = &self.hotplug else { return };
        let at = Instant::now();
        match hotplug.changes() {
            Some(changes) => {
                self.seen.extend(changes.into_iter().map(|(cpu, online)| CpuChange { at, cpu, online }));
            }
            None => self.hotplug = None,
        }
    }

    /// All changes so far; `None` if tp-perf may not know all.
    pub fn seen(&self) -> Option<&[CpuChange]> {
        self.hotplug.as_ref().map(|_| self.seen.as_slice())
    }

    /// All changes; `None` if tp-perf may not know all.
    pub fn into_seen(self) -> Option<Vec<CpuChange>> {
        self.hotplug.is_some().then_some(self.seen)
    }
}

/// A capture, as far as its CPUs are concerned.
#[derive(Debug)]
pub(crate) struct Watched<'a> {
    /// When the events went on and off.
    pub on: Instant,
    pub off: Instant,
    /// For each captured CPU, how long its events have been on.
    pub time_on: &'a [(Cpu, Duration)],
    /// The CPUs that the user chose; all if `None`.
    pub chosen: Option<&'a CpuList>,
    /// The online CPUs just before the events went on, and after they went off.
    pub before: &'a CpuList,
    pub after: &'a CpuList,
    /// All changes in between, if they are known.
    pub changes: Option<&'a [CpuChange]>,
}

impl Watched<'_> {
    /// The stretches, by CPU. `to_ns` turns an instant into a time of the samples.
    pub fn unwatched(&self, to_ns: impl Fn(Instant) -> Ns) -> Vec<Unwatched> {
        let went_offline = self.time_on.iter().filter_map(|(cpu, time_on)| self.went_offline(*cpu, *time_on));
        let stretches: BTreeMap<Cpu, (Instant, bool)> = went_offline.chain(self.came_later()).collect();
        let stretch = |(cpu, (from, was_online))| Unwatched { cpu, from: to_ns(from), to: to_ns(self.off), was_online };
        stretches.into_iter().map(stretch).collect()
    }

    fn changes_of(&self, cpu: Cpu) -> impl Iterator<Item = &CpuChange> {
        self.changes.unwrap_or_default().iter().filter(move |change| change.cpu == cpu)
    }

    /// When a captured CPU went offline, and whether it was online later.
    fn went_offline(&self, cpu: Cpu, time_on: Duration) -> Option<(Cpu, (Instant, bool))> {
        /// The groups of a CPU go on and off a few milliseconds after each other.
        const TOLERANCE: Duration = Duration::from_millis(100);
        let capture = self.off - self.on;
        // NTP slews the monotonic clock by at most 500 ppm. It does not slew the kernel's time of an event, so other
        // CPUs are a better measure.
        let longest = self.time_on.iter().map(|(_, time_on)| *time_on).max().unwrap_or_default();
        let expected = longest.max(capture - capture / 1000);
        let mut since_offline = self.changes_of(cpu).skip_while(|change| change.online).peekable();
        let is_noticed = since_offline.peek().is_some() || !self.after.as_slice().contains(&cpu);
        if !is_noticed && time_on + TOLERANCE >= expected {
            return None;
        }
        // If tp-perf may not know all changes, the CPU may have been online.
        let is_known = self.changes.is_some() && is_noticed;
        let was_online = !is_known || since_offline.any(|change| change.online);
        Some((cpu, (self.on + time_on.min(capture), was_online)))
    }

    /// The CPUs that should have been captured, but came online too late. They are online in this time.
    fn came_later(&self) -> impl Iterator<Item = (Cpu, (Instant, bool))> {
        let before = self.before.as_slice().iter().map(|cpu| (*cpu, self.on));
        let online = self.changes.unwrap_or_default().iter().filter(|change| change.online);
        let announced = online.map(|change| (change.cpu, change.at));
        // Without announcements, a CPU may have come online at any time.
        let after = if self.changes.is_some() { &[][..] } else { self.after.as_slice() };
        // Where a CPU is there several times, the first counts.
        let mut all: Vec<_> = before.chain(announced).chain(after.iter().map(|cpu| (*cpu, self.on))).collect();
        all.sort();
        all.dedup_by_key(|(cpu, _)| *cpu);
        let is_watched = |cpu: Cpu| self.time_on.iter().any(|(watched, _)| *watched == cpu);
        let is_chosen = |cpu: Cpu| self.chosen.is_none_or(|chosen| chosen.as_slice().contains(&cpu));
        all.retain(|(cpu, _)| is_chosen(*cpu) && !is_watched(*cpu));
        all.into_iter().map(|(cpu, from)| (cpu, (from, true)))
    }
}

/// Turns instants into times of a clock that shows `now` at this instant.
pub(crate) fn clock_of(now: Ns, at: Instant) -> impl Fn(Instant) -> Ns {
    move |instant| Ns(now.0.saturating_sub(nanoseconds(at.saturating_duration_since(instant))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BOTH: &str = "0-1";

    /// The stretches of a capture of CPUs 0 and 1 that lasts 10 s, as (CPU, from, to, was online), in seconds.
    /// `changes` are (seconds, CPU, online).
    fn stretches(
        time_on: [f64; 2],
        chosen: Option<&str>,
        online: [&str; 2],
        changes: Option<&[(u32, u32, bool)]>,
    ) -> Vec<(u32, u64, u64, bool)> {
        let on = Instant::now();
        let time_on: Vec<_> =
            (0..).map(Cpu::new).zip(time_on).map(|(cpu, on)| (cpu, Duration::from_secs_f64(on))).collect();
        let change = |(at, cpu, online): &(u32, u32, bool)| CpuChange {
            at: on + SECOND * *at,
            cpu: Cpu::new(*cpu),
            online: *online,
        };
        let changes: Option<Vec<_>> = changes.map(|changes| changes.iter().map(change).collect());
        let chosen = chosen.map(|chosen| chosen.parse().unwrap());
        let [before, after] = online.map(|cpus| cpus.parse::<CpuList>().unwrap());
        let watched = Watched {
            on,
            off: on + SECOND * 10,
            time_on: &time_on,
            chosen: chosen.as_ref(),
            before: &before,
            after: &after,
            changes: changes.as_deref(),
        };
        let found = watched.unwatched(clock_of(Ns(10_000_000_000), on + SECOND * 10));
        let shown = |it: &Unwatched| (it.cpu.get(), it.from.0 / 1_000_000_000, it.to.0 / 1_000_000_000, it.was_online);
        found.iter().map(shown).collect()
    }

    #[test]
    fn cpus_that_stay_online_are_watched_all_the_time() {
        for changes in [None, Some(&[][..])] {
            assert_eq!(stretches([10.0, 9.95], None, [BOTH; 2], changes), []);
            // The kernel's clock of the events is slow.
            assert_eq!(stretches([9.995, 9.95], None, [BOTH; 2], changes), []);
        }
    }

    #[test]
    fn a_cpu_that_went_offline_is_not_watched_again() {
        let [away, back, away_again] = [(2, 1, false), (3, 1, true), (5, 1, false)];
        let of_cpu_1 = |after, changes: Option<Vec<_>>| stretches([10.0, 2.0], None, [BOTH, after], changes.as_deref());
        assert_eq!(of_cpu_1(BOTH, Some(vec![away, back])), [(1, 2, 10, true)]);
        assert_eq!(of_cpu_1("0", Some(vec![away, back, away_again])), [(1, 2, 10, true)]);
        // It did not return: there were no hits to miss.
        assert_eq!(of_cpu_1("0", Some(vec![away])), [(1, 2, 10, false)]);
        // The kernel announced nothing, so the CPU may have been online meanwhile.
        assert_eq!(of_cpu_1(BOTH, None), [(1, 2, 10, true)]);
        assert_eq!(of_cpu_1("0", None), [(1, 2, 10, true)]);
        // It was away for a moment only, and just before the end.
        assert_eq!(stretches([10.0, 9.99], None, [BOTH; 2], Some(&[(9, 1, false), (9, 1, true)])), [(1, 9, 10, true)]);
        assert_eq!(stretches([10.0, 9.99], None, [BOTH, "0"], Some(&[(9, 1, false)])), [(1, 9, 10, false)]);
    }

    #[test]
    fn a_cpu_that_comes_online_later_is_not_watched() {
        let changes: &[_] = &[(4, 2, true), (6, 2, false), (8, 2, true)];
        assert_eq!(stretches([10.0; 2], None, [BOTH, "0-2"], Some(changes)), [(2, 4, 10, true)]);
        // It came while tp-perf attached.
        assert_eq!(stretches([10.0; 2], None, ["0-2"; 2], Some(&[])), [(2, 0, 10, true)]);
        // The kernel announced nothing, so the start is not known.
        assert_eq!(stretches([10.0; 2], None, [BOTH, "0-2"], None), [(2, 0, 10, true)]);
        // It came after the events had gone off.
        assert_eq!(stretches([10.0; 2], None, [BOTH, "0-2"], Some(&[])), []);
        // Nobody asked for it.
        assert_eq!(stretches([10.0; 2], Some(BOTH), [BOTH, "0-2"], Some(changes)), []);
    }
}
