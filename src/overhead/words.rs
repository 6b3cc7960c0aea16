//! Words the figures as sentences.

use super::figures::LEAST_FOR_MACHINE;
use super::{
    Arm, ArmComparison, Claim, Comparison, Cost, Estimate, FEWEST_PAIRS, Figures, Overhead, Times, Way, WayFigures,
};
use crate::os::cpus::named;
use crate::spool::DEFAULT_MEMORY;
use crate::units::{Bytes, Grouped, Plural, Rate, Seconds, Share, Signed};
use std::time::Duration;

/// Other work is mentioned from this many busy CPUs on.
const WORTH_SAYING: f64 = 0.1;

/// `5 rounds of 3 runs, with 1,568 tracepoints on CPUs 0-1`.
pub(crate) fn what_was_run(overhead: &Overhead, figures: &Figures) -> String {
    let (done, asked) = (figures.pairs, overhead.rounds_asked);
    let rounds = match done == asked {
        true => Plural(done as u64, "round").to_string(),
        false => format!("stopped after {} of {}", Grouped(done as u64), Plural(asked as u64, "round")),
    };
    let tracepoints = Plural(overhead.tracepoints as u64, "tracepoint");
    format!("{rounds} of {} runs, with {tracepoints} on {}", overhead.arms.len(), named(&overhead.cpus))
}

/// The compared times with their names.
pub(crate) fn rows(times: &Times) -> Vec<(&'static str, &Comparison)> {
    let all = [("wall", &times.wall), ("CPU", &times.cpu), ("system", &times.system), ("all CPUs", &times.machine)];
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

/// The remarks below the tables, each with its subject.
pub(crate) fn findings(overhead: &Overhead, figures: &Figures) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    if figures.pairs > 0 {
        said.push(("change", "the mean change within rounds, not the difference of the medians".to_owned()));
        said.extend(arms(overhead));
    }
    said.extend(intervals(figures).into_iter().map(|sentence| ("interval", sentence)));
    if figures.pairs > 0 && figures.cost_of == Cost::Command {
        said.push(("all CPUs", all_cpus_missing()));
    }
    if let Some(foreign) = figures.foreign_cpus.filter(|foreign| *foreign >= WORTH_SAYING) {
        said.push((
            "others",
            format!("with the events off, {foreign:.1} CPUs were busy with other work, or with processes that COMMAND did not wait for"),
        ));
    }
    if figures.pairs > 0 {
        said.extend(figures.ways.iter().map(|way| (way.way.name(), hits(way, figures.pairs as u64))));
        said.extend(figures.ways.iter().filter_map(|way| Some(("cost", cost(way, figures.cost_of)?))));
        said.extend(in_total(figures).map(|total| ("in total", total)));
    }
    if overhead.not_counted > 0 && overhead.arms.iter().any(|arm| matches!(arm, Arm::On(way) if way.counts())) {
        let left_out = Plural(overhead.not_counted as u64, "tracepoint");
        said.push(("not counted", format!("count leaves out {left_out} whose counters add up times, not hits")));
    }
    let failed = overhead.runs.iter().filter(|run| run.exit != 0).count();
    if failed > 0 {
        said.push(("failed", format!("COMMAND exited with a code other than 0 in {}", Plural(failed as u64, "run"))));
    }
    said.push(("excluded", excluded(overhead)));
    said
}

/// What was attached in the runs whose events were off.
fn arms(overhead: &Overhead) -> Vec<(&'static str, String)> {
    let off = "the tracepoints are attached as in the runs of each way, but their events are off";
    if !overhead.arms.contains(&Arm::Nothing) {
        return vec![("off", format!("{off}; `--nothing-attached` measures what this costs"))];
    }
    let waits = Plural(overhead.detach_waits.len() as u64, "time");
    let all: Duration = overhead.detach_waits.iter().sum();
    let nothing = format!(
        "tp-perf has attached nothing; such a run is the first or the last of its round, because the kernel takes \
         long to detach: tp-perf waited for it {waits}, {} in all. These runs are further from the others in time, so \
         a machine whose speed changes makes their intervals wider",
        Seconds(all)
    );
    let of_others = others(overhead).map(|others| ("nothing", others));
    [("off", off.to_owned()), ("nothing", nothing)].into_iter().chain(of_others).collect()
}

