//! The capture itself: attach, run, account, detach, write the results.

mod attach;
mod detach;
mod finish;
mod plan;
mod run;

pub use attach::{AttachOptions, Chosen};
pub use detach::wait_for_detach;
pub use finish::{Captured, SummaryRoom, Written, note};
pub use plan::scratch_file;
pub(crate) use plan::sensible;
pub use run::{StopRules, Switched, run};

use crate::control::{self, CommandLine, Launch, Progress, Running, Signals, Streams};
use crate::drain::Results;
use crate::engine::{self, Detaching, Kernel, Sampling};
use crate::events::Sink;
use crate::os::cpus::CpuList;
use crate::recording::{self, RecordingDir, write_groups, write_tracepoints};
use crate::source;
use crate::spool::{Arena, Backed, Keeping};
use crate::tracefs::{self, Selection, Table};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// Bytes of each CPU's ring by default.
pub const DEFAULT_RING_SIZE: usize = 8 << 20;

/// A capture, validated.
#[derive(Debug, Clone)]
pub struct CaptureOptions {
    /// When it stops.
    pub rules: StopRules,
    /// The directory of the recording; a new one named by the time if `None`.
    pub output: Option<PathBuf>,
    /// Replace a recording that is there.
    pub force: bool,
    /// What to attach to.
    pub attach: AttachOptions,
    /// Compress `events.perf`.
    pub compress: bool,
    /// Run this, and stop when it ends.
    pub command: Option<CommandLine>,
    /// tp-perf's own arguments, for the summary.
    pub arguments: Vec<String>,
}

