//! Where the results of `tp-perf monitor` go: lines, the history, and metrics. An output that fails does not stop the others.

use super::monitor_events::MonitorEvent;
use super::monitor_history::{HistorySize, event_of, in_use};
use crate::counting::Counters;
use crate::engine::Counting;
use crate::events::{Sink, Tick};
use crate::history::{HistoryFacts, HistoryFigures, HistoryReport, HistoryWriter, MachineClock};
use crate::metrics::{
    AlarmFigures, FlightAnswer, FlightFigures, Metrics, MetricsFormat, MetricsOptions, MetricsServer, RequestAnswers,
    USUAL_SERIES, WrittenHistory, write_textfile,
};
use crate::monitor::MonitorRequest;
use crate::os::machine::hostname;
use crate::processes::HitTotals;
use crate::terminal::messages;
use crate::terminal::{JsonLines, Stdout};
use crate::units::Plural;
use sd_notify::NotifyState;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

/// A textfile is written this often. node_exporter reads it at each scrape.
const TEXTFILE_EVERY: Duration = Duration::from_secs(10);
/// At the end, lines that wait for a slow reader have this time.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Lines that wait for a slow reader are tried again after this time.
const LINES_AGAIN: Duration = Duration::from_millis(100);

/// All outputs.
pub(super) struct Outputs {
    lines: JsonLines,
    out: Stdout,
    /// What fails at the moment, with its error.
    faults: BTreeMap<&'static str, String>,
    history: Option<HistoryWriter>,
    history_size: Option<HistorySize>,
    metrics: Option<Metrics>,
    server: Option<MetricsServer>,
    textfile: Option<PathBuf>,
    textfile_due: Instant,
    /// The alarms, by what raised them.
    alarms: BTreeMap<String, AlarmFigures>,
    /// Whether the monitor must end when nobody reads its lines.
    only_lines: bool,
    /// Whether standard output fails.
    stdout_fails: bool,
    /// The time in which CPUs were offline, as a sum over CPUs.
    cpus_unwatched: Duration,
}

impl Outputs {
    /// Opens what can fail before the tracepoints are attached.
    pub fn open(request: &MonitorRequest) -> anyhow::Result<Self> {
        let server = (!request.metrics.is_empty()).then(|| MetricsServer::listen(&request.metrics)).transpose()?;
        if let Some((folder, _)) = &request.history {
            HistoryWriter::check(folder, &hostname()).map_err(in_use)?;
        }
        let has_files = request.history.is_some() || request.textfile.is_some() || server.is_some();
        Ok(Outputs {
            lines: JsonLines::default(),
            out: Stdout::default(),
            faults: BTreeMap::new(),
            history: None,
            history_size: request.history.as_ref().map(|(folder, _)| HistorySize::of(folder)),
            metrics: None,
            server,
            textfile: request.textfile.clone(),
            textfile_due: Instant::now(),
            alarms: BTreeMap::new(),
            only_lines: !has_files && request.on_alarm.is_none() && request.flight_folder().is_none(),
            stdout_fails: false,
            cpus_unwatched: Duration::ZERO,
        })
    }

    /// Begins with these tracepoints, when they are attached.
    ///
    /// # Errors
    /// If the history cannot be opened.
    pub fn begin<E: Counting>(&mut self, counters: &Counters<E>, request: &MonitorRequest) -> anyhow::Result<()> {
        let Counters { table, selection, .. } = counters;
        let options = MetricsOptions {
            every: request.count.every,
            budget: request.count.budget,
            series: USUAL_SERIES,
            by: request.by(),
            version: env!("CARGO_PKG_VERSION"),
        };
        if self.metrics.is_none() && (self.server.is_some() || self.textfile.is_some()) {
            let mut metrics = Metrics::new(table, selection, &options);
            for refusal in &counters.attached().refused {
                metrics.add_failure(table, refusal.tpid, &refusal.reason);
            }
            self.metrics = Some(metrics);
        }
        for rule in &request.rules {
            self.set_alarms(&rule.to_string());
        }
        if request.states.as_ref().is_some_and(|states| !states.against.is_empty()) {
            self.set_alarms("state");
        }
        if let (None, Some((folder, keep))) = (&self.history, &request.history) {
            let facts = HistoryFacts::of(table, selection, counters.attached().cpus.as_slice().to_vec());
            let opened = HistoryWriter::open(folder, facts, table, *keep, MachineClock);
            self.history = Some(opened.map_err(in_use)?);
            self.take_history_reports();
        }
        Ok(())
    }

