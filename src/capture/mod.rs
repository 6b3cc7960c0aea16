//! The capture itself: attach, run, account, let go, write the results.

mod attach;
mod finish;
mod run;

pub use attach::{AttachOptions, Chosen};
pub use finish::{Captured, SummaryRoom, Written, note};
pub use run::{Run, StopReason, StopRules, run};

use crate::control::{self, CommandLine, Launch, Progress, Running, Signals, Streams, wait_for_any};
use crate::drain::{Results, Sink};
use crate::engine::{self, Attachment, Detaching, Engine};
use crate::os::cpus::CpuList;
use crate::os::machine::{available_memory, hostname, kernel_release};
use crate::perf_data::record::SAMPLE_SIZE;
use crate::perf_data::{ClockPair, Features, Head, MOST_INFLATED};
use crate::recording::{self, Facts, RecordingDir, Tool, write_groups, write_tracepoints};
use crate::source;
use crate::spool::{Arena, Backed, DEFAULT_MEMORY, Keeping, Spool, expected_head};
use crate::tracefs::{self, Selection, Table};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// Bytes of each CPU's ring by default.
pub const DEFAULT_RING_SIZE: usize = 8 << 20;

/// A capture, validated.
#[derive(Debug, Clone)]
pub struct Options {
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
    #[error("CPU {wanted} is not online; online are {online} (`cat {}`)", crate::os::cpus::ONLINE)]
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
pub struct Outcome {
    /// What was written.
    pub written: Written,
    /// Where.
    pub directory: Rc<RecordingDir>,
    /// The tracepoints being let go of.
    pub detaching: Detaching,
}

/// Captures, and writes the recording. COMMAND, if there is one, is in `running` from its start on, also when the capture
/// fails, and may go on.
pub fn capture(
    options: &Options,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<Outcome, Error> {
    let ready = Ready::of(options)?;
    let directory = Rc::new(match &options.output {
        Some(path) => RecordingDir::create(path, options.force)?,
        None => RecordingDir::create_new(&default_output())?,
    });
    let attached = ready.attach(options, signals, progress)?;
    // Before the events are on: a disk that is full already is found out in time.
    let Attached { engine, table, selection, .. } = &attached;
    write_tracepoints(directory.file(recording::TRACEPOINTS)?, table, selection)?;
    write_groups(directory.file(recording::GROUPS)?, table)?;
    let summary_room = SummaryRoom::set_aside(&directory, engine.sample_ids().slots().len())?;
    let for_events = Rc::clone(&directory);
    let (captured, detaching) = attached.run(options, move || for_events.events(), running, signals, progress)?;
    let written = captured.write(options, &directory, summary_room, signals, progress)?;
    Ok(Outcome { written, directory: Rc::clone(&directory), detaching })
}

/// Captures for a sink: nothing of it stays on the disk.
pub fn watch(
    options: &Options,
    sink: &mut dyn Sink,
    running: &mut Option<Running>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<(Results, Detaching), Error> {
    let ready = Ready::of(options)?;
    let file = scratch_file()?;
    let attached = ready.attach(options, signals, progress)?;
    let (captured, detaching) = attached.run(options, move || file.try_clone(), running, signals, progress)?;
    Ok((captured.pour(options, sink, signals, progress)?, detaching))
}

/// A file without a name for what is captured, in the current folder, where a capture would write it.
pub fn scratch_file() -> Result<File, Error> {
    tempfile::tempfile_in(".").map_err(|cause| {
        let folder = std::env::current_dir().map_or_else(|_| ".".to_owned(), |folder| folder.display().to_string());
        Error::Scratch { folder, cause }
    })
}

/// All that is there before anything is attached.
struct Ready {
    chosen: Chosen,
    keeping: Keeping,
    memory: Backed,
}

impl Ready {
    fn of(options: &Options) -> Result<Self, Error> {
        let cpus = options.attach.chosen_cpus()?.len();
        let keeping = keeping(options, cpus);
        let memory = memory(options, &keeping, cpus)?;
        Ok(Ready { chosen: Chosen::of(&options.attach)?, keeping, memory })
    }

    fn attach(self, options: &Options, signals: &mut Signals, progress: &mut dyn Progress) -> Result<Attached, Error> {
        let Ready { mut chosen, keeping, memory } = self;
        // Opening events waits for all CPUs again and again: another thread at work on one of them makes it slower.
        let arena = memory.arena();
        let (engine, attach) = chosen.attach(&options.attach, options.rules.events, signals, progress)?;
        let Chosen { table, selection, .. } = chosen;
        Ok(Attached { engine, attach, table, selection, keeping, arena })
    }
}

/// All that is there before the events are on.
struct Attached {
    engine: Attachment,
    attach: Duration,
    table: Table,
    selection: Selection,
    keeping: Keeping,
    arena: Arena,
}

impl Attached {
    /// Runs, and begins to let go. What memory has no room for goes to the file.
    fn run(
        self,
        options: &Options,
        file: impl FnMut() -> io::Result<File> + 'static,
        running: &mut Option<Running>,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<(Captured, Detaching), Error> {
        let Attached { mut engine, attach, table, selection, keeping, arena } = self;
        let facts = facts(options, &engine, &table, &selection, attach)?;
        let mut spool = spool(options, &engine, &table, &facts, file, keeping, arena)?;
        let nofile_limit = engine.descriptor_limit;
        let command = options.command.as_ref().map(|line| Launch { line, nofile_limit, streams: Streams::Own });
        let run = run(&mut engine, &options.rules, command, running, &mut spool, signals, progress)?;

        let gone = engine.cpus.without(&CpuList::online().unwrap_or_else(|_| engine.cpus.clone()));
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

/// `tp-perf-20261123T144707Z`.
fn default_output() -> PathBuf {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    PathBuf::from(format!("tp-perf-{}", now.replace(['-', ':'], "")))
}

/// What is known of the capture before it begins.
fn facts(
    options: &Options,
    engine: &Attachment,
    table: &Table,
    selection: &Selection,
    attach: Duration,
) -> Result<Facts, Error> {
    Ok(Facts {
        tool: Tool::this(),
        kernel: kernel_release(),
        hostname: hostname(),
        cpus: engine.cpus.as_slice().to_vec(),
        offline_cpus: engine.offline.as_slice().to_vec(),
        clock: options.attach.clock.to_string(),
        clock_offset_ns: options.attach.clock.offset_from_sampled().map_err(Error::Run)?,
        command: options.command.as_ref().map(CommandLine::words),
        arguments: options.arguments.clone(),
        events: options.rules.events,
        started: humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
        ring_size: engine.ring_size,
        attach_ns: crate::units::nanoseconds(attach),
        self_excluded: options.attach.excludes_self(),
        pid: std::process::id() as i32,
        left_out: Facts::left_out(table, selection),
    })
}

/// What perf shows of a recording (`perf script --header`).
fn features(options: &Options, facts: &Facts) -> Result<Features, Error> {
    let clock = options.attach.clock.sampled();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let cpus = facts.cpus.len() as u32;
    Ok(Features {
        hostname: Some(facts.hostname.clone()),
        release: Some(facts.kernel.clone()),
        version: Some(format!("{} {}", facts.tool.name, facts.tool.version)),
        command_line: [facts.tool.name.clone()].into_iter().chain(facts.arguments.iter().cloned()).collect(),
        cpus: Some((facts.cpus.last().map_or(cpus, |last| last + 1), cpus)),
        compressed: options.compress.then_some(MOST_INFLATED),
        clock: Some(ClockPair {
            clockid: clock.number(),
            wall_ns: u64::try_from(wall.as_nanos()).unwrap_or(0),
            clock_ns: clock.now_ns().map_err(Error::Run)?,
        }),
        event_names: Vec::new(),
    })
}

/// How the capture's events are kept.
fn keeping(options: &Options, cpus: usize) -> Keeping {
    // What has no end by itself may run for days, and be killed: it is on the disk as it goes.
    let is_bounded = options.rules != StopRules::default() || options.command.is_some();
    Keeping {
        memory: if is_bounded { DEFAULT_MEMORY } else { 0 },
        rings: options.attach.ring_size * cpus,
        compress: options.compress,
    }
}

/// Memory for the spool of a capture of which nothing is known yet but its options.
fn memory(options: &Options, keeping: &Keeping, cpus: usize) -> Result<Backed, Error> {
    /// No kernel has more tracepoints by much; if one had, the memory would be found later.
    const TRACEPOINTS: usize = 4096;
    let bytes = sensible(expected_bytes(&options.rules, cpus));
    Backed::new(keeping, expected_head(TRACEPOINTS * cpus), bytes).map_err(Error::Memory)
}

/// How many of the bytes that are expected should be backed with memory beforehand.
pub(crate) fn sensible(expected: usize) -> usize {
    let affordable = usize::try_from(available_memory().unwrap_or(u64::MAX) / 8).unwrap_or(usize::MAX);
    expected.min(affordable).min(DEFAULT_MEMORY)
}

/// A spool that begins with the head of `events.perf`.
fn spool(
    options: &Options,
    engine: &Attachment,
    table: &Table,
    facts: &Facts,
    file: impl FnMut() -> io::Result<File> + 'static,
    keeping: Keeping,
    arena: Arena,
) -> Result<Spool, Error> {
    let head = Head {
        table,
        ids: engine.sample_ids(),
        clock: options.attach.clock,
        lost_known: engine.lost_known,
        features: &features(options, facts)?,
        facts: &serde_json::to_string(facts).expect("numbers and text become JSON"),
    };
    Spool::in_arena(arena, &head.encode(), keeping, file).map_err(Error::Memory)
}

/// About as many bytes as a capture with these rules will bring on a busy machine.
fn expected_bytes(rules: &StopRules, cpus: usize) -> usize {
    /// About what a CPU fires that builds a kernel. What comes beyond is backed as it comes: finding memory can take as long as
    /// 1 ms for a MiB, in which nothing is captured yet.
    const EVENTS_PER_SECOND: f64 = 300e3;
    // A capture of N events overshoots by what comes in while it is being stopped.
    let by_events = rules.events.map_or(f64::INFINITY, |events| 2.0 * events as f64);
    let by_duration = rules.duration.map_or(f64::INFINITY, |time| time.as_secs_f64() * EVENTS_PER_SECOND * cpus as f64);
    // As a float beyond any memory becomes the largest integer.
    (by_events.min(by_duration) * SAMPLE_SIZE as f64) as usize
}

/// Waits for a detach; the user may stop waiting, which leaves the rest to the background. Gives how long the detach took,
/// if it is done.
pub fn wait_for_detach(
    detaching: &mut Detaching,
    signals: &mut Signals,
    step: &mut dyn FnMut(usize),
) -> io::Result<Option<Duration>> {
    let asked_before = signals.asked();
    let mut done = 0;
    loop {
        let Some(progress) = detaching.wake_descriptor() else { return Ok(Some(detaching.took())) };
        let descriptors = signals.wake_descriptors().into_iter().chain([progress]);
        let ready = wait_for_any(descriptors, None)?;
        if signals.asked() > asked_before {
            return Ok(None);
        }
        if ready.last() == Some(&true) {
            done += detaching.wait_for_more()?;
            step(done);
        }
    }
}
