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

mod cut;
mod excerpt;
mod folder;
mod marks;
mod run;
mod writing;

pub use folder::{FlightFolder, FlightPlace};
pub(super) use run::record_last;

use super::steering::RecordSteering;
use super::unwatched::{CpuChanges, Watched, clock_of};
use super::{AttachOptions, CaptureOptions, Chosen, CpuChange, Error, Switched, plan};
use crate::control::{Progress, Signals};
use crate::engine::{Detaching, Kernel, ProcessFields, Sampling};
use crate::os::any_ready::AnyReady;
use crate::os::cpus::CpuList;
use crate::os::thread::cpu_time;
use crate::perf_data::own_layout;
use crate::recording::{Facts, LastSummary, StopReason, Trigger, TriggerKind, Unwatched};
use crate::spool::LastRounds;
use crate::tracefs::{Selection, Table};
use crate::units::nanoseconds;
use cut::Fields;
use excerpt::{Excerpt, ExcerptOf};
use marks::{AtMark, Marks};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
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
/// A recording lists at most so many triggers, the first ones.
const MOST_TRIGGERS: usize = 64;
/// The memory in bytes that events take by default.
pub const DEFAULT_LAST_BYTES: u64 = 256 << 20;

/// How much of a capture is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastLimits {
    /// The events of this time before a trigger.
    pub time: Duration,
    /// The events of this time behind it.
    pub after: Duration,
    /// The most memory for events, in bytes. If they take more, the oldest are forgotten earlier.
    pub bytes: u64,
}

impl LastLimits {
    fn summary(&self) -> LastSummary {
        LastSummary { time_ns: nanoseconds(self.time), after_ns: nanoseconds(self.after), bytes: self.bytes }
    }
}

/// What becomes of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerTaken {
    /// It begins a recording.
    Begun,
    /// Another trigger has begun a recording, whose time behind it is not over. The recording lists both.
    Merged,
    /// A recording is being written. The next one begins when that is done, for this trigger and all that come until then.
    Queued,
}