    /// Where metrics are served, with the port that the kernel chose.
    pub fn addresses(&self) -> Vec<String> {
        let addresses = self.server.as_ref().and_then(|server| server.addresses().ok()).unwrap_or_default();
        addresses.iter().map(ToString::to_string).collect()
    }

    /// Takes over options that need no restart.
    pub fn change(&mut self, request: &MonitorRequest) {
        if let (Some(history), Some((_, keep))) = (&mut self.history, &request.history) {
            history.set_keep(*keep);
        }
        for rule in &request.rules {
            self.set_alarms(&rule.to_string());
        }
    }

    /// Reports an event: as a line, and in the history. Returns the line.
    pub fn report(&mut self, event: &MonitorEvent) -> String {
        match event {
            MonitorEvent::Fault { what, error } if self.faults.get(what) == Some(error) => return String::new(),
            MonitorEvent::Fault { what, error } => drop(self.faults.insert(what, error.clone())),
            MonitorEvent::FaultEnd { what, .. } if self.faults.remove(what).is_none() => return String::new(),
            _ => {}
        }
        let line = event.line(SystemTime::now());
        let printed = self.lines.print(line.as_bytes(), &mut self.out);
        self.note_stdout(printed);
        if let (Some(history), true) = (&mut self.history, event.belongs_to_history()) {
            history.note(event.kind(), event.facts());
        }
        line
    }

    /// Says once that standard output fails.
    fn note_stdout(&mut self, printed: io::Result<()>) {
        match printed {
            Err(error) if !std::mem::replace(&mut self.stdout_fails, true) => {
                messages::say_unless_full(format_args!("failed to write to standard output: {error}"));
            }
            Err(_) => {}
            Ok(()) => self.stdout_fails = false,
        }
    }

    /// The answer to a signal: it is reported even if it is the same as the last one.
    pub fn answer(&mut self, what: &'static str, result: Result<(), String>) {
        if result.is_err() {
            self.faults.remove(what);
        }
        self.fault(what, result);
    }

    fn fault(&mut self, what: &'static str, result: Result<(), String>) {
        let _ = match result {
            Ok(()) => self.report(&MonitorEvent::FaultEnd { what, lost: None }),
            Err(error) => self.report(&MonitorEvent::Fault { what, error }),
        };
    }

    /// Whether nobody reads the only results.
    pub fn is_closed(&self) -> bool {
        self.only_lines && self.lines.is_closed()
    }

    /// Counts an alarm.
    pub fn count_alarm(&mut self, by: &str) {
        self.alarms.entry(by.to_owned()).or_default().raised += 1;
        self.set_alarms(by);
    }

    /// Sets whether an alarm goes on.
    pub fn set_active(&mut self, by: &str, active: u64) {
        self.alarms.entry(by.to_owned()).or_default().active = active;
        self.set_alarms(by);
    }

    fn set_alarms(&mut self, by: &str) {
        let figures = *self.alarms.entry(by.to_owned()).or_default();
        if let Some(metrics) = &mut self.metrics {
            metrics.set_alarms(by, figures);
        }
    }

    /// Adds the time of a window in which so many CPUs were not watched.
    pub fn add_unwatched(&mut self, cpus: usize, window: Duration) {
        self.cpus_unwatched += window * u32::try_from(cpus).unwrap_or(u32::MAX);
        if let Some(metrics) = &mut self.metrics {
            metrics.set_cpus_unwatched(self.cpus_unwatched);
        }
    }

    /// Sets the states that were identified.
    pub fn set_states(&mut self, states: &[String]) {
        if let Some(metrics) = &mut self.metrics {
            let name = states.join(" or ");
            metrics.set_state((!states.is_empty()).then_some(name.as_str()));
        }
    }

