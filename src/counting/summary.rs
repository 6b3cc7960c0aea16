//! Everything that a count found, for all outputs.

use super::{CountOptions, CountRun, Counters, TotalHits, Totals};
use crate::control::CommandLine;
use crate::engine::{Attached, Counting, HitCost};
use crate::events::{Cpu, Estimated, Ns, Rung, Tpid};
use crate::os::machine::{hostname, kernel_release};
use crate::recording::{SelfSummary, StopReason, Tool, Unwatched};
use crate::tracefs::{Exclusion, Selection, Status, Table, Tracepoint};
use crate::units::nanoseconds;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The version of the JSON. It grows when a field changes its meaning or is removed.
const SCHEMA: u32 = 1;

/// Everything that a count found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountSummary {
    /// The version of the format: `SCHEMA`.
    pub schema: u32,
    /// The program that counted.
    pub tool: Tool,
    /// The kernel's release.
    pub kernel: String,
    /// The name of the machine.
    pub hostname: String,
    /// The time at which the events were switched on, by the wall clock in UTC.
    pub started: String,
    /// COMMAND and its arguments, or null.
    pub command: Option<Vec<String>>,
    /// COMMAND's exit code (128 + n for signal n), or null if it had not ended.
    pub command_exit: Option<i32>,
    /// Why the count stopped.
    pub stop_reason: StopReason,
    /// The CPUs on which tp-perf counted, ascending.
    pub cpus: Vec<Cpu>,
    /// The chosen CPUs that were offline, or went offline while attaching.
    pub offline_cpus: Vec<Cpu>,
    /// The stretches in which a CPU was not watched, in nanoseconds since the begin.
    pub unwatched: Vec<Unwatched>,
    /// The time from switching the events on to switching them off.
    pub length_ns: u64,
    /// The length of a window.
    pub window_ns: u64,
    /// The number of windows.
    pub windows: u64,
    /// How late the latest tick began.
    pub most_late_ns: u64,
    /// The number of ticks that were left out, because the tick before them ended too late.
    pub skipped_ticks: u64,
    /// The time to open all events.
    pub attach_ns: u64,
    /// tp-perf's own part.
    #[serde(rename = "self")]
    pub own: SelfSummary,
    /// The number of tracepoints in tracefs.
    pub listed: usize,
    /// The number of tracepoints that the default exclusions left out.
    pub excluded_by_default: usize,
    /// The number of tracepoints that were counted.
    pub counted: usize,
    /// The selected tracepoints that were not counted, and why.
    pub not_counted: Vec<NotCounted>,
    /// All hits that were counted.
    pub hits: u64,
    /// All hits, if some of them are estimated; otherwise null.
    pub estimated: Option<EstimatedHits>,
    /// All hits per second; null if the length is 0, or if hits are unknown because a tracepoint was detached for a time.
    /// This and all shares are computed from the estimates, where there are any.
    pub per_second: Option<f64>,
    /// The cost of the count; null if it is not known.
    pub cost: Option<CostSummary>,
    /// Each counted tracepoint, also without hits, the most hits first.
    pub per_tracepoint: Vec<CountRow>,
    /// Each group with a counted tracepoint, the most hits first.
    pub per_group: Vec<CountRow>,
    /// Each CPU.
    pub per_cpu: Vec<CpuHits>,
}

/// An estimated number of hits. The interval contains the truth 19 times in 20.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EstimatedHits {
    /// The estimate.
    pub hits: f64,
    /// The ends of the interval. `high` is null if there were too few visits.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

impl From<Estimated> for EstimatedHits {
    fn from(estimated: Estimated) -> Self {
        let (low, high) = estimated.interval();
        EstimatedHits { hits: estimated.hits, low, high }
    }
}

/// The cost of a count. Parts are parts of the time of all CPUs, from 0 to 1, and are estimates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CostSummary {
    /// The budget, or null.
    pub budget: Option<f64>,
    /// The cost of the whole count.
    pub part: f64,
    /// The cost of its most expensive window.
    pub most: f64,
    /// The number of windows whose cost exceeded the budget.
    pub windows_over: u64,
    /// How often a tracepoint moved to another rung.
    pub moves: u64,
    /// The number of tracepoints that are visited at the end, and of those that are detached.
    pub visited: usize,
    /// See `visited`.
    pub detached: usize,
    /// The cost of a hit at the start.
    pub at_start: HitCost,
    /// The cost of a hit at the end, refined during the count.
    pub at_end: HitCost,
}

/// A selected tracepoint that was not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCounted {
    /// Its group.
    pub tracepoint_group: String,
    /// Its name.
    pub tracepoint: String,
    /// Why it was not counted.
    pub reason: String,
}

