//! Finds the stretches of a capture in which a CPU was not watched.

use crate::os::cpus::{Cpu, CpuList};
use crate::os::hotplug::Hotplug;
use crate::recording::Unwatched;
use crate::units::{Ns, nanoseconds};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// The CPUs that were online at one time of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Online {
    /// The time.
    pub at: Instant,
    /// The CPUs.
    pub cpus: CpuList,
}

/// Notes each change of the online CPUs.
pub(super) struct CpuChanges {
    hotplug: Option<Hotplug>,
    seen: Vec<Online>,
}

impl CpuChanges {
    /// Watches from now on. Where the kernel does not announce changes, none are noted.
    pub fn watch() -> Self {
        let hotplug = Hotplug::listen().ok();
        // A capture concerns changes after this only.
        hotplug.as_ref().map(Hotplug::cpus_changed);
        CpuChanges { hotplug, seen: Vec::new() }
    }

    /// Polls readable at a change.
    pub fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.hotplug.as_ref().map(AsFd::as_fd)
    }

    /// Notes a change, if there was one.
    pub fn note(&mut self) {
        if self.hotplug.as_ref().is_some_and(Hotplug::cpus_changed)
            && let Ok(cpus) = CpuList::online()
        {
            self.seen.push(Online { at: Instant::now(), cpus });
        }
    }

    /// All changes that were noted.
    pub fn into_seen(self) -> Vec<Online> {
        self.seen
    }
}

/// A capture, as far as its CPUs are concerned.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    /// When the events went on and off.
    pub on: Instant,
    pub off: Instant,
    /// For each captured CPU, how long its events have been on.
    pub time_on: &'a [(Cpu, Duration)],
    /// The CPUs that the user chose; all if `None`.
    pub chosen: Option<&'a CpuList>,
    /// The online CPUs after each change, and at the end.
    pub online: &'a [Online],
}

impl Watched<'_> {
    /// The stretches, by CPU. `to_ns` turns an instant into a time of the samples.
    pub fn unwatched(&self, to_ns: impl Fn(Instant) -> Ns) -> Vec<Unwatched> {
        // NTP slews the monotonic clock by at most 500 ppm. It does not slew the kernel's time of an event. The
        // groups of a CPU go on and off a few milliseconds after each other.
        let capture = self.off - self.on;
        let tolerance = Duration::from_millis(100) + capture / 1000;
        let is_online = |online: &Online, cpu: Cpu| online.cpus.as_slice().contains(&cpu);
        let came_back = |cpu: Cpu| {
            let since_away = self.online.iter().skip_while(|online| is_online(online, cpu));
            { since_away }.any(|online| is_online(online, cpu))
        };
        let mut stretches = Vec::new();
        for (cpu, time_on) in self.time_on {
            let is_there = self.online.last().is_none_or(|online| is_online(online, *cpu));
            let was_away = self.online.iter().any(|online| !is_online(online, *cpu));
            if !was_away && *time_on + tolerance >= capture {
                continue;
            }
            let from = self.on + (*time_on).min(capture);
            let was_online = is_there || came_back(*cpu);
            stretches.push((*cpu, from, was_online));
        }
        let is_watched = |cpu: Cpu| self.time_on.iter().any(|(watched, _)| *watched == cpu);
        for online in self.online {
            for cpu in online.cpus.as_slice() {
                let is_chosen = self.chosen.is_none_or(|chosen| chosen.as_slice().contains(cpu));
                if is_chosen && !is_watched(*cpu) && stretches.iter().all(|(other, ..)| other != cpu) {
                    // Without a noted change, the CPU may have come online at any time.
                    let from = if online.at < self.off { online.at } else { self.on };
                    stretches.push((*cpu, from, true));
                }
            }
        }
        stretches.sort_by_key(|(cpu, ..)| *cpu);
        let stretch = |(cpu, from, was_online)| Unwatched { cpu, from: to_ns(from), to: to_ns(self.off), was_online };
        stretches.into_iter().map(stretch).collect()
    }
}

/// Turns instants into times of a clock that shows `now` at this instant.
pub(super) fn clock_of(now: Ns, at: Instant) -> impl Fn(Instant) -> Ns {
    move |instant| Ns(now.0.saturating_sub(nanoseconds(at.saturating_duration_since(instant))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The stretches of a capture of CPUs 0 and 1 that lasts 10 s, as (CPU, from, to, was online), in seconds.
    /// `changes` are (seconds, online CPUs); the last one is the end.
    fn stretches(time_on: [f64; 2], chosen: Option<&str>, changes: &[(u32, &str)]) -> Vec<(u32, u64, u64, bool)> {
        let on = Instant::now();
        let time_on: Vec<_> =
            (0..).map(Cpu::new).zip(time_on).map(|(cpu, on)| (cpu, Duration::from_secs_f64(on))).collect();
        let online: Vec<_> =
            changes.iter().map(|(at, cpus)| Online { at: on + SECOND * *at, cpus: cpus.parse().unwrap() }).collect();
        let chosen = chosen.map(|chosen| chosen.parse().unwrap());
        let watched =
            Watched { on, off: on + SECOND * 10, time_on: &time_on, chosen: chosen.as_ref(), online: &online };
        let found = watched.unwatched(clock_of(Ns(10_000_000_000), on + SECOND * 10));
        let shown = |it: &Unwatched| (it.cpu.get(), it.from.0 / 1_000_000_000, it.to.0 / 1_000_000_000, it.was_online);
        found.iter().map(shown).collect()
    }

    #[test]
    fn cpus_that_stay_online_are_watched_all_the_time() {
        assert_eq!(stretches([10.0, 9.95], None, &[(10, "0-1")]), []);
        // The online CPUs cannot be read.
        assert_eq!(stretches([10.0, 9.95], None, &[]), []);
    }

    #[test]
    fn a_cpu_that_went_offline_is_not_watched_again() {
        let [away, back] = [(2, "0"), (3, "0-1")];
        assert_eq!(stretches([10.0, 2.0], None, &[away, back, (10, "0-1")]), [(1, 2, 10, true)]);
        // It returned, and went away again.
        assert_eq!(stretches([10.0, 2.0], None, &[away, back, (5, "0"), (10, "0")]), [(1, 2, 10, true)]);
        // It did not return: there were no hits to miss.
        assert_eq!(stretches([10.0, 2.0], None, &[away, (10, "0")]), [(1, 2, 10, false)]);
        // The kernel announced nothing.
        assert_eq!(stretches([10.0, 2.0], None, &[(10, "0-1")]), [(1, 2, 10, true)]);
        // It went away just before the end.
        assert_eq!(stretches([10.0, 9.99], None, &[(10, "0")]), [(1, 9, 10, false)]);
    }

    #[test]
    fn a_cpu_that_comes_online_later_is_not_watched() {
        let later = [(4, "0-2"), (10, "0-2")];
        assert_eq!(stretches([10.0, 10.0], None, &later), [(2, 4, 10, true)]);
        // The kernel announced nothing, so the start is not known.
        assert_eq!(stretches([10.0, 10.0], None, &[(10, "0-2")]), [(2, 0, 10, true)]);
        // Nobody asked for it.
        assert_eq!(stretches([10.0, 10.0], Some("0-1"), &later), []);
    }
}
