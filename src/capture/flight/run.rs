//! `record --last`: a capture that keeps only the last seconds, until something stops it. SIGUSR2 writes them without stopping.

use super::{FlightNews, FlightPlace, FlightRecorder, writing};
use crate::capture::switch_on::SwitchedOn;
use crate::capture::{CaptureOptions, Captured, Error, Outside, Recorded, StopRules, SummaryRoom};
use crate::control::{CommandLine, Launch, Progress, Running, Signals, Streams, wait_for_any};
use crate::engine::{Detaching, Engine, Kernel, Sampling};
use crate::os::background::start_again;
use crate::os::privileges;
use crate::os::thread::cpu_time;
use crate::recording::{
    self, RecordingDir, StopReason, Trigger, TriggerKind, is_full, write_groups, write_tracepoints,
};
use crate::units::{Bytes, Seconds};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
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
    let mut logs = FlightLogs::default();
    let result = until_stop(&mut recorder, &options.rules, all_on, running.as_mut(), &mut outside, &mut logs, progress);
    let asked = outside.signals.asked();
    let (captured, detaching) = recorder.end(&directory, result, asked, running, &mut logs, progress)?;
    let written = captured.write(options, &directory, summary_room, signals, progress)?;
    logs.wait(progress);
    Ok(Recorded { written, directory: Rc::clone(&directory), detaching })
}

/// Records until something stops it.
fn until_stop<E: Sampling>(
    recorder: &mut FlightRecorder<E>,
    rules: &StopRules,
    on: Instant,
    mut command: Option<&mut Running>,
    outside: &mut Outside<'_>,
    logs: &mut FlightLogs,
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
        logs.make(&recorder.act(None)?, progress);
        logs.check(progress);
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

/// Makes the logs and the summaries of recordings that SIGUSR2 has written. Each takes a process of its own, which gives way to others,
/// because this thread must be back at the rings in time.
#[derive(Default)]
struct FlightLogs(Vec<(PathBuf, Child)>);

impl FlightLogs {
    /// Shows the news, and begins to make the logs of recordings that were written.
    fn make(&mut self, news: &[FlightNews], progress: &mut dyn Progress) {
        for news in news {
            match news {
                FlightNews::Written { path, bytes, covers, took, .. } => {
                    let (covers, bytes, took) = (Seconds(*covers), Bytes(*bytes), Seconds(*took));
                    progress.note(&format!(
                        "wrote the last {covers} ({bytes}) in {took}; `tp-perf report {}` shows them",
                        path.display()
                    ));
                    match begin(path) {
                        Ok(child) => self.0.extend(child.map(|child| (path.clone(), child))),
                        Err(error) => failed(path, &error, progress),
                    }
                }
                FlightNews::Failed { cause, .. } => progress.note_failure("a recording was not written", cause),
                FlightNews::Removed { path } => {
                    progress.note(&format!("removed the older recording `{}`", path.display()));
                }
                FlightNews::NotRemoved { path, cause } => {
                    progress.note_failure(&format!("the older recording `{}` was not removed", path.display()), cause);
                }
            }
        }
    }

    /// Forgets the processes that have ended.
    fn check(&mut self, progress: &mut dyn Progress) {
        self.0.retain_mut(|(path, child)| match child.try_wait() {
            Ok(None) => true,
            ended => {
                judge(path, ended.map(Option::unwrap_or_default), progress);
                false
            }
        });
    }

    /// Waits for all.
    fn wait(self, progress: &mut dyn Progress) {
        for (path, mut child) in self.0 {
            judge(&path, child.wait(), progress);
        }
    }
}

/// Begins to make the log of a recording. `None` in a program that is not tp-perf, such as a test.
fn begin(path: &Path) -> io::Result<Option<Child>> {
    let is_itself = std::env::current_exe()?.file_name().is_some_and(|name| name == "tp-perf");
    let path = path.as_os_str();
    let words = ["replay", "-q", "--force", "-o"].map(OsStr::new).into_iter().chain([path, OsStr::new("--"), path]);
    is_itself.then(|| start_again(words)).transpose()
}

fn judge(path: &Path, ended: io::Result<ExitStatus>, progress: &mut dyn Progress) {
    match ended {
        // A recording with a problem has a log, too.
        Ok(_) if path.join(recording::SUMMARY).exists() => {}
        Ok(status) => failed(path, &io::Error::other(format!("the replay ended with {status}")), progress),
        Err(error) => failed(path, &error, progress),
    }
}

fn failed(path: &Path, cause: &io::Error, progress: &mut dyn Progress) {
    let path = path.display();
    let what = format!("the log of `{path}` was not made; `tp-perf replay {path} -o {path} --force` makes it");
    progress.note_failure(&what, cause);
}

impl<E: Sampling> FlightRecorder<E> {
    /// Switches the events off, and makes a capture of what was kept. Triggers whose recording was not written yet are listed in it.
    fn end(
        mut self,
        directory: &Rc<RecordingDir>,
        result: io::Result<StopReason>,
        asked: usize,
        running: &mut Option<Running>,
        logs: &mut FlightLogs,
        progress: &mut dyn Progress,
    ) -> Result<(Captured, Detaching), Error> {
        self.engine.disable().map_err(Error::Run)?;
        let cpu_before = cpu_time().map_err(Error::Run)?;
        let first = self.round();
        let mut news = Vec::new();
        while self.writing.is_some() {
            self.write(&mut news);
        }
        logs.make(&news, progress);
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
