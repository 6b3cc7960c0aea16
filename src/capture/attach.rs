//! Attaches: turns the options into events that are attached and off.

use super::Error;
use crate::control::{Progress, Signals};
use crate::engine::{self, AttachRequest, Attached, CountRequest, Engine, Kernel, Opened, ProcessFields};
use crate::os::clock::Clock;
use crate::os::cpus::CpuList;
use crate::os::process::page_size;
use crate::perf_data::record::SAMPLE_SIZE;
use crate::tracefs::{Selection, SelectionRequest, Table};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// The tracepoints and CPUs to watch.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// The choice of tracepoints.
    pub selection: SelectionRequest,
    /// The CPUs; all that are online if `None`.
    pub cpus: Option<CpuList>,
    /// Whether to watch the hits of tp-perf's own thread too.
    pub include_self: bool,
}

impl Choice {
    /// Whether tp-perf's own hits are filtered out. The filter compares thread ids of the initial PID
    /// namespace, and in another PID namespace (a container), tp-perf does not know its thread id there.
    pub fn excludes_self(&self) -> bool {
        !self.include_self && in_initial_pid_namespace()
    }

    /// The thread whose hits are filtered out.
    pub(crate) fn excluded_thread(&self) -> Option<i32> {
        self.excludes_self().then(|| nix::unistd::gettid().as_raw())
    }

    /// The CPUs to watch: the chosen ones, which must be online, or all online CPUs.
    pub(super) fn chosen_cpus(&self, kernel: &impl Kernel) -> Result<CpuList, Error> {
        let online = kernel.online().map_err(Error::Cpus)?;
        let Some(wanted) = &self.cpus else { return Ok(online) };
        let missing = wanted.without(&online);
        if missing.is_empty() { Ok(wanted.clone()) } else { Err(Error::Offline { wanted: missing, online }) }
    }
}

/// The options of attaching rings.
#[derive(Debug, Clone)]
pub struct AttachOptions {
    /// The tracepoints and CPUs.
    pub choice: Choice,
    /// The clock that timestamps the events.
    pub clock: Clock,
    /// The size of each CPU's ring in bytes, a power of two of pages.
    pub ring_size: usize,
    /// The fields of events about their process.
    pub process: ProcessFields,
    /// Whether events have their CPU in a field of their own, for perf.
    pub sampled_cpu: bool,
    /// The part of the time of all CPUs that tp-perf may take. To keep it, a recording thins tracepoints, and a comparison
    /// leaves out the hottest. `None` watches each hit.
    pub budget: Option<f64>,
}

/// The tracepoints and CPUs that were chosen on this machine.
#[derive(Debug)]
pub struct Chosen {
    /// All tracepoints of the kernel.
    pub table: Table,
    /// The choice of tracepoints. Attaching updates it when the kernel refuses some.
    pub selection: Selection,
    cpus: CpuList,
}

impl Chosen {
    /// Reads the tracepoints and CPUs of this machine, and chooses.
    pub fn of(kernel: &impl Kernel, choice: &Choice) -> Result<Self, Error> {
        Self::again(kernel, kernel.table()?, choice)
    }

    /// Chooses from tracepoints that were read before.
    pub fn again(kernel: &impl Kernel, table: Table, choice: &Choice) -> Result<Self, Error> {
        let selection = Selection::choose(&table, &choice.selection)?;
        Ok(Chosen { table, selection, cpus: choice.chosen_cpus(kernel)? })
    }

