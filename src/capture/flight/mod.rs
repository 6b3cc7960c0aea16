//! The flight recorder: it keeps the events of the last seconds in memory, and writes them when something triggers it, without
//! stopping.
//!
//! ```text
//!   rings ── round ──> the last rounds (memory) ── trigger ──> spool ──> events.perf
//!                        └ marks: the counters, once a second      written in slices, between rounds
//! ```
//!
//! All of it runs in the caller's thread, because tp-perf excludes only the hits of that thread. The caller waits until
//! [`due`](FlightRecorder::due), or until [`wake_descriptor`](FlightRecorder::wake_descriptor) is readable, and then calls
//! [`act`](FlightRecorder::act).

mod attach;
mod cut;
mod dump;
mod excerpt;
mod folder;
mod marks;
mod news;
mod run;
mod tap;
#[cfg(test)]
mod testing;
mod threads;
mod writing;

pub use folder::{FlightFolder, FlightPlace};
pub use news::{FlightNews, FlightStatus, LastLimits, TriggerTaken};
pub(super) use run::record_last;

use super::steering::RecordSteering;
use super::unwatched::CpuChanges;
use super::{AtStart, CaptureOptions};
use crate::engine::{Detaching, Sampling};
use crate::events::{EventTap, RungStep, ThreadChange};
use crate::os::any_ready::AnyReady;
use crate::os::cpus::CpuList;
use crate::os::thread::cpu_time;
use crate::recording::{Trigger, TriggerKind};
use crate::spool::LastRounds;
use crate::tracefs::{Selection, Table};
use cut::Fields;
use marks::{AtMark, Marks};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};
use tap::Untapped;
use threads::FlightThreads;
use writing::Writing;

/// The most time between two marks. A recording begins at a mark, so it is at most so much longer than asked.
const MOST_BETWEEN_MARKS: Duration = Duration::from_secs(1);
/// The least time between them.
const LEAST_BETWEEN_MARKS: Duration = Duration::from_millis(100);
/// The number of marks that the kept time, or the kept bytes, should have.
const MARKS: u32 = 16;
/// The number of bytes that one call of [`FlightRecorder::act`] writes at most, apart from the rest of a round.
const SLICE: usize = 8 << 20;
/// A round is due if the fullest ring is filled to this part. Its wake descriptor polls readable at one half.
const FULL: f64 = 0.25;
/// The least time between two lists of all threads.
const BETWEEN_THREAD_LISTS: Duration = Duration::from_secs(10);
/// A recording lists at most so many triggers, the first ones.
const MOST_TRIGGERS: usize = 64;
/// The memory in bytes that events take by default.
pub const DEFAULT_LAST_BYTES: u64 = 256 << 20;

/// Triggers whose recording waits for the time behind the first of them.
#[derive(Debug)]
struct Waiting {
    triggers: Vec<Trigger>,
    /// When the first of them came.
    since: Instant,
    until: Instant,
}

/// A flight recorder.
pub struct FlightRecorder<E> {
    engine: E,
    options: CaptureOptions,
    limits: LastLimits,
    table: Table,
    selection: Selection,
    /// How long attaching took.
    attach: Duration,
    place: FlightPlace,
    rounds: LastRounds,
    marks: Marks,
    fields: Fields,
    steering: Option<RecordSteering>,
    /// If events have their threads.
    threads: Option<FlightThreads>,
    /// The records about threads that were lost when the threads were listed, and when that was.
    threads_lost: u64,
    threads_listed: Instant,
    untapped: Untapped,
    wake: Option<AnyReady>,
    changes: CpuChanges,
    /// The CPUs that were online when the events went on.
    online: CpuList,
    waiting: Option<Waiting>,
    writing: Option<Writing>,
    queued: Vec<Trigger>,
    /// The CPU time of this thread at the end of the last call.
    cpu_before: Duration,
    status: FlightStatus,
}