/// Why a capture failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tracepoints could not be listed or chosen.
    #[error(transparent)]
    Tracefs(#[from] tracefs::Error),
    /// The events could not be opened.
    #[error(transparent)]
    Perf(#[from] engine::Error),
    /// The recording could not be written.
    #[error(transparent)]
    Recording(#[from] recording::Error),
    /// CPUs were chosen that are not online.
    #[error("CPU {wanted} is not online; online are {online}")]
    Offline {
        /// Those that are not.
        wanted: CpuList,
        /// Those that are.
        online: CpuList,
    },
    /// The list of CPUs could not be read.
    #[error("failed to read the list of CPUs: {0}")]
    Cpus(io::Error),
    /// While the events were on.
    #[error("the capture failed: {0}")]
    Run(io::Error),
    /// COMMAND could not be started.
    #[error(transparent)]
    Command(#[from] control::Error),
    /// There is no file for what is captured.
    #[error("failed to make a temporary file in `{folder}`: {cause}")]
    Scratch {
        /// Where.
        folder: String,
        /// Why not.
        cause: io::Error,
    },
    /// There is no room for the spool.
    #[error("failed to set memory aside for events: {0}")]
    Memory(io::Error),
    /// What the spool holds could not be read back.
    #[error("failed to read back what was captured: {0}")]
    Replay(io::Error),
    /// What the spool holds does not begin as it was written.
    #[error("failed to read back what was captured: {0}")]
    Source(source::Error),
}

/// A capture that is done, but for what goes on in the background.
#[derive(Debug)]
pub struct Recorded {
    /// What was written.
    pub written: Written,
    /// Where.
    pub directory: Rc<RecordingDir>,
    /// The detach, which goes on.
    pub detaching: Detaching,
}

/// Captures, and writes the recording. COMMAND, if there is one, is in `running` from its start on, also when the capture
/// fails, and may go on.
pub fn capture(
    kernel: &impl Kernel,
    options: &CaptureOptions,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Recorded, Error> {
    let ready = Ready::of(kernel, options)?;
    let directory = Rc::new(match &options.output {
        Some(path) => RecordingDir::create(path, options.force)?,
        None => RecordingDir::create_new(&plan::default_output())?,
    });
    let attached = ready.attach(kernel, options, signals, progress)?;
    // Before the events are on: a disk that is full already is found out in time.
    let ReadyToRun { engine, table, selection, .. } = &attached;
    write_tracepoints(directory.file(recording::TRACEPOINTS)?, table, selection)?;
    write_groups(directory.file(recording::GROUPS)?, table)?;
    let summary_room = SummaryRoom::set_aside(&directory, engine.sample_ids().slots().len())?;
    let for_events = Rc::clone(&directory);
    let (captured, detaching) =
        attached.run(kernel, options, move || for_events.events(), running, signals, progress)?;
    let written = captured.write(options, &directory, summary_room, signals, progress)?;
    Ok(Recorded { written, directory: Rc::clone(&directory), detaching })
}

/// Captures for sinks: nothing of it stays on the disk.
pub fn watch(
    kernel: &impl Kernel,
    options: &CaptureOptions,
    sinks: &mut [&mut dyn Sink],
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<(Results, Detaching), Error> {
    let ready = Ready::of(kernel, options)?;
    let file = scratch_file()?;
    let attached = ready.attach(kernel, options, signals, progress)?;
    let (captured, detaching) = attached.run(kernel, options, move || file.try_clone(), running, signals, progress)?;
    Ok((captured.pour(options, sinks, signals, progress)?, detaching))
}

/// All that is there before anything is attached.
struct Ready {
    chosen: Chosen,
    keeping: Keeping,
    memory: Backed,
}

impl Ready {
    fn of(kernel: &impl Kernel, options: &CaptureOptions) -> Result<Self, Error> {
        let cpus = options.attach.chosen_cpus(kernel)?.len();
        let keeping = plan::keeping(options, cpus);
        let memory = plan::memory(options, &keeping, cpus)?;
        Ok(Ready { chosen: Chosen::of(kernel, &options.attach)?, keeping, memory })
    }

    fn attach<K: Kernel>(
        self,
        kernel: &K,
        options: &CaptureOptions,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<ReadyToRun<K::Sampling>, Error> {
        let Ready { mut chosen, keeping, memory } = self;
        // Opening events waits for all CPUs again and again: another thread at work on one of them makes it slower.
        let arena = memory.arena();
        let (engine, attach) = chosen.attach(kernel, &options.attach, options.rules.events, signals, progress)?;
        let Chosen { table, selection, .. } = chosen;
        Ok(ReadyToRun { engine, attach, table, selection, keeping, arena })
    }
}

/// All that is there before the events are on.
struct ReadyToRun<E> {
    engine: E,
    /// How long attaching took.
    attach: Duration,
    table: Table,
    selection: Selection,
    keeping: Keeping,
    arena: Arena,
}

impl<E: Sampling> ReadyToRun<E> {
    /// Runs, and begins to detach. What memory has no room for goes to the file.
    fn run(
        self,
        kernel: &impl Kernel,
        options: &CaptureOptions,
        file: impl FnMut() -> io::Result<File> + 'static,
        running: &mut Option<Running>,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<(Captured, Detaching), Error> {
        let ReadyToRun { mut engine, attach, table, selection, keeping, arena } = self;
        let facts = plan::facts(options, engine.attached(), &table, &selection, attach)?;
        let mut spool = plan::spool(options, &engine, &table, &facts, file, keeping, arena)?;
        let nofile_limit = engine.attached().descriptor_limit;
        let command = options.command.as_ref().map(|line| Launch { line, nofile_limit, streams: Streams::Own });
        let run = run(&mut engine, &options.rules, command, running, &mut spool, signals, progress)?;

        let cpus = &engine.attached().cpus;
        let gone = cpus.without(&kernel.online().unwrap_or_else(|_| cpus.clone()));
        if !gone.is_empty() {
            progress.note(&format!("CPU {gone} went offline during the capture; its events end there"));
        }
        let ids = engine.sample_ids().clone();
        // Before the results are written: the kernel needs long, and the child is ready.
        let detaching = engine.detach();
        let detach_expected = detaching.expected();
        let command_exit = match running {
            Some(running) => running.exit_code().map_err(Error::Run)?,
            None => None,
        };
        Ok((Captured { run, spool, ids, gone, command_exit, detach_expected }, detaching))
    }
}
