//! What the figures say, in words.

use super::figures::LEAST_FOR_MACHINE;
use super::{Claim, Comparison, Cost, Estimate, FEWEST_PAIRS, Figures, Overhead};
use crate::os::cpus::named;
use crate::spool::DEFAULT_MEMORY;
use crate::units::{Bytes, Grouped, Plural, Rate, Seconds, Share, Signed};

/// Others' work is worth a word from so many CPUs' worth on.
const WORTH_SAYING: f64 = 0.1;

/// `5 pairs of runs, with and without capturing 1,568 tracepoints on CPUs 0-1`.
pub(crate) fn what_was_run(overhead: &Overhead, figures: &Figures) -> String {
    let (done, asked) = (figures.pairs, overhead.pairs_asked);
    let pairs = match done == asked {
        true => Plural(done as u64, "pair").to_string(),
        false => format!("stopped after {} of {}", Grouped(done as u64), Plural(asked as u64, "pair")),
    };
    let tracepoints = Plural(overhead.tracepoints as u64, "tracepoint");
    format!("{pairs} of runs, with and without capturing {tracepoints} on {}", named(&overhead.cpus))
}

/// The times that are compared, by their names.
pub(crate) fn rows(figures: &Figures) -> Vec<(&'static str, &Comparison)> {
    let all = [("wall", &figures.wall), ("CPU", &figures.cpu), ("all CPUs", &figures.machine)];
    all.into_iter().filter_map(|(name, comparison)| Some((name, comparison.as_ref()?))).collect()
}

/// `+35.8 %`.
pub(crate) fn percent(change: f64) -> String {
    let percent = format!("{:.1}", 100.0 * change.abs());
    let sign = match change {
        _ if percent == "0.0" => "",
        ..0.0 => "−",
        _ => "+",
    };
    format!("{sign}{percent} %")
}

/// `+30.1 % to +42.0 %`; `–` of too few pairs.
pub(crate) fn interval(change: &Estimate) -> String {
    change.interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{} to {}", percent(low), percent(high)))
}

/// What is to be said beside the table: each with what it is about.
pub(crate) fn findings(overhead: &Overhead, figures: &Figures) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    if figures.pairs > 0 {
        said.push((
            "change",
            "the mean over pairs of what each changed, not of the medians; without means attached, and off".to_owned(),
        ));
    }
    said.extend(intervals(figures).into_iter().map(|sentence| ("interval", sentence)));
    if figures.pairs > 0 && figures.machine.is_none() {
        said.push(("all CPUs", all_cpus_missing()));
    }
    if let Some(foreign) = figures.foreign_cpus.filter(|foreign| *foreign >= WORTH_SAYING) {
        said.push((
            "others",
            format!("{foreign:.1} CPUs were busy with what COMMAND did not wait for, or with other work, while nothing was captured"),
        ));
    }
    if figures.pairs > 0 {
        said.push(("events", events(figures)));
        said.extend(cost(figures).map(|cost| ("cost", cost)));
    }
    let failed = overhead.runs.iter().filter(|run| run.exit != 0).count();
    if failed > 0 {
        said.push(("failed", format!("COMMAND ended with another code than 0 in {}", Plural(failed as u64, "run"))));
    }
    let letting_go = match overhead.detach {
        Some(took) => format!("detaching took {}", Seconds(took)),
        None => format!("detaching takes about {} in the background", Seconds(overhead.detach_expected)),
    };
    said.push((
        "beside it",
        format!(
            "attaching took {}, {letting_go}, and up to {} of a run's events are {}written when it is over; none of that is in \
             these figures",
            Seconds(overhead.attach),
            Bytes(DEFAULT_MEMORY as u64),
            if overhead.compress { "compressed and " } else { "" },
        ),
    ));
    said
}

/// What the intervals say, each kind of claim once.
fn intervals(figures: &Figures) -> Vec<String> {
    let all = rows(figures);
    let of = |claim: Claim| {
        let (names, these): (Vec<_>, Vec<_>) =
            all.iter().filter(|(_, comparison)| comparison.claim == claim).copied().unzip();
        (!names.is_empty()).then(|| (names.join(" and "), these))
    };
    let more = "more pairs (--runs), a longer COMMAND or a quieter machine tell more";
    let spread = |these: &[&Comparison]| {
        let apart: Vec<_> = these.iter().map(|these| format!("{:.0} %", 100.0 * these.without.width())).collect();
        format!("the runs without capturing alone are {} apart", apart.join(" and "))
    };
    let mut said = Vec::new();
    if of(Claim::TooFewPairs).is_some() {
        said.push(format!("it takes at least {FEWEST_PAIRS} pairs (--runs)"));
    }
    if let Some((names, these)) = of(Claim::NoDifference) {
        let furthest = |these: &Comparison| these.change.interval.map_or(0.0, |(low, high)| low.abs().max(high.abs()));
        let most = 100.0 * these.into_iter().map(furthest).fold(0.0, f64::max);
        said.push(format!(
            "{names}: zero is in it, and more than {most:.1} % is unlikely: no cost can be told from noise"
        ));
    }
    if let Some((names, these)) = of(Claim::Noisy) {
        let spread = spread(&these);
        said.push(format!("{names}: zero is in it, and the machine was too noisy to tell: {spread}; {more}"));
    }
    if let Some((names, these)) = of(Claim::Rough) {
        let spread = spread(&these);
        said.push(format!(
            "{names}: zero is not in it, but the machine was too noisy to tell closely: {spread}; {more}"
        ));
    }
    said
}

/// Why there is no row for all CPUs.
fn all_cpus_missing() -> String {
    format!(
        "left out: the kernel counts their time in hundredths of a second, and they were busy for less than {} in some run",
        Seconds(LEAST_FOR_MACHINE)
    )
}

fn events(figures: &Figures) -> String {
    let per_run = figures.events / figures.pairs as u64;
    let lost = match figures.lost {
        None => "how many were lost this kernel does not tell".to_owned(),
        Some(0) => "none lost".to_owned(),
        Some(lost) => {
            let share = Share(lost as f64 / figures.events as f64);
            format!(
                "{} of all {} lost ({share}); larger rings lose fewer (--ring-size)",
                Grouped(lost),
                Grouped(figures.events)
            )
        }
    };
    format!("{} a run, {} a second; {lost}", Grouped(per_run), Rate(figures.events_per_second))
}

/// What an event costs, as far as that can be told.
fn cost(figures: &Figures) -> Option<String> {
    let estimate = figures.cpu_ns_per_event?;
    let nanoseconds = |value: f64| Signed(value.round() as i64).to_string();
    let whose = match figures.cost_of {
        Cost::Machine => "of all CPUs' time",
        Cost::Command => "of COMMAND's and tp-perf's CPU time",
    };
    let own = figures.own_cpu_ns_per_event.map_or(0.0, f64::round) as u64;
    Some(match estimate.interval {
        Some((low, high)) if low <= 0.0 && high >= 0.0 => format!(
            "what an event costs cannot be told from noise (from {} to {} ns {whose}); tp-perf's own process takes {own} ns",
            nanoseconds(low),
            nanoseconds(high)
        ),
        interval => {
            let interval = interval.map_or_else(String::new, |(low, high)| {
                format!(" (from {} to {})", nanoseconds(low), nanoseconds(high))
            });
            let share = figures.own_share.map_or_else(String::new, |share| format!(" ({})", Share(share)));
            format!(
                "{} ns {whose} an event{interval}, {own} ns{share} of it by tp-perf's own process",
                nanoseconds(estimate.value)
            )
        }
    })
}
