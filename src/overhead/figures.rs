//! Computes the figures from the runs.

use super::estimate::{Claim, Estimate};
use crate::os::cpus::Cpu;
use crate::recording::Tool;
use crate::stats::{median, upper_median};
use crate::units::nanoseconds;
use serde::{Serialize, Serializer};
use std::time::Duration;

/// The version of the JSON form. It grows when a field changes its meaning or is removed.
pub const SCHEMA: u32 = 1;

/// The kernel counts the machine's busy time in hundredths of a second. A shorter busy time than this is too
/// inaccurate.
pub(super) const LEAST_FOR_MACHINE: Duration = Duration::from_secs(1);

/// A measurement: its conditions and its runs. Its serialized form is the JSON form, with durations in
/// nanoseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Overhead {
    /// The version of the JSON form.
    pub schema: u32,
    /// The tool that measured.
    pub tool: Tool,
    /// The release of the kernel.
    pub kernel: String,
    /// The name of the machine.
    pub hostname: String,
    /// COMMAND and its arguments.
    pub command: Vec<String>,
    /// The program that ran before each run.
    pub prepare: Option<String>,
    /// The captured CPUs.
    pub cpus: Vec<Cpu>,
    /// The number of attached tracepoints.
    pub tracepoints: usize,
    /// The number of tracepoints that the kernel refused to attach.
    pub refused: usize,
    /// The size of each CPU's ring in bytes.
    pub ring_size: usize,
    /// The clock of the timestamps.
    pub clock: String,
    /// Whether tp-perf's own events were excluded.
    pub self_excluded: bool,
    /// Whether events are compressed before they are written to the file.
    pub compress: bool,
    /// The time at which it began, in RFC 3339.
    pub started: String,
    /// The process ID of tp-perf.
    pub pid: u32,
    /// The number of pairs that the user asked for.
    pub pairs_asked: usize,
    /// Uncounted runs before the first pair.
    pub warmup: usize,
    /// The time that attaching took. No figure includes it.
    #[serde(rename = "attach_ns", serialize_with = "as_nanoseconds")]
    pub attach: Duration,
    /// The expected time of the detach.
    #[serde(rename = "detach_expected_ns", serialize_with = "as_nanoseconds")]
    pub detach_expected: Duration,
    /// The time of the detach, if tp-perf waited for it.
    #[serde(rename = "detach_ns", serialize_with = "as_nanoseconds_if_any")]
    pub detach: Option<Duration>,
    /// All runs that count, in the order in which they ran.
    pub runs: Vec<MeasuredRun>,
}

/// One run of COMMAND.
#[derive(Debug, Clone, Serialize)]
pub struct MeasuredRun {
    /// The number of its pair, starting at 1.
    pub pair: usize,
    /// Whether the events were enabled.
    pub captured: bool,
    /// The time from its start to its end.
    #[serde(rename = "wall_ns", serialize_with = "as_nanoseconds")]
    pub wall: Duration,
    /// The CPU time of COMMAND and of all descendants that were waited for, user and system together.
    #[serde(rename = "cpu_ns", serialize_with = "as_nanoseconds")]
    pub cpu: Duration,
    /// The system part of that time.
    #[serde(rename = "system_ns", serialize_with = "as_nanoseconds")]
    pub system: Duration,
    /// The busy time of all CPUs together, from all causes. `None` if the kernel does not report it.
    #[serde(rename = "machine_ns", serialize_with = "as_nanoseconds_if_any")]
    pub machine: Option<Duration>,
    /// COMMAND's exit code.
    pub exit: i32,
    /// The events of a run with capturing.
    #[serde(flatten)]
    pub events: Option<CapturedEvents>,
}

/// The events of one captured run.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct CapturedEvents {
    /// Recorded and lost events together.
    pub events: u64,
    /// Events lost because a ring was full. `None` if the kernel does not report them (before Linux 6.0).
    pub lost: Option<u64>,
    /// The CPU time of tp-perf's own process while the events were enabled, without the time to start
    /// COMMAND.
    #[serde(rename = "own_cpu_ns", serialize_with = "as_nanoseconds")]
    pub own_cpu: Duration,
}