/// What happened in a call of [`FlightRecorder::act`].
#[derive(Debug)]
pub enum FlightNews {
    /// A recording was written: its events.perf and its tables. A replay into its directory makes the log and the summary.
    Written {
        /// Its directory.
        path: PathBuf,
        /// What triggered it.
        triggers: Vec<Trigger>,
        /// The size of its events.perf in bytes.
        bytes: u64,
        /// The time that its events cover.
        covers: Duration,
        /// How long writing took.
        took: Duration,
    },
    /// A recording could not be written. Nothing of it is left, and the capture goes on.
    Failed {
        /// What triggered it.
        triggers: Vec<Trigger>,
        /// Why it could not be written.
        cause: Error,
    },
    /// An older recording was removed, to make room.
    Removed {
        /// Its directory.
        path: PathBuf,
    },
    /// An older recording could not be removed.
    NotRemoved {
        /// Its directory.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
}

/// The state of a flight recorder, for people and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlightStatus {
    /// The time that a recording would have now.
    pub covers: Duration,
    /// The bytes of the events that are kept.
    pub kept_bytes: u64,
    /// The memory in bytes that they take.
    pub memory: u64,
    /// The events taken so far, kept or not.
    pub samples: u64,
    /// The events that the kernel dropped because a ring was full, until the last mark.
    pub lost: u64,
    /// The CPU time that the recorder took so far.
    pub own_cpu: Duration,
    /// The tracepoints whose hits are all recorded now, and those of which one in N is.
    pub recorded: u64,
    /// See `recorded`.
    pub thinned: u64,
    /// The recordings written so far.
    pub written: u64,
    /// Those that could not be written.
    pub failed: u64,
}

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
    /// Attaches. Needs the right to open events. Nothing is recorded before [`start`](Self::start). `options.last` limits what is
    /// kept, and `place` is where recordings go.
    ///
    /// # Errors
    /// If the tracepoints cannot be chosen, or the events cannot be opened.
    pub fn attach<K: Kernel<Sampling = E>>(
        kernel: &K,
        options: &CaptureOptions,
        place: FlightPlace,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<Self, Error> {
        let mut options = plan::within_memory(kernel, options, progress)?;
        // Names of threads from before the kept time are not kept yet.
        options.attach.process = ProcessFields::None;
        let limits = options.last.unwrap_or(LastLimits {
            time: Duration::from_secs(30),
            after: Duration::ZERO,
            bytes: DEFAULT_LAST_BYTES,
        });
        let chosen = Chosen::of(kernel, &options.attach.choice)?;
        Self::attach_chosen(kernel, options, limits, chosen, place, signals, progress)
    }

    /// Detaches in the background, and attaches again: to the CPUs that are online now, and with all tracepoints that the budget has
    /// detached. Needs the right to open events, but not to read tracefs. What was kept is lost. Nothing is recorded before
    /// [`start`](Self::start).
    ///
    /// # Errors
    /// As [`attach`](Self::attach). The detach goes on even then.
    pub fn attach_again<K: Kernel<Sampling = E>>(
        mut self,
        kernel: &K,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> (Detaching, Result<Self, Error>) {
        if let Some(writing) = self.writing.take() {
            writing.abandon();
        }
        let FlightRecorder { engine, options, limits, table, place, wake, .. } = self;
        drop(wake);
        let detaching = engine.detach();
        let chosen = Chosen::again(kernel, table, &options.attach.choice);
        let again =
            chosen.and_then(|chosen| Self::attach_chosen(kernel, options, limits, chosen, place, signals, progress));
        (detaching, again)
    }

    /// Whether tracepoints were detached to keep the budget.
    pub fn has_detached(&self) -> bool {
        self.steering.as_ref().is_some_and(RecordSteering::has_detached)
    }

    /// Whether a recording is being written, or waits for its time behind the trigger.
    pub fn is_busy(&self) -> bool {
        self.writing.is_some() || self.waiting.is_some()
    }

    fn attach_chosen<K: Kernel<Sampling = E>>(
        kernel: &K,
        options: CaptureOptions,
        limits: LastLimits,
        mut chosen: Chosen,
        place: FlightPlace,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<Self, Error> {
        // The measuring event stays open until the others are attached, as in a recording with a budget.
        let measured = options.attach.budget.map(|budget| (budget, kernel.record_cost(&chosen.table)));
        // Marks read the counters group by group, as a budget does.
        let budget = Some(options.attach.budget.unwrap_or(1.0));
        let attach = AttachOptions { budget, ..options.attach.clone() };
        let (engine, took) = chosen.attach(kernel, &attach, None, signals, progress)?;
        let steering = measured.map(|(budget, (cost, _event))| RecordSteering::new(budget, cost, &engine));
        let online = kernel.online().unwrap_or_else(|_| engine.attached().cpus.clone());
        let (layout, trailer) = own_layout(options.attach.process, options.attach.sampled_cpu);
        Ok(FlightRecorder {
            limits,
            attach: took,
            place,
            rounds: LastRounds::new(engine.sample_ids()),
            marks: Marks::new(engine.sample_ids().slots()),
            fields: Fields { layout, trailer },
            steering,
            wake: AnyReady::of(engine.wake_descriptors()).map_err(Error::Run)?,
            changes: CpuChanges::watch(),
            online,
            waiting: None,
            writing: None,
            queued: Vec::new(),
            cpu_before: Duration::ZERO,
            status: FlightStatus::default(),
            table: chosen.table,
            selection: chosen.selection,
            engine,
            options,
        })
    }

    /// Switches the events on, and begins to keep.
    ///
    /// # Errors
    /// If the events cannot be switched on, or their counters cannot be read.
    pub fn start(&mut self) -> io::Result<()> {
        self.engine.enable()?;
        let steps = match &mut self.steering {
            Some(steering) => steering.start(&mut self.engine, 0)?,
            None => self.engine.record_all()?,
        };
        self.marks.add_steps(self.rounds.kept().end, steps);
        self.cpu_before = cpu_time()?;
        self.mark()
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

    /// Does what there is to do: takes the bytes of the rings, keeps the budget, and writes the next slice of a recording.
    ///
    /// # Errors
    /// If the rings or the counters cannot be read. Nothing can be recorded then. A recording that cannot be written is no error
    /// ([`FlightNews::Failed`]).
    pub fn act(&mut self) -> io::Result<Vec<FlightNews>> {
        self.enter()?;
        self.changes.note();
        // The time of now is read last, because something may be due at once.
        if self.engine.fullest() >= FULL || self.due() <= Instant::now() {
            self.round()?;
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
            news.extend(self.act()?);
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
        self.engine.round(&mut self.rounds)
    }

    fn keep_budget(&mut self) -> io::Result<()> {
        let Some(steering) = &mut self.steering else { return Ok(()) };
        let mut steps = Vec::new();
        let kept = steering.window(&mut self.engine, self.rounds.samples(), &mut steps);
        self.marks.add_steps(self.rounds.kept().end, steps);
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
        self.marks.read(&mut self.engine, now, self.rounds.take_counts())
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
            let is_much = self.rounds.kept().end - oldest.at > most;
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
        }
        let oldest = self.marks.all.front().map_or(0, |oldest| oldest.at);
        self.rounds.forget(still_needed.map_or(oldest, |needs| needs.min(oldest)));
        Ok(())
    }

    /// The part of the capture from the oldest mark until now.
    fn excerpt(&self, is_off: bool) -> io::Result<Excerpt> {
        Excerpt::of(&ExcerptOf {
            marks: &self.marks,
            rounds: &self.rounds,
            ids: self.engine.sample_ids(),
            attached: self.engine.attached(),
            fields: self.fields,
            is_off,
        })
    }

    fn begin_writing(&mut self, waiting: Waiting, news: &mut Vec<FlightNews>) -> io::Result<()> {
        self.round()?;
        self.mark()?;
        // Samples of hits that were counted may still be in the rings.
        self.round()?;
        let excerpt = self.excerpt(false)?;
        match self.start_writing(excerpt, waiting.triggers.clone()) {
            Ok(writing) => self.writing = Some(writing),
            Err(cause) => self.failed(waiting.triggers, cause, news),
        }
        Ok(())
    }

    fn start_writing(&mut self, excerpt: Excerpt, triggers: Vec<Trigger>) -> Result<Writing, Error> {
        let head = self.head(&excerpt)?;
        let run = self.switched(&excerpt, StopReason::Trigger, triggers)?;
        let unwatched = self.unwatched(&excerpt)?;
        let directory = self.place.next()?;
        Writing::begin(self, excerpt, &head, run, unwatched, directory)
    }

    /// The head of an excerpt's events.perf.
    fn head(&self, excerpt: &Excerpt) -> Result<Vec<u8>, Error> {
        let facts = plan::facts(&self.options, self.engine.attached(), &self.table, &self.selection, self.attach)?;
        let started = humantime::format_rfc3339_nanos(excerpt.began.1).to_string();
        let facts = Facts { started, ..facts.of_last(self.limits.summary()) };
        plan::head(&self.options, &self.engine, &self.table, None, &facts)
    }

    /// The facts about an excerpt, as those of a capture.
    fn switched(&self, excerpt: &Excerpt, stop_reason: StopReason, triggers: Vec<Trigger>) -> Result<Switched, Error> {
        Ok(Switched {
            stop_reason,
            started: excerpt.began.1,
            capture: excerpt.ended - excerpt.began.0,
            stopped: excerpt.ended,
            own_cpu: excerpt.own_cpu,
            starting_cpu: Duration::ZERO,
            counted: excerpt.counted.clone(),
            threads: Vec::new(),
            on: excerpt.began.0,
            time_on: excerpt.time_on.clone(),
            cpu_changes: None,
            cost: excerpt.cost,
            others: None,
            triggers,
            asked: 0,
            problem: None,
        })
    }

    /// The stretches of an excerpt in which a CPU was not watched.
    fn unwatched(&self, excerpt: &Excerpt) -> Result<Vec<Unwatched>, Error> {
        let changes = self.changes.seen();
        let until = |end: Instant| match changes {
            Some(changes) => online_after(&self.online, changes, end),
            None => CpuList::online().unwrap_or_else(|_| self.online.clone()),
        };
        let (on, off) = (excerpt.began.0, excerpt.ended);
        let within: Option<Vec<CpuChange>> = changes
            .map(|changes| changes.iter().filter(|change| change.at >= on && change.at < off).copied().collect());
        let watched = Watched {
            on,
            off,
            time_on: &excerpt.time_on,
            chosen: self.options.attach.choice.cpus.as_ref(),
            before: &until(on),
            after: &until(off),
            changes: within.as_deref(),
        };
        let now = self.options.attach.clock.sampled().now_ns().map_err(Error::Run)?;
        Ok(watched.unwatched(clock_of(now, Instant::now())))
    }

    /// Writes the next slice.
    fn write(&mut self, news: &mut Vec<FlightNews>) {
        let Some(writing) = &mut self.writing else { return };
        let before = cpu_time().unwrap_or_default();
        let done = writing.feed(&self.rounds, SLICE);
        if let (Some(steering), Ok(now)) = (&mut self.steering, cpu_time()) {
            // No thinning makes a recording that was triggered cheaper.
            steering.leave_out(now.saturating_sub(before));
        }
        match done {
            Ok(false) => return,
            Ok(true) => {}
            Err(cause) => {
                if let Some(writing) = self.writing.take() {
                    let triggers = writing.abandon();
                    self.failed(triggers, cause, news);
                }
                return self.next_queued();
            }
        }
        let Some(writing) = self.writing.take() else { return };
        match writing.finish() {
            Ok(written) => {
                self.status.written += 1;
                let path = match &written {
                    FlightNews::Written { path, .. } => path.clone(),
                    _ => PathBuf::new(),
                };
                news.push(written);
                self.place.make_room(&path, news);
            }
            Err((triggers, cause)) => self.failed(triggers, cause, news),
        }
        self.next_queued();
    }

    fn failed(&mut self, triggers: Vec<Trigger>, cause: Error, news: &mut Vec<FlightNews>) {
        self.status.failed += 1;
        news.push(FlightNews::Failed { triggers, cause });
    }

    /// Begins with the triggers that came while a recording was written.
    fn next_queued(&mut self) {
        if !self.queued.is_empty() {
            let triggers = std::mem::take(&mut self.queued);
            self.wait_behind(triggers, Instant::now());
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

/// The CPUs that were online at this time.
fn online_after(first: &CpuList, changes: &[CpuChange], time: Instant) -> CpuList {
    let mut online: Vec<_> = first.as_slice().to_vec();
    for change in changes.iter().filter(|change| change.at < time) {
        online.retain(|cpu| *cpu != change.cpu);
        if change.online {
            online.push(change.cpu);
        }
    }
    online.into_iter().collect()
}

#[cfg(test)]
mod tests;
