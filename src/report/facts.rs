//! The facts about a source, for people who did not record it.

use super::{
    SourceReport, budget_facts, equation, lost_unassigned, mark_of_all, own_share, stopped_by, threads_lost, unwatched,
};
use crate::recording::{Summary, only_words};
use crate::text::shortened;
use crate::tracefs::{Exclusion, Status};
use crate::units::{Grouped, Plural, Rate, Seconds};
use std::collections::BTreeMap;

/// A fact with its name.
type Fact = (&'static str, String);

/// The most characters of a fact. A file may contain texts of any length.
const LONGEST: usize = 1_000;

/// The facts of a source, each with its name.
pub fn facts(source: &SourceReport) -> Vec<Fact> {
    let name = if source.summary.budget.is_some() { "hits" } else { "events" };
    let mut facts = vec![(name, events(source))];
    facts.extend(machine(&source.summary));
    facts.extend(tracepoints(source));
    facts.extend(capture(source));
    let only = source.summary.only.as_ref().map(|only| only_words(only, source.summary.others));
    facts.extend(only.map(|only| ("only", only)));
    facts.extend(source.states.as_ref().map(|states| ("states", super::states::words(states))));
    facts.push(("accounting", equation(&source.summary.events)));
    facts.extend(source.summary.budget.iter().flat_map(budget_facts).map(|fact| (fact.name, fact.text)));
    facts.extend(not_shown(source));
    facts.extend(own_share(&source.summary).map(|own| ("self", own)));
    facts.extend(source.problem.as_ref().map(|problem| ("problem", format!("{problem:#}"))));
    facts.iter_mut().for_each(|(_, fact)| *fact = shortened(fact, LONGEST));
    facts
}

fn events(source: &SourceReport) -> String {
    let ranking = &source.ranking;
    let mark = mark_of_all(&source.summary, ranking);
    let rate =
        ranking.rate().map(|rate| format!(" in {} ({mark}{} per second)", Seconds(ranking.duration), Rate(rate)));
    let range = if source.is_range { ", in the requested range" } else { "" };
    format!("{mark}{}{}{range}", Grouped(ranking.events), rate.unwrap_or_default())
}

/// The machine that it was recorded on.
fn machine(summary: &Summary) -> Vec<Fact> {
    let mut facts = Vec::new();
    let machine = [summary.kernel.as_ref().map(|kernel| format!("Linux {kernel}")), summary.hostname.clone()];
    let machine: Vec<String> = machine.into_iter().flatten().collect();
    if !machine.is_empty() {
        facts.push(("kernel", machine.join(" on ")));
    }
    if !summary.cpus.is_empty() {
        facts.push(("CPUs", crate::os::cpus::named(&summary.cpus)));
    }
    facts.extend(summary.clock.as_ref().map(|clock| ("clock", clock.clone())));
    facts
}

/// How many of the tracepoints were captured, and where the others are.
fn tracepoints(source: &SourceReport) -> Vec<Fact> {
    let of = &source.summary.tracepoints;
    let [listed, captured] = [of.listed, of.captured].map(|number| Grouped(number as u64));
    let hit = Plural(source.ranking.tracepoints.len() as u64, "tracepoint");
    let mut facts = vec![("tracepoints", format!("{captured} of {listed} captured; {hit} {} hit", hit.were()))];
    if of.captured < of.listed {
        facts.push(("not captured", not_captured(source)));
    }
    facts
}

/// Why tracepoints were not captured, each reason with their number.
fn not_captured(source: &SourceReport) -> String {
    let (mut groups, mut by_default, mut others) = (BTreeMap::<&str, u64>::new(), 0, BTreeMap::<String, u64>::new());
    for tracepoint in source.table.tracepoints() {
        match source.selection.status(tracepoint.tpid) {
            Status::Captured => {}
            Status::Excluded(Exclusion::Group { group }) => *groups.entry(group).or_default() += 1,
            Status::Excluded(Exclusion::TooOften) => by_default += 1,
            Status::Excluded(Exclusion::Replay) => {
                *others.entry("by -t or -x of this report".to_owned()).or_default() += 1
            }
            Status::Excluded(why) => *others.entry(why.to_string()).or_default() += 1,
            Status::Refused { .. } => *others.entry("refused by the kernel".to_owned()).or_default() += 1,
        }
    }
    let of_groups: u64 = groups.values().sum();
    let mut reasons = Vec::new();
    if of_groups > 0 {
        let names: Vec<&str> = groups.into_keys().collect();
        reasons.push(format!("{} in the groups {}", Grouped(of_groups), names.join(", ")));
    }
    if by_default > 0 {
        reasons.push(format!("{} that fire very often", Grouped(by_default)));
    }
    let more = match reasons.is_empty() {
        true => "",
        false => ". tp-perf excludes them by default; `tp-perf record --all` records them too",
    };
    let mut text = format!("{}{more}", reasons.join(" and "));
    for (why, number) in others {
        let mark = if text.is_empty() { "" } else { "; " };
        text.push_str(&format!("{mark}{} {why}", Grouped(number)));
    }
    text
}

/// When and how it was captured.
fn capture(source: &SourceReport) -> Vec<Fact> {
    let summary = &source.summary;
    let first = source.activity.span().map(|(first, _)| format!("timestamp {first}"));
    let logged = |logged: u64| {
        format!("has only the first {} events (`-n {logged}` limits the report to them)", Grouped(logged))
    };
    let facts = [
        ("first event", first),
        ("log.csv", source.logged.map(logged)),
        ("started", summary.started.clone()),
        ("command", summary.command.as_ref().map(|command| command.join(" "))),
        ("stopped by", stopped_by(summary)),
        ("keeps", summary.last.map(|last| last.words())),
    ];
    let triggers = summary.triggers.iter().map(|trigger| ("trigger", Some(trigger.words())));
    facts.into_iter().chain(triggers).filter_map(|(name, fact)| Some((name, fact?))).collect()
}

/// What the graphs and tables do not show.
fn not_shown(source: &SourceReport) -> Vec<Fact> {
    let SourceReport { summary, activity, .. } = source;
    let mut facts = Vec::new();
    if summary.events.lost > 0 || activity.told_lost() > 0 {
        facts.push(("lost", lost(source)));
    }
    facts.extend(summary.unwatched.iter().map(|stretch| ("unwatched", unwatched(&summary.cpus, stretch))));
    if summary.events.lost_unassigned > 0 {
        facts.push(("unassigned", lost_unassigned(summary.events.lost_unassigned)));
    }
    if summary.events.threads_lost > 0 {
        facts.push(("threads", threads_lost(summary.events.threads_lost)));
    }
    facts.extend(shown(source).map(|text| ("shown", text)));
    if summary.events.late > 0 {
        facts.push((
            "late",
            format!("{} arrived too late to be put in order; not shown", Plural(summary.events.late, "event")),
        ));
    }
    facts
}

/// What the graphs and the tables show, where that is not the same.
fn shown(source: &SourceReport) -> Option<String> {
    let SourceReport { summary, ranking, .. } = source;
    let is_thinned = summary.budget.as_ref().is_some_and(|budget| budget.thinned_tracepoints() > 0);
    let differs = is_thinned || summary.events.lost > 0 || summary.events.unaccounted.unwrap_or(0) != 0;
    let events = Grouped(source.activity.tracepoints.events());
    let hatched = if is_thinned { ", with hatches where a tracepoint was thinned" } else { "" };
    let graphs = format!("graphs and bars show the {events} recorded events{hatched}");
    match (ranking.is_estimate, source.is_range) {
        (true, _) => {
            Some(format!("{graphs}; tables show hits, which are estimated (`~`) where an event stands for several"))
        }
        (false, false) if differs && source.processes.is_some() => Some(format!(
            "{graphs}, and so does the table of processes; the tables of tracepoints and groups show the kernel's counts"
        )),
        (false, false) if differs => Some(format!("{graphs}; tables show the kernel's counts")),
        _ => None,
    }
}

fn lost(source: &SourceReport) -> String {
    let SourceReport { summary, activity, .. } = source;
    let lost = summary.events.lost;
    let share = 100.0 * lost as f64 / summary.events.all().max(1) as f64;
    let when = match lost.saturating_sub(activity.told_lost()) {
        _ if summary.restricted.is_some() => {
            format!(
                "; within the time shown, the rings lost {} events of all tracepoints",
                Grouped(activity.lost_within())
            )
        }
        0 => String::new(),
        untold => format!("; the time of {} of them is unknown", Grouped(untold)),
    };
    format!("{} ({share:.1} %){when}", Grouped(lost))
}
