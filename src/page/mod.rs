//! The page: one HTML file that needs no other file, with graphs to zoom and search, and tables to sort. This module also writes
//! the page and the plots.
//!
//! The HTML itself contains the text and the tables, so people can read and print the page without scripts. uPlot draws the axes
//! and handles the cursor. Every page contains its MIT licence (`vendor/uPlot.LICENSE`). `raster.js` paints the rows of the graphs.

mod command;
mod data;
mod files;
mod plot_files;
mod policy;
mod process_graph;
mod processes;
mod thinned;
mod written;

pub use files::{FileOptions, Files};
pub use plot_files::PlotOptions;
pub use written::{Error, WrittenFile};

use crate::os::cpus::one_named;
use crate::ranking::Ranked;
use crate::report::{
    Basis, By, ChangeWords, Compared, Differences, Presence, RankedWords, RateChange, Report, RungParts, SourceReport,
    StateSpan, facts, mark, sparkline, states,
};
use crate::text::{JsonInPage, OneLine};
use crate::tracefs::Tpid;
use crate::units::{Grouped, Rate, Share, Signed};
use askama::Template;
use processes::{PageProcess, process_rows};
use std::collections::HashMap;
use std::io::{self, Write};

/// Bars of a row.
const BARS: usize = 24;

/// The most rows of a source's table, which is more than any kernel has tracepoints.
const MOST_LISTED: usize = 5_000;

/// The most rows of each table of differences.
const MOST_DIFFERENCES: usize = 100;

/// The library that draws the axes.
const LIBRARY: &str = include_str!("vendor/uPlot.iife.min.js");
/// The page's own code.
const CODE: &str = concat!(
    "\"use strict\";\n",
    include_str!("cells.js"),
    include_str!("raster.js"),
    include_str!("text.js"),
    include_str!("search.js"),
    include_str!("order.js"),
    include_str!("selection.js"),
    include_str!("view.js"),
    include_str!("strip.js"),
    include_str!("overview.js"),
    include_str!("bands.js"),
    include_str!("tip.js"),
    include_str!("gutter.js"),
    include_str!("pointer.js"),
    include_str!("graph.js"),
    include_str!("processes.js"),
    include_str!("tables.js"),
    include_str!("shown.js"),
    include_str!("save.js"),
    include_str!("keys.js"),
    include_str!("fragment.js"),
    include_str!("main.js"),
);
/// The style sheet, without the places of the states.
const STYLE: &str =
    concat!(include_str!("vendor/uPlot.min.css"), "\n", include_str!("page.css"), include_str!("../plot/states.css"));

#[derive(Template)]
#[template(path = "page/page.html")]
struct Page<'a> {
    title: String,
    policy: String,
    style: String,
    library: &'static str,
    code: &'static str,
    sources: Vec<Section<'a>>,
    differences: Option<Differing<'a>>,
    data: JsonInPage<data::Data<'a>>,
    version: &'static str,
}

struct Section<'a> {
    number: usize,
    label: String,
    facts: Vec<(&'static str, String)>,
    is_range: bool,
    /// What a time without any event means.
    silence: &'static str,
    /// Whether the graphs have such marks.
    has_gaps: bool,
    has_losses: bool,
    has_unwatched: bool,
    /// Whether the recording had a budget. Then tables show hits, and the rung of each tracepoint.
    has_budget: bool,
    /// What the numbers in tables count, in the plural.
    unit: String,
    states: Vec<states::StretchRow>,
    state_spans: Vec<StateStrip>,
    tracepoints: Vec<RankedRow<'a>>,
    /// The number of further tracepoints that were hit.
    unlisted: usize,
    groups: Vec<RankedRow<'a>>,
    cpus: Vec<[String; 6]>,
    unaccounted: Vec<(String, String)>,
    refused: Vec<(OneLine<String>, String)>,
    /// Empty if the processes are not known.
    processes: Vec<PageProcess>,
    unlisted_processes: usize,
    /// Whether the cgroups of processes are known.
    has_cgroups: bool,
}

