//! The metrics of a monitor.

use super::exposition::{Exposition, Labels, MetricValue};
use super::figures::{AlarmFigures, FlightFigures, ServerFigures, SetFigures, WrittenHistory};
use super::hits::HitSeries;
use super::rows::{MOST_SERIES, RowSeries};
use super::shares::SeriesShares;
use super::windows::WindowFigures;
use super::{MetricsFormat, families};
use crate::events::{Sink, Tick};
use crate::os::own_usage::{OwnUsage, OwnUsageReader};
use crate::processes::{CountBy, HitTotals};
use crate::tracefs::{Selection, Status, Table, Tpid};
use crate::units::nanoseconds;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A text is served again for this time, unless a figure has changed. So many scrapes at once cost little.
const FRESH: Duration = Duration::from_secs(1);

/// What the metrics are made for.
#[derive(Debug, Clone, Copy)]
pub struct MetricsOptions<'a> {
    /// The length of a window.
    pub every: Duration,
    /// The part of the time of all CPUs that watching may cost.
    pub budget: Option<f64>,
    /// The most series of a scrape; at least [`LEAST_SERIES`](super::LEAST_SERIES).
    pub series: usize,
    /// Whether hits are also counted by process or by cgroup.
    pub by: Option<CountBy>,
    /// The version of tp-perf.
    pub version: &'a str,
}

/// The metrics: a sink of ticks, with figures that other parts set. Hits are summed over CPUs, so the number of series does not
/// depend on the number of CPUs.
#[derive(Debug)]
pub struct Metrics {
    build: Labels,
    hits: HitSeries,
    /// By process or by cgroup.
    rows: Option<RowSeries>,
    windows: WindowFigures,
    set: SetFigures,
    /// The tracepoints that could not be opened, and the labels of the first ones.
    failed: BTreeSet<Tpid>,
    failures: Vec<Labels>,
    most_failures: usize,
    /// The tracepoints that were left out on purpose.
    excluded: u64,
    usage: OwnUsageReader,
    /// The last text in each format, and when it was made.
    made: [Option<(Rc<[u8]>, Instant)>; 2],
    /// The length of the last text in bytes.
    length: usize,
}

impl Metrics {
    /// Metrics without any window. Those tracepoints have a series which are captured, from their first hit on. Those that the
    /// kernel refused are shown as such.
    pub fn new(table: &Table, selection: &Selection, options: &MetricsOptions<'_>) -> Self {
        // The shares of rules and failures do not depend on the tracepoints.
        let of_rows = if options.by.is_some() { MOST_SERIES } else { 0 };
        let shares = SeriesShares::new(options.series.saturating_sub(of_rows), 0, 0);
        let (_, excluded, _) = selection.counts(table);
        let mut set = SetFigures::new(shares.rules);
        set.budget = options.budget;
        let mut metrics = Metrics {
            build: Labels::new([("version", options.version)]),
            hits: HitSeries::new(table, selection, options.series.saturating_sub(of_rows)),
            rows: None,
            windows: WindowFigures::new(options.every),
            set,
            failed: BTreeSet::new(),
            failures: Vec::new(),
            most_failures: shares.failures,
            excluded: excluded as u64,
            usage: OwnUsageReader::open(),
            made: [None, None],
            length: 0,
        };
        for tracepoint in table.tracepoints() {
            if let Status::Refused { reason } = selection.status(tracepoint.tpid) {
                metrics.add_failure(table, tracepoint.tpid, reason);
            }
        }
        metrics
    }

    /// Notes that a tracepoint could not be opened, for example when it should have returned from another rung. Its first reason
    /// stays.
    pub fn add_failure(&mut self, table: &Table, tpid: Tpid, reason: &str) {
        let Some(tracepoint) = table.find(tpid).filter(|_| self.failed.insert(tpid)) else { return };
        let reason = crate::text::shortened(reason, 200);
        let labels =
            Labels::new([("group", &*tracepoint.group), ("tracepoint", &*tracepoint.name), ("reason", &*reason)]);
        if self.failures.len() < self.most_failures {
            self.failures.push(labels);
        }
        self.changed();
    }

    /// Sets the identified state. `None` if it is unknown.
    pub fn set_state(&mut self, state: Option<&str>) {
        self.set.set_state(state);
        self.changed();
    }

