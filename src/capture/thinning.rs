//! Decides which tracepoints of a recording are thinned, so that the recording stays within a budget.
//!
//! The controller reads the counters four times a second. If the cost exceeds the budget, it thins the tracepoints that cost
//! most, and detaches the hottest only if thinning all of them is not enough. Thinned tracepoints return after a calm time, so
//! they do not move back and forth. A detached one does not return, because this process can open no more events.

use crate::engine::RecordCost;
use crate::events::Tpid;
use std::collections::BTreeMap;
use std::time::Duration;

/// The time between two readings of the counters.
pub(super) const EVERY: Duration = Duration::from_millis(250);
/// The periods of the rungs. They are prime, so that thinning keeps no step with hits that come in a pattern of two, four
/// or ten.
const PERIODS: [u64; 3] = [1, 17, 257];
/// The part of the budget up to which the controller plans. The next window may have more hits than the last one.
const PLANNED: f64 = 0.8;
/// A tracepoint returns only if the cost then stays below this part of the budget, by the largest of its recent rates.
const PLANNED_RETURN: f64 = 0.6;
/// A step that saves less than this part of the budget is not worth it.
const WORTH: f64 = 0.0002;
/// If thinning is not enough, a step that saves less than this part of the cost is not worth it.
const WORTH_IN_VAIN: f64 = 0.001;
/// After a change, tracepoints return only after this time.
const CALM: Duration = Duration::from_secs(10);
/// The most events that move at once, so that the rings are taken in time. A move of an event takes about 10 µs.
const MOST_EVENTS_MOVED: usize = 2_000;
/// If a tracepoint is thinned again soon after it returned, it waits longer before the next return, but no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// Tracepoints are detached only after so many windows in a row in which thinning was not enough.
const PATIENCE: u32 = 4;
/// The most tracepoints that are detached at once.
const MOST_DETACHED: usize = 32;
/// With so many samples in a window, the time to copy them shows what a sample costs.
const MANY_SAMPLES: f64 = 10_000.0;

/// The CPU time that tp-perf's own thread used in a window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OwnTime {
    /// To read the counters. It does not depend on the hits.
    pub reading: Duration,
    /// To copy samples from the rings.
    pub copying: Duration,
}

/// The controller.
#[derive(Debug)]
pub(super) struct Thinner {
    /// The budget in nanoseconds of each second, on all CPUs together.
    budget: f64,
    cost: RecordCost,
    /// The time in nanoseconds to copy a sample from a ring, as measured.
    copy_ns: f64,
    known: BTreeMap<Tpid, HitRate>,
    /// The most tracepoints that move at once.
    most_moves: usize,
    /// The time since the last change.
    calm: Duration,
    /// The number of windows in a row in which thinning was not enough.
    beyond: u32,
}

/// What the controller knows of a tracepoint.
#[derive(Debug, Clone, Copy)]
struct HitRate {
    /// The index of its period in [`PERIODS`]; `PERIODS.len()` if it is detached.
    rung: usize,
    /// Hits per second in the last window.
    rate: f64,
    /// The largest recent rate. It falls by a tenth each second.
    most: f64,
    /// How long it has been on its rung.
    since: Duration,
    /// How long it stays there before it returns.
    wait: Duration,
}

impl HitRate {
    fn is_detached(&self) -> bool {
        self.rung == PERIODS.len()
    }
}

/// The part of the hits that become samples; 0 if the tracepoint is detached.
fn samples_per_hit(rung: usize) -> f64 {
    PERIODS.get(rung).map_or(0.0, |period| 1.0 / *period as f64)
}

impl Thinner {
    /// A controller for the tracepoints that can be thinned. `part` is a part of the time of all CPUs, between 0 and 1.
    pub fn new(part: f64, cpus: usize, cost: RecordCost, tracepoints: impl IntoIterator<Item = Tpid>) -> Self {
        let new = HitRate { rung: 0, rate: 0.0, most: 0.0, since: Duration::ZERO, wait: CALM };
        let known = tracepoints.into_iter().map(|tpid| (tpid, new)).collect();
        Thinner {
            budget: part * cpus.max(1) as f64 * 1e9,
            cost,
            copy_ns: 0.0,
            known,
            most_moves: (MOST_EVENTS_MOVED / cpus.max(1)).max(MOST_DETACHED),
            calm: Duration::ZERO,
            beyond: 0,
        }
    }