/// A stretch of one state.
struct StateStrip {
    id: String,
    class: String,
    label: String,
    /// Its place, in percent of the time. The style sheet has it, because the policy allows no style in an element.
    left: f64,
    width: f64,
    from_ns: u64,
    to_ns: u64,
}

/// The escapes of names are made when they are written, because they can be several times as long.
struct RankedRow<'a> {
    /// Its tpid or gid. Empty if that is unknown.
    number: String,
    name: OneLine<&'a str>,
    group: OneLine<&'a str>,
    events: u64,
    events_text: String,
    share: f64,
    share_text: String,
    rate: f64,
    rate_text: String,
    lost: u64,
    lost_text: String,
    /// The rung in words, and the part of the time in which it was not recorded. Empty without a budget.
    rung_text: String,
    rung: f64,
    bars: String,
}

struct Differing<'a> {
    remarks: Vec<String>,
    tables: Vec<Changes<'a>>,
    only: Vec<Only<'a>>,
}

/// A table of the changes, or of the largest differences by one measure.
struct Changes<'a> {
    title: String,
    /// The name of the rows, and of the columns behind it.
    what: &'static str,
    heads: Vec<String>,
    /// The number of differences. The table may have fewer rows.
    number: usize,
    rows: Vec<Change<'a>>,
}

/// A name, and for each column a text and the number by which it is sorted.
struct Change<'a> {
    name: OneLine<&'a str>,
    texts: Vec<(String, f64)>,
}

/// The tracepoints or groups that only one source has.
struct Only<'a> {
    what: &'static str,
    source: String,
    number: usize,
    /// Name, events, and why the other sources lack it.
    rows: Vec<(OneLine<&'a str>, String, &'static str)>,
}

/// Writes the page of a report.
///
/// # Errors
/// If it cannot be written.
pub fn write_page(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let labels: Vec<String> = report.sources.iter().map(|source| OneLine(&source.label).to_string()).collect();
    let sources: Vec<Section<'_>> =
        report.sources.iter().enumerate().map(|(number, source)| section(number, source)).collect();
    let style = style(&sources);
    let page = Page {
        title: format!("{} · tp-perf", labels.join(", ")),
        policy: policy::policy(&[LIBRARY, CODE], &style),
        style,
        library: LIBRARY,
        code: CODE,
        sources,
        differences: report.differences.as_ref().map(differing),
        data: JsonInPage(data::data(report)),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.write_into(out)
}

/// The style sheet, with the places of the states.
fn style(sources: &[Section<'_>]) -> String {
    let strips = sources.iter().flat_map(|source| &source.state_spans);
    let places =
        strips.map(|StateStrip { id, left, width, .. }| format!("#{id} {{ left: {left:.3}%; width: {width:.3}% }}\n"));
    STYLE.to_owned() + &places.collect::<String>()
}

fn row<'a, N>(
    ranked: &'a Ranked<N>,
    number: String,
    group: &'a str,
    lost: Option<u64>,
    is_incomplete: bool,
    rung: Option<RungParts>,
    counts: Option<&Vec<f64>>,
) -> RankedRow<'a> {
    let words = RankedWords::of(ranked, is_incomplete);
    RankedRow {
        number,
        name: OneLine(&ranked.name),
        group: OneLine(group),
        events: ranked.events,
        events_text: words.hits,
        share: ranked.share,
        share_text: words.share,
        rate: ranked.rate.unwrap_or(0.0),
        rate_text: words.rate,
        lost: lost.unwrap_or(0),
        lost_text: lost.map(|lost| Grouped(lost).to_string()).unwrap_or_default(),
        rung_text: rung.map(|rung| rung.words()).unwrap_or_default(),
        rung: rung.map_or(0.0, |rung| 1.0 - rung.recorded),
        bars: counts.map(|counts| sparkline(counts)).unwrap_or_default(),
    }
}