/// The hits of a tracepoint or of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountRow {
    /// The group.
    pub tracepoint_group: String,
    /// The name of the tracepoint; missing in the row of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracepoint: Option<String>,
    /// Its hits that were counted.
    pub hits: u64,
    /// How it was watched at the end; missing in the row of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rung: Option<Rung>,
    /// The part of the time in which it was watched, from 0 to 1; of a group, the least part of a tracepoint.
    pub watched: f64,
    /// The part of the time in which it was detached, so its hits are unknown; of a group, the largest part of a tracepoint.
    pub detached: f64,
    /// All its hits while it was not detached, if some of them are estimated; otherwise null.
    pub estimated: Option<EstimatedHits>,
    /// Its hits per second; null if the length is 0, or if hits are unknown because it was detached for a time.
    pub per_second: Option<f64>,
    /// Its share of all hits, from 0 to 1.
    pub share: f64,
    /// The begin of the first window with a hit, in nanoseconds since the begin; null without hits.
    pub first_ns: Option<u64>,
    /// The begin of the last window with a hit.
    pub last_ns: Option<u64>,
    /// Its hits on each CPU on which it has any, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_cpu: Option<Vec<CpuHits>>,
}

impl CountRow {
    /// `group:name`, or the group.
    pub fn full_name(&self) -> String {
        full_name(&self.tracepoint_group, self.tracepoint.as_deref())
    }
}

/// `group:name`, or the group if there is no name.
pub(super) fn full_name(group: &str, name: Option<&str>) -> String {
    name.map_or_else(|| group.to_owned(), |name| format!("{group}:{name}"))
}

/// Hits on a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CpuHits {
    /// The CPU.
    pub cpu: Cpu,
    /// The hits.
    pub hits: u64,
}

impl CountSummary {
    /// The summary of a run. With `per_cpu`, the rows have the hits on each CPU.
    pub fn of<E: Counting>(
        options: &CountOptions,
        counters: &Counters<E>,
        run: &CountRun,
        totals: &Totals,
        per_cpu: bool,
    ) -> Self {
        let Counters { table, selection, attach, .. } = counters;
        let Attached { cpus, offline, .. } = counters.attached();
        let begin = totals.span().map_or(Ns(0), |(begin, _)| begin);
        let by_tracepoint = totals.by_tracepoint();
        let all = totals.with_estimates();
        let rows = RowMaker { length: run.length, begin, all: all.hits, totals };
        let (per_tracepoint, per_group) = rows.of(table, &by_tracepoint, per_cpu.then(|| by_cpu(totals)));
        let since_begin = |time: Ns| Ns(time.0.saturating_sub(begin.0));
        let unwatched = run.unwatched.iter();
        CountSummary {
            schema: SCHEMA,
            tool: Tool::this(),
            kernel: kernel_release(),
            hostname: hostname(),
            started: humantime::format_rfc3339_nanos(run.started).to_string(),
            command: options.command.as_ref().map(CommandLine::words),
            command_exit: run.command_exit,
            stop_reason: run.stop_reason,
            cpus: cpus.as_slice().to_vec(),
            offline_cpus: offline.as_slice().to_vec(),
            unwatched: unwatched
                .map(|it| Unwatched { from: since_begin(it.from), to: since_begin(it.to), ..*it })
                .collect(),
            length_ns: nanoseconds(run.length),
            window_ns: nanoseconds(options.every),
            windows: run.windows,
            most_late_ns: nanoseconds(run.most_late),
            skipped_ticks: run.skipped,
            attach_ns: nanoseconds(*attach),
            own: SelfSummary {
                excluded: options.choice.excludes_self(),
                pid: std::process::id() as i32,
                cpu_ns: nanoseconds(run.own_cpu),
            },
            listed: table.tracepoints().len(),
            excluded_by_default: selection.excluded_by_default(table),
            counted: by_tracepoint.len(),
            not_counted: not_counted(table, selection),
            hits: totals.all(),
            estimated: (!totals.partly().is_empty()).then(|| all.into()),
            per_second: rows.per_second(all.hits).filter(|_| per_tracepoint.iter().all(|row| row.detached == 0.0)),
            cost: run.cost.map(|cost| {
                let on = |rung| totals.partly().values().filter(|total| total.rung == rung).count();
                CostSummary {
                    budget: options.budget,
                    part: cost.part,
                    most: cost.most,
                    windows_over: cost.over,
                    moves: cost.moves,
                    visited: on(Rung::Visited),
                    detached: on(Rung::Detached),
                    at_start: cost.at_start,
                    at_end: cost.at_end,
                }
            }),
            per_tracepoint,
            per_group,
            per_cpu: totals
                .by_cpu()
                .into_iter()
                .filter_map(|(cpu, hits)| Some(CpuHits { cpu: cpu?, hits: hits.number }))
                .collect(),
        }
    }
}

/// The hits on each CPU, for each tracepoint.
fn by_cpu(totals: &Totals) -> BTreeMap<Tpid, Vec<CpuHits>> {
    let mut by_cpu = BTreeMap::<Tpid, Vec<CpuHits>>::new();
    for (slot, hits) in totals.by_slot().filter(|(_, hits)| hits.number > 0) {
        if let Some(cpu) = slot.cpu {
            by_cpu.entry(slot.tpid).or_default().push(CpuHits { cpu, hits: hits.number });
        }
    }
    by_cpu
}

