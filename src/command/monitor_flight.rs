//! The flight recorder beside `tp-perf monitor`.

use super::monitor_events::{MonitorEvent, TriggeredBy};
use super::monitor_outputs::Outputs;
use crate::capture::flight::{FlightFolder, FlightNews, FlightPlace, FlightRecorder, FlightStatus, TriggerTaken};
use crate::capture::{AttachOptions, CaptureOptions, OnlyProcesses, StopRules};
use crate::control::{Progress, Signals};
use crate::engine::{Detaching, Kernel, ProcessFields, Sampling};
use crate::events::EventTap;
use crate::metrics::{FlightAnswer, FlightFigures};
use crate::monitor::{FlightRequest, MonitorRequest};
use crate::os::clock::Clock;
use crate::processes::{CountBy, HitShare, HitTotals};
use crate::recording::{Trigger, TriggerKind};
use crate::text::shortened;
use crate::tracefs::Tpid;
use crate::units::nanoseconds;
use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// The size of each ring in bytes. They are emptied several times a second.
const RING: usize = 2 << 20;

/// A tracepoint that the recorder has detached to keep its budget returns after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// The longest text of a trigger, in characters.
const LONGEST_TEXT: usize = 256;
/// The answer to a trigger if no recordings are written.
pub(super) const NO_RECORDER: &str = "this monitor has no flight recorder (--flight)";
/// Between two lines about triggers that become a part of the same recording.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// A flight recorder, and what became of its triggers.
pub(super) struct MonitorFlight<E> {
    /// `None` after it has failed.
    recorder: Option<FlightRecorder<E>>,
    /// When it attached.
    attached: Instant,
    merged: u64,
    /// The counts of the recorders before this one.
    before: FlightStatus,
    /// When a trigger was reported.
    reported: Instant,
    /// The folder, locked. `None` if no recordings are written.
    lock: Option<fs::File>,
    /// The hits by process or cgroup.
    totals: Option<HitTotals>,
}

impl<E: Sampling> MonitorFlight<E> {
    /// Attaches, as far as the monitor is to keep events. Needs the right to open events.
    pub fn attach<K: Kernel<Sampling = E>>(
        kernel: &K,
        request: &MonitorRequest,
        arguments: Vec<String>,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> anyhow::Result<Option<Self>> {
        let Some(FlightRequest { limits, folder, by, budget }) = &request.flight else { return Ok(None) };
        let lock = folder.as_ref().map(lock_folder).transpose()?;
        let attach = AttachOptions {
            choice: request.count.choice.clone(),
            clock: Clock::Monotonic,
            ring_size: RING,
            process: if *by == Some(CountBy::Cgroup) { ProcessFields::Cgroup } else { ProcessFields::Thread },
            sampled_cpu: false,
            budget: *budget,
        };
        let options = CaptureOptions {
            rules: StopRules::default(),
            output: None,
            force: false,
            attach,
            compress: false,
            only: OnlyProcesses::default(),
            log_columns: Vec::new(),
            last: Some(*limits),
            command: None,
            arguments,
        };
        let place = folder.clone().map_or(FlightPlace::Nowhere, FlightPlace::Folder);
        let recorder = FlightRecorder::attach(kernel, &options, place, signals, progress)?;
        Ok(Some(MonitorFlight {
            totals: by.map(|by| HitTotals::new(by, recorder.selection().0)),
            recorder: Some(recorder),
            attached: Instant::now(),
            merged: 0,
            before: FlightStatus::default(),
            reported: Instant::now(),
            lock,
        }))
    }

    /// Begins to keep events.
    pub fn start(&mut self) -> io::Result<()> {
        self.recorder.as_mut().map_or(Ok(()), FlightRecorder::start)
    }

    /// Attaches again, if tracepoints were detached to keep the budget, or `always`. Between two of them there is some time, because what
    /// was kept is lost.
    pub fn attach_again<K: Kernel<Sampling = E>>(
        &mut self,
        kernel: &K,
        always: bool,
        outputs: &mut Outputs,
    ) -> Option<Detaching> {
        let is_due = |recorder: &FlightRecorder<E>| {
            recorder.has_detached() && !recorder.is_busy() && self.attached.elapsed() >= AGAIN_AFTER
        };
        if !self.recorder.as_ref().is_some_and(|recorder| always || is_due(recorder)) {
            return None;
        }
        self.attached = Instant::now();
        if let Some(status) = self.recorder.as_ref().map(FlightRecorder::status) {
            let before = &mut self.before;
            (before.lost, before.written, before.failed) =
                (before.lost + status.lost, before.written + status.written, before.failed + status.failed);
        }
        // No signal of the user ends this; it takes less than a second.
        let mut signals = Signals::new().ok()?;
        let (detaching, again) = self.recorder.take()?.attach_again(kernel, &mut signals, &mut ());
        let started = again.map_err(|error| error.to_string()).and_then(|mut recorder| {
            recorder.start().map_err(|error| error.to_string())?;
            Ok(recorder)
        });
        match started {
            Ok(recorder) => {
                self.recorder = Some(recorder);
                self.totals.iter_mut().for_each(HitTotals::begin_again);
            }
            Err(error) => {
                let error = format!("the flight recorder has ended: it could not attach again: {error}");
                outputs.report(&MonitorEvent::Fault { what: "flight", error });
            }
        }
        Some(detaching)
    }

    pub fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.recorder.as_ref()?.wake_descriptor()
    }