    /// The samples that these hits become, roughly.
    pub fn samples_of(&self, hits: &BTreeMap<Tpid, u64>) -> f64 {
        hits.iter().map(|(tpid, hits)| *hits as f64 * samples_per_hit(self.rung(*tpid))).sum()
    }

    /// The cost of a window as a part of the budget. `hits` has the hits of each tracepoint, and `own` is the CPU time of
    /// tp-perf's own thread.
    pub fn cost_of(&self, hits: &BTreeMap<Tpid, u64>, window: Duration, own: Duration) -> f64 {
        let of_hits: f64 = hits.iter().map(|(tpid, hits)| *hits as f64 * self.in_kernel(self.rung(*tpid))).sum();
        (of_hits + own.as_nanos() as f64) / window.as_secs_f64().max(1e-9) / self.budget
    }

    /// Takes the hits of a window, and decides what changes: each tracepoint with its new period, or 0 to detach it.
    pub fn decide(&mut self, hits: &BTreeMap<Tpid, u64>, window: Duration, own: OwnTime) -> Vec<(Tpid, u64)> {
        let seconds = window.as_secs_f64().max(1e-9);
        let decay = 0.9f64.powf(seconds);
        for (tpid, known) in &mut self.known {
            known.rate = hits.get(tpid).copied().unwrap_or(0) as f64 / seconds;
            known.most = (known.most * decay).max(known.rate);
            known.since += window;
        }
        let samples = self.samples_of(hits);
        let copying = own.copying.as_nanos() as f64;
        // The first windows are short. Later ones read less often.
        let reading = own.reading.as_nanos() as f64 / window.max(EVERY).as_secs_f64();
        let fixed = reading + if samples < MANY_SAMPLES { copying / seconds } else { 0.0 };
        if samples >= MANY_SAMPLES {
            let measured = copying / samples;
            self.copy_ns = if self.copy_ns > 0.0 { (self.copy_ns + measured) / 2.0 } else { measured };
        }
        // What cannot be thinned costs too.
        let others = hits.iter().filter(|(tpid, _)| !self.known.contains_key(tpid));
        let others: f64 = others.map(|(_, hits)| *hits as f64 * self.per_hit(0)).sum();
        let allowed = self.budget - fixed - others / seconds;
        let before: BTreeMap<Tpid, usize> = self.known.iter().map(|(tpid, known)| (*tpid, known.rung)).collect();
        // If tp-perf's own work exceeds the budget, no tracepoint can help.
        if allowed > 0.0 {
            self.keep_within(allowed, window);
        }
        let moved = self.known.iter().filter(|(tpid, known)| before[tpid] != known.rung);
        let moved: Vec<_> = moved.map(|(tpid, known)| (*tpid, PERIODS.get(known.rung).copied().unwrap_or(0))).collect();
        if !moved.is_empty() {
            self.calm = Duration::ZERO;
        }
        moved
    }

    /// Moves tracepoints down if a window exceeded what is allowed, and up after a calm time.
    fn keep_within(&mut self, allowed: f64, window: Duration) {
        if self.planned(|known| known.rate) > allowed {
            self.thin(PLANNED * allowed);
            return;
        }
        self.beyond = 0;
        self.calm += window;
        if self.calm >= CALM {
            self.come_back(PLANNED_RETURN * allowed);
        }
    }

    fn rung(&self, tpid: Tpid) -> usize {
        self.known.get(&tpid).map_or(0, |known| known.rung)
    }

    /// The cost of a hit in nanoseconds, with the time to copy its sample.
    fn per_hit(&self, rung: usize) -> f64 {
        self.in_kernel(rung) + samples_per_hit(rung) * self.copy_ns
    }