/// One kind of time, compared between runs without and with capturing.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Without capturing.
    pub without: RunTimes,
    /// With capturing.
    pub with: RunTimes,
    /// The relative change: 0.1 for an increase by a tenth. It is the geometric mean of the ratios of all
    /// pairs, minus 1.
    pub change: Estimate,
    /// What the change's interval says about it.
    #[serde(rename = "verdict")]
    pub claim: Claim,
}

/// The median and the range of some runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RunTimes {
    /// The median.
    #[serde(rename = "median_ns", serialize_with = "as_nanoseconds")]
    pub median: Duration,
    /// The shortest.
    #[serde(rename = "min_ns", serialize_with = "as_nanoseconds")]
    pub min: Duration,
    /// The longest.
    #[serde(rename = "max_ns", serialize_with = "as_nanoseconds")]
    pub max: Duration,
}

impl RunTimes {
    fn of(times: &[Duration]) -> Option<Self> {
        let (min, max) = (*times.iter().min()?, *times.iter().max()?);
        Some(RunTimes { median: median(times.iter().copied())?, min, max })
    }

    /// The width of the range, relative to the median.
    pub fn width(&self) -> f64 {
        (self.max - self.min).as_secs_f64() / self.median.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// All figures computed from the runs.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Pairs whose two runs both finished.
    pub pairs: usize,
    /// The wall time of COMMAND.
    pub wall: Option<Comparison>,
    /// The CPU time of COMMAND.
    pub cpu: Option<Comparison>,
    /// The busy time of all CPUs. `None` if a run is too short for it.
    pub machine: Option<Comparison>,
    /// The events of all captured runs, lost ones included.
    pub events: u64,
    /// Lost events. `None` if the kernel does not report them.
    pub lost: Option<u64>,
    /// Events per second of COMMAND's wall time.
    pub events_per_second: f64,
    /// Other work while nothing was captured, in CPUs.
    pub foreign_cpus: Option<f64>,
    /// The time that the cost of an event is computed from.
    pub cost_of: Cost,
    /// The added CPU time per event, in nanoseconds.
    pub cpu_ns_per_event: Option<Estimate>,
    /// The CPU time of tp-perf's own process per event, in nanoseconds.
    pub own_cpu_ns_per_event: Option<f64>,
    /// The share of tp-perf's own process in the added CPU time. `None` if its time exceeds the added time,
    /// because COMMAND itself took less time with capturing.
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

impl Overhead {
    /// The runs of each complete pair: without and with capturing.
    fn pairs(&self) -> Vec<(&MeasuredRun, &MeasuredRun, CapturedEvents)> {
        let of = |pair: usize, captured| self.runs.iter().find(|run| (run.pair, run.captured) == (pair, captured));
        (1..=self.pairs_asked)
            .filter_map(|pair| {
                let with = of(pair, true)?;
                Some((of(pair, false)?, with, with.events?))
            })
            .collect()
    }

    /// Computes the figures.
    pub fn figures(&self) -> Figures {
        let pairs = self.pairs();
        let compare = |time: &dyn Fn(&MeasuredRun) -> Option<Duration>| -> Option<Comparison> {
            let both = |(without, with, _): &(&MeasuredRun, &MeasuredRun, _)| Some((time(without)?, time(with)?));
            let times: Vec<_> = pairs.iter().map(both).collect::<Option<_>>()?;
            let logs: Vec<f64> =
                times.iter().map(|(without, with)| (with.as_secs_f64() / without.as_secs_f64()).ln()).collect();
            let change =
                |drawn: &[usize]| (drawn.iter().map(|index| logs[*index]).sum::<f64>() / drawn.len() as f64).exp_m1();
            let change = Estimate::of(logs.len(), change)?;
            let (without, with): (Vec<_>, Vec<_>) = times.into_iter().unzip();
            let (without, with) = (RunTimes::of(&without)?, RunTimes::of(&with)?);
            Some(Comparison { without, with, change, claim: change.claim() })
        };

        let is_busy = |run: &MeasuredRun| run.machine.is_some_and(|machine| machine >= LEAST_FOR_MACHINE);
        let machine_is_known =
            !pairs.is_empty() && pairs.iter().all(|(without, with, _)| is_busy(without) && is_busy(with));
        let cost_of = if machine_is_known { Cost::Machine } else { Cost::Command };
        let added = |(without, with, captured): &(&MeasuredRun, &MeasuredRun, CapturedEvents)| match cost_of {
            Cost::Machine => {
                with.machine.unwrap_or_default().as_secs_f64() - without.machine.unwrap_or_default().as_secs_f64()
            }
            Cost::Command => with.cpu.as_secs_f64() - without.cpu.as_secs_f64() + captured.own_cpu.as_secs_f64(),
        };
        let costs: Vec<(f64, u64)> = pairs.iter().map(|pair| (added(pair), pair.2.events)).collect();
        let per_event = |drawn: &[usize]| {
            let (cost, events) =
                drawn.iter().fold((0.0, 0), |(cost, events), index| (cost + costs[*index].0, events + costs[*index].1));
            1e9 * cost / events as f64
        };
        let events: u64 = costs.iter().map(|(_, events)| events).sum();
        let own: Duration = pairs.iter().map(|(.., captured)| captured.own_cpu).sum();
        let all_added: f64 = costs.iter().map(|(cost, _)| cost).sum();
        let wall: Duration = pairs.iter().map(|(_, with, _)| with.wall).sum();
        Figures {
            pairs: pairs.len(),
            wall: compare(&|run| Some(run.wall)),
            cpu: compare(&|run| Some(run.cpu)),
            machine: if machine_is_known { compare(&|run| run.machine) } else { None },
            events,
            lost: pairs.iter().map(|(.., captured)| captured.lost).sum(),
            events_per_second: if wall.is_zero() { 0.0 } else { events as f64 / wall.as_secs_f64() },
            foreign_cpus: self.foreign_cpus(),
            cost_of,
            cpu_ns_per_event: Estimate::of(costs.len(), per_event),
            own_cpu_ns_per_event: (events > 0).then(|| own.as_nanos() as f64 / events as f64),
            own_share: (all_added >= own.as_secs_f64() && all_added > 0.0).then(|| own.as_secs_f64() / all_added),
        }
    }

    /// The median number of CPUs that were busy with work other than COMMAND, in runs without capturing.
    /// `None` if the machine's busy time is unknown or a run is too short.
    pub fn foreign_cpus(&self) -> Option<f64> {
        let runs = self.pairs();
        let shares = runs.iter().map(|(without, ..)| {
            let foreign = without.machine?.saturating_sub(without.cpu);
            (without.wall >= LEAST_FOR_MACHINE).then(|| foreign.as_secs_f64() / without.wall.as_secs_f64())
        });
        upper_median(shares.collect::<Option<Vec<f64>>>()?)
    }
}

fn as_nanoseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(nanoseconds(*duration))
}

fn as_nanoseconds_if_any<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(nanoseconds).serialize(serializer)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Pairs of runs that took these milliseconds (without, with). Each captured run has a million events,
    /// and 1 ms of tp-perf's own CPU time.
    pub fn overhead(pairs: &[(u64, u64)]) -> Overhead {
        let run = |pair: usize, captured, milliseconds| MeasuredRun {
            pair: pair + 1,
            captured,
            wall: Duration::from_millis(milliseconds),
            cpu: Duration::from_millis(2 * milliseconds),
            system: Duration::from_millis(milliseconds),
            machine: Some(Duration::from_millis(3 * milliseconds)),
            exit: 0,
            events: captured.then_some(CapturedEvents {
                events: 1_000_000,
                lost: Some(10),
                own_cpu: Duration::from_millis(1),
            }),
        };
        let runs = pairs.iter().enumerate();
        Overhead {
            schema: SCHEMA,
            tool: Tool { name: "tp-perf".to_owned(), version: "test".to_owned() },
            kernel: "6.18".to_owned(),
            hostname: "here".to_owned(),
            command: vec!["make".to_owned(), "a|b".to_owned()],
            prepare: None,
            cpus: vec![Cpu::new(0), Cpu::new(1)],
            tracepoints: 1_568,
            refused: 0,
            ring_size: 8 << 20,
            clock: "monotonic".to_owned(),
            self_excluded: true,
            compress: false,
            started: "2026-11-25T00:00:00Z".to_owned(),
            pid: 1,
            pairs_asked: pairs.len(),
            warmup: 1,
            attach: Duration::from_millis(300),
            detach_expected: Duration::from_secs(57),
            detach: None,
            runs: runs.flat_map(|(pair, (off, on))| [run(pair, true, *on), run(pair, false, *off)]).collect(),
        }
    }

