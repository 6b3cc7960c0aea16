//! What a source was, in words: for people who did not make it.

use super::{SourceReport, equation, own_share, stopped_by};
use crate::units::{Count, Grouped, Rate, Seconds, shortened};

/// The facts of a source, each with its name.
pub fn facts(source: &SourceReport) -> Vec<(&'static str, String)> {
    let SourceReport { summary, ranking, activity, .. } = source;
    let mut facts = Vec::new();
    let rate = ranking.rate().map(|rate| format!(" in {} ({} a second)", Seconds(ranking.duration), Rate(rate)));
    let range = if source.is_range { ", in the range asked for" } else { "" };
    facts.push(("events", format!("{}{}{range}", Grouped(ranking.events), rate.unwrap_or_default())));
    let machine = [summary.kernel.as_ref().map(|kernel| format!("Linux {kernel}")), summary.hostname.clone()];
    let machine: Vec<String> = machine.into_iter().flatten().collect();
    if !machine.is_empty() {
        facts.push(("kernel", machine.join(" on ")));
    }
    if !summary.cpus.is_empty() {
        facts.push(("CPUs", crate::os::cpus::named(&summary.cpus)));
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
    if let Some((first, _)) = activity.span() {
        facts.push(("first event", format!("at {first} of the clock")));
    }
    if let Some(logged) = source.logged {
        facts.push(("log.csv", format!("the first {} of them (`-n {logged}` reports on those)", Grouped(logged))));
    }
    if let Some(started) = &summary.started {
        facts.push(("started", started.clone()));
    }
    if let Some(command) = &summary.command {
        facts.push(("command", command.join(" ")));
    }
    if let Some(reason) = stopped_by(summary) {
        facts.push(("stopped by", reason));
    }
    if let Some(states) = &source.states {
        facts.push(("states", super::states::words(states)));
    }
    facts.push(("books", equation(&summary.events)));
    let told = activity.told_lost();
    if summary.events.lost > 0 || told > 0 {
        let lost = summary.events.lost;
        let share = 100.0 * lost as f64 / summary.events.all().max(1) as f64;
        let within = activity.lost_within();
        let when = match lost.saturating_sub(told) {
            _ if summary.restricted.is_some() => {
                format!("; in the time shown the rings lost {} of all tracepoints", Grouped(within))
            }
            0 => String::new(),
            untold => format!("; when {} of them were is not known", Grouped(untold)),
        };
        facts.push(("lost", format!("{} ({share:.1} %){when}", Grouped(lost))));
    }
    if !source.is_range && (summary.events.lost > 0 || summary.events.residual.unwrap_or(0) != 0) {
        let samples = Grouped(activity.tracepoints.events());
        facts.push(("shown", format!("graphs and bars show the {samples} samples, tables what the kernel counted")));
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
    // What stands in a file may be of any length.
    facts.iter_mut().for_each(|(_, fact)| *fact = shortened(fact, 1_000));
    facts
}
