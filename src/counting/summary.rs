//! Everything that a count found, for all outputs.

use super::{CountOptions, CountRun, Counters, TotalHits, Totals};
use crate::control::CommandLine;
use crate::engine::{Attached, Counting};
use crate::events::{Cpu, Ns, Tpid};
use crate::os::machine::{hostname, kernel_release};
use crate::recording::{SelfSummary, StopReason, Tool, Unwatched};
use crate::tracefs::{Exclusion, Selection, Status, Table, Tracepoint};
use crate::units::nanoseconds;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

/// The version of the JSON. It grows when a field changes its meaning or is removed.
pub const SCHEMA: u32 = 1;

/// Everything that a count found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountSummary {
    /// The version of the format: [`SCHEMA`].
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
    /// All hits.
    pub hits: u64,
    /// All hits per second; null if the length is 0.
    pub per_second: Option<f64>,
    /// Each counted tracepoint, also without hits, the most hits first.
    pub per_tracepoint: Vec<CountRow>,
    /// Each group with a counted tracepoint, the most hits first.
    pub per_group: Vec<CountRow>,
    /// Each CPU.
    pub per_cpu: Vec<CpuHits>,
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
    /// Its hits.
    pub hits: u64,
    /// Its hits per second; null if the length is 0.
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
        match &self.tracepoint {
            Some(tracepoint) => format!("{}:{tracepoint}", self.tracepoint_group),
            None => self.tracepoint_group.clone(),
        }
    }
}

/// TotalHits on a CPU.
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
        let rows = RowMaker { length: run.length, begin, all: totals.all() };
        let by_tracepoint = totals.by_tracepoint();
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
            per_second: rows.per_second(totals.all()),
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

/// Makes rows of hits.
struct RowMaker {
    length: Duration,
    begin: Ns,
    all: u64,
}

impl RowMaker {
    fn per_second(&self, hits: u64) -> Option<f64> {
        (!self.length.is_zero()).then(|| hits as f64 / self.length.as_secs_f64())
    }

    fn row(&self, group: &str, tracepoint: Option<&str>, hits: TotalHits) -> CountRow {
        let since_begin = |time: Ns| time.0.saturating_sub(self.begin.0);
        CountRow {
            tracepoint_group: group.to_owned(),
            tracepoint: tracepoint.map(str::to_owned),
            hits: hits.number,
            per_second: self.per_second(hits.number),
            share: hits.number as f64 / self.all.max(1) as f64,
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
        let mut groups = BTreeMap::<&str, TotalHits>::new();
        let mut rows = Vec::with_capacity(by_tracepoint.len());
        for (tpid, hits) in by_tracepoint {
            let tracepoint = table.get(*tpid);
            groups.entry(&tracepoint.group).or_default().merge(*hits);
            let per_cpu = per_cpu.as_mut().map(|per_cpu| per_cpu.remove(tpid).unwrap_or_default());
            rows.push(CountRow { per_cpu, ..self.row(&tracepoint.group, Some(&tracepoint.name), *hits) });
        }
        let mut groups: Vec<_> = groups.into_iter().map(|(group, hits)| self.row(group, None, hits)).collect();
        // The sort is stable, so rows with as many hits stay in the order of their names.
        rows.sort_by_key(|row| Reverse(row.hits));
        groups.sort_by_key(|row| Reverse(row.hits));
        (rows, groups)
    }
}