    /// Attaches rings, and returns the engine and how long attaching took. `events` is the number of events to
    /// capture, if there is a limit.
    pub fn attach<K: Kernel>(
        &mut self,
        kernel: &K,
        options: &AttachOptions,
        events: Option<u64>,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<(K::Sampling, Duration), Error> {
        let request = AttachRequest {
            tracepoints: self.selection.tracepoints(&self.table),
            wakeup_watermark: watermark(options.ring_size, events, self.cpus.len()),
            cpus: self.cpus.clone(),
            clock: options.clock,
            ring_size: options.ring_size,
            exclude_thread: options.choice.excluded_thread(),
            process: options.process,
            sampled_cpu: options.sampled_cpu,
            may_thin: options.budget.is_some(),
            one_in: None,
        };
        let (engine, took) = open(|opened| kernel.attach(&request, opened), signals, progress)?;
        self.note_deviations(&options.choice, engine.attached(), "(see tracepoints.csv)", progress);
        note_rings(options.ring_size, engine.attached(), progress);
        Ok((engine, took))
    }

    /// Attaches counters whose tracepoints `may_move` to other rungs, and returns the engine and how long attaching took.
    pub fn count<K: Kernel>(
        &mut self,
        kernel: &K,
        choice: &Choice,
        may_move: bool,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<(K::Counting, Duration), Error> {
        let request = CountRequest {
            tracepoints: self.selection.tracepoints(&self.table),
            cpus: self.cpus.clone(),
            exclude_thread: choice.excluded_thread(),
            may_move,
        };
        let (engine, took) = open(|opened| kernel.count(&request, opened), signals, progress)?;
        self.note_deviations(choice, engine.attached(), "(`--format json` has all)", progress);
        Ok((engine, took))
    }

    /// Notes what differs from the choice. `list` says where all refused tracepoints are.
    fn note_deviations(&mut self, choice: &Choice, attached: &Attached, list: &str, progress: &mut dyn Progress) {
        for refusal in &attached.refused {
            self.selection.refuse(refusal.tpid, refusal.reason.clone());
        }
        if !choice.include_self && !choice.excludes_self() {
            progress
                .note("in a PID namespace, tp-perf cannot exclude its own thread, so tp-perf watches its own hits too");
        }
        if !attached.thread_ids.is_empty() && !in_initial_pid_namespace() {
            progress.note("in a PID namespace, the kernel gives no number for threads outside it, so their events appear as `idle`");
        }
        if !attached.offline.is_empty() {
            progress.note(&format!("CPU {} went offline, so tp-perf does not watch it", attached.offline));
        }
        if let [first, rest @ ..] = attached.refused.as_slice() {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more {list}", rest.len()) };
            let name = self.table.get(first.tpid).full_name();
            progress.note(&format!("the kernel refused {name}{more}: {}", first.reason));
        }
    }
}

/// Opens events, shows the progress, and returns the engine and how long opening took.
fn open<E>(
    open: impl FnOnce(Opened<'_>) -> Result<E, engine::Error>,
    signals: &mut Signals,
    progress: &mut dyn Progress,
) -> Result<(E, Duration), Error> {
    let begin = Instant::now();
    let mut steps = 0usize;
    let engine = open(&mut |open, total| {
        steps += 1;
        if steps % 64 == 1 {
            progress.attaching(open, total);
            if signals.asked() > 0 {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    progress.phase_ends();
    Ok((engine?, begin.elapsed()))
}

/// The number of bytes in one ring above which the reader wakes: half the ring, or less if the capture needs
/// fewer `events`. In that case it is just below one CPU's share of them. By the time all rings together have
/// enough events, at least one ring has its share.
fn watermark(ring_size: usize, events: Option<u64>, cpus: usize) -> usize {
    let half = ring_size / 2;
    let share = events.and_then(|events| usize::try_from(events).ok()?.checked_mul(SAMPLE_SIZE));
    share.map_or(half, |bytes| half.min((bytes / cpus.max(1)).saturating_sub(1))).max(page_size())
}

fn in_initial_pid_namespace() -> bool {
    /// The inode of the initial PID namespace, a constant of the kernel (`PROC_PID_INIT_INO`).
    const INITIAL: &str = "pid:[4026531836]";
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() == INITIAL)
}

fn note_rings(asked: usize, attached: &Attached, progress: &mut dyn Progress) {
    if attached.ring_size != asked {
        progress.note(&format!(
            "the kernel refused rings of {} per CPU ({}); tp-perf uses rings of {}, which lose events sooner under load; \
            `tp-perf doctor` shows the limit",
            crate::units::Bytes(asked as u64),
            attached.ring_refusal.as_deref().unwrap_or("no reason given"),
            crate::units::Bytes(attached.ring_size as u64)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ring_reaches_its_watermark_before_all_rings_have_enough_events() {
        let ring = 8 << 20;
        for cpus in [1, 2, 3, 7, 64] {
            for events in [1_000, 12_345, 100_000, 1 << 40] {
                let watermark = watermark(ring, Some(events), cpus);
                // If the events are spread as evenly as possible, the fullest ring has this many bytes.
                let fullest = usize::try_from(events).unwrap().div_ceil(cpus) * SAMPLE_SIZE;
                let is_few = (events as usize) * SAMPLE_SIZE <= cpus * page_size();
                assert!(fullest > watermark || is_few, "{events} on {cpus}: {fullest} in a ring, {watermark}");
                assert!((page_size()..=ring / 2).contains(&watermark));
            }
        }
        assert_eq!(watermark(ring, None, 2), ring / 2);
    }
}
