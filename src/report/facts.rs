//! What a source was, in words: for people who did not make it.

use super::SourceReport;
use crate::terminal::{cpus, equation, own_share, stopped_by};
use crate::units::{Count, Grouped, Seconds};

/// The facts of a source, each with its name.
pub fn facts(source: &SourceReport) -> Vec<(&'static str, String)> {
    let SourceReport { summary, ranking, activity, .. } = source;
    let mut facts = Vec::new();
    let rate =
        ranking.rate().map(|rate| format!(" in {} ({} a second)", Seconds(ranking.duration), Grouped(rate as u64)));
    let range = if source.is_range { ", in the range asked for" } else { "" };
    facts.push(("events", format!("{}{}{range}", Grouped(ranking.events), rate.unwrap_or_default())));
    let machine = [summary.kernel.as_ref().map(|kernel| format!("Linux {kernel}")), summary.hostname.clone()];
    let machine: Vec<String> = machine.into_iter().flatten().collect();
    if !machine.is_empty() {
        facts.push(("kernel", machine.join(" on ")));
    }
    if !summary.cpus.is_empty() {
        facts.push(("CPUs", cpus(&summary.cpus)));
    }
    if let Some(clock) = &summary.clock {
        facts.push(("clock", clock.clone()));
    }
    let of = &summary.tracepoints;
    let [listed, captured, excluded, refused] =
        [of.listed, of.captured, of.excluded, of.refused].map(|number| Grouped(number as u64));
    facts.push((
        "tracepoints",
        format!(
            "{captured} captured, {excluded} excluded, {refused} refused, of {listed}; {} were hit",
            Grouped(ranking.tracepoints.len() as u64)
        ),
    ));
    if let Some(started) = &summary.started {
        facts.push(("started", started.clone()));
    }
    if let Some(command) = &summary.command {
        facts.push(("command", command.join(" ")));
    }
    if let Some(reason) = stopped_by(summary) {
        facts.push(("stopped by", reason));
    }
    facts.push(("books", equation(&summary.events)));
    if summary.events.lost > 0 {
        let told: u64 = activity.losses().iter().map(|loss| loss.lost).sum();
        let all = summary.events.counted.unwrap_or(summary.events.recorded.saturating_add(summary.events.lost));
        facts.push((
            "lost",
            format!(
                "{} ({:.1} %), {} of them at times that are known",
                Grouped(summary.events.lost),
                100.0 * summary.events.lost as f64 / all.max(1) as f64,
                Grouped(told)
            ),
        ));
    }
    if summary.events.late > 0 {
        facts.push((
            "late",
            format!("{}: after their place in time had gone; not shown", Count(summary.events.late, "event")),
        ));
    }
    facts.extend(own_share(summary).map(|own| ("self", own)));
    if let Some(problem) = &source.problem {
        facts.push(("problem", format!("{problem:#}")));
    }
    facts
}
