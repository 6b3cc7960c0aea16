//! Decides how closely each tracepoint is watched, so that counting stays within a budget.
//!
//! After each window, the controller computes the cost of that window from the hits of each tracepoint and the cost of a
//! hit. If the cost exceeds the budget, the tracepoints with the most hits become *visited*: they are counted in short
//! visits at random times. If that is not enough, the hottest are *detached*. Tracepoints return slowly, so they do not
//! move back and forth.

mod cost;

pub(super) use cost::VISITS_PER_SECOND;

use crate::engine::{HitCost, MOST_MEMBERS};
use crate::events::{Rung, Tpid};
use cost::CostModel;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most and the least part of the time for visits. Visits of more than half of the time would cost nearly as much as
/// counting.
const MOST_VISITED: f64 = 0.5;
const LEAST_VISITED: f64 = 0.01;
/// A tracepoint is visited only if that saves so many times the cost of its visits.
const WORTH: f64 = 4.0;
/// The part of the time for visits with which the controller plans. What remains of the budget makes it longer.
const PLANNED_VISITED: f64 = 0.05;
/// The part of the budget up to which the controller plans. The next window may have more hits than the last one.
const PLANNED: f64 = 0.8;
/// Hits may always cost this part of what tp-perf's own ticks cost.
const LEAST_OF_OWN: f64 = 0.25;
/// A tracepoint returns only if the cost then stays below this part of the budget, by the largest of its recent rates.
const PLANNED_RETURN: f64 = 0.6;
/// After a change, tracepoints return only after this time.
const CALM: Duration = Duration::from_secs(10);
/// The most tracepoints that return at once.
const MOST_RETURNS: usize = 4;
/// The most tracepoints that are detached at once. The kernel needs a moment for each, and nothing else can move meanwhile.
const MOST_DETACHED: usize = 8;
/// If a tracepoint leaves again soon after it returned, it waits longer before the next return, but no longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// A detached tracepoint whose last rate would cost too much is tried again after this time, and only one in this time.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// What the controller knows of a tracepoint.
#[derive(Debug, Clone, Copy)]
struct KnownRate {
    rung: Rung,
    /// Hits per second in the last window; of a detached tracepoint, in the last window in which it was watched.
    rate: f64,
    /// The largest recent rate. It falls by a tenth each second.
    most: f64,
    /// How long it has been on its rung.
    since: Duration,
    /// How long it stays away before it returns.
    wait: Duration,
    /// The rate of all others when it was detached.
    others: f64,
}

impl KnownRate {
    /// A tracepoint on this rung whose rate nobody knows yet.
    fn on(rung: Rung) -> Self {
        KnownRate { rung, rate: 0.0, most: 0.0, since: Duration::ZERO, wait: CALM, others: 0.0 }
    }
}

/// A tracepoint to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RungChange {
    /// The tracepoint.
    pub tpid: Tpid,
    /// The rung to move it to.
    pub to: Rung,
}

/// The hits of a tracepoint in a window, as the engine counted or estimated them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SeenHits {
    /// The tracepoint.
    pub tpid: Tpid,
    /// Its hits; `None` if it was detached.
    pub hits: Option<f64>,
    /// How closely it was watched.
    pub rung: Rung,
}

impl SeenHits {
    /// Its hits, 0 if it was detached, and its rung.
    pub fn known(&self) -> (f64, Rung) {
        (self.hits.unwrap_or(0.0), self.rung)
    }
}

/// The controller.
#[derive(Debug)]
pub(super) struct Budget {
    /// The part of the time of all CPUs that counting may take; infinite without a budget.
    part: f64,
    /// What counting costs.
    pub cost: CostModel,
    known: BTreeMap<Tpid, KnownRate>,
    /// The tracepoints that visits themselves hit, so visits cannot estimate their hits.
    disturbed: BTreeSet<Tpid>,
    /// The part of the time for visits.
    visited: f64,
    /// How long the cost has been calm.
    calm: Duration,
    /// The time since the last trial of a detached tracepoint.
    since_trial: Duration,
}

impl Budget {
    /// A controller for this many CPUs. `part` is a part of the time of all of them, between 0 and 1. Without it, the
    /// controller only computes costs.
    pub fn new(part: Option<f64>, cpus: usize, cost: HitCost) -> Self {
        Budget {
            part: part.unwrap_or(f64::INFINITY),
            cost: CostModel::new(cpus, cost),
            known: BTreeMap::new(),
            disturbed: BTreeSet::new(),
            visited: PLANNED_VISITED,
            calm: Duration::ZERO,
            since_trial: Duration::ZERO,
        }
    }

    /// Whether there is a limit. Without one, all tracepoints are counted.
    pub fn is_limited(&self) -> bool {
        self.part.is_finite()
    }

