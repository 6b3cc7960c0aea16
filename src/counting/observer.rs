//! Corrects estimates for the time that counting itself takes.
//!
//! In a visit, each hit of a visited tracepoint takes longer than between visits, because it is counted. If the CPUs have
//! nothing better to do, they make up for that at once. If they are busy, the load makes less progress in a visit, so it
//! hits its tracepoints less often: by some percent in a build, and by a tenth in a load that does little else. Without a correction,
//! all estimates would be too small by that.
//!
//! With a CPU busy for a part `u` of the time, and the part `c` of a visit taken by counting, a visit makes the part
//! `min(1, (1 − c) / u)` of the progress that the load on this CPU makes elsewhere.

use crate::events::{Cpu, Estimated, Partly, Rung, Slot, Tick, Tpid};
use crate::os::machine::MachineTimes;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The least progress that is assumed. A load cannot be slowed more by what it causes itself.
const LEAST_PROGRESS: f64 = 0.3;

/// The standard deviation of a correction, as a part of it: the cost of a hit differs between loads by such a factor.
const DOUBT: f64 = 1.0 / 3.0;

/// Reads the times of each CPU, if they are known.
pub(super) type TimesOfCpus = fn() -> Option<BTreeMap<Cpu, MachineTimes>>;

/// Corrects the estimates of windows.
#[derive(Debug, Default)]
pub(super) struct Observer {
    /// The times of each CPU at the begin of the window, if there were visits.
    before: Option<BTreeMap<Cpu, MachineTimes>>,
}

impl Observer {
    /// Tells that visits begin.
    pub fn begin(&mut self, times: TimesOfCpus) {
        self.before = self.before.take().or_else(times);
    }

    /// The tracepoints of a window that were not counted all the time, with corrected estimates. A hit that is counted takes
    /// `more_ns` longer than others.
    pub fn corrected(&mut self, tick: &Tick<'_>, more_ns: f64, times: TimesOfCpus) -> Vec<Partly> {
        let mut partly = tick.partly.to_vec();
        if !partly.iter().any(|it| it.rung == Rung::Visited) {
            self.before = None;
            return partly;
        }
        let now = times();
        let before = std::mem::replace(&mut self.before, now);
        if let (Some(before), Some(now)) = (before, &self.before) {
            let window = Duration::from_nanos(tick.to.since(tick.from));
            let busy = |cpu| Some(busy_part(before.get(&cpu)?, now.get(&cpu)?, window));
            correct(&mut partly, tick, busy, more_ns);
        }
        partly
    }
}

/// The part of a CPU's time in which it was busy, of the time that the hypervisor let it run.
fn busy_part(before: &MachineTimes, now: &MachineTimes, window: Duration) -> f64 {
    let available = window.saturating_sub(now.stolen.saturating_sub(before.stolen));
    let busy = now.busy.saturating_sub(before.busy);
    (busy.as_secs_f64() / available.as_secs_f64().max(1e-9)).clamp(0.0, 1.0)
}

/// Corrects estimates. `busy` is the part of a CPU's time in which it was busy, if that is known.
fn correct(partly: &mut [Partly], tick: &Tick<'_>, busy: impl Fn(Cpu) -> Option<f64>, more_ns: f64) {
    let visited: BTreeSet<Tpid> = partly.iter().filter(|it| it.rung == Rung::Visited).map(|it| it.tpid).collect();
    let mut hits = BTreeMap::<Tpid, Vec<(Cpu, u64)>>::new();
    let mut on_cpus = BTreeMap::<Cpu, u64>::new();
    for (Slot { tpid, cpu }, number) in tick.hit().filter(|(slot, _)| visited.contains(&slot.tpid)) {
        let Some(cpu) = cpu else { continue };
        hits.entry(tpid).or_default().push((cpu, number));
        *on_cpus.entry(cpu).or_default() += number;
    }
    // All of them are visited at the same time. One that came later was visited for a shorter time.
    let watched = partly.iter().filter(|it| it.rung == Rung::Visited).map(|it| it.watched).fold(0.0, f64::max);
    let in_visits = watched * tick.to.since(tick.from) as f64;
    let progress = |cpu: Cpu| {
        let of_counting = on_cpus[&cpu] as f64 * more_ns / in_visits.max(1.0);
        busy(cpu).map_or(1.0, |busy| ((1.0 - of_counting) / busy.max(1e-9)).clamp(LEAST_PROGRESS, 1.0))
    };
    for it in partly.iter_mut().filter(|it| it.rung == Rung::Visited) {
        let on_cpus = hits.get(&it.tpid).map(Vec::as_slice).unwrap_or_default();
        let counted = on_cpus.iter().map(|(_, number)| *number as f64).sum::<f64>();
        let without_slowing: f64 = on_cpus.iter().map(|(cpu, number)| *number as f64 / progress(*cpu)).sum();
        let more = if counted > 0.0 { without_slowing / counted } else { 1.0 };
        it.estimated = it.estimated.map(|Estimated { hits, variance }| {
            let between = (hits - counted).max(0.0);
            let doubt = DOUBT * (between * more - between);
            Estimated { hits: counted + between * more, variance: variance * more * more + doubt * doubt }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Ns;

    /// The estimate of a tracepoint that had 1,000 hits on the first of two CPUs, in visits of a tenth of a second.
    fn corrected(rung: Rung, busy: f64, more_ns: f64) -> Estimated {
        let estimated = Some(Estimated { hits: 10_000.0, variance: 100.0 });
        let mut partly = [Partly { tpid: Tpid::new(1), rung, watched: 0.1, estimated }];
        let slots = [0, 1].map(|cpu| Slot { tpid: Tpid::new(1), cpu: Some(Cpu::new(cpu)) });
        let (from, to, late_ns) = (Ns(0), Ns(1_000_000_000), 0);
        let tick = Tick { from, to, late_ns, slots: &slots, hits: &[1_000, 0], partly: &[], cost: None };
        // The other CPU is idle.
        correct(&mut partly, &tick, |cpu| Some(if cpu.get() == 0 { busy } else { 0.0 }), more_ns);
        partly[0].estimated.unwrap()
    }

    #[test]
    fn a_busy_cpu_is_slower_in_visits_and_an_idle_one_is_not() {
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