/// Who else had tracepoints attached, if somebody had.
pub(super) fn others(overhead: &Overhead) -> Option<String> {
    let pids: Vec<String> = overhead.attached_by_others.iter().map(i32::to_string).collect();
    let others = format!("another tp-perf had tracepoints attached (pid {})", listed(&pids));
    (!pids.is_empty()).then(|| format!("{others}, so the runs with nothing attached are not without cost"))
}

/// The remarks about the intervals, one for each kind of claim about a comparison.
fn intervals(figures: &Figures) -> Vec<String> {
    let comparisons = figures.comparisons();
    let rows = comparisons.iter().flat_map(|these| rows(these.times));
    let claims: Vec<Claim> = rows.map(|(_, comparison)| comparison.claim).collect();
    let mut said = Vec::new();
    if claims.contains(&Claim::TooFewPairs) {
        said.push(format!("an interval needs at least {FEWEST_PAIRS} rounds (--runs)"));
    }
    for these in &comparisons {
        let of_arm = match (comparisons.len(), these.base) {
            (1, _) => String::new(),
            (_, Arm::Nothing) => format!(" of {}, compared with nothing", these.arm),
            _ => format!(" of {}", these.arm),
        };
        said.extend(claims_of(these, &of_arm));
    }
    if claims.contains(&Claim::Noisy) || claims.contains(&Claim::Rough) {
        said.push("more rounds (--runs), a longer COMMAND, or a quieter machine narrows the intervals".to_owned());
    }
    said
}