    /// Whether a window of this cost exceeds the budget.
    pub fn is_exceeded_by(&self, cost: f64) -> bool {
        cost > self.part
    }

    /// Takes over a tracepoint that an earlier run has moved.
    pub fn adopt(&mut self, tpid: Tpid, rung: Rung) {
        self.known.insert(tpid, KnownRate::on(rung));
    }

    /// Learns from the CPU time that the visits of a window took in tp-perf's own thread.
    pub fn visits_took(&mut self, own: Duration, window: Duration) {
        self.cost.learn_visits(self.on(Rung::Visited), own, window);
    }

    /// Never visits these tracepoints.
    pub fn never_visit(&mut self, tpids: impl Iterator<Item = Tpid>) {
        self.disturbed.extend(tpids);
    }

    /// The part of the time for visits; 0 if no tracepoint is visited.
    pub fn visited(&self) -> f64 {
        if self.on(Rung::Visited) > 0 { self.visited } else { 0.0 }
    }

    /// The number of tracepoints on this rung.
    fn on(&self, rung: Rung) -> usize {
        self.known.values().filter(|known| known.rung == rung).count()
    }

    /// Takes the hits of a window, and decides what changes for the next one. `own` is the CPU time of tp-perf's own
    /// thread in the window without its visits.
    pub fn decide(&mut self, seen: &[SeenHits], window: Duration, own: Duration) -> Vec<RungChange> {
        let seconds = window.as_secs_f64().max(1e-9);
        let decay = 0.9f64.powf(seconds);
        for seen in seen {
            let known = self.known.entry(seen.tpid).or_insert_with(|| KnownRate::on(seen.rung));
            known.rung = seen.rung;
            known.since += window;
            if let Some(hits) = seen.hits {
                known.rate = hits / seconds;
                known.most = (known.most * decay).max(known.rate);
            }
        }
        let own = own.as_nanos() as f64 / seconds;
        // If tp-perf's own ticks exceed the budget, the cost of hits should at least be small beside them.
        let allowed = (self.part * self.cost.all_cpus() - own).max(LEAST_OF_OWN * own);
        self.since_trial += window;
        let mut moves = self.leave(allowed);
        if moves.is_empty() {
            self.calm += window;
            if self.calm >= CALM {
                moves = self.come_back(allowed);
            }
        }
        if !moves.is_empty() {
            self.calm = Duration::ZERO;
        }
        self.visited = self.longest_visits(allowed);
        moves
    }

    /// The cost in nanoseconds of each second, if visits take this part of the time. `rate` is the rate that counts.
    fn planned(&self, visited: f64, rate: impl Fn(&KnownRate) -> f64) -> f64 {
        let hits: f64 = self.known.values().map(|known| rate(known) * self.cost.of_hit(known.rung, visited)).sum();
        hits + self.cost.of_visits(self.on(Rung::Visited))
    }

    /// The rate of all tracepoints that are watched.
    fn watched_rate(&self) -> f64 {
        self.known.values().filter(|known| known.rung != Rung::Detached).map(|known| known.rate).sum()
    }

    fn set(&mut self, tpid: Tpid, to: Rung) -> RungChange {
        let others = self.watched_rate();
        if let Some(known) = self.known.get_mut(&tpid) {
            // A tracepoint that returned and soon had to leave again waits longer.
            let soon = known.since < known.wait.saturating_mul(6);
            if to > known.rung {
                known.wait = if soon && known.wait > CALM { (known.wait * 2).min(LONGEST_WAIT) } else { CALM * 2 };
            }
            if to == Rung::Detached {
                known.others = (others - known.rate).max(0.0);
            }
            (known.rung, known.since) = (to, Duration::ZERO);
        }
        RungChange { tpid, to }
    }

    /// The tracepoints of a rung, the most hits first.
    fn hottest(&self, rung: Rung) -> Vec<Tpid> {
        let mut of_rung: Vec<_> = self.known.iter().filter(|(_, known)| known.rung == rung).collect();
        of_rung.sort_by(|(_, one), (_, other)| other.rate.total_cmp(&one.rate));
        of_rung.into_iter().map(|(tpid, _)| *tpid).collect()
    }