    pub fn due(&self) -> Option<Instant> {
        self.recorder.as_ref().map(FlightRecorder::due)
    }

    /// Whether it writes recordings.
    pub fn writes(&self) -> bool {
        self.lock.is_some()
    }

    /// Ends a window of the hits by process or cgroup.
    pub fn end_window(&mut self, outputs: &mut Outputs) {
        let Some(totals) = &mut self.totals else { return };
        let looked = self.recorder.as_mut().map(|recorder| recorder.look(totals));
        totals.end_window();
        if let Some(Err(error)) = looked {
            self.fail(&error, outputs);
        }
    }

    /// The hits by process or cgroup, if they are counted.
    pub fn totals(&self) -> Option<&HitTotals> {
        self.totals.as_ref()
    }

    /// The largest shares of the hits in the last seconds: of these tracepoints, or of all.
    pub fn shares_of(&self, tracepoints: Option<&[Tpid]>) -> Vec<HitShare> {
        self.totals.as_ref().map(|totals| totals.recent_shares(tracepoints)).unwrap_or_default()
    }

    /// Takes a trigger, and reports what becomes of it.
    pub fn trigger(&mut self, kind: TriggerKind, text: &str, outputs: &mut Outputs) {
        let taken = self.take(kind, text);
        self.report(kind, text, &taken, outputs);
    }

    /// Takes a trigger. Returns what becomes of it.
    pub fn take(&mut self, kind: TriggerKind, text: &str) -> Result<TriggerTaken, String> {
        if !self.writes() {
            return Err(NO_RECORDER.to_owned());
        }
        let recorder = self.recorder.as_mut().ok_or("the flight recorder has ended")?;
        let taken = recorder.trigger(kind, shortened(text, LONGEST_TEXT)).map_err(|error| error.to_string())?;
        self.merged += u64::from(taken == TriggerTaken::Merged);
        Ok(taken)
    }

    /// Reports what became of a trigger. Many that become a part of the same recording are one line a second.
    pub fn report(
        &mut self,
        kind: TriggerKind,
        text: &str,
        taken: &Result<TriggerTaken, String>,
        outputs: &mut Outputs,
    ) {
        match taken {
            Ok(TriggerTaken::Merged | TriggerTaken::Queued) if self.reported.elapsed() < BETWEEN_LINES => {}
            Ok(taken) => {
                self.reported = Instant::now();
                let text = shortened(text, LONGEST_TEXT);
                outputs.report(&MonitorEvent::Trigger { by: kind, text, recording: words(*taken) });
            }
            Err(error) => {
                outputs.report(&MonitorEvent::Fault { what: "flight", error: error.clone() });
            }
        }
    }

