//! A report as JSON, for programs.

use crate::activity::Gap;
use crate::memory::{Held, MemoryOf};
use crate::os::cpus::Cpu;
use crate::processes::{Process, ProcessRanking, RankedProcess};
use crate::ranking::{Ranked, Ranking};
use crate::recording::{Summary, Tool};
use crate::report::{Differences, Report, RungParts, SourceReport, StateSpan};
use crate::text::write_json_pretty;
use crate::tracefs::{Gid, Tpid};
use crate::units::Ns;
use serde::Serialize;
use std::collections::HashMap;
use std::io::{self, Write};

/// The version of the JSON form. It grows when a field changes its meaning or is removed.
const SCHEMA: u32 = 1;

/// The number of columns of `activity`.
const COLUMNS: usize = 60;

#[derive(Serialize)]
struct ReportJson<'a> {
    schema: u32,
    tool: Tool,
    sources: Vec<SourceJson<'a>>,
    differences: Option<&'a Differences>,
}

#[derive(Serialize)]
struct SourceJson<'a> {
    source: &'a str,
    place: String,
    /// Why the source is incomplete, if it is.
    problem: Option<String>,
    summary: &'a Summary,
    /// Whether `events` counts the recorded events of a range, and the hits that those of thinned tracepoints stand for. If false, it has the kernel's counts.
    is_range: bool,
    /// The number of events in log.csv, if it does not have all.
    logged: Option<u64>,
    events: u64,
    /// Whether `events` is an estimate, because events of thinned tracepoints stand for several hits.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_estimate: bool,
    duration_ns: u64,
    /// The time of the first event.
    start: Option<Ns>,
    /// The time from the first event to the last.
    span_ns: Option<u64>,
    tracepoints: Vec<TracepointRow<'a>>,
    groups: Vec<GroupRow<'a>>,
    losses: Vec<LossRow>,
    gaps: Vec<Gap>,
    /// The states of the source, if they were asked for.
    states: &'a [StateSpan],
    /// The processes, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<Vec<ProcessRow<'a>>>,
}

#[derive(Serialize)]
struct ProcessRow<'a> {
    #[serde(flatten)]
    process: &'a Process,
    events: u64,
    /// Whether `events` is an estimate of hits, because events of thinned tracepoints stand for several.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_estimate: bool,
    share: f64,
    rate: Option<f64>,
    tracepoints: Vec<HitByProcess>,
}

/// A tracepoint that a process hit.
#[derive(Serialize)]
struct HitByProcess {
    tpid: Tpid,
    name: String,
    events: u64,
}

#[derive(Serialize)]
struct TracepointRow<'a> {
    tpid: Tpid,
    gid: Gid,
    #[serde(flatten)]
    ranked: &'a Ranked<Tpid>,
    recorded: Option<u64>,
    lost: Option<u64>,
    counted: Option<u64>,
    unaccounted: Option<i64>,
    /// The parts of the time on each rung, if the recording had a budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    rungs: Option<RungParts>,
    /// The recorded events in each sixtieth of the time from the first event to the last. A number has
    /// decimals if its events were counted in a bin that spans several columns.
    activity: Vec<f64>,
}

#[derive(Serialize)]
struct GroupRow<'a> {
    gid: Option<Gid>,
    #[serde(flatten)]
    ranked: &'a Ranked<Option<Gid>>,
    activity: Vec<f64>,
}

/// A stretch in which events were lost, in nanoseconds since the first event.
#[derive(Serialize)]
struct LossRow {
    cpu: Option<Cpu>,
    lost: u64,
    from_ns: u64,
    to_ns: u64,
}

/// The memory in bytes of a row with its activity, and with its text.
const OF_ROW: u64 = 3_072;
/// The memory in bytes of a row of a process, or of its tracepoint.
const OF_PROCESS_ROW: u64 = 256;