fn section(number: usize, source: &SourceReport) -> Section<'_> {
    let SourceReport { summary, ranking, table, selection, .. } = source;
    let (of_tracepoints, of_groups) = source.columns(BARS);
    let rungs = source.rungs();
    let lost: HashMap<Tpid, u64> =
        summary.per_tracepoint.iter().filter_map(|account| Some((account.tpid, account.lost?))).collect();
    let known = |value: Option<u64>| value.map_or("unknown".to_owned(), |value| Grouped(value).to_string());
    let refused = table.tracepoints().iter().filter_map(|tracepoint| {
        let status = selection.status(tracepoint.tpid);
        status.is_refused().then(|| (OneLine(tracepoint.full_name()), shown(&status.to_string())))
    });
    let (processes, unlisted_processes) = process_rows(source);
    Section {
        number,
        label: shown(&source.label),
        facts: facts(source).into_iter().map(|(name, fact)| (name, shown(&fact))).collect(),
        is_range: source.is_range,
        silence: match source.activity.is_all() {
            true => "no CPU recorded anything",
            false => "no selected event was recorded",
        },
        has_gaps: !source.activity.gaps().is_empty(),
        has_losses: !source.activity.losses().is_empty(),
        has_unwatched: !source.unwatched.is_empty(),
        has_budget: rungs.is_some(),
        unit: format!("{}s", source.unit()),
        states: source.states.as_ref().map(states::rows).unwrap_or_default(),
        state_spans: strips(number, source),
        unlisted: ranking.tracepoints.len().saturating_sub(MOST_LISTED),
        tracepoints: ranking
            .tracepoints
            .iter()
            .take(MOST_LISTED)
            .map(|ranked| {
                let group = &table.get(ranked.number).group;
                let lost = lost.get(&ranked.number).copied();
                let rung = rungs.as_ref().and_then(|rungs| rungs.of(ranked.number));
                let is_incomplete = rung.is_some_and(|rung| rung.is_incomplete());
                let bars = of_tracepoints.get(&ranked.number);
                row(ranked, ranked.number.to_string(), group, lost, is_incomplete, rung, bars)
            })
            .collect(),
        groups: ranking
            .groups
            .iter()
            .map(|ranked| {
                let number = ranked.number.map(|gid| gid.to_string()).unwrap_or_default();
                let is_incomplete = rungs.as_ref().is_some_and(|rungs| rungs.is_incomplete(&ranked.name));
                row(ranked, number, &ranked.name, None, is_incomplete, None, of_groups.get(&ranked.name))
            })
            .collect(),
        cpus: summary
            .per_cpu
            .iter()
            .map(|cpu| {
                let unaccounted =
                    cpu.unaccounted.map_or("unknown".to_owned(), |unaccounted| Signed(unaccounted).to_string());
                let [recorded, lost, late] = [cpu.recorded, cpu.lost, cpu.late].map(|n| Grouped(n).to_string());
                [one_named(cpu.cpu), recorded, lost, late, known(cpu.counted), unaccounted]
            })
            .collect(),
        unaccounted: summary
            .unaccounted
            .iter()
            .take(20)
            .map(|off| (format!("{} on {}", shown(&off.name), one_named(off.cpu)), Signed(off.unaccounted).to_string()))
            .collect(),
        refused: refused.collect(),
        has_cgroups: processes.iter().any(|process| !process.cgroup.is_empty()),
        processes,
        unlisted_processes,
    }
}

fn strips(source_number: usize, source: &SourceReport) -> Vec<StateStrip> {
    let whole = source.activity.span().map_or(0, |(first, last)| last - first).max(1) as f64;
    let percent = |ns: u64| 100.0 * (ns as f64 / whole).min(1.0);
    let strip = |(number, span): (usize, &StateSpan)| StateStrip {
        id: format!("state-{source_number}-{number}"),
        class: span.colour(),
        label: shown(&span.label),
        left: percent(span.from_ns),
        width: percent(span.to_ns) - percent(span.from_ns),
        from_ns: span.from_ns,
        to_ns: span.to_ns,
    };
    source.state_spans.iter().enumerate().map(strip).collect()
}

