//! The cost of a hit on this machine, measured at the start of a count with a budget.
//!
//! The thread renames itself (`prctl(PR_SET_NAME)`), which hits `task:task_rename` exactly once. It does so many times
//! while no counter is attached, while one is attached and off, and while it is on. The differences of its CPU time are the
//! costs. The loop runs from warm caches, so a hit of a real load can cost more.
//!
//! Others use the machine meanwhile, and may slow down some of the rounds. So rounds that are compared follow each other,
//! and a cost too low to be true is no result.

use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use crate::os::thread::{cpu_time, on_one_cpu};
use crate::perf::{EventKind, EventSpec, Output, ProcessFields, ReadFormat, Ring, Scope, sys};
use crate::stats::median;
use crate::tracefs::Table;
use nix::sys::prctl::{get_name, set_name};
use serde::Serialize;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

/// Renames in a round.
const RENAMES: u32 = 4_000;
/// The size of a sample in bytes.
const SAMPLE: usize = 24;
/// Rounds of each kind.
const ROUNDS: usize = 15;
/// How often a measurement begins again that was disturbed.
const ATTEMPTS: usize = 3;
/// A hit that is counted or sampled costs more than this in nanoseconds on any machine.
const LEAST: f64 = 5.0;

/// What a hit costs, and what a visit costs, in nanoseconds of CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HitCost {
    /// A hit that is counted.
    pub counted_ns: f64,
    /// A hit of a tracepoint that is attached and off, or counted on another CPU.
    pub off_ns: f64,
    /// Switching a small group on one CPU on or off.
    pub switch_ns: f64,
    /// Whether it was measured on this machine. If not, these are the costs of another machine.
    pub measured: bool,
}

impl HitCost {
    /// The costs on the machine that tp-perf was built on, for a kernel without the tracepoint that measures them.
    pub const ELSEWHERE: HitCost = HitCost { counted_ns: 140.0, off_ns: 20.0, switch_ns: 30_000.0, measured: false };

    /// Measures the costs in about 50 ms. Needs the right to open events. The counter stays attached until the result's
    /// second part is dropped: closing it takes long, unless others are attached to the tracepoint by then.
    pub(super) fn measure(table: &Table) -> (Self, Option<OwnedFd>) {
        let measured = HitCost::tracefs_id(table).map(|id| on_one_cpu(|cpu| measure(id, cpu)));
        match measured {
            Some(Ok(Ok((cost, event)))) => (cost, Some(event)),
            _ => (HitCost::ELSEWHERE, None),
        }
    }

    /// The tracefs id of the tracepoint that measures costs.
    pub(super) fn tracefs_id(table: &Table) -> Option<u64> {
        let rename = table.tracepoints().iter().find(|it| it.group == "task" && it.name == "task_rename");
        rename.map(|rename| rename.tracefs_id)
    }
}

pub(super) fn measure(tracefs_id: u64, cpu: Cpu) -> io::Result<(HitCost, OwnedFd)> {
    round()?;
    let none = rounds(ROUNDS, round)?;
    let spec = EventSpec {
        kind: EventKind::Tracepoint(tracefs_id),
        scope: Scope::AllOn(cpu),
        output: Output::Counts,
        clock: Clock::Monotonic,
        disabled: true,
        read_format: ReadFormat::default(),
    };
    let event = sys::open(&spec, None)?;
    // The filter costs time too. It lets these hits pass.
    sys::set_filter(event.as_fd(), c"common_pid != 0")?;
    let mut switches = Vec::new();
    let mut pairs = || {
        in_pairs(|| {
            let begin = Instant::now();
            sys::enable(event.as_fd())?;
            switches.push(begin.elapsed().as_nanos() as f64);
            let on = round()?;
            sys::disable(event.as_fd())?;
            Ok(on)
        })
    };
    let (off, on) = undisturbed(&mut pairs)?;
    let off_ns = off_ns(&none, &off);
    let cost = HitCost {
        counted_ns: off_ns + on,
        off_ns,
        // Another CPU is interrupted, and both work meanwhile.
        switch_ns: 2.0 * median(switches).unwrap_or_default().max(10_000.0),
        measured: true,
    };
    Ok((cost, event))
}

/// The costs of a hit in nanoseconds for each way to watch, measured on this machine in about a tenth of a second. `None`
/// if the kernel has no `task:task_rename`, or does not let this process open events.
pub fn cost_of_ways(table: &Table) -> Option<(HitCost, f64)> {
    let id = HitCost::tracefs_id(table)?;
    let measured = on_one_cpu(|cpu| {
        let (cost, _event) = measure(id, cpu)?;
        Ok::<_, io::Error>((cost, sampled(id, cpu, 1)?))
    });
    measured.ok()?.ok()
}

