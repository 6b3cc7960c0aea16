//! Corrects estimates for the time that counting itself takes.
//!
//! In a visit, each hit of a visited tracepoint takes longer than between visits, because it is counted. If the CPUs have
//! nothing better to do, they make up for that at once. If they are busy, the load makes less progress in a visit, so it
//! hits its tracepoints less often: by some percent in a build, and by a tenth in a load that does little else. Without a correction,
//! all estimates would be too small by that.
//!
//! With all CPUs busy for a part `u` of the time, and the part `c` of a visit taken by counting, a visit makes the part
//! `min(1, (1 − c) / u)` of the progress that the load makes elsewhere.

use crate::events::{Estimated, Partly, Rung, Tick, Tpid};
use crate::os::machine::{MachineTimes, machine_times};
use std::collections::BTreeMap;
use std::time::Duration;

/// The least progress that is assumed. A load cannot be slowed more by what it causes itself.
const LEAST_PROGRESS: f64 = 0.3;

/// The standard deviation of a correction, as a part of it: the cost of a hit differs between loads by such a factor.
const DOUBT: f64 = 1.0 / 3.0;

/// Corrects the estimates of windows.
#[derive(Debug, Default)]
pub(super) struct Observer {
    /// The times of the machine at the begin of the window, if there were visits.
    before: Option<MachineTimes>,
}

impl Observer {
    /// The tracepoints of a window that were not counted all the time, with corrected estimates. A hit that is counted takes
    /// `more_ns` longer than others.
    pub fn corrected(&mut self, tick: &Tick<'_>, cpus: usize, more_ns: f64) -> Vec<Partly> {
        let mut partly = tick.partly.to_vec();
        if !partly.iter().any(|it| it.rung == Rung::Visited) {
            self.before = None;
            return partly;
        }
        let now = machine_times();
        let all = Duration::from_nanos(tick.to.since(tick.from)) * cpus as u32;
        let busy = self.before.zip(now).map(|(before, now)| busy_part(&before, &now, all));
        self.before = now;
        if let Some(busy) = busy {
            correct(&mut partly, &tick.by_tracepoint().into_iter().collect(), all, busy, more_ns);
        }
        partly
    }
}

/// The part of the CPUs' time in which they were busy, of the time that the hypervisor let them run.
fn busy_part(before: &MachineTimes, now: &MachineTimes, all: Duration) -> f64 {
    let available = all.saturating_sub(now.stolen.saturating_sub(before.stolen));
    let busy = now.busy.saturating_sub(before.busy);
    (busy.as_secs_f64() / available.as_secs_f64().max(1e-9)).clamp(0.0, 1.0)
}

/// Corrects estimates. `hits` are those that were counted, `all` is the time of all CPUs, and `busy` the part of it in which they
/// were busy.
fn correct(partly: &mut [Partly], hits: &BTreeMap<Tpid, u64>, all: Duration, busy: f64, more_ns: f64) {
    let visited = || partly.iter().filter(|it| it.rung == Rung::Visited);
    let of = |tpid: Tpid| hits.get(&tpid).copied().unwrap_or(0) as f64;
    let counted: f64 = visited().map(|it| of(it.tpid)).sum();
    // All of them are visited at the same time. One that came later was visited for a shorter time.
    let in_visits = visited().map(|it| it.watched).fold(0.0, f64::max) * all.as_nanos() as f64;
    let of_counting = counted * more_ns / in_visits.max(1.0);
    let progress = ((1.0 - of_counting) / busy.max(1e-9)).clamp(LEAST_PROGRESS, 1.0);
    for it in partly.iter_mut().filter(|it| it.rung == Rung::Visited) {
        let counted = of(it.tpid);
        it.estimated = it.estimated.map(|Estimated { hits, variance }| {
            let between = (hits - counted).max(0.0);
            let doubt = DOUBT * (between / progress - between);
            Estimated { hits: counted + between / progress, variance: variance / (progress * progress) + doubt * doubt }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The estimate of a tracepoint that had 1,000 hits in visits of a tenth of a second, on one CPU.
    fn corrected(rung: Rung, busy: f64, more_ns: f64) -> Estimated {
        let estimated = Some(Estimated { hits: 10_000.0, variance: 100.0 });
        let mut partly = [Partly { tpid: Tpid::new(1), rung, watched: 0.1, estimated }];
        correct(&mut partly, &[(Tpid::new(1), 1_000)].into(), Duration::from_secs(1), busy, more_ns);
        partly[0].estimated.unwrap()
    }

    #[test]
    fn a_busy_machine_is_slower_in_visits_and_an_idle_one_is_not() {
        let unchanged = Estimated { hits: 10_000.0, variance: 100.0 };
        // Counting takes a tenth of a visit: 1,000 hits of 10 µs in 100 ms.
        let busy = corrected(Rung::Visited, 1.0, 10_000.0);
        assert!((busy.hits - (1_000.0 + 9_000.0 / 0.9)).abs() < 1e-6, "{busy:?}");
        let doubt = 1_000.0 / 3.0;
        assert!((busy.variance - (100.0 / 0.81 + doubt * doubt)).abs() < 1e-6, "{busy:?}");
        assert_eq!(corrected(Rung::Visited, 0.5, 10_000.0), unchanged);
        let nearly = corrected(Rung::Visited, 0.95, 10_000.0);
        assert!(nearly.hits > 10_000.0 && nearly.hits < busy.hits, "{nearly:?}");
        assert_eq!(corrected(Rung::Counted, 1.0, 10_000.0), unchanged);
        // A cost that cannot be is no reason for an endless estimate.
        assert!((corrected(Rung::Visited, 1.0, 1e9).hits - (1_000.0 + 9_000.0 / LEAST_PROGRESS)).abs() < 1e-6);
    }

    #[test]
    fn stolen_time_is_no_time_to_be_idle_in() {
        let times =
            |busy, stolen| MachineTimes { busy: Duration::from_secs(busy), stolen: Duration::from_secs(stolen) };
        assert!((busy_part(&times(10, 0), &times(11, 1), Duration::from_secs(2)) - 1.0).abs() < 1e-9);
        assert!((busy_part(&times(10, 0), &times(11, 0), Duration::from_secs(2)) - 0.5).abs() < 1e-9);
    }
}