fn differing(differences: &Differences) -> Differing<'_> {
    let Differences { sources, sides, basis, remarks, tracepoints, groups, processes } = differences;
    let mut tables = Vec::new();
    for (what, all) in [("tracepoint", tracepoints), ("group", groups)] {
        let sure: Vec<&Compared> = Differences::sure(all).collect();
        let heads = sides.iter().map(|side| shown(side)).chain(["×", "at least", "Δ"].map(str::to_owned));
        tables.push(Changes {
            title: differences.verdict(what, all),
            what,
            heads: heads.collect(),
            number: sure.len(),
            rows: sure.into_iter().take(MOST_DIFFERENCES).map(|row| changed(differences, row)).collect(),
        });
    }
    let of_processes = By::ALL.map(|by| ("process", by, processes)).into_iter().filter(|(.., all)| !all.is_empty());
    // Where nothing can be judged, the shares still differ.
    let unjudged = [("tracepoint", By::Share, tracepoints), ("group", By::Share, groups)];
    let unjudged = unjudged.into_iter().filter(|_| *basis == Basis::Nothing);
    tables.extend(of_processes.chain(unjudged).map(|(what, by, all)| most(sources, what, by, all)));
    let mut only = Vec::new();
    for (what, all) in [("tracepoints", tracepoints), ("groups", groups)] {
        for (number, source) in sides.iter().enumerate() {
            let mut here: Vec<&Compared> = all.iter().filter(|compared| compared.is_only_in(number)).collect();
            here.sort_by_key(|compared| (std::cmp::Reverse(compared.events(number)), &compared.name));
            let rows = here
                .iter()
                .take(MOST_DIFFERENCES)
                .map(|only| (OneLine(only.name.as_str()), only.hits(number), only.why_only_in(number)));
            only.push(Only { what, source: shown(source), number: here.len(), rows: rows.collect() });
        }
    }
    Differing { remarks: remarks.iter().map(|remark| shown(remark)).chain([basis.words()]).collect(), tables, only }
}

/// The table of those that differ most in a measure.
fn most<'a>(sources: &[String], what: &'static str, by: By, all: &'a [Compared]) -> Changes<'a> {
    let most = by.most(all);
    Changes {
        title: format!("{what}s whose {} differs most", by.name()),
        what,
        heads: sources.iter().map(|source| shown(source)).collect(),
        number: most.len(),
        rows: most.into_iter().take(MOST_DIFFERENCES).map(|row| differing_most(row, by)).collect(),
    }
}

/// The row of a change.
fn changed<'a>(differences: &Differences, row: &'a Compared) -> Change<'a> {
    let ChangeWords { between, difference, times, at_least } = differences.words(row);
    let rates = row.sides.iter().map(|side| (Differences::rate(side), side.rate().unwrap_or(-1.0)));
    let change = row.change.as_ref();
    let number = |value: fn(&RateChange) -> f64| change.map_or(0.0, value);
    let times = if between.is_empty() { times } else { format!("{times} ({between})") };
    let words = [
        // Only in the later side is more than any ratio.
        (times, number(|change| change.times.unwrap_or(1e15))),
        (at_least, number(RateChange::at_least)),
        (difference, number(|change| change.difference)),
    ];
    Change { name: OneLine(&row.name), texts: rates.chain(words).collect() }
}

/// The row of one that differs in a measure.
fn differing_most(row: &Compared, by: By) -> Change<'_> {
    let number = |side: &Presence| match side {
        Presence::Hit { share, .. } if by == By::Share => *share,
        other => other.rate().unwrap_or(-1.0),
    };
    let texts = row.sources.iter().map(|source| (presence(source), number(source))).collect();
    Change { name: OneLine(&row.name), texts }
}

fn presence(presence: &Presence) -> String {
    match presence {
        Presence::Hit { share, rate: Some(rate), is_estimate, .. } => {
            let mark = mark(*is_estimate);
            format!("{mark}{} · {mark}{}/s", Share(*share), Rate(*rate))
        }
        Presence::Hit { share, is_estimate, .. } => format!("{}{}", mark(*is_estimate), Share(*share)),
        other => other.word().to_owned(),
    }
}

fn shown(text: &str) -> String {
    OneLine(text).to_string()
}