/// The cost in nanoseconds of a hit of a tracepoint of which one in `sample_period` hits is recorded, beside the cost of a
/// tracepoint that is attached and off.
pub(super) fn sampled(tracefs_id: u64, cpu: Cpu, sample_period: u64) -> io::Result<f64> {
    // A round fits in the ring, so no sample is dropped, which would be cheaper.
    let bytes = (RENAMES as usize * SAMPLE).next_power_of_two() * 2;
    let spec = EventSpec {
        kind: EventKind::Tracepoint(tracefs_id),
        scope: Scope::AllOn(cpu),
        output: Output::Samples {
            sample_period,
            wakeup_watermark: bytes as u32 / 2,
            weighted: false,
            process: ProcessFields::None,
            cpu: false,
        },
        clock: Clock::Monotonic,
        disabled: true,
        read_format: ReadFormat::default(),
    };
    let event = sys::open(&spec, None)?;
    sys::set_filter(event.as_fd(), c"common_pid != 0")?;
    let mut ring = Ring::new(sys::map_ring(event.as_fd(), bytes)?)?;
    let (_, on) = undisturbed(&mut || {
        in_pairs(|| {
            sys::enable(event.as_fd())?;
            let on = round()?;
            sys::disable(event.as_fd())?;
            ring.take(&mut Vec::new())?;
            Ok(on)
        })
    })?;
    Ok(on)
}

/// The CPU time of a rename in nanoseconds while the event is off, and while it is on: in each pair, one right after the
/// other.
fn in_pairs(mut round_on: impl FnMut() -> io::Result<f64>) -> io::Result<Vec<(f64, f64)>> {
    (0..ROUNDS).map(|_| Ok((round()?, round_on()?))).collect()
}

/// Measures until the result can be true. Returns the rounds with the event off, and the median of the differences.
fn undisturbed(pairs: &mut dyn FnMut() -> io::Result<Vec<(f64, f64)>>) -> io::Result<(Vec<f64>, f64)> {
    for _ in 0..ATTEMPTS {
        let pairs = pairs()?;
        let on = median(pairs.iter().map(|(off, on)| on - off)).unwrap_or_default();
        if on >= LEAST {
            return Ok((pairs.into_iter().map(|(off, _)| off).collect(), on));
        }
    }
    Err(io::Error::other("other programs disturbed the measurement of a hit's cost"))
}

/// The cost of a hit while the event is off. The rounds without an event are all before the others, so the fastest of
/// each are compared: they were disturbed least.
fn off_ns(none: &[f64], off: &[f64]) -> f64 {
    let fastest = |rounds: &[f64]| rounds.iter().copied().fold(f64::INFINITY, f64::min);
    let difference = fastest(off) - fastest(none);
    // Hardly measurable on some machines, but never free.
    if difference.is_finite() { difference.max(1.0) } else { HitCost::ELSEWHERE.off_ns }
}

fn rounds(number: usize, mut round: impl FnMut() -> io::Result<f64>) -> io::Result<Vec<f64>> {
    (0..number).map(|_| round()).collect()
}

/// The CPU time in nanoseconds that this thread needs to rename itself once: the speed of the machine now.
pub fn rename_ns() -> io::Result<f64> {
    // Short, because a count is under way.
    let rounds = rounds(5, || round_of(RENAMES / 10))?;
    Ok(median(rounds).unwrap_or_default())
}

/// The CPU time of a rename in nanoseconds.
fn round() -> io::Result<f64> {
    round_of(RENAMES)
}

fn round_of(renames: u32) -> io::Result<f64> {
    let name = get_name()?;
    let before = cpu_time()?;
    for _ in 0..renames {
        set_name(&name)?;
    }
    Ok((cpu_time()? - before).as_nanos() as f64 / f64::from(renames))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_rounds_do_not_hide_the_cost() {
        // Another program slows down two thirds of the rounds without an event, and some pairs.
        let none = [300.0, 300.0, 100.0];
        let pairs = vec![(120.0, 220.0), (260.0, 359.0), (120.0, 221.0)];
        let (off, on) = undisturbed(&mut || Ok(pairs.clone())).unwrap();
        assert_eq!((off_ns(&none, &off), on), (20.0, 100.0));
        assert_eq!(off_ns(&[300.0], &off), 1.0);
    }

    #[test]
    fn a_cost_too_low_to_be_true_is_measured_again_and_is_never_a_result() {
        let mut attempts = 0;
        let mut disturbed = |good_from: usize| {
            attempts = 0;
            undisturbed(&mut || {
                attempts += 1;
                Ok(vec![(200.0, if attempts >= good_from { 260.0 } else { 190.0 })])
            })
            .map(|(_, on)| on)
            .map_err(|error| error.to_string())
        };
        assert_eq!(disturbed(2), Ok(60.0));
        assert_eq!(disturbed(4).unwrap_err(), "other programs disturbed the measurement of a hit's cost");
    }
}