    /// The cost of a hit in nanoseconds where it happens.
    fn in_kernel(&self, rung: usize) -> f64 {
        let RecordCost { recorded_ns, thinned_ns, .. } = self.cost;
        if rung == PERIODS.len() {
            0.0
        } else {
            thinned_ns + samples_per_hit(rung) * (recorded_ns - thinned_ns).max(0.0)
        }
    }

    /// The cost in nanoseconds of each second, by these rates.
    fn planned(&self, rate: impl Fn(&HitRate) -> f64) -> f64 {
        self.known.values().map(|known| rate(known) * self.per_hit(known.rung)).sum()
    }

    /// What a tracepoint saves in each second if it goes down by a rung.
    fn saved(&self, known: &HitRate) -> f64 {
        known.most * (self.per_hit(known.rung) - self.per_hit(known.rung + 1))
    }

    /// Moves the tracepoints down that save most, until the cost fits. The load may have phases, so the largest recent rates
    /// count.
    fn thin(&mut self, fits: f64) {
        let mut cost = self.planned(|known| known.most);
        let lowest: f64 =
            self.known.values().map(|known| known.most * self.per_hit(known.rung.max(PERIODS.len() - 1))).sum();
        // If thinning all is not enough, those with few hits are left alone.
        let least = if lowest > fits { WORTH_IN_VAIN * cost } else { WORTH * self.budget };
        let mut moves = 0;
        while cost > fits && moves < self.most_moves {
            let thinnable = self.known.iter().filter(|(_, known)| known.rung + 1 < PERIODS.len());
            let best = thinnable.map(|(tpid, known)| (*tpid, self.saved(known))).max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((tpid, saved)) = best.filter(|(_, saved)| *saved >= least) else { break };
            self.down(tpid);
            cost -= saved;
            moves += 1;
        }
        let is_enough = self.planned(|known| known.rate) <= fits / PLANNED || moves == self.most_moves;
        self.beyond = if is_enough { 0 } else { self.beyond + 1 };
        if self.beyond >= PATIENCE {
            self.detach(fits);
        }
    }

    /// Detaches the tracepoints that cost most now, until the cost fits.
    fn detach(&mut self, fits: f64) {
        let mut cost = self.planned(|known| known.rate);
        let costs = |(tpid, known): (&Tpid, &HitRate)| (*tpid, known.rate * self.per_hit(known.rung));
        let mut hottest: Vec<_> = self.known.iter().map(costs).collect();
        hottest.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (tpid, saved) in hottest.into_iter().take(MOST_DETACHED) {
            if cost <= fits {
                return;
            }
            cost -= saved;
            if let Some(known) = self.known.get_mut(&tpid) {
                (known.rung, known.since) = (PERIODS.len(), Duration::ZERO);
            }
        }
    }

    /// The numbers of tracepoints that are thinned, and that are detached.
    pub fn thinned_and_detached(&self) -> (u64, u64) {
        let detached = self.known.values().filter(|known| known.is_detached()).count() as u64;
        let below = self.known.values().filter(|known| known.rung > 0).count() as u64;
        (below - detached, detached)
    }

    fn down(&mut self, tpid: Tpid) {
        if let Some(known) = self.known.get_mut(&tpid) {
            // A tracepoint that returned and soon had to leave again waits longer.
            let soon = known.since < known.wait.saturating_mul(6);
            known.wait = if soon && known.wait > CALM { (known.wait * 2).min(LONGEST_WAIT) } else { CALM * 2 };
            (known.rung, known.since) = (known.rung + 1, Duration::ZERO);
        }
    }

