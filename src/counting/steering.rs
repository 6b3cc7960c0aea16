//! Steers a count while it runs: makes the visits, computes the cost of each window, and moves tracepoints between rungs.

use super::budget::{Budget, RungChange, SeenHits};
use super::observer::{Observer, TimesOfCpus};
use super::visit_times::VisitTimes;
use crate::control::Progress;
use crate::engine::{Counting, HitCost, rename_ns};
use crate::events::{Partly, Rung, Tick, Tpid};
use crate::os::thread::cpu_time;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::io;
use std::iter;
use std::time::{Duration, Instant};

/// The cost of a hit is refined after this time.
const REFINE: Duration = Duration::from_secs(60);

/// The cost of a count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountCost {
    /// The cost of a hit at the start.
    pub at_start: HitCost,
    /// The cost of a hit at the end.
    pub at_end: HitCost,
    /// The estimated cost of the whole count, as a part of the time of all CPUs.
    pub part: f64,
    /// The estimated cost of the most expensive window.
    pub most: f64,
    /// The number of windows whose cost exceeded the budget.
    pub over: u64,
    /// How often a tracepoint moved to another rung.
    pub moves: u64,
}

/// The hits of each tracepoint in a window, counted or estimated.
fn seen(tick: &Tick<'_>) -> Vec<SeenHits> {
    let mut hits: BTreeMap<_, SeenHits> = BTreeMap::new();
    for (slot, number) in tick.slots.iter().zip(tick.hits) {
        let first = SeenHits { tpid: slot.tpid, hits: Some(0.0), rung: Rung::Counted };
        let seen = hits.entry(slot.tpid).or_insert(first);
        seen.hits = seen.hits.map(|hits| hits + *number as f64);
    }
    for partly in tick.partly {
        let estimated = partly.estimated.map(|estimated| estimated.hits);
        hits.insert(partly.tpid, SeenHits { tpid: partly.tpid, hits: estimated, rung: partly.rung });
    }
    hits.into_values().collect()
}

/// The state of the steering.
pub(super) struct Steering {
    budget: Budget,
    observer: Observer,
    times: VisitTimes,
    /// The part of the current window for visits.
    visited: f64,
    random: Rng,
    /// The CPU time at the begin of the window.
    cpu_before: Duration,
    /// The CPU time in the window that the next window need not take: that of visits and of moves.
    cpu_beside: Duration,
    /// The part of it that visits took.
    cpu_of_visits: Duration,
    /// The CPU time of a window without visits and moves, over the last windows.
    usual_cpu: Option<Duration>,
    at_start: HitCost,
    at_end: HitCost,
    /// The time of a rename when the count began, and when it was last measured.
    speed: Option<(f64, Instant)>,
    sum: f64,
    length: Duration,
    most: f64,
    over: u64,
    moves: u64,
    /// Whether events can be opened. If not, tracepoints are detached instead of visited.
    can_open: bool,
}

impl Steering {
    /// Steers a count on this many CPUs. `part` is the budget, if there is one.
    pub fn new(part: Option<f64>, cpus: usize, cost: HitCost) -> io::Result<Self> {
        Ok(Steering {
            budget: Budget::new(part, cpus, cost),
            observer: Observer::default(),
            times: VisitTimes::default(),
            visited: 0.0,
            random: Rng::new(),
            cpu_before: cpu_time()?,
            cpu_beside: Duration::ZERO,
            cpu_of_visits: Duration::ZERO,
            usual_cpu: None,
            at_start: cost,
            at_end: cost,
            speed: None,
            sum: 0.0,
            length: Duration::ZERO,
            most: 0.0,
            over: 0,
            moves: 0,
            can_open: true,
        })
    }

    /// Never visits these tracepoints.
    pub fn never_visit(&mut self, tpids: impl Iterator<Item = Tpid>) {
        self.budget.never_visit(tpids);
    }

    /// Takes over the tracepoints that an earlier run has moved.
    pub fn adopt<E: Counting>(&mut self, engine: &E) {
        engine.moved().into_iter().for_each(|(tpid, rung)| self.budget.adopt(tpid, rung));
    }

    /// When something is to be done within the window.
    pub fn next(&self) -> Option<Instant> {
        self.times.next()
    }

    /// Begins or ends a visit if it is time to.
    pub fn visit<E: Counting>(&mut self, engine: &mut E) -> io::Result<()> {
        while let Some(begins) = self.times.due(Instant::now()) {
            let before = cpu_time()?;
            if begins {
                engine.begin_visit()?
            } else {
                engine.end_visit()?
            }
            let took = cpu_time()?.saturating_sub(before);
            self.cpu_beside += took;
            self.cpu_of_visits += took;
        }
        Ok(())
    }

    /// Ends the visit that is under way, at the end of a window.
    pub fn end_visits<E: Counting>(&mut self, engine: &mut E) -> io::Result<()> {
        if self.times.stop() { engine.end_visit() } else { Ok(()) }
    }