/// Writes the report with at most `top` tracepoints and groups for each source.
pub fn write_json(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let rows = |source: &SourceReport| {
        let Ranking { tracepoints, groups, .. } = &source.ranking;
        let processes = source.processes.iter().flat_map(|all| &all.processes).take(top);
        let of_processes: usize = processes.map(|ranked| 1 + ranked.tracepoints.len().min(top)).sum();
        OF_ROW * (tracepoints.len().min(top) + groups.len().min(top)) as u64 + OF_PROCESS_ROW * of_processes as u64
    };
    let _held = Held::take(MemoryOf::Rows, report.sources.iter().map(rows).sum::<u64>())?;
    let document = ReportJson {
        schema: SCHEMA,
        tool: Tool::this(),
        sources: report.sources.iter().map(|report| source(report, top)).collect(),
        differences: report.differences.as_ref(),
    };
    write_json_pretty(&document, out)
}

/// Rounds to hundredths, so that rounding errors such as 13.000000000000002 do not show.
fn rounded(counts: Option<&Vec<f64>>) -> Vec<f64> {
    counts.into_iter().flatten().map(|count| (count * 100.0).round() / 100.0).collect()
}

fn source(report: &SourceReport, top: usize) -> SourceJson<'_> {
    let SourceReport { activity, ranking, summary, table, .. } = report;
    let accounts: HashMap<Tpid, _> = summary.per_tracepoint.iter().map(|account| (account.tpid, account)).collect();
    let (of_tracepoints, of_groups) = report.columns(COLUMNS);
    let rungs = report.rungs();
    let tracepoints = ranking.tracepoints.iter().take(top).map(|ranked| {
        let account = accounts.get(&ranked.number);
        TracepointRow {
            tpid: ranked.number,
            gid: table.get(ranked.number).gid,
            ranked,
            recorded: account.map(|account| account.recorded),
            lost: account.and_then(|account| account.lost),
            counted: account.and_then(|account| account.counted),
            unaccounted: account.and_then(|account| account.unaccounted),
            rungs: rungs.as_ref().and_then(|rungs| rungs.of(ranked.number)),
            activity: rounded(of_tracepoints.get(&ranked.number)),
        }
    });
    let groups = ranking.groups.iter().take(top).map(|ranked| GroupRow {
        gid: ranked.number,
        ranked,
        activity: rounded(of_groups.get(&ranked.name)),
    });
    let losses = activity.losses().into_iter().map(|loss| LossRow {
        cpu: loss.cpu,
        lost: loss.lost,
        from_ns: loss.from.0,
        to_ns: loss.to.0,
    });
    SourceJson {
        source: &report.label,
        place: report.place.to_string(),
        problem: report.problem.as_ref().map(|problem| format!("{problem:#}")),
        summary,
        is_range: report.is_range,
        logged: report.logged,
        events: ranking.events,
        is_estimate: ranking.is_estimate,
        duration_ns: crate::units::nanoseconds(ranking.duration),
        start: activity.span().map(|(first, _)| first),
        span_ns: activity.span().map(|(first, last)| last - first),
        tracepoints: tracepoints.collect(),
        groups: groups.collect(),
        losses: losses.collect(),
        gaps: activity.gaps(),
        states: &report.state_spans,
        processes: report.processes.as_ref().map(|all| processes(report, all, top)),
    }
}

fn processes<'a>(report: &SourceReport, all: &'a ProcessRanking, top: usize) -> Vec<ProcessRow<'a>> {
    let hit = |(tpid, events): &(Tpid, u64)| HitByProcess {
        tpid: *tpid,
        name: report.table.get(*tpid).full_name(),
        events: *events,
    };
    let row = |ranked: &'a RankedProcess| ProcessRow {
        process: &ranked.process,
        events: ranked.events,
        is_estimate: all.is_estimate,
        share: all.share(ranked.events),
        rate: report.ranking.per_second(ranked.events),
        tracepoints: ranked.tracepoints.iter().take(top).map(hit).collect(),
    };
    all.processes.iter().take(top).map(row).collect()
}
