//! Computes the figures from the runs.

use super::comparison::{CompleteRound, Times};
use super::estimate::Estimate;
use super::measurement::{MeasuredRun, Overhead};
use super::{Arm, Way};
use crate::stats::upper_median;
use serde::Serialize;
use std::time::Duration;

/// The kernel counts the machine's busy time in hundredths of a second. A shorter busy time than this is too
/// inaccurate.
pub(super) const LEAST_FOR_MACHINE: Duration = Duration::from_secs(1);

/// All figures computed from the runs.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Rounds in which COMMAND has run under each arm. Any two arms have as many pairs of runs.
    pub pairs: usize,
    /// The figures of each way.
    pub ways: Vec<WayFigures>,
    /// The times with all events attached and off, compared with those with nothing attached. `None` if that was
    /// not measured.
    pub attached_off: Option<Times>,
    /// Other work while the events were attached and off, in CPUs.
    pub foreign_cpus: Option<f64>,
    /// The time that the cost of an event is computed from.
    pub cost_of: Cost,
}

/// The figures of one way of watching.
#[derive(Debug, Clone, Serialize)]
pub struct WayFigures {
    /// The way.
    pub way: Way,
    /// Its times, compared with those with all events attached and off.
    #[serde(flatten)]
    pub times: Times,
    /// Its times, compared with those with nothing attached. `None` if that was not measured.
    pub against_nothing: Option<Times>,
    /// The hits of all runs, lost ones included.
    pub events: u64,
    /// Lost events. `None` if the kernel does not report them.
    pub lost: Option<u64>,
    /// The number of tracepoints that the budget has detached. Later runs of a recording were without them.
    pub detached: u64,
    /// Hits per second of COMMAND's wall time.
    pub events_per_second: f64,
    /// The added CPU time per hit, in nanoseconds.
    pub cpu_ns_per_event: Option<Estimate>,
    /// The CPU time of tp-perf's own process per hit, in nanoseconds.
    pub own_cpu_ns_per_event: Option<f64>,
    /// The share of tp-perf's own process in the added CPU time. `None` if its time exceeds the added time,
    /// because COMMAND itself took less time with the events on.
    pub own_share: Option<f64>,
}

/// The CPU time that the cost of an event is computed from. Events come from the whole machine, so the time
/// of the whole machine is used where it is accurate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cost {
    /// The time of all CPUs, including tp-perf's process.
    Machine,
    /// The time of COMMAND and of tp-perf's process.
    Command,
}

/// Two arms, and their compared times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArmComparison<'a> {
    /// The arm to compare with.
    pub base: Arm,
    /// The other arm.
    pub arm: Arm,
    /// Their times.
    pub times: &'a Times,
}

impl Figures {
    /// The comparisons that are shown in full: each way with the events off, and that with nothing attached.
    pub(crate) fn comparisons(&self) -> Vec<ArmComparison<'_>> {
        let of_way = |way: &'_ WayFigures| (Arm::Off, Arm::On(way.way));
        let ways = self.ways.iter().map(|way| (of_way(way), &way.times));
        let off = self.attached_off.iter().map(|times| ((Arm::Nothing, Arm::Off), times));
        ways.chain(off).map(|((base, arm), times)| ArmComparison { base, arm, times }).collect()
    }
}

impl Overhead {
    /// Computes the figures.
    pub fn figures(&self) -> Figures {
        let rounds = CompleteRound::all(self);
        let is_busy = |run: &MeasuredRun| run.machine.is_some_and(|machine| machine >= LEAST_FOR_MACHINE);
        let machine_is_known = !rounds.is_empty() && rounds.iter().flat_map(CompleteRound::runs).all(is_busy);
        let cost_of = if machine_is_known { Cost::Machine } else { Cost::Command };
        let compare = |base, arm| Times::of(&rounds, base, arm, machine_is_known);
        let against_nothing = |arm| self.arms.contains(&Arm::Nothing).then(|| compare(Arm::Nothing, arm));
        let of_way = |arm: &Arm| {
            let Arm::On(way) = *arm else { return None };
            let times = compare(Arm::Off, *arm);
            Some(WayFigures::of(way, times, against_nothing(*arm), &rounds, cost_of))
        };
        Figures {
            pairs: rounds.len(),
            ways: self.arms.iter().filter_map(of_way).collect(),
            attached_off: against_nothing(Arm::Off),
            foreign_cpus: foreign_cpus(&rounds),
            cost_of,
        }
    }
}