    /// The tracepoints that were not counted in the whole window, with estimates that allow for the time that visits take.
    pub fn corrected(&mut self, tick: &Tick<'_>, times: TimesOfCpus) -> Vec<Partly> {
        let HitCost { counted_ns, off_ns, .. } = self.at_end;
        self.observer.corrected(tick, counted_ns - off_ns, times)
    }

    /// Takes the hits of a window. Returns its cost, and the changes for the next window; none unless tracepoints `can_move`.
    pub fn window(&mut self, tick: &Tick<'_>, can_move: bool) -> io::Result<(f64, Vec<RungChange>)> {
        // Without a budget, only the sum is needed, and a tick should cost little.
        let seen = self.budget.is_limited().then(|| seen(tick));
        let window = Duration::from_nanos(tick.to.since(tick.from));
        let now = cpu_time()?;
        let own = now.saturating_sub(self.cpu_before);
        (self.cpu_before, self.length) = (now, self.length + window);
        let cost = match &seen {
            Some(seen) => self.budget.cost.of_window(seen.iter().map(SeenHits::known), window, self.visited, own),
            None => {
                self.budget.cost.of_window(iter::once((tick.total() as f64, Rung::Counted)), window, self.visited, own)
            }
        };
        self.sum += cost * window.as_secs_f64();
        self.most = self.most.max(cost);
        self.over += u64::from(self.budget.is_exceeded_by(cost));
        let own = own.saturating_sub(std::mem::take(&mut self.cpu_beside));
        let usual = self.usual_cpu.map_or(own, |usual| (3 * usual + own) / 4);
        self.usual_cpu = Some(usual);
        let of_visits = std::mem::take(&mut self.cpu_of_visits);
        self.budget.visits_took(of_visits, window);
        let changes = match seen {
            Some(seen) if can_move => self.budget.decide(&seen, window, usual),
            _ => Vec::new(),
        };
        Ok((cost, changes))
    }

    /// Moves tracepoints.
    pub fn carry_out<E: Counting>(
        &mut self,
        engine: &mut E,
        changes: &[RungChange],
        progress: &mut dyn Progress,
    ) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let before = cpu_time()?;
        if changes.iter().any(|change| change.to == Rung::Visited) {
            self.observer.begin(E::cpu_times);
        }
        // Those to be detached come last: while the kernel detaches, nothing else can move.
        let (down, others): (Vec<RungChange>, _) = changes.iter().partition(|change| change.to == Rung::Detached);
        for RungChange { tpid, to } in others.iter().chain(&down) {
            let moved = match to {
                Rung::Visited if !self.can_open => engine.set_rung(*tpid, Rung::Detached),
                to => engine.set_rung(*tpid, *to),
            };
            match moved {
                Ok(()) => self.moves += 1,
                Err(error) if self.can_open && *to != Rung::Detached => {
                    self.can_open = false;
                    progress.note(&format!(
                        "the kernel opens no more events ({error}); to keep the budget, tp-perf detaches tracepoints instead of \
                         visiting them"
                    ));
                    if engine.rung(*tpid) == Rung::Counted {
                        engine.set_rung(*tpid, Rung::Detached)?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        engine.finish_moves()?;
        self.cpu_beside += cpu_time()?.saturating_sub(before);
        Ok(())
    }

    /// Begins a window of this length.
    pub fn begin_window(&mut self, begin: Instant, window: Duration) -> io::Result<()> {
        self.visited = self.budget.visited();
        self.times = VisitTimes::of(begin, window, self.visited, &mut self.random);
        self.refine()
    }

    /// Measures from time to time how fast the machine is now, compared with the start.
    fn refine(&mut self) -> io::Result<()> {
        // The first window is left alone: a short count would mostly measure its own speed.
        let is_due = !self.length.is_zero() && self.speed.is_none_or(|(_, at)| at.elapsed() >= REFINE);
        if !is_due || !self.at_start.measured {
            return Ok(());
        }
        let before = cpu_time()?;
        let now = rename_ns()?;
        self.cpu_beside += cpu_time()?.saturating_sub(before);
        let at_start = self.speed.map_or(now, |(at_start, _)| at_start);
        self.speed = Some((at_start, Instant::now()));
        // One slow moment is not a slow machine.
        let factor = (now / at_start).clamp(0.5, 2.0);
        let refined = |was: f64, first: f64| (was + first * factor) / 2.0;
        self.at_end = HitCost {
            counted_ns: refined(self.at_end.counted_ns, self.at_start.counted_ns),
            off_ns: refined(self.at_end.off_ns, self.at_start.off_ns),
            ..self.at_end
        };
        self.budget.cost.set_hit(self.at_end);
        Ok(())
    }

    /// The cost of the whole count.
    pub fn cost(&self) -> CountCost {
        CountCost {
            at_start: self.at_start,
            at_end: self.at_end,
            part: self.sum / self.length.as_secs_f64().max(1e-9),
            most: self.most,
            over: self.over,
            moves: self.moves,
        }
    }
}