    #[test]
    fn figures_are_made_of_pairs() {
        let figures =
            overhead(&[(2_000, 3_000), (4_000, 6_000), (3_000, 4_500), (1_000, 1_500), (2_500, 3_750)]).figures();
        assert_eq!((figures.pairs, figures.events, figures.lost), (5, 5_000_000, Some(50)));
        for comparison in [&figures.wall, &figures.cpu, &figures.machine] {
            let change = comparison.as_ref().unwrap().change;
            let (low, high) = change.interval.unwrap();
            assert!([change.value, low, high].iter().all(|change| (change - 0.5).abs() < 1e-9), "{change:?}");
        }
        let wall = figures.wall.unwrap();
        assert_eq!(wall.claim, Claim::Difference);
        let milliseconds = |times: RunTimes| [times.median, times.min, times.max].map(|time| time.as_millis());
        assert_eq!(
            (milliseconds(wall.without), milliseconds(wall.with)),
            ([2_500, 1_000, 4_000], [3_750, 1_500, 6_000])
        );
        // With capturing, all CPUs were busy for 18.75 s longer, for 5 million events.
        let cost = figures.cpu_ns_per_event.unwrap().value;
        assert!((cost - 3_750.0).abs() < 1e-6 && figures.cost_of == Cost::Machine, "{cost}");
        assert_eq!(figures.own_cpu_ns_per_event, Some(1.0));
        assert!((figures.own_share.unwrap() - 0.005 / 18.75).abs() < 1e-12);
        assert!((figures.events_per_second - 5e6 / 18.75).abs() < 1e-6);
    }

