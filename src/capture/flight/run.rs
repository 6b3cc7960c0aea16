//! `record --last`: a capture that keeps only the last seconds, until something stops it. SIGUSR2 writes them without stopping.

use super::{FlightNews, FlightPlace, FlightRecorder, writing};
use crate::capture::switch_on::SwitchedOn;
use crate::capture::{CaptureOptions, Captured, Error, Outside, Recorded, StopRules, SummaryRoom};
use crate::control::{CommandLine, Launch, Progress, Running, Signals, Streams, wait_for_any};
use crate::engine::{Detaching, Engine, Kernel, Sampling};
use crate::os::privileges;
use crate::os::thread::cpu_time;
use crate::recording::{
    self, RecordingDir, StopReason, Trigger, TriggerKind, is_full, write_groups, write_tracepoints,
};
use crate::units::{Bytes, Seconds};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Captures, keeps the last seconds, and writes them as a recording at the end. Each SIGUSR2 writes a recording meanwhile, beside that
/// of the end. The rest is as in [`capture`](crate::capture::capture).
pub(in crate::capture) fn record_last(
    kernel: &impl Kernel,
    options: &CaptureOptions,
    directory: RecordingDir,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Recorded, Error> {
    let directory = Rc::new(directory);
    let place = FlightPlace::Numbered(directory.path().to_owned());
    let mut recorder = FlightRecorder::attach(kernel, options, place, signals, progress)?;
    privileges::give_up(options.command.as_ref().map_or(privileges::Starts::Nothing, CommandLine::rights))?;
    write_tracepoints(directory.file(recording::TRACEPOINTS)?, &recorder.table, &recorder.selection)?;
    write_groups(directory.file(recording::GROUPS)?, &recorder.table)?;
    let summary_room = SummaryRoom::set_aside(&directory, recorder.engine.sample_ids().slots().len())?;

    let mut begin = SwitchedOn::by(signals, || recorder.start())?;
    let nofile_limit = recorder.engine.attached().descriptor_limit;
    let launch = |line| Launch { line, nofile_limit, streams: Streams::Own, is_last: true };
    begin.start(options.command.as_ref().map(launch), running, &mut recorder.engine)?;
    let SwitchedOn { mut outside, all_on, .. } = begin;
    let result = until_stop(&mut recorder, &options.rules, all_on, running.as_mut(), &mut outside, progress);
    let asked = outside.signals.asked();
    let (captured, detaching) = recorder.end(&directory, result, asked, running, progress)?;
    let written = captured.write(options, &directory, summary_room, signals, progress)?;
    Ok(Recorded { written, directory: Rc::clone(&directory), detaching })
}

/// Records until something stops it.
fn until_stop<E: Sampling>(
    recorder: &mut FlightRecorder<E>,
    rules: &StopRules,
    on: Instant,
    mut command: Option<&mut Running>,
    outside: &mut Outside<'_>,
    progress: &mut dyn Progress,
) -> io::Result<StopReason> {
    loop {
        let left = rules.duration.map(|duration| duration.saturating_sub(on.elapsed()));
        let patience = recorder.due().saturating_duration_since(Instant::now()).min(left.unwrap_or(Duration::MAX));
        if !patience.is_zero() {
            let wakers = outside.wake_descriptors().chain(recorder.wake_descriptor());
            wait_for_any(wakers, Some(patience))?;
            outside.changes.note();
        }
        if let Some(command) = &mut command {
            command.exit_code()?;
        }
        for _ in 0..outside.signals.take_triggers() {
            recorder.trigger(TriggerKind::Signal, "")?;
        }
        show(recorder.act()?, progress);
        progress.capturing(recorder.rounds.samples(), on.elapsed());
        if let Some(reason) = outside.asked_to_stop() {
            return Ok(reason);
        }
        if rules.duration.is_some_and(|duration| on.elapsed() >= duration) {
            return Ok(StopReason::Duration);
        }
        if let Some(command) = &mut command
            && command.exit_code()?.is_some()
        {
            return Ok(StopReason::Command);
        }
    }
}

/// Shows what happened to recordings.
fn show(news: Vec<FlightNews>, progress: &mut dyn Progress) {
    for news in news {
        match news {
            FlightNews::Written { path, bytes, covers, took, .. } => {
                let (covers, bytes, took, path) = (Seconds(covers), Bytes(bytes), Seconds(took), path.display());
                progress.note(&format!(
                    "wrote the last {covers} ({bytes}) in {took}; `tp-perf report {path}` shows them"
                ));
            }
            FlightNews::Failed { cause, .. } => progress.note_failure("a recording was not written", &cause),
            FlightNews::Removed { path } => progress.note(&format!("removed the older recording `{}`", path.display())),
            FlightNews::NotRemoved { path, cause } => {
                progress.note_failure(&format!("the older recording `{}` was not removed", path.display()), &cause);
            }
        }
    }
}

impl<E: Sampling> FlightRecorder<E> {
    /// Switches the events off, and makes a capture of what was kept. Triggers whose recording was not written yet are listed in it.
    fn end(
        mut self,
        directory: &Rc<RecordingDir>,
        result: io::Result<StopReason>,
        asked: usize,
        running: &mut Option<Running>,
        progress: &mut dyn Progress,
    ) -> Result<(Captured, Detaching), Error> {
        self.engine.disable().map_err(Error::Run)?;
        let cpu_before = cpu_time().map_err(Error::Run)?;
        let first = self.round();
        let mut news = Vec::new();
        while self.writing.is_some() {
            self.write(&mut news);
        }
        show(news, progress);
        let triggers = self.pending_triggers();
        // A sample that was being written when its CPU was told to stop is published a moment later.
        let second = self.round();
        self.status.own_cpu += cpu_time().map_err(Error::Run)?.saturating_sub(cpu_before);
        self.mark().map_err(Error::Run)?;
        progress.phase_ends();

        let mut excerpt = self.excerpt(true).map_err(Error::Run)?;
        let (stop_reason, problem) = match result {
            Ok(reason) => (reason, first.and(second).err()),
            Err(error) if is_full(&error) => (StopReason::DiskFull, Some(error)),
            Err(error) => (StopReason::Error, Some(error)),
        };
        let mut run = self.switched(&excerpt, stop_reason, triggers)?;
        (run.problem, run.asked) = (problem, asked);
        let unwatched = self.unwatched(&excerpt)?;
        let head = self.head(&excerpt)?;
        let mut spool = writing::spool_for(&self, &head, directory)?;
        while !excerpt.feed(&self.rounds, &mut spool, usize::MAX).map_err(Error::Flight)? {}
        let ids = self.engine.sample_ids().clone();
        let detaching = self.detach();
        let command_exit = match running {
            Some(running) => running.exit_code().map_err(Error::Run)?,
            None => None,
        };
        let detach_expected = detaching.expected();
        Ok((Captured { run, spool, ids, unwatched, command_exit, detach_expected }, detaching))
    }

    fn pending_triggers(&mut self) -> Vec<Trigger> {
        let waiting = self.waiting.take().map(|waiting| waiting.triggers);
        waiting.into_iter().flatten().chain(std::mem::take(&mut self.queued)).collect()
    }
}
