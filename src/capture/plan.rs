//! Prepares a capture before its events go on: memory, files, and facts.

use super::{AtStart, CaptureOptions, Error, StopRules};
use crate::control::{CommandLine, Progress};
use crate::engine::{Attached, Kernel, LEAST_RING, Sampling};
use crate::events::Ns;
use crate::os::machine::{hostname, kernel_release};
use crate::os::memory::{address_space, available_memory};
use crate::perf_data::record::SAMPLE_SIZE;
use crate::perf_data::{ClockPair, Features, Head, HeadThreads, MOST_INFLATED};
use crate::recording::{Facts, Tool};
use crate::spool::{Backed, DEFAULT_MEMORY, Keeping, expected_head};
use crate::text::json_line;
use crate::tracefs::{Selection, Table};
use crate::units::Bytes;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// An unnamed file for the captured bytes, in the current directory, where a capture would write its
/// recording.
pub fn scratch_file() -> Result<File, Error> {
    tempfile::tempfile_in(".").map_err(|cause| {
        let folder = std::env::current_dir().map_or_else(|_| ".".to_owned(), |folder| folder.display().to_string());
        Error::Scratch { folder, cause }
    })
}

/// The default name of a recording: `tp-perf-20261123T144707Z`.
pub(super) fn default_output() -> PathBuf {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    PathBuf::from(format!("tp-perf-{}", now.replace(['-', ':'], "")))
}

/// The facts about the capture that are known before it begins.
pub(super) fn facts(
    options: &CaptureOptions,
    attached: &Attached,
    table: &Table,
    selection: &Selection,
    attach: Duration,
) -> Result<Facts, Error> {
    Ok(Facts {
        schema: Facts::schema_with(options.attach.budget, options.only.chooses()),
        tool: Tool::this(),
        kernel: kernel_release(),
        hostname: hostname(),
        cpus: attached.cpus.as_slice().to_vec(),
        offline_cpus: attached.offline.as_slice().to_vec(),
        clock: options.attach.clock,
        clock_offset_ns: options.attach.clock.offset_from_sampled().map_err(Error::Run)?,
        command: options.command.as_ref().map(CommandLine::words),
        arguments: options.arguments.clone(),
        events: options.rules.events,
        started: humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
        ring_size: attached.ring_size,
        budget: options.attach.budget,
        only: options.only.chooses().then(|| options.only.summary()),
        last: None,
        attach_ns: crate::units::nanoseconds(attach),
        self_excluded: options.attach.choice.excludes_self(),
        pid: std::process::id() as i32,
        left_out: Facts::left_out(table, selection),
    })
}

/// The data that perf shows about a recording (`perf script --header`).
fn features(options: &CaptureOptions, facts: &Facts) -> Result<Features, Error> {
    let clock = options.attach.clock.sampled();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let cpus = facts.cpus.len() as u32;
    Ok(Features {
        hostname: Some(facts.hostname.clone()),
        release: Some(facts.kernel.clone()),
        version: Some(format!("{} {}", facts.tool.name, facts.tool.version)),
        command_line: [facts.tool.name.clone()].into_iter().chain(facts.arguments.iter().cloned()).collect(),
        cpus: Some((facts.cpus.last().map_or(cpus, |last| last.get() + 1), cpus)),
        compressed: options.compress.then_some(MOST_INFLATED),
        clock: Some(ClockPair {
            clockid: clock.number(),
            wall_ns: Ns(u64::try_from(wall.as_nanos()).unwrap_or(0)),
            clock_ns: clock.now_ns().map_err(Error::Run)?,
        }),
        event_names: Default::default(),
        is_simpleperf: false,
    })
}

/// Refuses a capture that would run out of memory before its end, when its events would be lost.
fn enough_memory() -> Result<(), Error> {
    // With less, captures of the default tracepoints on two CPUs were killed or aborted.
    let needs = [("memory", 20 << 20, available_memory()), ("address space", 64 << 20, address_space())];
    for (kind, needed, available) in needs {
        if let Some(available) = available.filter(|available| *available < needed) {
            return Err(Error::LittleMemory { kind, needed, available });
        }
    }
    Ok(())
}