/// The remarks about the intervals of one comparison. `of_arm` follows the names of the times.
fn claims_of(these: &ArmComparison<'_>, of_arm: &str) -> Vec<String> {
    let all = rows(these.times);
    let of = |claim: Claim| {
        let (names, these): (Vec<_>, Vec<_>) =
            all.iter().filter(|(_, comparison)| comparison.claim == claim).copied().unzip();
        (!names.is_empty()).then(|| (listed(&names), these))
    };
    let base = if these.base == Arm::Nothing { "nothing attached" } else { "the events off" };
    let spread = |these: &[&Comparison]| {
        let apart: Vec<_> = these.iter().map(|these| format!("{:.0} %", 100.0 * these.without.width())).collect();
        format!("even runs with {base} differ by {}", listed(&apart))
    };
    let mut said = Vec::new();
    if let Some((names, these)) = of(Claim::NoDifference) {
        let furthest = |these: &Comparison| these.change.interval.map_or(0.0, |(low, high)| low.abs().max(high.abs()));
        let most = 100.0 * these.into_iter().map(furthest).fold(0.0, f64::max);
        said.push(format!(
            "{names}{of_arm}: no measurable cost; the interval includes zero, and a change of more than {most:.1} % is unlikely"
        ));
    }
    if let Some((names, these)) = of(Claim::Noisy) {
        let spread = spread(&these);
        said.push(format!("{names}{of_arm}: the machine was too noisy; the interval includes zero, and {spread}"));
    }
    if let Some((names, these)) = of(Claim::Rough) {
        let spread = spread(&these);
        said.push(format!(
            "{names}{of_arm}: the change is real, but its size is uncertain because the machine was noisy; {spread}"
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

/// How many hits a way has watched, and how many it lost.
fn hits(figures: &WayFigures, pairs: u64) -> String {
    let of = match figures.way {
        Way::Record => "events",
        Way::RecordBudget | Way::Count => "hits",
        Way::Budget => "hits (estimated)",
    };
    let rates =
        format!("{} {of} per run, {} per second", Grouped(figures.events / pairs), Rate(figures.events_per_second));
    let lost = match (figures.way, figures.lost) {
        // A counter loses nothing.
        (Way::Count, _) => return rates,
        (Way::Budget, _) => match figures.detached {
            0 => return rates,
            detached => {
                let tracepoints = Plural(detached, "tracepoint");
                return format!("at least {rates}; {tracepoints} {} detached to keep the budget", tracepoints.were());
            }
        },
        (Way::Record | Way::RecordBudget, None) => "this kernel does not report losses".to_owned(),
        (Way::Record | Way::RecordBudget, Some(0)) => "none lost".to_owned(),
        (Way::Record | Way::RecordBudget, Some(lost)) => {
            let share = Share(lost as f64 / figures.events as f64);
            format!(
                "{} of {} lost ({share}); larger rings lose fewer (--ring-size)",
                Grouped(lost),
                Grouped(figures.events)
            )
        }
    };
    let detached = match figures.detached {
        0 => String::new(),
        detached => format!(
            "; the budget was too small for {}: tp-perf detached them in one of the runs, so later runs cost less than a \
             recording would (allow a larger --budget)",
            Plural(detached, "tracepoint")
        ),
    };
    format!("{rates}; {lost}{detached}")
}

/// The cost of an event, or the reason why it is unknown.
fn cost(figures: &WayFigures, cost_of: Cost) -> Option<String> {
    let estimate = figures.cpu_ns_per_event?;
    let nanoseconds = |value: f64| Signed(value.round() as i64).to_string();
    let whose = match cost_of {
        Cost::Machine => "of CPU time on all CPUs",
        Cost::Command => "of CPU time in COMMAND and tp-perf",
    };
    let what = match figures.way {
        Way::Record => "recording an event",
        Way::Count => "counting a hit",
        Way::RecordBudget => "a hit within the budget of a recording",
        Way::Budget => "a hit within the budget",
    };
    let own = figures.own_cpu_ns_per_event.map_or(0.0, f64::round) as u64;
    Some(match estimate.interval {
        Some((low, high)) if low <= 0.0 && high >= 0.0 => format!(
            "the cost of {what} is within the noise ({} to {} ns {whose}); tp-perf's own process takes {own} ns",
            nanoseconds(low),
            nanoseconds(high)
        ),
        interval => {
            let interval = interval
                .map_or_else(String::new, |(low, high)| format!(" ({} to {})", nanoseconds(low), nanoseconds(high)));
            let share = figures.own_share.map_or_else(String::new, |share| format!(" of it ({})", Share(share)));
            format!(
                "{what} costs {} ns {whose}{interval}; tp-perf's own process takes {own} ns{share}",
                nanoseconds(estimate.value)
            )
        }
    })
}

/// The CPU time that each way adds to COMMAND with nothing attached, if that was measured.
fn in_total(figures: &Figures) -> Option<String> {
    let of_way = |way: &WayFigures| {
        let change = way.against_nothing.as_ref()?.cpu.as_ref()?.change;
        let interval = change.interval.map_or_else(String::new, |_| format!(" ({})", interval(&change)));
        Some(format!("{} {}{interval}", way.way.name(), percent(change.value)))
    };
    let ways: Vec<_> = figures.ways.iter().filter_map(of_way).collect();
    (!ways.is_empty()).then(|| format!("CPU time, compared with nothing attached: {}", listed(&ways)))
}

/// What no figure contains.
fn excluded(overhead: &Overhead) -> String {
    let detach = match overhead.detach {
        Some(took) => Seconds(took).to_string(),
        None => format!("about {}, in the background", Seconds(overhead.detach_expected)),
    };
    let (attach, detach) = (format!("attaching ({})", Seconds(overhead.attach)), format!("detaching ({detach})"));
    if overhead.arms.iter().all(|arm| !matches!(arm, Arm::On(way) if !way.counts())) {
        return format!("the figures exclude {attach} and {detach}");
    }
    format!(
        "the figures exclude {attach}, {detach}, and {}writing up to {} of events after each run",
        if overhead.compress { "compressing and " } else { "" },
        Bytes(DEFAULT_MEMORY as u64),
    )
}
