//! What to attach to: from the user's wishes to events that are attached and off.

use super::Error;
use crate::control::{Progress, Signals};
use crate::engine::{AttachRequest, Attached, Engine, Kernel};
use crate::os::clock::Clock;
use crate::os::cpus::CpuList;
use crate::os::process::page_size;
use crate::perf_data::record::SAMPLE_SIZE;
use crate::tracefs::{Selection, SelectionRequest, Table};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// What to attach to, and how.
#[derive(Debug, Clone)]
pub struct AttachOptions {
    /// Which tracepoints.
    pub selection: SelectionRequest,
    /// Which CPUs; all that are online if `None`.
    pub cpus: Option<CpuList>,
    /// The clock of the timestamps.
    pub clock: Clock,
    /// Bytes of each CPU's ring; a power of two of pages.
    pub ring_size: usize,
    /// Record tp-perf's own thread too.
    pub include_self: bool,
}

impl AttachOptions {
    /// Whether tp-perf's own hits are filtered out. The filter compares thread ids as the kernel itself numbers them, which
    /// a process in a PID namespace (a container) cannot know.
    pub fn excludes_self(&self) -> bool {
        !self.include_self && in_initial_pid_namespace()
    }

    /// The CPUs to capture: those asked for, which must be online, or all that are.
    pub(super) fn chosen_cpus(&self, kernel: &impl Kernel) -> Result<CpuList, Error> {
        let online = kernel.online().map_err(Error::Cpus)?;
        let Some(wanted) = &self.cpus else { return Ok(online) };
        let missing = wanted.without(&online);
        if missing.is_empty() { Ok(wanted.clone()) } else { Err(Error::Offline { wanted: missing, online }) }
    }
}

/// What was chosen of this machine.
#[derive(Debug)]
pub struct Chosen {
    /// All tracepoints there are.
    pub table: Table,
    /// Those to capture; those that the kernel refuses are taken out when it does.
    pub selection: Selection,
    cpus: CpuList,
}

impl Chosen {
    /// Reads what there is, and chooses.
    pub fn of(kernel: &impl Kernel, options: &AttachOptions) -> Result<Self, Error> {
        let table = kernel.table()?;
        let selection = Selection::choose(&table, &options.selection)?;
        Ok(Chosen { table, selection, cpus: options.chosen_cpus(kernel)? })
    }

    /// Attaches, and says how long that took. `events`: how many are wanted, if that is known.
    pub fn attach<K: Kernel>(
        &mut self,
        kernel: &K,
        options: &AttachOptions,
        events: Option<u64>,
        signals: &mut Signals,
        progress: &mut dyn Progress,
    ) -> Result<(K::Sampling, Duration), Error> {
        let begin = Instant::now();
        let request = AttachRequest {
            tracepoints: self.selection.tracepoints(&self.table),
            wakeup_watermark: watermark(options.ring_size, events, self.cpus.len()),
            cpus: self.cpus.clone(),
            clock: options.clock,
            ring_size: options.ring_size,
            exclude_thread: options.excludes_self().then(|| nix::unistd::gettid().as_raw()),
        };
        let mut steps = 0usize;
        let engine = kernel.attach(&request, &mut |open, total| {
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
        let (engine, took) = (engine?, begin.elapsed());
        for refusal in &engine.attached().refused {
            self.selection.refuse(refusal.tpid, refusal.reason.clone());
        }
        note_what_differs(options, engine.attached(), &self.table, progress);
        Ok((engine, took))
    }
}

/// The reader is woken by more bytes than this in one ring: half the ring; less if fewer events are wanted than that: just below
/// the share of one CPU, which one ring at least has by the time when all together have as many as are wanted.
fn watermark(ring_size: usize, events: Option<u64>, cpus: usize) -> usize {
    let half = ring_size / 2;
    let share = events.and_then(|events| usize::try_from(events).ok()?.checked_mul(SAMPLE_SIZE));
    share.map_or(half, |bytes| half.min((bytes / cpus.max(1)).saturating_sub(1))).max(page_size())
}

fn in_initial_pid_namespace() -> bool {
    /// The inode of the first PID namespace is a constant of the kernel (`PROC_PID_INIT_INO`).
    const INITIAL: &str = "pid:[4026531836]";
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() == INITIAL)
}

fn note_what_differs(options: &AttachOptions, attached: &Attached, table: &Table, progress: &mut dyn Progress) {
    if !options.include_self && !options.excludes_self() {
        progress.note(
            "in a PID namespace tp-perf cannot tell the kernel which thread to leave out: its own events are recorded too",
        );
    }
    if attached.ring_size != options.ring_size {
        progress.note(&format!(
            "the kernel refused rings of {} per CPU ({}); they have {}, and lose events sooner under load; `tp-perf doctor` \
             names the limit",
            crate::units::Bytes(options.ring_size as u64),
            attached.ring_refusal.as_deref().unwrap_or("no reason given"),
            crate::units::Bytes(attached.ring_size as u64)
        ));
    }
    if !attached.offline.is_empty() {
        progress.note(&format!("CPU {} went offline and is not captured", attached.offline));
    }
    if let [first, rest @ ..] = attached.refused.as_slice() {
        let more = if rest.is_empty() {
            String::new()
        } else {
            format!(" and {} more (tracepoints.csv names them)", rest.len())
        };
        let name = table.get(first.tpid).full_name();
        progress.note(&format!("the kernel refused {name}{more}: {}", first.reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ring_at_least_tells_when_all_together_have_what_is_wanted() {
        let ring = 8 << 20;
        for cpus in [1, 2, 3, 7, 64] {
            for events in [1_000, 12_345, 100_000, 1 << 40] {
                let watermark = watermark(ring, Some(events), cpus);
                // The events lie as evenly as they can, so that the fullest ring has no more than this.
                let fullest = usize::try_from(events).unwrap().div_ceil(cpus) * SAMPLE_SIZE;
                let is_few = (events as usize) * SAMPLE_SIZE <= cpus * page_size();
                assert!(fullest > watermark || is_few, "{events} on {cpus}: {fullest} in a ring, {watermark}");
                assert!((page_size()..=ring / 2).contains(&watermark));
            }
        }
        assert_eq!(watermark(ring, None, 2), ring / 2);
    }
}
