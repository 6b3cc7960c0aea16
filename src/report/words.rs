//! Words the facts of a summary, for tables, pages and the terminal.

use crate::recording::{EventsSummary, StopReason, Summary, Unwatched};
use crate::units::{Grouped, Plural, Seconds};
use std::time::Duration;

/// How much of the time tp-perf itself ran, if that is known.
pub fn own_share(summary: &Summary) -> Option<String> {
    let own = summary.own.as_ref()?;
    let used = Duration::from_nanos(own.cpu_ns);
    let capture = Duration::from_nanos(summary.timing_ns.capture.unwrap_or(0));
    // The kernel accounts CPU time in ticks, and one tick may exceed a capture of milliseconds.
    let share = (100.0 * used.as_secs_f64() / capture.as_secs_f64().max(f64::MIN_POSITIVE)).min(100.0);
    let hidden = if own.excluded { "; its events are excluded" } else { "; its events are included" };
    Some(format!("tp-perf itself ran {share:.1} % of the time{hidden}"))
}

/// The accounting: the hits that the kernel counted, next to those recorded and lost.
pub fn equation(events: &EventsSummary) -> String {
    let EventsSummary { recorded, lost, counted, unaccounted, .. } = *events;
    let known = format!("{} recorded + {} lost", Grouped(recorded), Grouped(lost));
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

/// A stretch in which a CPU was not watched. `summary` is that of its capture.
pub fn unwatched(summary: &Summary, stretch: &Unwatched) -> String {
    let Unwatched { cpu, from, to, was_online } = *stretch;
    let [from, to] = [from, to].map(|time| Seconds(Duration::from_nanos(time.0)));
    let why = match (summary.cpus.contains(&cpu), was_online) {
        (true, true) => {
            "it went offline, so the kernel detached its tracepoints; it came back, but hits on it are missing"
        }
        (true, false) => "it was offline, so there were no hits on it",
        (false, _) => "it came online after the capture had begun; hits on it are missing",
    };
    format!("CPU {cpu} from {from} to {to}: {why}")
}

/// What stopped the capture, if the summary knows it.
pub fn stopped_by(summary: &Summary) -> Option<String> {
    Some(match summary.stop_reason? {
        StopReason::Events => "--events".to_owned(),
        StopReason::Duration => "--duration".to_owned(),
        StopReason::Command => format!("the end of COMMAND (exit code {})", summary.command_exit.unwrap_or_default()),
        StopReason::Interrupt => "Ctrl-C".to_owned(),
        StopReason::Terminate => "a signal, such as SIGTERM".to_owned(),
        StopReason::DiskFull => "a full disk".to_owned(),
        StopReason::Error => "an error".to_owned(),
    })
}