impl<E: Sampling> FlightRecorder<E> {
    /// Whether tracepoints were detached to keep the budget.
    pub fn has_detached(&self) -> bool {
        self.steering.as_ref().is_some_and(RecordSteering::has_detached)
    }

    /// Whether a recording is being written, or waits for its time behind the trigger.
    pub fn is_busy(&self) -> bool {
        self.writing.is_some() || self.waiting.is_some()
    }

    /// Switches the events on, and begins to keep.
    ///
    /// # Errors
    /// If the events cannot be switched on, or their counters cannot be read.
    pub fn start(&mut self) -> io::Result<()> {
        self.list_threads_again()?;
        self.engine.enable()?;
        let steps = match &mut self.steering {
            Some(steering) => steering.start(&mut self.engine, 0)?,
            None => self.engine.record_all()?,
        };
        self.add_steps(steps);
        self.cpu_before = cpu_time()?;
        self.mark()
    }

    /// Lists the threads again, and forgets the first list, if records about threads were lost since the events were attached. A monitor
    /// loses some: it measures the cost of a hit meanwhile, by renaming itself very often.
    fn list_threads_again(&mut self) -> io::Result<()> {
        let Some(threads) = &mut self.threads else { return Ok(()) };
        self.threads_lost = self.engine.thread_counters()?.iter().map(|(_, counter)| counter.lost).sum();
        if self.threads_lost == 0 {
            return Ok(());
        }
        self.engine.round(&mut self.rounds)?;
        // They are older than the list.
        drop(self.rounds.take_thread_records());
        self.untapped.at = self.rounds.kept().end;
        self.rounds.forget(self.untapped.at);
        if let Some(now) = AtStart::read(self.options.attach.process).map_err(io::Error::other)? {
            let changes: Vec<_> = now.changes().collect();
            *threads = FlightThreads::of(&changes, self.fields.trailer, self.options.attach.process.has_cgroup())?;
            self.untapped.changes = changes;
        }
        Ok(())
    }

    /// Lists the threads again if records about threads were lost since the last list, because names may be missing.
    fn note_lost_threads(&mut self) -> io::Result<()> {
        let Some(threads) = &mut self.threads else { return Ok(()) };
        let lost = self.marks.all.back().map_or(0, |mark| mark.threads.iter().map(|(_, counter)| counter.lost).sum());
        if lost <= self.threads_lost || self.threads_listed.elapsed() < BETWEEN_THREAD_LISTS {
            return Ok(());
        }
        (self.threads_lost, self.threads_listed) = (lost, Instant::now());
        if let Ok(Some(list)) = AtStart::read(self.options.attach.process) {
            let time = self.options.attach.clock.sampled().now_ns()?;
            let changes: Vec<_> = list.changes().map(|change| ThreadChange { time, ..change }).collect();
            threads.add(&changes);
            self.untapped.changes.extend(changes);
        }
        Ok(())
    }