impl WayFigures {
    fn of(way: Way, times: Times, against_nothing: Option<Times>, rounds: &[CompleteRound<'_>], cost_of: Cost) -> Self {
        let pairs = rounds.iter().filter_map(|round| {
            let with = round.of(Arm::On(way));
            Some((round.of(Arm::Off), with, with.hits?))
        });
        let pairs: Vec<_> = pairs.collect();
        let costs: Vec<(f64, u64)> = pairs
            .iter()
            .map(|(off, on, hits)| {
                let added = match cost_of {
                    Cost::Machine => {
                        on.machine.unwrap_or_default().as_secs_f64() - off.machine.unwrap_or_default().as_secs_f64()
                    }
                    Cost::Command => on.cpu.as_secs_f64() - off.cpu.as_secs_f64() + hits.own_cpu.as_secs_f64(),
                };
                (added, hits.events)
            })
            .collect();
        let per_event = |drawn: &[usize]| {
            let (cost, events) =
                drawn.iter().fold((0.0, 0), |(cost, events), index| (cost + costs[*index].0, events + costs[*index].1));
            1e9 * cost / events as f64
        };
        let events: u64 = costs.iter().map(|(_, events)| events).sum();
        let own: Duration = pairs.iter().map(|(.., hits)| hits.own_cpu).sum();
        let all_added: f64 = costs.iter().map(|(cost, _)| cost).sum();
        let wall: Duration = pairs.iter().map(|(_, on, _)| on.wall).sum();
        WayFigures {
            way,
            times,
            against_nothing,
            events,
            lost: pairs.iter().map(|(.., hits)| hits.lost).sum(),
            detached: pairs.iter().map(|(.., hits)| hits.detached).max().unwrap_or(0),
            events_per_second: if wall.is_zero() { 0.0 } else { events as f64 / wall.as_secs_f64() },
            cpu_ns_per_event: Estimate::of(costs.len(), per_event),
            own_cpu_ns_per_event: (events > 0).then(|| own.as_nanos() as f64 / events as f64),
            own_share: (all_added >= own.as_secs_f64() && all_added > 0.0).then(|| own.as_secs_f64() / all_added),
        }
    }
}

/// The median number of CPUs that were busy with work other than COMMAND, in runs with the events off. `None` if
/// the machine's busy time is unknown or a run is too short.
fn foreign_cpus(rounds: &[CompleteRound<'_>]) -> Option<f64> {
    let shares = rounds.iter().map(|round| {
        let off = round.of(Arm::Off);
        let foreign = off.machine?.saturating_sub(off.cpu);
        (off.wall >= LEAST_FOR_MACHINE).then(|| foreign.as_secs_f64() / off.wall.as_secs_f64())
    });
    upper_median(shares.collect::<Option<Vec<f64>>>()?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::os::cpus::Cpu;
    use crate::overhead::measurement::{SCHEMA, WatchedHits};
    use crate::overhead::{Claim, RunTimes};
    use crate::recording::Tool;

    /// Rounds of runs that took these milliseconds, one per arm. Each watched run has a million events, and 1 ms of
    /// tp-perf's own CPU time.
    pub fn overhead<const N: usize>(arms: [Arm; N], rounds: &[[u64; N]]) -> Overhead {
        let run = |round: usize, arm, milliseconds| MeasuredRun {
            round,
            arm,
            wall: Duration::from_millis(milliseconds),
            cpu: Duration::from_millis(2 * milliseconds),
            system: Duration::from_millis(milliseconds),
            machine: Some(Duration::from_millis(3 * milliseconds)),
            exit: 0,
            hits: matches!(arm, Arm::On(_)).then_some(WatchedHits {
                events: 1_000_000,
                lost: Some(if arm == Arm::On(Way::Record) { 10 } else { 0 }),
                detached: 0,
                own_cpu: Duration::from_millis(1),
            }),
        };
        let runs =
            (1..).zip(rounds).flat_map(|(round, of_arms)| arms.into_iter().zip(of_arms).map(move |of| (round, of)));
        Overhead {
            schema: SCHEMA,
            tool: Tool { name: "tp-perf".to_owned(), version: "test".to_owned() },
            kernel: "6.18".to_owned(),
            hostname: "here".to_owned(),
            command: vec!["make".to_owned(), "a|b".to_owned()],
            prepare: None,
            cpus: vec![Cpu::new(0), Cpu::new(1)],
            arms: arms.to_vec(),
            tracepoints: 1_568,
            not_counted: 0,
            refused: 0,
            ring_size: 8 << 20,
            clock: "monotonic".to_owned(),
            self_excluded: true,
            compress: false,
            started: "2026-11-25T00:00:00Z".to_owned(),
            pid: 1,
            rounds_asked: rounds.len(),
            warmup: 1,
            attach: Duration::from_millis(300),
            detach_expected: Duration::from_secs(57),
            detach: None,
            detach_waits: Vec::new(),
            attached_by_others: Vec::new(),
            runs: runs.map(|(round, (arm, milliseconds))| run(round, arm, *milliseconds)).collect(),
        }
    }

    /// The same for pairs of runs: (off, record).
    pub fn recorded(pairs: &[(u64, u64)]) -> Overhead {
        let pairs: Vec<_> = pairs.iter().map(|(off, on)| [*on, *off]).collect();
        overhead([Arm::On(Way::Record), Arm::Off], &pairs)
    }

    #[test]
    fn figures_are_made_of_pairs() {
        let figures =
            recorded(&[(2_000, 3_000), (4_000, 6_000), (3_000, 4_500), (1_000, 1_500), (2_500, 3_750)]).figures();
        let record = &figures.ways[0];
        assert_eq!((figures.pairs, record.events, record.lost), (5, 5_000_000, Some(50)));
        for comparison in [&record.times.wall, &record.times.cpu, &record.times.system, &record.times.machine] {
            let change = comparison.as_ref().unwrap().change;
            let (low, high) = change.interval.unwrap();
            assert!([change.value, low, high].iter().all(|change| (change - 0.5).abs() < 1e-9), "{change:?}");
        }
        let wall = record.times.wall.as_ref().unwrap();
        assert_eq!(wall.claim, Claim::Difference);
        let milliseconds = |times: RunTimes| [times.median, times.min, times.max].map(|time| time.as_millis());
        assert_eq!(
            (milliseconds(wall.without), milliseconds(wall.with)),
            ([2_500, 1_000, 4_000], [3_750, 1_500, 6_000])
        );
        // With recording, all CPUs were busy for 18.75 s longer, for 5 million events.
        let cost = record.cpu_ns_per_event.unwrap().value;
        assert!((cost - 3_750.0).abs() < 1e-6 && figures.cost_of == Cost::Machine, "{cost}");
        assert_eq!(record.own_cpu_ns_per_event, Some(1.0));
        assert!((record.own_share.unwrap() - 0.005 / 18.75).abs() < 1e-12);
        assert!((record.events_per_second - 5e6 / 18.75).abs() < 1e-6);
        assert!(figures.attached_off.is_none() && record.against_nothing.is_none());
    }

    #[test]
    fn each_way_is_compared_with_off_and_with_nothing() {
        let arms = [Arm::On(Way::Count), Arm::Nothing, Arm::On(Way::Record), Arm::Off];
        let figures = overhead(arms, &[[2_200, 1_600, 3_000, 2_000]; 5]).figures();
        let change = |times: &Times| times.cpu.as_ref().unwrap().change.value;
        let near = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
        let [count, record] = &figures.ways[..] else { panic!("{:?}", figures.ways) };
        assert_eq!((count.way, record.way), (Way::Count, Way::Record));
        near(change(&count.times), 0.1);
        near(change(&record.times), 0.5);
        near(change(figures.attached_off.as_ref().unwrap()), 0.25);
        near(change(count.against_nothing.as_ref().unwrap()), 0.375);
        near(change(record.against_nothing.as_ref().unwrap()), 0.875);
        // All CPUs were busy for 0.6 s longer in each run that counted, for a million hits.
        near(count.cpu_ns_per_event.unwrap().value, 600.0);
        assert_eq!((count.lost, record.lost), (Some(0), Some(50)));
        let shown: Vec<_> = figures.comparisons().iter().map(|these| (these.base, these.arm)).collect();
        let off = Arm::Off;
        assert_eq!(shown, [(off, Arm::On(Way::Count)), (off, Arm::On(Way::Record)), (Arm::Nothing, off)]);
    }

    #[test]
    fn a_round_without_all_its_runs_is_none() {
        let arms = [Arm::Off, Arm::On(Way::Record), Arm::On(Way::Count)];
        let mut stopped = overhead(arms, &[[2_000, 3_000, 2_200], [2_000, 8_000, 8_000]]);
        stopped.runs.pop();
        let figures = stopped.figures();
        assert_eq!((figures.pairs, figures.ways[0].events), (1, 1_000_000));
        assert!((figures.ways[0].times.wall.as_ref().unwrap().change.value - 0.5).abs() < 1e-9);
    }

    #[test]
    fn short_runs_say_nothing_of_the_machine() {
        let mut short = recorded(&[(300, 400)]);
        let figures = short.figures();
        // COMMAND's CPU time grew by 0.2 s, and tp-perf's own was 1 ms, for a million events.
        let record = &figures.ways[0];
        assert!((record.cpu_ns_per_event.unwrap().value - 201.0).abs() < 1e-6 && figures.cost_of == Cost::Command);
        assert!(record.times.machine.is_none() && figures.foreign_cpus.is_none());
        assert_eq!(record.times.wall.as_ref().unwrap().claim, Claim::TooFewPairs);
        short.runs.clear();
        let none = &short.figures().ways[0];
        assert!(none.times.wall.is_none() && none.cpu_ns_per_event.is_none() && none.events == 0);
    }

    #[test]
    fn no_event_and_no_cpu_time_give_no_figure_and_no_panic() {
        let mut overhead = recorded(&[(1_000, 1_000); 5]);
        for run in &mut overhead.runs {
            (run.cpu, run.system, run.machine) = (Duration::ZERO, Duration::ZERO, None);
            if let Some(hits) = &mut run.hits {
                (hits.events, hits.lost, hits.own_cpu) = (0, None, Duration::ZERO);
            }
        }
        let figures = overhead.figures();
        let record = &figures.ways[0];
        assert!(record.times.cpu.is_none() && record.cpu_ns_per_event.is_none() && record.own_share.is_none());
        assert_eq!(record.lost, None);
        assert_eq!(record.times.wall.as_ref().unwrap().claim, Claim::NoDifference);
    }

    #[test]
    fn work_of_others_is_told_apart() {
        assert_eq!(recorded(&[(2_000, 3_000)]).figures().foreign_cpus, Some(1.0));
    }
}
