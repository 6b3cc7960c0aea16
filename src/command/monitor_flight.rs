//! The flight recorder beside `tp-perf monitor`.

use super::monitor_events::MonitorEvent;
use super::monitor_outputs::Outputs;
use crate::capture::flight::{FlightNews, FlightPlace, FlightRecorder, TriggerTaken};
use crate::capture::{AttachOptions, CaptureOptions, OnlyProcesses, StopRules};
use crate::control::{Progress, Signals};
use crate::engine::{Kernel, ProcessFields, Sampling};
use crate::metrics::{FlightAnswer, FlightFigures};
use crate::monitor::{FlightRequest, MonitorRequest};
use crate::os::clock::Clock;
use crate::recording::TriggerKind;
use crate::units::nanoseconds;
use anyhow::Context as _;
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

/// The size of each ring in bytes. They are emptied several times a second.
const RING: usize = 2 << 20;

/// A flight recorder, and what became of its triggers.
pub(super) struct MonitorFlight<E> {
    /// `None` after it has failed.
    recorder: Option<FlightRecorder<E>>,
    merged: u64,
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
        let Some(FlightRequest { limits, folder, budget }) = &request.flight else { return Ok(None) };
        let path = folder.path.display();
        fs::create_dir_all(&folder.path).with_context(|| format!("failed to create the folder `{path}`"))?;
        let attach = AttachOptions {
            choice: request.count.choice.clone(),
            clock: Clock::Monotonic,
            ring_size: RING,
            process: ProcessFields::None,
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
        let place = FlightPlace::Folder(folder.clone());
        let recorder = FlightRecorder::attach(kernel, &options, place, signals, progress)?;
        Ok(Some(MonitorFlight { recorder: Some(recorder), merged: 0 }))
    }

    /// Begins to keep events.
    pub fn start(&mut self) -> io::Result<()> {
        self.recorder.as_mut().map_or(Ok(()), FlightRecorder::start)
    }

    pub fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.recorder.as_ref()?.wake_descriptor()
    }

    pub fn due(&self) -> Option<Instant> {
        self.recorder.as_ref().map(FlightRecorder::due)
    }

    /// Takes a trigger, and reports what becomes of it.
    pub fn trigger(&mut self, kind: TriggerKind, text: &str, outputs: &mut Outputs) -> FlightAnswer {
        let Some(recorder) = &mut self.recorder else {
            return FlightAnswer::Failed("the flight recorder has failed\n".to_owned());
        };
        match recorder.trigger(kind, text) {
            Ok(taken) => {
                self.merged += u64::from(taken == TriggerTaken::Merged);
                let recording = words(taken);
                outputs.report(&MonitorEvent::Trigger { by: kind, text: text.to_owned(), recording });
                FlightAnswer::Begun(format!("the recording is {recording}\n"))
            }
            Err(error) => {
                self.fail(&error, outputs);
                FlightAnswer::Failed(format!("{error}\n"))
            }
        }
    }

    /// Does what there is to do.
    pub fn act(&mut self, outputs: &mut Outputs) {
        let Some(recorder) = &mut self.recorder else { return };
        match recorder.act() {
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
        let Some(recorder) = &self.recorder else { return FlightFigures { merged: self.merged, ..Default::default() } };
        let status = recorder.status();
        FlightFigures {
            events: status.samples,
            bytes: status.memory,
            span: status.covers,
            lost: status.lost,
            recorded: 0,
            thinned: 0,
            dumps: status.written,
            failures: status.failed,
            merged: self.merged,
        }
    }

    /// Detaches in the background, if it has not failed.
    pub fn detach(self) -> Option<crate::engine::Detaching> {
        self.recorder.map(FlightRecorder::detach)
    }
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
                triggers: triggers.iter().map(|trigger| trigger.kind.words().to_owned()).collect(),
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