    /// Moves the hottest tracepoints down until the cost fits.
    fn leave(&mut self, allowed: f64) -> Vec<RungChange> {
        let now = |known: &KnownRate| known.rate;
        if self.planned(LEAST_VISITED, now) <= allowed && self.planned(self.visited, now) <= allowed {
            return Vec::new();
        }
        let before = self.known.clone();
        let mut moves = Vec::new();
        let fits = |budget: &Self, visited| budget.planned(visited, now) <= PLANNED * allowed;
        let counted = self.hottest(Rung::Counted);
        for tpid in counted {
            if fits(self, PLANNED_VISITED) {
                return moves;
            }
            let rate = self.known.get(&tpid).map_or(0.0, |known| known.rate);
            let visited = self.on(Rung::Visited);
            let first = if visited == 0 { self.cost.switching() } else { 0.0 };
            let saved = rate * (self.cost.of_hit(Rung::Counted, 0.0) - self.cost.of_hit(Rung::Visited, 0.0));
            if saved < WORTH * self.cost.of_member() + first || visited >= MOST_MEMBERS {
                break;
            }
            if !self.disturbed.contains(&tpid) {
                moves.push(self.set(tpid, Rung::Visited));
            }
        }
        let mut hot = self.hottest(Rung::Visited);
        hot.extend(self.hottest(Rung::Counted));
        let rate = |tpid: &Tpid| self.known.get(tpid).map_or(0.0, |known| known.rate);
        hot.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
        for tpid in hot {
            let detached = moves.iter().filter(|it| it.to == Rung::Detached).count();
            let is_silent = self.known.get(&tpid).is_none_or(|known| known.rate <= 0.0);
            if fits(self, LEAST_VISITED) || detached >= MOST_DETACHED || is_silent {
                break;
            }
            moves.retain(|it| it.tpid != tpid);
            moves.push(self.set(tpid, Rung::Detached));
        }
        // Without the hottest, others may fit as they were.
        for RungChange { tpid, to } in moves.clone().into_iter().rev().filter(|it| it.to == Rung::Visited) {
            let visited = self.known.insert(tpid, before[&tpid]);
            if fits(self, PLANNED_VISITED) {
                moves.retain(|it| it.tpid != tpid);
            } else if let Some(visited) = visited {
                debug_assert_eq!(visited.rung, to);
                self.known.insert(tpid, visited);
                break;
            }
        }
        moves
    }

    /// Moves tracepoints up, as far as the cost surely fits.
    fn come_back(&mut self, allowed: f64) -> Vec<RungChange> {
        // Nobody knows the rate of a detached tracepoint. The others show how much less happens now.
        let watched = self.watched_rate();
        let most_rate = |known: &KnownRate| match known.rung {
            Rung::Detached => known.most * (watched / known.others.max(1.0)).min(1.0),
            _ => known.most,
        };
        let mut moves = Vec::new();
        for from in [Rung::Visited, Rung::Detached] {
            let mut coldest = self.hottest(from);
            coldest.reverse();
            for tpid in coldest {
                let Some(known) = self.known.get(&tpid).copied() else { continue };
                if known.since < known.wait || moves.len() >= MOST_RETURNS {
                    continue;
                }
                let expected = most_rate(&known);
                // A tiny budget cannot afford visits at all.
                let upward: &[Rung] = match from == Rung::Visited || self.disturbed.contains(&tpid) {
                    true => &[Rung::Counted],
                    false => &[Rung::Counted, Rung::Visited],
                };
                let fitting = upward.iter().find(|to| self.fits_there(tpid, **to, expected, allowed)).copied();
                // If the expected rate does not fit, only a trial shows the true one.
                let is_due = known.since >= TRY_AGAIN && self.since_trial >= TRY_AGAIN;
                let is_trial = fitting.is_none() && from == Rung::Detached && is_due;
                let to = match (fitting, is_trial, upward.last()) {
                    (Some(to), ..) => to,
                    (None, true, Some(to)) => *to,
                    _ => break,
                };
                moves.push(self.set(tpid, to));
                if is_trial {
                    self.since_trial = Duration::ZERO;
                    break;
                }
                if let Some(known) = self.known.get_mut(&tpid) {
                    (known.rate, known.most) = (expected.min(known.rate), expected);
                }
            }
        }
        moves
    }

    /// Whether the cost surely stays within what is allowed if a tracepoint moves to this rung, with this rate.
    fn fits_there(&mut self, tpid: Tpid, to: Rung, rate: f64, allowed: f64) -> bool {
        let Some(before) = self.known.get(&tpid).copied() else { return false };
        self.known.insert(tpid, KnownRate { rung: to, rate, most: rate, ..before });
        let cost = self.planned(PLANNED_VISITED, |known| if known.rung == to { known.most } else { known.rate });
        self.known.insert(tpid, before);
        cost <= PLANNED_RETURN * allowed
    }

    /// The part of the time for visits that the budget allows.
    fn longest_visits(&self, allowed: f64) -> f64 {
        let (none, all) = (self.planned(0.0, |known| known.rate), self.planned(1.0, |known| known.rate));
        let per_part = all - none;
        if per_part <= 0.0 {
            return MOST_VISITED;
        }
        ((PLANNED * allowed - none) / per_part).clamp(LEAST_VISITED, MOST_VISITED)
    }
}

#[cfg(test)]
mod tests;