    /// Moves the coldest thinned tracepoints up, as far as the cost surely fits.
    fn come_back(&mut self, fits: f64) {
        let thinned = self.known.iter().filter(|(_, known)| known.rung > 0 && !known.is_detached());
        let mut coldest: Vec<_> = thinned.map(|(tpid, known)| (*tpid, *known)).collect();
        coldest.sort_by(|a, b| a.1.most.total_cmp(&b.1.most));
        let mut cost = self.planned(|known| known.rate);
        let ready = coldest.into_iter().filter(|(_, known)| known.since >= known.wait);
        for (tpid, known) in ready.take(self.most_moves) {
            let with = |rung| cost + known.most * self.per_hit(rung) - known.rate * self.per_hit(known.rung);
            let Some(rung) = (0..known.rung).find(|rung| with(*rung) <= fits) else { return };
            cost = with(rung);
            if let Some(known) = self.known.get_mut(&tpid) {
                (known.rung, known.since) = (rung, Duration::ZERO);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: RecordCost = RecordCost { recorded_ns: 600.0, thinned_ns: 160.0, measured: true };
    const WINDOW: Duration = Duration::from_millis(250);

    /// A machine with two CPUs and these rates, and a recording on it.
    struct Machine {
        thinner: Thinner,
        moves: usize,
        /// The period of each tracepoint, as the kernel has it.
        periods: BTreeMap<Tpid, u64>,
    }

    impl Machine {
        fn new(part: f64, tracepoints: u32) -> Self {
            let tpids = (1..=tracepoints).map(Tpid::new);
            let periods = tpids.clone().map(|tpid| (tpid, 1)).collect();
            Machine { thinner: Thinner::new(part, 2, COST, tpids), moves: 0, periods }
        }

        /// A window with these rates. Returns its true cost, as a part of the budget.
        fn window(&mut self, rates: &[f64]) -> f64 {
            let samples: f64 = (1..)
                .map(Tpid::new)
                .zip(rates)
                .map(|(tpid, rate)| match self.periods[&tpid] {
                    0 => 0.0,
                    period => rate / 4.0 / period as f64,
                })
                .sum();
            // To copy a sample takes 50 ns.
            let own =
                OwnTime { reading: Duration::from_micros(500), copying: Duration::from_nanos(50 * samples as u64) };
            let own_ns = own.reading + own.copying;
            let period = |tpid: Tpid| self.periods[&tpid];
            let hits = (1..).map(Tpid::new).zip(rates);
            // Nobody sees the hits of a detached tracepoint.
            let hits = hits.filter(|(tpid, _)| period(*tpid) > 0);
            let hits: BTreeMap<_, _> = hits.map(|(tpid, rate)| (tpid, (rate / 4.0) as u64)).collect();
            let per_hit = |tpid| 160.0 + 440.0 / period(tpid) as f64;
            let cost: f64 = hits.iter().map(|(tpid, hits)| *hits as f64 * per_hit(*tpid)).sum();
            let cost = (cost + own_ns.as_nanos() as f64) / 0.25 / self.thinner.budget;
            let computed = self.thinner.cost_of(&hits, WINDOW, own_ns);
            assert!((cost - computed).abs() < 1e-9, "{cost} {computed}");
            let moves = self.thinner.decide(&hits, WINDOW, own);
            self.moves += moves.len();
            self.periods.extend(moves);
            cost
        }

        fn with(&self, period: impl Fn(u64) -> bool) -> usize {
            self.periods.values().filter(|it| period(**it)).count()
        }
    }

    /// A build: the ten hottest tracepoints make most of the hits.
    fn build() -> Vec<f64> {
        (0..300).map(|n| 190_000.0 * 0.7f64.powi(n) + 20.0).collect()
    }

    #[test]
    fn an_idle_machine_is_recorded_as_a_whole() {
        let mut machine = Machine::new(0.05, 300);
        assert!((0..100).all(|_| machine.window(&[100.0; 300]) < 1.0));
        assert_eq!(machine.moves, 0);
    }

    #[test]
    fn after_a_step_the_cost_is_within_the_budget_in_the_second_window() {
        let mut machine = Machine::new(0.1, 300);
        (0..20).for_each(|_| assert!(machine.window(&[5.0; 300]) < 1.0));
        assert!(machine.window(&build()) > 1.5);
        for window in 0..2_400 {
            let cost = machine.window(&build());
            assert!(cost <= 1.0, "in window {window}, the cost is {cost} times the budget");
        }
        assert!((1..25).contains(&machine.with(|period| period > 1)) && machine.with(|period| period == 0) == 0);
        assert!(machine.moves < 60, "{} moves in ten minutes of the same load", machine.moves);
    }

    #[test]
    fn when_the_load_ends_all_thinned_tracepoints_return() {
        let mut machine = Machine::new(0.1, 300);
        for _ in 0..8 {
            machine.window(&build());
        }
        assert!(machine.with(|period| period > 1) > 0);
        let windows = (0..2_000).find(|_| {
            assert!(machine.window(&[3.0; 300]) < 1.0);
            machine.with(|period| period != 1) == 0
        });
        // As the guide says: in half a minute.
        assert!(windows.unwrap() <= 4 * 30, "after {windows:?} windows");
    }

    #[test]
    fn what_costs_most_now_is_detached() {
        let mut machine = Machine::new(0.02, 40);
        let mut rates = vec![400.0; 40];
        rates[3] = 3_000_000.0;
        (0..3).for_each(|_| assert!(machine.window(&rates) > 1.0));
        // Another one is hot now, and no longer the first one.
        (rates[3], rates[5]) = (0.0, 2_000_000.0);
        (0..8).for_each(|_| assert!(machine.window(&rates) >= 0.0));
        let detached: Vec<_> =
            machine.periods.iter().filter(|(_, period)| **period == 0).map(|it| it.0.get()).collect();
        assert_eq!(detached, [6]);
    }

    #[test]
    fn a_short_first_window_is_enough_to_thin() {
        let mut thinner = Thinner::new(0.01, 2, COST, [Tpid::new(1)]);
        // Read so often, the counters would cost more than the budget.
        let own = OwnTime { reading: Duration::from_micros(1_200), copying: Duration::ZERO };
        let hits = BTreeMap::from([(Tpid::new(1), 20_000)]);
        assert_eq!(thinner.decide(&hits, Duration::from_millis(50), own), [(Tpid::new(1), 257)]);
    }

    #[test]
    fn few_tracepoints_move_at_once() {
        let mut machine = Machine::new(0.3, 3_000);
        let mut before = 0;
        for _ in 0..20 {
            machine.window(&vec![1_000.0; 3_000]);
            assert!(machine.moves - before <= MOST_EVENTS_MOVED / 2, "{} moves", machine.moves - before);
            before = machine.moves;
        }
        assert!(machine.moves > 2_000, "{} moves", machine.moves);
    }

    #[test]
    fn what_thinning_cannot_hold_is_detached_after_a_second() {
        let mut machine = Machine::new(0.02, 300);
        let costs: Vec<f64> = (0..40).map(|_| machine.window(&build())).collect();
        assert!(costs[2] > 1.0, "thinning alone is not enough");
        assert!(costs[8..].iter().all(|cost| *cost <= 1.0), "{costs:?}");
        let detached = machine.with(|period| period == 0);
        assert!((1..=MOST_DETACHED).contains(&detached), "{detached}");
        // The hottest ones, and no others.
        assert!((1..=detached).all(|tpid| machine.periods[&Tpid::new(tpid as u32)] == 0));
    }

    #[test]
    fn a_budget_below_the_own_cost_of_tp_perf_thins_nothing() {
        let mut machine = Machine::new(0.0005, 300);
        for _ in 0..40 {
            assert!(machine.window(&build()) > 1.0);
        }
        assert_eq!(machine.moves, 0);
    }

    #[test]
    fn a_short_storm_detaches_nothing() {
        let mut machine = Machine::new(0.02, 20);
        let mut storm = vec![400.0; 20];
        storm[7] = 2_000_000.0;
        for _ in 0..3 {
            machine.window(&storm);
        }
        for _ in 0..10 {
            machine.window(&[400.0; 20]);
        }
        assert_eq!(machine.with(|period| period == 0), 0);
        assert_eq!(machine.periods[&Tpid::new(8)], 257);
        assert_eq!(machine.with(|period| period == 1), 19, "the others are recorded all the time");
    }

    #[test]
    fn a_load_that_comes_and_goes_does_not_make_tracepoints_flap() {
        let mut machine = Machine::new(0.05, 300);
        let (busy, calm) = (build(), vec![5.0; 300]);
        for window in 0..4_800 {
            machine.window(if window / 28 % 2 == 0 { &busy } else { &calm });
        }
        assert!(machine.moves < 20 * 60, "{} moves in twenty minutes", machine.moves);
    }
}