fn not_counted(table: &Table, selection: &Selection) -> Vec<NotCounted> {
    let not_counted = |tracepoint: &Tracepoint| {
        let reason = match selection.status(tracepoint.tpid) {
            Status::Refused { reason } => format!("the kernel refused it: {reason}"),
            Status::Excluded(why @ Exclusion::NotCounted) => format!("{why}; `tp-perf record` records it"),
            _ => return None,
        };
        let (group, name) = (tracepoint.group.clone(), tracepoint.name.clone());
        Some(NotCounted { tracepoint_group: group, tracepoint: name, reason })
    };
    table.tracepoints().iter().filter_map(not_counted).collect()
}

/// The hits that were counted, and those that were not.
fn with_counted(uncounted: Estimated, counted: u64) -> Estimated {
    Estimated { hits: uncounted.hits + counted as f64, ..uncounted }
}

/// Makes rows of hits.
struct RowMaker<'a> {
    length: Duration,
    begin: Ns,
    /// All hits, with those that are estimated.
    all: f64,
    totals: &'a Totals,
}

/// What a row adds up.
#[derive(Debug, Clone, Copy)]
struct Added {
    hits: TotalHits,
    uncounted: Estimated,
    watched: f64,
    /// The part of the time in which it was detached.
    detached: f64,
}

impl Added {
    const NOTHING: Added = Added {
        hits: TotalHits { number: 0, windows: None },
        uncounted: Estimated { hits: 0.0, variance: 0.0 },
        watched: 1.0,
        detached: 0.0,
    };

    fn merge(&mut self, other: Added) {
        self.hits.merge(other.hits);
        self.uncounted = self.uncounted.together_with(other.uncounted);
        self.watched = self.watched.min(other.watched);
        // A group has all its hits only in the time in which no tracepoint of it was detached.
        self.detached = self.detached.max(other.detached);
    }
}

impl RowMaker<'_> {
    fn per_second(&self, hits: f64) -> Option<f64> {
        (!self.length.is_zero()).then(|| hits / self.length.as_secs_f64())
    }

    fn row(&self, group: &str, tracepoint: Option<&str>, added: Added, rung: Option<Rung>) -> CountRow {
        let Added { hits, uncounted, watched, detached } = added;
        let since_begin = |time: Ns| time.0.saturating_sub(self.begin.0);
        let all = with_counted(uncounted, hits.number);
        CountRow {
            tracepoint_group: group.to_owned(),
            tracepoint: tracepoint.map(str::to_owned),
            hits: hits.number,
            rung,
            watched,
            estimated: (uncounted != Estimated::default()).then(|| all.into()),
            detached,
            per_second: self.per_second(all.hits).filter(|_| detached == 0.0),
            share: all.hits / self.all.max(1.0),
            first_ns: hits.windows.map(|(first, _)| since_begin(first)),
            last_ns: hits.windows.map(|(_, last)| since_begin(last)),
            per_cpu: None,
        }
    }

    /// The rows of the tracepoints and of the groups, the most hits first.
    fn of(
        &self,
        table: &Table,
        by_tracepoint: &BTreeMap<Tpid, TotalHits>,
        mut per_cpu: Option<BTreeMap<Tpid, Vec<CpuHits>>>,
    ) -> (Vec<CountRow>, Vec<CountRow>) {
        let mut groups = BTreeMap::<&str, Added>::new();
        let mut rows = Vec::with_capacity(by_tracepoint.len());
        let length = self.totals.span().map_or(0, |(from, to)| to.since(from)).max(1) as f64;
        for (tpid, hits) in by_tracepoint {
            let tracepoint = table.get(*tpid);
            let mut added = Added { hits: *hits, ..Added::NOTHING };
            let partly = self.totals.partly().get(tpid);
            if let Some(partly) = partly {
                added.uncounted = partly.uncounted;
                added.detached = (partly.detached_ns / length).clamp(0.0, 1.0);
                added.watched = (1.0 - partly.unwatched_ns / length).clamp(0.0, 1.0);
            }
            groups.entry(&tracepoint.group).or_insert(Added::NOTHING).merge(added);
            let per_cpu = per_cpu.as_mut().map(|per_cpu| per_cpu.remove(tpid).unwrap_or_default());
            let rung = Some(partly.map_or(Rung::Counted, |partly| partly.rung));
            rows.push(CountRow { per_cpu, ..self.row(&tracepoint.group, Some(&tracepoint.name), added, rung) });
        }
        let mut groups: Vec<_> = groups.into_iter().map(|(group, added)| self.row(group, None, added, None)).collect();
        // The sort is stable, so rows with as many hits stay in the order of their names.
        rows.sort_by(|one, other| other.share.total_cmp(&one.share));
        groups.sort_by(|one, other| other.share.total_cmp(&one.share));
        (rows, groups)
    }
}
