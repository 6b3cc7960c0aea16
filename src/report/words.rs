//! Words the facts of a summary, for tables, pages and the terminal.

use super::mark;
use crate::os::cpus::Cpu;
use crate::recording::{EventsSummary, SelfSummary, StopReason, Summary, Unwatched};
use crate::units::{Grouped, Plural, Seconds};
use std::time::Duration;

/// How much of the time tp-perf itself ran, if that is known.
pub fn own_share(summary: &Summary) -> Option<String> {
    let own = summary.own.as_ref()?;
    let share = share_of_time(own, summary.timing_ns.capture.unwrap_or(0));
    let hidden = if own.excluded { "excluded" } else { "included" };
    Some(format!("tp-perf itself ran {share:.1} % of the time; its events are {hidden}"))
}

/// How much of this time tp-perf itself ran, in percent.
pub fn share_of_time(own: &SelfSummary, length_ns: u64) -> f64 {
    // The kernel accounts CPU time in ticks, and one tick may exceed a capture of milliseconds.
    (100.0 * own.cpu_ns as f64 / length_ns.max(1) as f64).min(100.0)
}

/// The accounting: the hits that the kernel counted, next to those recorded and lost.
pub fn equation(events: &EventsSummary) -> String {
    let EventsSummary { recorded, thinned, lost, counted, unaccounted, estimated, .. } = *events;
    let estimated = estimated.filter(|_| counted.is_none());
    let thinned = estimated.map_or(thinned, |all| all.saturating_sub(recorded).saturating_sub(lost));
    let thinned = match thinned {
        0 => String::new(),
        thinned => format!(" + {}{} thinned", mark(estimated.is_some()), Grouped(thinned)),
    };
    let known = format!("{} recorded{thinned} + {} lost", Grouped(recorded), Grouped(lost));
    match (counted, unaccounted) {
        (Some(counted), Some(0)) => format!("{} counted = {known}", Grouped(counted)),
        (Some(counted), Some(unaccounted)) => {
            let sign = if unaccounted < 0 { '−' } else { '+' };
            format!("{} counted = {known} {sign} {} unaccounted", Grouped(counted), Grouped(unaccounted.unsigned_abs()))
        }
        _ => format!("{known} (the source has no kernel counts to compare with)"),
    }
}

/// Records that were lost, but perhaps not by tracepoints.
pub fn lost_unassigned(records: u64) -> String {
    format!(
        "{} {} lost in rings that the tracepoints shared with other events; the file does not show how many of them \
         belong to tracepoints. To lose fewer, make the rings larger (`perf record -m 16M`). perf 6.1 and later \
         records the losses of each event (on Linux 6.0 and later).",
        Plural(records, "record"),
        Plural(records, "record").were()
    )
}

/// Records about threads that were lost.
pub fn threads_lost(records: u64) -> String {
    format!(
        "{} about threads {} lost, so some processes and names may be wrong: threads started faster than tp-perf could read",
        Plural(records, "record"),
        Plural(records, "record").were()
    )
}

/// A stretch in which a CPU was not watched. `watched` are all CPUs that were watched at the start.
pub fn unwatched(watched: &[Cpu], stretch: &Unwatched) -> String {
    let Unwatched { cpu, from, to, was_online } = *stretch;
    let [from, to] = [from, to].map(|time| Seconds(Duration::from_nanos(time.0)));
    let why = match (watched.contains(&cpu), was_online) {
        (true, true) => {
            "it went offline, so the kernel detached its tracepoints; it came back, but hits on it are missing"
        }
        (true, false) => "it was offline, so there were no hits on it",
        (false, _) => "it came online after tp-perf had attached; hits on it are missing",
    };
    format!("CPU {cpu} from {from} to {to}: {why}")
}

/// What stopped the capture, if the summary knows it.
pub fn stopped_by(summary: &Summary) -> Option<String> {
    summary.stop_reason.map(|reason| stopping(reason, summary.command_exit))
}

/// What stopped a capture or a count.
pub fn stopping(reason: StopReason, command_exit: Option<i32>) -> String {
    match reason {
        StopReason::Events => "--events".to_owned(),
        StopReason::Duration => "--duration".to_owned(),
        StopReason::Command => format!("the end of COMMAND (exit code {})", command_exit.unwrap_or_default()),
        StopReason::Processes => "the end of the chosen processes".to_owned(),
        StopReason::Interrupt => "Ctrl-C".to_owned(),
        StopReason::Terminate => "a signal, such as SIGTERM".to_owned(),
        StopReason::Trigger => "a trigger; the capture went on".to_owned(),
        StopReason::DiskFull => "a full disk".to_owned(),
        StopReason::Error => "an error".to_owned(),
    }
}
