//! Attaches a flight recorder, and attaches it again.

use super::cut::Fields;
use super::marks::Marks;
use super::tap::Untapped;
use super::threads::FlightThreads;
use super::{DEFAULT_LAST_BYTES, FlightPlace, FlightRecorder, FlightStatus, LastLimits};
use crate::capture::steering::RecordSteering;
use crate::capture::unwatched::CpuChanges;
use crate::capture::{AtStart, AttachOptions, CaptureOptions, Chosen, Error, plan};
use crate::control::{Progress, Signals};
use crate::engine::{Detaching, Kernel, Sampling};
use crate::os::any_ready::AnyReady;
use crate::perf_data::own_layout;
use crate::spool::LastRounds;
use std::time::{Duration, Instant};

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
        let options = plan::within_memory(kernel, options, progress)?;
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
        // From now on, the kernel records what changes.
        let at_start = AtStart::read(options.attach.process)?;
        let changes: Vec<_> = at_start.iter().flat_map(AtStart::changes).collect();
        let threads =
            at_start.map(|_| FlightThreads::of(&changes, trailer, options.attach.process.has_cgroup())).transpose()?;
        let slots = engine.sample_ids().slots().iter();
        let of_interrupts = slots.map(|slot| chosen.table.get(slot.tpid).is_of_interrupts()).collect();
        Ok(FlightRecorder {
            limits,
            attach: took,
            place,
            rounds: LastRounds::new(engine.sample_ids()),
            marks: Marks::new(engine.sample_ids().slots()),
            fields: Fields { layout, trailer },
            steering,
            threads,
            threads_lost: 0,
            threads_listed: Instant::now(),
            untapped: Untapped { changes, of_interrupts, ..Untapped::default() },
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
}
