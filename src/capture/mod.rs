//! A capture: attaches, runs, detaches, and writes the results.

mod at_start;
mod attach;
mod chosen;
mod detach;
mod finish;
pub mod flight;
mod only;
mod plan;
mod ring_bytes;
mod run;
mod steering;
mod switch_on;
mod thinning;
mod unwatched;

pub use at_start::AtStart;
pub use attach::{AttachOptions, Choice, Chosen};
pub use chosen::ChosenRounds;
pub use detach::wait_for_detach;
pub use finish::{Captured, SummaryRoom, Written, note};
pub use only::OnlyProcesses;
pub use plan::scratch_file;
pub(crate) use plan::sensible;
pub(crate) use ring_bytes::{RingBytes, next_record, read_changes, sampled_event};
pub(crate) use run::Outside;
pub use run::{RunTask, StopRules, Switched, run};
pub use steering::RecordSteering;
pub(crate) use switch_on::SwitchedOn;
pub use unwatched::CpuChange;
pub(crate) use unwatched::{CpuChanges, Watched, clock_of};

use crate::control::{self, CommandLine, Launch, Progress, Running, Signals, Streams};
use crate::drain::Results;
use crate::engine::{self, Detaching, Kernel, Sampling};
use crate::events::Sink;
use crate::os::cpus::CpuList;
use crate::os::privileges::{self, Starts, raised};
use crate::os::process::ProcessEnd;
use crate::perf::sys;
use crate::recording::{self, LogColumn, RecordingDir, write_groups, write_tracepoints};
use crate::source;
use crate::spool::{Arena, Backed, Keeping, Spool};
use crate::tracefs::{self, Selection, Table};
use crate::units::Bytes;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The default size of each CPU's ring in bytes.
pub const DEFAULT_RING_SIZE: usize = 8 << 20;