    /// The answer to a request.
    pub fn answer(&self, taken: &Result<TriggerTaken, String>) -> FlightAnswer {
        match taken {
            Ok(TriggerTaken::Begun) => {
                FlightAnswer::Begun("the monitor writes a recording; its line `flight` names the directory".to_owned())
            }
            Ok(TriggerTaken::Merged) => {
                FlightAnswer::Begun("merged: this is a part of the recording that is about to be written".to_owned())
            }
            Ok(TriggerTaken::Queued) => {
                FlightAnswer::Begun("queued: the recording comes after the one that is being written".to_owned())
            }
            Err(error) => FlightAnswer::Failed(error.clone()),
        }
    }

    /// Writes what is not written yet.
    pub fn finish(&mut self, outputs: &mut Outputs) {
        match self.recorder.as_mut().map(FlightRecorder::finish) {
            None => {}
            Some(Ok(news)) => news.into_iter().for_each(|news| report(news, outputs)),
            Some(Err(error)) => self.fail(&error, outputs),
        }
    }

    /// Does what there is to do.
    pub fn act(&mut self, outputs: &mut Outputs) {
        let Some(recorder) = &mut self.recorder else { return };
        match recorder.act(self.totals.as_mut().map(|totals| totals as &mut dyn EventTap)) {
            Ok(news) => news.into_iter().for_each(|news| report(news, outputs)),
            Err(error) => self.fail(&error, outputs),
        }
    }

    /// After a failure, the monitor goes on without the recorder.
    fn fail(&mut self, error: &io::Error, outputs: &mut Outputs) {
        let error = format!("the flight recorder has ended: {error}");
        outputs.report(&MonitorEvent::Fault { what: "flight", error });
        self.recorder = None;
    }

    /// The figures for metrics.
    pub fn figures(&self) -> FlightFigures {
        let (status, before) = (self.recorder.as_ref().map(FlightRecorder::status).unwrap_or_default(), self.before);
        FlightFigures {
            events: status.samples,
            bytes: status.memory,
            span: status.covers,
            lost: before.lost + status.lost,
            recorded: status.recorded,
            thinned: status.thinned,
            dumps: before.written + status.written,
            failures: before.failed + status.failed,
            merged: self.merged,
        }
    }

    /// Detaches in the background, if it has not failed.
    pub fn detach(self) -> Option<Detaching> {
        self.recorder.map(FlightRecorder::detach)
    }
}

/// Makes the folder of recordings, and locks it.
fn lock_folder(folder: &FlightFolder) -> anyhow::Result<fs::File> {
    let path = folder.path.display();
    fs::create_dir_all(&folder.path).with_context(|| format!("failed to create the folder `{path}`"))?;
    // Two monitors would remove each other's recordings.
    let lock = fs::File::open(&folder.path).with_context(|| format!("failed to open the folder `{path}`"))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        bail!("another monitor writes its recordings into `{path}`: choose another folder with --flight-dir");
    }
    Ok(lock)
}

fn words(taken: TriggerTaken) -> &'static str {
    match taken {
        TriggerTaken::Begun => "begun",
        TriggerTaken::Merged => "merged",
        TriggerTaken::Queued => "queued",
    }
}

fn report(news: FlightNews, outputs: &mut Outputs) {
    let event = match news {
        FlightNews::Written { path, triggers, bytes, covers, took } => {
            outputs.report(&MonitorEvent::FaultEnd { what: "flight", lost: None });
            MonitorEvent::Flight {
                path: path.display().to_string(),
                triggers: triggers
                    .into_iter()
                    .map(|Trigger { kind, text, .. }| TriggeredBy { by: kind, text })
                    .collect(),
                bytes,
                covers_ns: nanoseconds(covers),
                took_ns: nanoseconds(took),
            }
        }
        FlightNews::Failed { cause, .. } => {
            MonitorEvent::Fault { what: "flight", error: format!("a recording could not be written: {cause}") }
        }
        FlightNews::Removed { path } => {
            MonitorEvent::Note { text: format!("flight: removed the oldest recording, {}", path.display()) }
        }
        FlightNews::NotRemoved { path, cause } => {
            MonitorEvent::Fault { what: "flight", error: format!("failed to remove {}: {cause}", path.display()) }
        }
    };
    outputs.report(&event);
}