    /// Takes a window.
    pub fn window(&mut self, tick: &Tick<'_>) {
        if let Some(history) = &mut self.history {
            history.tick(tick);
        }
        self.take_history_reports();
        if let Some(metrics) = &mut self.metrics {
            metrics.tick(tick);
            if let Some(server) = &self.server {
                metrics.set_server(server.figures());
            }
        }
        self.write_textfile();
        if let Some(dropped) = self.lines.take_dropped() {
            let lines = Plural(dropped, "line");
            let error = format!("{lines} dropped: the reader of standard output is too slow");
            self.answer("lines", Err(error));
        } else if self.lines.waiting().is_empty() {
            self.fault("lines", Ok(()));
        }
        // Without systemd, this does nothing.
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
    }

    fn write_textfile(&mut self) {
        let (Some(metrics), Some(path)) = (&mut self.metrics, &self.textfile) else { return };
        if Instant::now() < self.textfile_due {
            return;
        }
        self.textfile_due = Instant::now() + TEXTFILE_EVERY;
        let written = write_textfile(metrics, path).map_err(|error| error.to_string());
        self.fault("textfile", written);
    }

    fn take_history_reports(&mut self) {
        let Some(history) = &mut self.history else { return };
        let (reports, HistoryFigures { written, waiting, lost, .. }) = (history.take_reports(), history.figures());
        if let (Some(metrics), Some(size)) = (&mut self.metrics, &mut self.history_size) {
            let (files, bytes) = size.files();
            metrics.set_history(WrittenHistory { windows: written, waiting, lost, bytes, files });
        }
        for report in reports {
            let works_again = match &report {
                HistoryReport::Closed { .. } => Some("history-close"),
                HistoryReport::Removed(_) => Some("history-remove"),
                _ => None,
            };
            if let Some(what) = works_again {
                self.history_size.iter_mut().for_each(HistorySize::changed);
                self.fault(what, Ok(()));
            }
            self.report(&event_of(report));
        }
    }

    /// Descriptors that poll readable when there is something to do.
    pub fn wake_descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.server.iter().filter_map(MetricsServer::wake_descriptor).collect()
    }

    /// When there is something to do.
    pub fn due(&self) -> Option<Instant> {
        let has_work = self.history.as_ref().is_some_and(HistoryWriter::has_work);
        let lines = (!self.lines.waiting().is_empty()).then(|| Instant::now() + LINES_AGAIN);
        let server = self.server.as_ref().and_then(MetricsServer::due);
        [has_work.then(Instant::now), lines, server].into_iter().flatten().min()
    }

    /// Sets the hits by process or cgroup.
    pub fn set_totals(&mut self, totals: &HitTotals) {
        if let Some(metrics) = &mut self.metrics {
            metrics.set_rows(totals);
        }
    }

    /// Sets the figures of the flight recorder.
    pub fn set_flight(&mut self, figures: FlightFigures) {
        if let Some(metrics) = &mut self.metrics {
            metrics.set_flight(figures);
        }
    }

    /// Does what there is to do. `flight` answers requests for a recording.
    pub fn act(&mut self, flight: &mut dyn FnMut(&str) -> FlightAnswer) {
        if let (Some(server), Some(metrics)) = (&mut self.server, &mut self.metrics) {
            server.act(Instant::now(), &mut ServerAnswers { metrics, flight });
        }
        if let Some(history) = self.history.as_mut().filter(|history| history.has_work()) {
            history.step();
            self.take_history_reports();
        }
        let printed = self.lines.flush(&mut self.out);
        self.note_stdout(printed);
    }

    /// Ends all outputs. The last line is that of `end`.
    pub fn end(&mut self, end: &MonitorEvent) {
        if let Some(history) = &mut self.history {
            history.note(end.kind(), end.facts());
            history.finish();
        }
        self.take_history_reports();
        self.history = None;
        self.server = None;
        self.report(end);
        // If the reader has gone or does not read, nothing can be done about it.
        let _ = self.lines.flush_within(LAST_LINES, &mut self.out);
    }
}

/// The answers of the server.
struct ServerAnswers<'a> {
    metrics: &'a mut Metrics,
    flight: &'a mut dyn FnMut(&str) -> FlightAnswer,
}

impl RequestAnswers for ServerAnswers<'_> {
    fn metrics(&mut self, format: MetricsFormat) -> Rc<[u8]> {
        self.metrics.scrape(format)
    }

    fn flight(&mut self, note: &str) -> FlightAnswer {
        (self.flight)(note)
    }
}