/// The validated options of a capture.
#[derive(Debug, Clone)]
pub struct CaptureOptions {
    /// When the capture stops.
    pub rules: StopRules,
    /// The directory of the recording; if `None`, a new one named after the current time.
    pub output: Option<PathBuf>,
    /// Whether to replace an existing recording.
    pub force: bool,
    /// The tracepoints, CPUs and rings.
    pub attach: AttachOptions,
    /// Whether to compress `events.perf`.
    pub compress: bool,
    /// The processes to record.
    pub only: OnlyProcesses,
    /// More columns of the log.
    pub log_columns: Vec<LogColumn>,
    /// Keep only the last events. `None` keeps all.
    pub last: Option<flight::LastLimits>,
    /// The COMMAND to run. The capture stops when it ends.
    pub command: Option<CommandLine>,
    /// tp-perf's arguments, for the summary.
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
    #[error("CPU {wanted} is not online; the online CPUs are {online}")]
    Offline {
        /// The chosen CPUs that are not online.
        wanted: CpuList,
        /// All online CPUs.
        online: CpuList,
    },
    /// The list of CPUs could not be read.
    #[error("failed to read the list of CPUs, `{path}`: {0}", path = crate::os::cpus::ONLINE)]
    Cpus(io::Error),
    /// The last seconds of a capture could not be written.
    #[error("failed to write the last seconds of the capture: {0}")]
    Flight(io::Error),
    /// An error while the events were on.
    #[error("the capture failed: {0}")]
    Run(io::Error),
    /// COMMAND could not be started.
    #[error(transparent)]
    Command(#[from] control::Error),
    /// The file for the captured bytes could not be created.
    #[error("failed to create a temporary file in `{folder}`: {cause}")]
    Scratch {
        /// The directory for the file.
        folder: String,
        /// Why it could not be created.
        cause: io::Error,
    },
    /// The threads of this machine could not be listed.
    #[error("failed to list the threads of this machine in `/proc`: {0}")]
    Threads(io::Error),
    /// A chosen process does not run.
    #[error("no process with the number {pid} runs; `ps -e` lists all")]
    NoProcess {
        /// Its number.
        pid: u32,
    },
    /// A chosen process is only a thread of a process.
    #[error("{tid} is a thread of process {pid}; use `--pid {pid}`")]
    OnlyThread {
        /// The number of the thread.
        tid: u32,
        /// The number of its process.
        pid: u32,
    },
    /// The chosen processes ended before the events were on.
    #[error("process {pid} ended while tp-perf attached, so there is nothing to record")]
    ProcessEnded {
        /// Its number.
        pid: u32,
    },
    /// The changes of threads take too much memory.
    #[error(transparent)]
    TooMuch(#[from] crate::memory::TooMuch),
    /// The cgroups of this machine could not be listed.
    #[error("failed to list the cgroups of this machine: {0}")]
    Cgroups(io::Error),
    /// Samples cannot have their cgroup.
    #[error(
        "this kernel does not record the cgroups of hits (it needs Linux 5.7 or later, with CONFIG_CGROUP_PERF): {0}"
    )]
    NoCgroupsInSamples(io::Error),
    /// The hierarchy of perf's cgroups is not mounted.
    #[error("the cgroups that perf knows are not mounted here; `tp-perf doctor` shows how to mount them")]
    CgroupsNotMounted,
    /// A chosen cgroup does not exist.
    #[error("there is no {pattern}; `{list}` lists all")]
    NoCgroup {
        /// The choice in words.
        pattern: String,
        /// A command that lists the cgroups.
        list: &'static str,
    },
    /// tp-perf could not give up rights.
    #[error(transparent)]
    Rights(#[from] privileges::Error),
    /// There is no memory for the spool.
    #[error("failed to reserve memory for events: {0}")]
    Memory(io::Error),
    /// This process may use less memory than any capture takes.
    #[error("a capture needs {} of {kind}, but only {} are available", Bytes(*needed), Bytes(*available))]
    LittleMemory {
        /// Memory, or address space.
        kind: &'static str,
        /// The bytes that it needs.
        needed: u64,
        /// The bytes that are available.
        available: u64,
    },
    /// The captured bytes could not be read back.
    #[error("failed to read back the captured events: {0}")]
    Replay(io::Error),
    /// The head of the captured bytes could not be read back.
    #[error("failed to read back the captured events: {0}")]
    Source(source::Error),
}

/// A finished capture, whose detach continues in the background.
#[derive(Debug)]
pub struct Recorded {
    /// The results.
    pub written: Written,
    /// The directory of the recording.
    pub directory: Rc<RecordingDir>,
    /// The detach in the background.
    pub detaching: Detaching,
}

/// Captures, and writes the recording. `running` contains COMMAND, if there is one, from its start on, even
/// if the capture fails. COMMAND may still be running afterwards.
pub fn capture(
    kernel: &impl Kernel,
    options: &CaptureOptions,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Recorded, Error> {
    let create = || match &options.output {
        Some(path) => RecordingDir::create(path, options.force),
        None => RecordingDir::create_new(&plan::default_output()),
    };
    if options.last.is_some() {
        return flight::record_last(kernel, options, create()?, running, signals, progress);
    }
    let options = &plan::within_memory(kernel, options, progress)?;
    let ready = Ready::of(kernel, options)?;
    let directory = Rc::new(create()?);
    let attached = ready.attach(kernel, options, signals, progress)?;
    // These files are written before the events go on, so a full disk is noticed in time.
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

/// Captures, and sends the events to sinks. Leaves no files.
pub fn watch(
    kernel: &impl Kernel,
    options: &CaptureOptions,
    sinks: &mut [&mut dyn Sink],
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<(Results, Detaching), Error> {
    let options = &plan::within_memory(kernel, options, progress)?;
    let ready = Ready::of(kernel, options)?;
    let file = scratch_file()?;
    let attached = ready.attach(kernel, options, signals, progress)?;
    let (captured, detaching) = attached.run(kernel, options, move || file.try_clone(), running, signals, progress)?;
    Ok((captured.pour(options, sinks, signals, progress)?, detaching))
}

/// The state of a capture before it attaches.
struct Ready {
    chosen: Chosen,
    /// The ends of the chosen processes.
    ends: Vec<(u32, ProcessEnd)>,
    keeping: Keeping,
    memory: Backed,
}

impl Ready {
    fn of(kernel: &impl Kernel, options: &CaptureOptions) -> Result<Self, Error> {
        let cpus = options.attach.choice.chosen_cpus(kernel)?;
        if options.attach.process.has_cgroup()
            && let Some(cpu) = cpus.as_slice().first()
        {
            raised(|| sys::try_cgroups(*cpu)).map_err(Error::NoCgroupsInSamples)?;
        }
        let ends = only::check(&options.only)?;
        let keeping = plan::keeping(options, cpus.len());
        let memory = plan::memory(options, &keeping, cpus.len())?;
        Ok(Ready { chosen: Chosen::of(kernel, &options.attach.choice)?, ends, keeping, memory })
    }

    fn attach<K: Kernel>(
        self,
        kernel: &K,
        options: &CaptureOptions,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<ReadyToRun<K::Sampling>, Error> {
        let Ready { mut chosen, ends, keeping, memory } = self;
        // If processes are chosen, the rings do not show how many of their events there are.
        let events = options.rules.events.filter(|_| !options.only.chooses());
        // Wait for the memory first: opening events repeatedly waits for all CPUs, and another busy thread
        // slows it.
        let arena = memory.arena();
        // The measuring event stays open until the others are attached. The last event of a tracepoint waits for the kernel when
        // it closes.
        let measured = options.attach.budget.map(|budget| (budget, kernel.record_cost(&chosen.table)));
        let (engine, attach) = chosen.attach(kernel, &options.attach, events, signals, progress)?;
        let steering = measured.map(|(budget, (cost, _event))| RecordSteering::new(budget, cost, &engine));
        // Later, tp-perf may no longer see the threads of other users. From now on, the kernel records what changes.
        let at_start = AtStart::read(options.attach.process)?;
        privileges::give_up(options.command.as_ref().map_or(Starts::Nothing, CommandLine::rights))?;
        let Chosen { table, selection, .. } = chosen;
        Ok(ReadyToRun { ends, engine, attach, table, selection, keeping, arena, steering, at_start })
    }
}

/// The state of a capture before the events go on.
struct ReadyToRun<E> {
    /// The ends of the chosen processes.
    ends: Vec<(u32, ProcessEnd)>,
    engine: E,
    /// The time that attaching took.
    attach: Duration,
    table: Table,
    selection: Selection,
    keeping: Keeping,
    arena: Arena,
    /// With a budget.
    steering: Option<RecordSteering>,
    /// What ran before, if events have their process.
    at_start: Option<AtStart>,
}

impl<E: Sampling> ReadyToRun<E> {
    /// Runs the capture, and starts to detach. If memory is full, events go to `file`.
    fn run(
        self,
        kernel: &impl Kernel,
        options: &CaptureOptions,
        file: impl FnMut() -> io::Result<File> + 'static,
        running: &mut Option<Running>,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<(Captured, Detaching), Error> {
        let ReadyToRun { ends, mut engine, attach, table, selection, keeping, arena, steering, at_start } = self;
        let facts = plan::facts(options, engine.attached(), &table, &selection, attach)?;
        let head = plan::head(options, &engine, &table, at_start.as_ref(), &facts)?;
        let mut spool = Spool::in_arena(arena, &head, keeping, file).map_err(Error::Memory)?;
        let nofile_limit = engine.attached().descriptor_limit;
        let launch = |line| Launch { line, nofile_limit, streams: Streams::Own, is_last: true };
        let command = options.command.as_ref().map(launch);
        let online = |engine: &E| kernel.online().unwrap_or_else(|_| engine.attached().cpus.clone());
        let before = online(&engine);
        let chosen = at_start.as_ref().filter(|_| options.only.chooses());
        let chosen = chosen.map(|at_start| {
            ChosenRounds::of(&options.only, ends, &engine, &options.attach, &table, at_start, progress)
        });
        let task = RunTask { rules: &options.rules, command, chosen: chosen.transpose()?, steering };
        let run = run(&mut engine, task, running, &mut spool, signals, progress)?;

        let after = online(&engine);
        let watched = Watched {
            on: run.on,
            off: run.stopped,
            time_on: &run.time_on,
            chosen: options.attach.choice.cpus.as_ref(),
            before: &before,
            after: &after,
            changes: run.cpu_changes.as_deref(),
        };
        let now = options.attach.clock.sampled().now_ns().map_err(Error::Run)?;
        let unwatched = watched.unwatched(clock_of(now, Instant::now()));
        let ids = engine.sample_ids().clone();
        // Detaching starts before the results are written, because it takes the kernel long.
        let detaching = engine.detach();
        let detach_expected = detaching.expected();
        let command_exit = match running {
            Some(running) => running.exit_code().map_err(Error::Run)?,
            None => None,
        };
        Ok((Captured { run, spool, ids, unwatched, command_exit, detach_expected }, detaching))
    }
}
