//! The cost of counting: hits on each rung, visits, and the work of tp-perf's own thread.

use crate::engine::HitCost;
use crate::events::Rung;
use std::time::Duration;

/// Visits in a second. More are more precise, and cost more.
pub(in crate::counting) const VISITS_PER_SECOND: u32 = 20;
/// The cost in nanoseconds of a tracepoint in a visit on one CPU: it goes on and off, and its counter is read. Measured on
/// Linux 6.18.
const MEMBER_NS: f64 = 1_500.0;

/// Computes the cost of counting on this machine.
#[derive(Debug)]
pub(in crate::counting) struct CostModel {
    cpus: f64,
    hit: HitCost,
    /// The measured cost of visits, divided by the planned cost.
    visits: f64,
}

impl CostModel {
    /// A model for this many CPUs, at least one, with this cost of a hit.
    pub fn new(cpus: usize, hit: HitCost) -> Self {
        CostModel { cpus: cpus.max(1) as f64, hit, visits: 1.0 }
    }

    /// Uses another cost of a hit from now on.
    pub fn set_hit(&mut self, hit: HitCost) {
        self.hit = hit;
    }

    /// The time of all CPUs in nanoseconds of each second.
    pub fn all_cpus(&self) -> f64 {
        self.cpus * 1e9
    }

    /// The cost of a hit in nanoseconds, if visits take the part `visited` of the time.
    pub fn of_hit(&self, rung: Rung, visited: f64) -> f64 {
        match rung {
            Rung::Counted => self.hit.counted_ns,
            Rung::Visited => self.hit.off_ns + visited * (self.hit.counted_ns - self.hit.off_ns),
            Rung::Detached => 0.0,
        }
    }

    /// Nanoseconds of each second that switching for visits takes on all CPUs.
    pub fn switching(&self) -> f64 {
        2.0 * f64::from(VISITS_PER_SECOND) * self.hit.switch_ns * self.cpus
    }

    /// Nanoseconds of each second that the visits of one tracepoint take on all CPUs, beside its hits.
    pub fn of_member(&self) -> f64 {
        f64::from(VISITS_PER_SECOND) * MEMBER_NS * self.cpus
    }

    /// Nanoseconds of each second that the visits of this many tracepoints take on all CPUs, beside their hits.
    pub fn of_visits(&self, members: usize) -> f64 {
        self.visits * self.planned_visits(members)
    }

    fn planned_visits(&self, members: usize) -> f64 {
        if members == 0 { 0.0 } else { self.switching() + members as f64 * self.of_member() }
    }

    /// Learns from the CPU time that the visits of this many tracepoints took in tp-perf's own thread in a window.
    pub fn learn_visits(&mut self, members: usize, own: Duration, window: Duration) {
        if members == 0 || own.is_zero() {
            return;
        }
        // Another CPU works for each interrupt too, about as long as this thread waits for it.
        let measured = 1.5 * own.as_nanos() as f64 / window.as_secs_f64().max(1e-9);
        self.visits = 0.7 * self.visits + 0.3 * (measured / self.planned_visits(members)).clamp(0.5, 10.0);
    }

    /// The cost of a window as a part of the time of all CPUs. Its hits have numbers and rungs, visits took the part
    /// `visited` of its time, and tp-perf's own thread ran for `own` in it.
    pub fn of_window(
        &self,
        hits: impl Iterator<Item = (f64, Rung)>,
        window: Duration,
        visited: f64,
        own: Duration,
    ) -> f64 {
        let seconds = window.as_secs_f64().max(1e-9);
        let of_hits: f64 = hits.map(|(hits, rung)| hits * self.of_hit(rung, visited)).sum();
        // The thread's own part of switching is in `own`.
        let switching = if visited > 0.0 { self.switching() / 2.0 * seconds } else { 0.0 };
        (of_hits + switching + own.as_nanos() as f64) / (seconds * self.all_cpus())
    }
}
