//! Words the figures as sentences.

use super::figures::LEAST_FOR_MACHINE;
use super::{Claim, Comparison, Cost, Estimate, FEWEST_PAIRS, Figures, Overhead};
use crate::os::cpus::named;
use crate::spool::DEFAULT_MEMORY;
use crate::units::{Bytes, Grouped, Plural, Rate, Seconds, Share, Signed};

/// Other work is mentioned from this many busy CPUs on.
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

/// The compared times with their names.
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

/// `+30.1 % to +42.0 %`, or `–` if there are too few pairs.
pub(crate) fn interval(change: &Estimate) -> String {
    change.interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{} to {}", percent(low), percent(high)))
}

/// The remarks below the table, each with its subject.
pub(crate) fn findings(overhead: &Overhead, figures: &Figures) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    if figures.pairs > 0 {
        said.push(("change", "the mean change within pairs, not the difference of the medians".to_owned()));
        said.push(("without", "the tracepoints are attached, but disabled".to_owned()));
    }
    said.extend(intervals(figures).into_iter().map(|sentence| ("interval", sentence)));
    if figures.pairs > 0 && figures.machine.is_none() {
        said.push(("all CPUs", all_cpus_missing()));
    }
    if let Some(foreign) = figures.foreign_cpus.filter(|foreign| *foreign >= WORTH_SAYING) {
        said.push((
            "others",
            format!("without capturing, {foreign:.1} CPUs were busy with other work, or with processes that COMMAND did not wait for"),
        ));
    }
    if figures.pairs > 0 {
        said.push(("events", events(figures)));
        said.extend(cost(figures).map(|cost| ("cost", cost)));
    }
    let failed = overhead.runs.iter().filter(|run| run.exit != 0).count();
    if failed > 0 {
        said.push(("failed", format!("COMMAND exited with a code other than 0 in {}", Plural(failed as u64, "run"))));
    }
    let detach = match overhead.detach {
        Some(took) => Seconds(took).to_string(),
        None => format!("about {}, in the background", Seconds(overhead.detach_expected)),
    };
    said.push((
        "excluded",
        format!(
            "the figures exclude attaching ({}), detaching ({detach}), and {}writing up to {} of events after each run",
            Seconds(overhead.attach),
            if overhead.compress { "compressing and " } else { "" },
            Bytes(DEFAULT_MEMORY as u64),
        ),
    ));
    said
}

/// The remarks about the intervals, one for each kind of claim.
fn intervals(figures: &Figures) -> Vec<String> {
    let all = rows(figures);
    let of = |claim: Claim| {
        let (names, these): (Vec<_>, Vec<_>) =
            all.iter().filter(|(_, comparison)| comparison.claim == claim).copied().unzip();
        (!names.is_empty()).then(|| (listed(&names), these))
    };
    let more = "use more pairs (--runs), a longer COMMAND or a quieter machine";
    let spread = |these: &[&Comparison]| {
        let apart: Vec<_> = these.iter().map(|these| format!("{:.0} %", 100.0 * these.without.width())).collect();
        format!("even runs without capturing differ by {}", listed(&apart))
    };
    let mut said = Vec::new();
    if of(Claim::TooFewPairs).is_some() {
        said.push(format!("an interval needs at least {FEWEST_PAIRS} pairs (--runs)"));
    }
    if let Some((names, these)) = of(Claim::NoDifference) {
        let furthest = |these: &Comparison| these.change.interval.map_or(0.0, |(low, high)| low.abs().max(high.abs()));
        let most = 100.0 * these.into_iter().map(furthest).fold(0.0, f64::max);
        said.push(format!(
            "{names}: no measurable cost; the interval includes zero, and a change of more than {most:.1} % is unlikely"
        ));
    }
    if let Some((names, these)) = of(Claim::Noisy) {
        let spread = spread(&these);
        said.push(format!("{names}: the machine was too noisy; the interval includes zero, and {spread}; {more}"));
    }
    if let Some((names, these)) = of(Claim::Rough) {
        let spread = spread(&these);
        said.push(format!(
            "{names}: the change is real, but its size is uncertain because the machine was noisy; {spread}; {more}"
        ));
    }
    said
}

/// `a`, `a and b`, `a, b and c`.
fn listed(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [first @ .., before, last] => {
            first.iter().map(|word| format!("{word}, ")).collect::<String>() + before + " and " + last
        }
        few => few.concat(),
    }
}

/// Why the row for all CPUs is missing.
fn all_cpus_missing() -> String {
    format!(
        "not shown; the kernel counts this time in hundredths of a second, and in at least one run it was below {}",
        Seconds(LEAST_FOR_MACHINE)
    )
}

fn events(figures: &Figures) -> String {
    let per_run = figures.events / figures.pairs as u64;
    let lost = match figures.lost {
        None => "this kernel does not report losses".to_owned(),
        Some(0) => "none lost".to_owned(),
        Some(lost) => {
            let share = Share(lost as f64 / figures.events as f64);
            format!(
                "{} of {} lost ({share}); larger rings lose fewer (--ring-size)",
                Grouped(lost),
                Grouped(figures.events)
            )
        }
    };
    format!("{} per run, {} per second; {lost}", Grouped(per_run), Rate(figures.events_per_second))
}

/// The cost of an event, or the reason why it is unknown.
fn cost(figures: &Figures) -> Option<String> {
    let estimate = figures.cpu_ns_per_event?;
    let nanoseconds = |value: f64| Signed(value.round() as i64).to_string();
    let whose = match figures.cost_of {
        Cost::Machine => "of CPU time on all CPUs",
        Cost::Command => "of CPU time in COMMAND and tp-perf",
    };
    let own = figures.own_cpu_ns_per_event.map_or(0.0, f64::round) as u64;
    Some(match estimate.interval {
        Some((low, high)) if low <= 0.0 && high >= 0.0 => format!(
            "the cost of an event is within the noise ({} to {} ns {whose}); tp-perf's own process takes {own} ns",
            nanoseconds(low),
            nanoseconds(high)
        ),
        interval => {
            let interval = interval
                .map_or_else(String::new, |(low, high)| format!(" ({} to {})", nanoseconds(low), nanoseconds(high)));
            let share = figures.own_share.map_or_else(String::new, |share| format!(" of it ({})", Share(share)));
            format!(
                "an event costs {} ns {whose}{interval}; tp-perf's own process takes {own} ns{share}",
                nanoseconds(estimate.value)
            )
        }
    })
}