    #[test]
    fn half_a_pair_is_none_and_short_runs_say_nothing_of_the_machine() {
        let mut stopped = overhead(&[(300, 400), (300, 400)]);
        stopped.runs.pop();
        let figures = stopped.figures();
        // COMMAND's CPU time grew by 0.2 s, and tp-perf's own was 1 ms, for a million events.
        assert!((figures.cpu_ns_per_event.unwrap().value - 201.0).abs() < 1e-6 && figures.cost_of == Cost::Command);
        assert_eq!((figures.pairs, figures.events), (1, 1_000_000));
        assert!(figures.machine.is_none() && stopped.foreign_cpus().is_none());
        assert_eq!(figures.wall.unwrap().claim, Claim::TooFewPairs);
        stopped.runs.clear();
        let none = stopped.figures();
        assert!(none.wall.is_none() && none.cpu_ns_per_event.is_none() && none.events == 0);
    }

    #[test]
    fn no_event_and_no_cpu_time_give_no_figure_and_no_panic() {
        let mut overhead = overhead(&[(1_000, 1_000); 5]);
        for run in &mut overhead.runs {
            (run.cpu, run.machine) = (Duration::ZERO, None);
            if let Some(events) = &mut run.events {
                (events.events, events.lost, events.own_cpu) = (0, None, Duration::ZERO);
            }
        }
        let figures = overhead.figures();
        assert!(figures.cpu.is_none() && figures.cpu_ns_per_event.is_none() && figures.own_share.is_none());
        assert_eq!(figures.lost, None);
        assert_eq!(figures.wall.unwrap().claim, Claim::NoDifference);
    }

    #[test]
    fn work_of_others_is_told_apart() {
        assert_eq!(overhead(&[(2_000, 3_000)]).foreign_cpus(), Some(1.0));
    }
}
