//! Writes what a flight recorder keeps, slice by slice, without stopping it.

use super::excerpt::{Excerpt, ExcerptOf};
use super::threads::FlightThreads;
use super::writing::Writing;
use super::{FlightNews, FlightRecorder, SLICE, Waiting};
use crate::capture::unwatched::{Watched, clock_of};
use crate::capture::{CpuChange, Error, Switched, plan};
use crate::engine::Sampling;
use crate::os::cpus::CpuList;
use crate::os::thread::cpu_time;
use crate::recording::{Facts, StopReason, Trigger, Unwatched};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

impl<E: Sampling> FlightRecorder<E> {
    /// The part of the capture from the oldest mark until now.
    pub(super) fn excerpt(&self, is_off: bool) -> io::Result<Excerpt> {
        Excerpt::of(&ExcerptOf {
            marks: &self.marks,
            rounds: &self.rounds,
            ids: self.engine.sample_ids(),
            attached: self.engine.attached(),
            fields: self.fields,
            is_off,
        })
    }

    pub(super) fn begin_writing(&mut self, waiting: Waiting, news: &mut Vec<FlightNews>) -> io::Result<()> {
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
    pub(super) fn head(&self, excerpt: &Excerpt) -> Result<Vec<u8>, Error> {
        let facts = plan::facts(&self.options, self.engine.attached(), &self.table, &self.selection, self.attach)?;
        let started = humantime::format_rfc3339_nanos(excerpt.began.1).to_string();
        let facts = Facts { started, ..facts.of_last(self.limits.summary()) };
        let at_start = self.threads.as_ref().map(FlightThreads::at_start);
        plan::head(&self.options, &self.engine, &self.table, at_start.as_ref(), &facts)
    }

    /// The facts about an excerpt, as those of a capture.
    pub(super) fn switched(
        &self,
        excerpt: &Excerpt,
        stop_reason: StopReason,
        triggers: Vec<Trigger>,
    ) -> Result<Switched, Error> {
        Ok(Switched {
            stop_reason,
            started: excerpt.began.1,
            capture: excerpt.ended - excerpt.began.0,
            stopped: excerpt.ended,
            own_cpu: excerpt.own_cpu,
            starting_cpu: Duration::ZERO,
            counted: excerpt.counted.clone(),
            threads: excerpt.threads.clone(),
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
    pub(super) fn unwatched(&self, excerpt: &Excerpt) -> Result<Vec<Unwatched>, Error> {
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
    pub(super) fn write(&mut self, news: &mut Vec<FlightNews>) {
        let Some(writing) = &mut self.writing else { return };
        let before = cpu_time().unwrap_or_default();
        let done = writing.feed(&self.rounds, SLICE);
        if let (Some(steering), Ok(now)) = (&mut self.steering, cpu_time()) {
            // Thinning does not make a triggered recording cheaper.
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