/// The options with rings that together take at most an eighth of the available memory: one round of full rings must fit
/// in memory, and the events of a round again when they are sorted.
pub(super) fn within_memory(
    kernel: &impl Kernel,
    options: &CaptureOptions,
    progress: &mut dyn Progress,
) -> Result<CaptureOptions, Error> {
    enough_memory()?;
    let cpus = options.attach.choice.chosen_cpus(kernel)?.len();
    let mut options = options.clone();
    if let Some(available) = available_memory() {
        let asked = options.attach.ring_size;
        let copies = if options.only.chooses() { 3 } else { 1 };
        options.attach.ring_size = affordable_rings(asked, cpus * copies, available);
        if options.attach.ring_size < asked {
            progress.note(&format!(
                "only {} of memory are available; tp-perf uses rings of {} per CPU instead of {}, which lose events sooner \
                 under load",
                Bytes(available),
                Bytes(options.attach.ring_size as u64),
                Bytes(asked as u64)
            ));
        }
    }
    Ok(options)
}

/// The size in bytes of each ring, a power of two.
fn affordable_rings(asked: usize, cpus: usize, available: u64) -> usize {
    let most = usize::try_from(available).unwrap_or(usize::MAX) / 8 / cpus.max(1);
    let mut size = asked;
    while size > most && size > LEAST_RING {
        size /= 2;
    }
    size
}

/// How the spool keeps the bytes of the capture.
pub(super) fn keeping(options: &CaptureOptions, cpus: usize) -> Keeping {
    // A capture without a stop rule may run for days and then be killed, so it streams to the disk.
    let is_bounded = options.rules != StopRules::default() || options.command.is_some();
    // A round of chosen processes can have what the last one left.
    let rings = options.attach.ring_size * cpus * if options.only.chooses() { 2 } else { 1 };
    let keeping = Keeping::within(available_memory(), rings, options.compress);
    if is_bounded { keeping } else { Keeping { memory: 0, ..keeping } }
}

/// Reserves memory for the spool while only the options of the capture are known.
pub(super) fn memory(options: &CaptureOptions, keeping: &Keeping, cpus: usize) -> Result<Backed, Error> {
    /// Few kernels have more tracepoints. With more, the spool makes a larger arena later.
    const TRACEPOINTS: usize = 4096;
    let bytes = sensible(expected_bytes(&options.rules, cpus));
    Backed::new(keeping, expected_head(TRACEPOINTS * cpus), bytes).map_err(Error::Memory)
}

/// The number of bytes to back with memory beforehand, if `expected` bytes are expected.
pub(crate) fn sensible(expected: usize) -> usize {
    let affordable = usize::try_from(available_memory().unwrap_or(u64::MAX) / 8).unwrap_or(usize::MAX);
    expected.min(affordable).min(DEFAULT_MEMORY)
}

/// The head of `events.perf`.
pub(super) fn head(
    options: &CaptureOptions,
    engine: &impl Sampling,
    table: &Table,
    at_start: Option<&AtStart>,
    facts: &Facts,
) -> Result<Vec<u8>, Error> {
    let head = Head {
        table,
        ids: engine.sample_ids(),
        clock: options.attach.clock,
        lost_known: engine.attached().lost_known,
        sampled_cpu: options.attach.sampled_cpu,
        threads: at_start.map(|AtStart { threads, cgroups }| HeadThreads {
            ids: &engine.attached().thread_ids,
            running: threads,
            cgroups: options.attach.process.has_cgroup().then_some(cgroups),
        }),
        features: &features(options, facts)?,
        facts: &json_line(facts),
    };
    Ok(head.encode())
}

/// The approximate number of bytes that a capture with these rules takes on a busy machine.
fn expected_bytes(rules: &StopRules, cpus: usize) -> usize {
    /// The approximate rate of one CPU during a kernel build. Memory for more events is backed when they
    /// arrive, because backing it beforehand delays the start of the capture by up to 1 ms per MiB.
    const EVENTS_PER_SECOND: f64 = 300e3;
    // A capture of N events also takes the events that arrive while it is being stopped.
    let by_events = rules.events.map_or(f64::INFINITY, |events| 2.0 * events as f64);
    let by_duration = rules.duration.map_or(f64::INFINITY, |time| time.as_secs_f64() * EVENTS_PER_SECOND * cpus as f64);
    // The cast turns infinity, and every float above the largest integer, into the largest integer.
    (by_events.min(by_duration) * SAMPLE_SIZE as f64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_take_an_eighth_of_the_memory_at_most() {
        assert_eq!(affordable_rings(8 << 20, 2, 4 << 30), 8 << 20);
        assert_eq!(affordable_rings(8 << 20, 2, 60 << 20), 2 << 20);
        assert_eq!(affordable_rings(8 << 20, 16, 60 << 20), 256 << 10);
        assert_eq!(affordable_rings(8 << 20, 128, 1 << 20), LEAST_RING);
        assert_eq!(affordable_rings(64 << 10, 1, 0), 64 << 10);
    }
}