    /// Takes the bytes of the rings now, for `tap`.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn look(&mut self, tap: &mut dyn EventTap) -> io::Result<()> {
        self.enter()?;
        self.round()?;
        self.pass_on(Some(tap))?;
        self.leave()
    }

    /// Polls readable when a ring is half full. `None` if only [`due`](Self::due) says when there is something to do.
    pub fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.wake.as_ref().map(AsFd::as_fd)
    }

    /// When [`act`](Self::act) is to be called, even if no ring is half full.
    pub fn due(&self) -> Instant {
        let now = Instant::now();
        if self.writing.is_some() {
            return now;
        }
        let window = self.steering.as_ref().map(|steering| now + steering.left());
        let waiting = self.waiting.as_ref().map(|waiting| waiting.until);
        [window, waiting].into_iter().flatten().fold(self.next_mark(), Instant::min)
    }

    /// Takes a trigger. The recording begins in the next call of [`act`](Self::act), or when its time behind the trigger is over.
    pub fn trigger(&mut self, kind: TriggerKind, text: impl Into<String>) -> io::Result<TriggerTaken> {
        let trigger = Trigger {
            at: self.options.attach.clock.sampled().now_ns()?,
            time: humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
            kind,
            text: text.into(),
        };
        Ok(match (&mut self.waiting, &self.writing) {
            (Some(waiting), _) => {
                keep_trigger(&mut waiting.triggers, trigger);
                TriggerTaken::Merged
            }
            (None, Some(_)) => {
                keep_trigger(&mut self.queued, trigger);
                TriggerTaken::Queued
            }
            (None, None) => {
                self.wait_behind(vec![trigger], Instant::now());
                TriggerTaken::Begun
            }
        })
    }

    fn wait_behind(&mut self, triggers: Vec<Trigger>, since: Instant) {
        self.waiting = Some(Waiting { triggers, since, until: since + self.limits.after });
    }

    /// Does what there is to do: takes the bytes of the rings, keeps the budget, and writes the next slice of a recording. `tap` gets
    /// all events.
    ///
    /// # Errors
    /// If the rings or the counters cannot be read. Nothing can be recorded then. A recording that cannot be written is no error
    /// ([`FlightNews::Failed`]).
    pub fn act(&mut self, tap: Option<&mut dyn EventTap>) -> io::Result<Vec<FlightNews>> {
        self.enter()?;
        self.changes.note();
        // The time of now is read last, because something may be due at once.
        if self.engine.fullest() >= FULL || self.due() <= Instant::now() {
            self.round()?;
            self.pass_on(tap)?;
            self.keep_budget()?;
            if self.next_mark() <= Instant::now() {
                self.mark()?;
            }
            self.forget()?;
        }
        let mut news = Vec::new();
        if self.waiting.as_ref().is_some_and(|waiting| waiting.until <= Instant::now())
            && let Some(waiting) = self.waiting.take()
        {
            self.begin_writing(waiting, &mut news)?;
        }
        self.write(&mut news);
        self.leave()?;
        Ok(news)
    }

    /// Writes what waits for its time behind a trigger, or is being written, to its end.
    ///
    /// # Errors
    /// As [`act`](Self::act).
    pub fn finish(&mut self) -> io::Result<Vec<FlightNews>> {
        let mut news = Vec::new();
        while self.is_busy() || !self.queued.is_empty() {
            if let Some(waiting) = &mut self.waiting {
                waiting.until = Instant::now();
            }
            news.extend(self.act(None)?);
        }
        Ok(news)
    }

    /// The state now.
    pub fn status(&self) -> FlightStatus {
        let kept = self.rounds.kept();
        let all = self.selection.captured().count() as u64;
        let (thinned, detached) = self.steering.as_ref().map_or((0, 0), RecordSteering::thinned_and_detached);
        let recorded = all.saturating_sub(thinned + detached);
        FlightStatus {
            covers: self.marks.all.front().map_or(Duration::ZERO, |oldest| oldest.time.elapsed()),
            kept_bytes: kept.end - kept.start,
            memory: self.rounds.memory(),
            samples: self.rounds.samples(),
            lost: self.marks.lost(),
            recorded,
            thinned,
            ..self.status
        }
    }

    /// The tracepoints that it records, and those that it does not.
    pub fn selection(&self) -> (&Table, &Selection) {
        (&self.table, &self.selection)
    }

    /// Notes the CPU time that this thread has used for something else since the last call.
    fn enter(&mut self) -> io::Result<()> {
        let now = cpu_time()?;
        if let Some(steering) = &mut self.steering {
            steering.leave_out(now.saturating_sub(self.cpu_before));
        }
        self.cpu_before = now;
        Ok(())
    }

    fn leave(&mut self) -> io::Result<()> {
        let now = cpu_time()?;
        self.status.own_cpu += now.saturating_sub(self.cpu_before);
        self.cpu_before = now;
        Ok(())
    }

    fn round(&mut self) -> io::Result<()> {
        self.untapped.round_began = self.options.attach.clock.sampled().now_ns()?;
        self.engine.round(&mut self.rounds)?;
        let records = self.rounds.take_thread_records();
        if let Some(threads) = self.threads.as_mut().filter(|_| !records.is_empty()) {
            self.untapped.changes.extend(threads.take(&records)?);
        }
        Ok(())
    }

    fn add_steps(&mut self, steps: Vec<RungStep>) {
        self.untapped.steps.extend_from_slice(&steps);
        self.marks.add_steps(self.rounds.kept().end, steps);
    }

    fn keep_budget(&mut self) -> io::Result<()> {
        let Some(steering) = &mut self.steering else { return Ok(()) };
        let mut steps = Vec::new();
        let kept = steering.window(&mut self.engine, self.rounds.samples(), &mut steps);
        self.add_steps(steps);
        kept
    }

    /// When the next mark is due.
    fn next_mark(&self) -> Instant {
        let Some(newest) = self.marks.all.back() else { return Instant::now() };
        let between = (self.limits.time / MARKS).clamp(LEAST_BETWEEN_MARKS, MOST_BETWEEN_MARKS);
        let since = self.rounds.kept().end - newest.at;
        if since >= (self.limits.bytes / u64::from(MARKS)).max(1) { Instant::now() } else { newest.time + between }
    }

    /// Reads the counters.
    fn mark(&mut self) -> io::Result<()> {
        let now = AtMark {
            at: self.rounds.kept().end,
            own_cpu: self.status.own_cpu,
            cost: self.steering.as_mut().map(RecordSteering::mark),
        };
        self.marks.read(&mut self.engine, now, self.rounds.take_counts())?;
        self.bring_threads_on();
        self.note_lost_threads()
    }

    /// Forgets what is too old, or too much.
    fn forget(&mut self) -> io::Result<()> {
        let end = self.waiting.as_ref().map_or_else(Instant::now, |waiting| waiting.since);
        // What is still being written takes memory, too.
        let still_needed = self.writing.as_ref().map(|writing| writing.needs());
        let most = match still_needed {
            Some(needs) => {
                let behind = self.marks.all.front().map_or(needs, |oldest| oldest.at).saturating_sub(needs);
                self.limits.bytes.saturating_sub(behind).max(self.limits.bytes / 4)
            }
            None => self.limits.bytes,
        };
        while let (Some(oldest), Some(second)) = (self.marks.all.front(), self.marks.all.get(1)) {
            let is_old = end.saturating_duration_since(second.time) >= self.limits.time;
            let of_threads = self.threads.as_ref().map_or(0, FlightThreads::memory);
            let is_much = self.rounds.kept().end - oldest.at + of_threads > most;
            // The newest rounds stay, however large they are.
            if !is_old && (!is_much || self.marks.all.len() == 2) {
                break;
            }
            if let Some(waiting) = &mut self.waiting
                && !is_old
                && second.time >= waiting.since
            {
                // What comes behind the trigger is too much alone, so it ends here.
                waiting.until = Instant::now();
                break;
            }
            self.marks.forget_oldest();
            self.bring_threads_on();
        }
        let oldest = self.marks.all.front().map_or(0, |oldest| oldest.at);
        self.rounds.forget(still_needed.map_or(oldest, |needs| needs.min(oldest)));
        Ok(())
    }

    /// Brings the threads to the time of the oldest mark, with which a recording begins.
    fn bring_threads_on(&mut self) {
        if let (Some(threads), Some(oldest)) = (&mut self.threads, self.marks.all.front()) {
            threads.until(cut::begin_at(oldest));
        }
    }

    /// Detaches in the background. A recording that is being written is lost.
    pub fn detach(mut self) -> Detaching {
        if let Some(writing) = self.writing.take() {
            writing.abandon();
        }
        drop(self.wake);
        self.engine.detach()
    }
}

/// Adds a trigger to those of a recording, unless it has very many.
fn keep_trigger(triggers: &mut Vec<Trigger>, trigger: Trigger) {
    if triggers.len() < MOST_TRIGGERS {
        triggers.push(trigger);
    }
}

#[cfg(test)]
mod tests;