    /// Sets the alarms of a rule. Set each rule at the start, with 0 alarms: Prometheus sees an increase only if there was a
    /// value before it. If there are very many rules, the last ones share a series.
    pub fn set_alarms(&mut self, rule: &str, figures: AlarmFigures) {
        self.set.set_alarms(rule, figures);
        self.changed();
    }

    /// Sets the budget, if it has changed.
    pub fn set_budget(&mut self, budget: Option<f64>) {
        self.set.budget = budget;
        self.changed();
    }

    /// Sets the time in which CPUs were offline and not watched, as a sum over CPUs.
    pub fn set_cpus_unwatched(&mut self, time: Duration) {
        self.set.set_cpus_unwatched(nanoseconds(time));
        self.changed();
    }

    /// Sets the figures of the history.
    pub fn set_history(&mut self, figures: WrittenHistory) {
        self.set.set_history(figures);
        self.changed();
    }

    /// Sets the hits by process or by cgroup.
    pub fn set_rows(&mut self, totals: &HitTotals) {
        self.rows = Some(RowSeries::of(totals));
        self.changed();
    }

    /// Sets the figures of the flight recorder.
    pub fn set_flight(&mut self, figures: FlightFigures) {
        self.set.set_flight(figures);
        self.changed();
    }

    /// Sets the figures of the metrics server. They change with each scrape, so they are shown only when something else changes.
    pub fn set_server(&mut self, figures: ServerFigures) {
        self.set.server = Some(figures);
    }

    /// Forgets the texts, because a figure has changed.
    fn changed(&mut self) {
        self.made = [None, None];
    }

    /// The text for a scrape. It is made again if a figure has changed, or after a second.
    pub fn scrape(&mut self, format: MetricsFormat) -> Rc<[u8]> {
        let now = Instant::now();
        if let Some((text, at)) = &self.made[format as usize]
            && now.saturating_duration_since(*at) < FRESH
        {
            return Rc::clone(text);
        }
        let usage = self.usage.read();
        let text: Rc<[u8]> = self.text(format, &usage, true).into_bytes().into();
        self.length = text.len();
        self.made[format as usize] = Some((Rc::clone(&text), now));
        text
    }

    /// The text for node_exporter. It has no metrics of the process: node_exporter has metrics of these names itself, and would
    /// refuse the file.
    pub fn for_textfile(&mut self) -> String {
        let usage = self.usage.read();
        self.text(MetricsFormat::Prometheus, &usage, false)
    }

    fn text(&self, format: MetricsFormat, usage: &OwnUsage, with_process: bool) -> String {
        let mut text = Exposition::new(format, self.length + 4_096);
        text.labelled(&families::BUILD, &self.build, MetricValue::Whole(1));
        self.windows.write(&mut text, usage.to_unix_ns);
        self.windows.write_cost(&mut text);
        text.known(&families::BUDGET, self.set.budget.map(MetricValue::Real));
        text.alone(&families::CPUS_UNWATCHED, MetricValue::Nanoseconds(self.set.cpus_unwatched_ns));
        self.set.write_state(&mut text);
        self.set.write_parts(&mut text);
        text.alone(&families::EXCLUDED, MetricValue::Whole(self.excluded));
        text.alone(&families::OPEN_FAILED, MetricValue::Whole(self.failed.len() as u64));
        self.failures.iter().for_each(|labels| text.labelled(&families::OPEN_FAILURE, labels, MetricValue::Whole(1)));
        self.hits.write(&mut text);
        self.rows.iter().for_each(|rows| rows.write(&mut text));
        if with_process {
            let duration = |time: Duration| MetricValue::Nanoseconds(nanoseconds(time));
            text.known(&families::PROCESS_CPU, usage.cpu.map(duration));
            text.known(&families::PROCESS_MEMORY, usage.resident.map(MetricValue::Whole));
            text.known(&families::PROCESS_DESCRIPTORS, usage.descriptors.map(MetricValue::Whole));
            text.alone(&families::PROCESS_MOST_DESCRIPTORS, MetricValue::Whole(usage.most_descriptors));
            text.known(&families::PROCESS_START, usage.started.map(duration));
        }
        text.end()
    }
}

impl Sink for Metrics {
    fn tick(&mut self, tick: &Tick<'_>) {
        self.hits.add(tick);
        self.windows.add(tick);
        self.changed();
    }
}

#[cfg(test)]
mod tests;
