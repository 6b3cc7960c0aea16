//! The arguments of perf_event_open(2) as types, with the names of its manual page.

use crate::os::clock::Clock;
use crate::os::cpus::Cpu;
use perf_event_open_sys::bindings as abi;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The thing that an event counts: `type` and `config`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// Nothing (PERF_COUNT_SW_DUMMY): an event that leads a group, owns a ring, or does both.
    Dummy,
    /// The time in nanoseconds for which the event was on (PERF_COUNT_SW_CPU_CLOCK).
    CpuClock,
    /// Nothing, but the kernel writes a record when a thread begins, ends, or gets another name (a dummy event with `task` and
    /// `comm`). If samples have their cgroup, it also writes one when a cgroup is made (`cgroup`).
    Threads,
    /// The hits of the tracepoint with this tracefs id (PERF_TYPE_TRACEPOINT).
    Tracepoint(u64),
}

/// The processes and CPUs whose hits an event counts: `pid` and `cpu`.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// Every process, on one CPU.
    AllOn(Cpu),
    /// One process, on every CPU.
    Process(i32),
    /// The processes of a cgroup, on one CPU (PERF_FLAG_PID_CGROUP).
    Cgroup {
        /// The open directory of the cgroup.
        cgroup: BorrowedFd<'a>,
        /// The CPU. For a cgroup, the kernel needs one event per CPU.
        cpu: Cpu,
    },
}

/// The output of an event: samples in a ring, or only a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// One sample of `IDENTIFIER|TIME` per `sample_period` hits: 24 bytes, with all fields at fixed offsets.
    Samples {
        /// Hits per sample; 1 records every hit.
        sample_period: u64,
        /// Bytes in the ring after which a poller wakes. Only the value of the event that owns the ring
        /// counts.
        wakeup_watermark: u32,
        /// Whether a hit can have a weight above 1. The sample then carries the weight (PERF_SAMPLE_PERIOD)
        /// and is 8 bytes longer. Without it, the kernel would write one sample per unit of weight.
        weighted: bool,
        /// The fields about the process.
        process: ProcessFields,
        /// Whether the sample has its CPU (PERF_SAMPLE_CPU), which takes 8 bytes.
        cpu: bool,
    },
    /// A count, obtained with `read` (`sample_period` 0). The kernel cannot switch such an event to sampling
    /// later.
    Counts,
}

/// The fields of a sample about the process that ran. Each variant also has the fields of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ProcessFields {
    /// None.
    #[default]
    None,
    /// The process and the thread (PERF_SAMPLE_TID), which take 8 bytes.
    Thread,
    /// The cgroup (PERF_SAMPLE_CGROUP, since Linux 5.7), which takes 8 bytes more.
    Cgroup,
}

impl ProcessFields {
    /// Whether a sample has its process and thread.
    pub fn has_thread(self) -> bool {
        self >= ProcessFields::Thread
    }

    /// Whether a sample has its cgroup.
    pub fn has_cgroup(self) -> bool {
        self >= ProcessFields::Cgroup
    }
}

/// The fields that `read` returns: `read_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadFormat {
    /// One read of the leader returns all members of its group, each with its sample id (PERF_FORMAT_GROUP
    /// and PERF_FORMAT_ID).
    pub group: bool,
    /// How long the event has been on (PERF_FORMAT_TOTAL_TIME_ENABLED).
    pub enabled: bool,
    /// The number of samples dropped because the ring was full (PERF_FORMAT_LOST, since Linux 6.0).
    pub lost: bool,
}

/// The description of one event to open.
#[derive(Debug, Clone, Copy)]
pub struct EventSpec<'a> {
    /// The thing that it counts.
    pub kind: EventKind,
    /// The processes and CPUs whose hits it counts.
    pub scope: Scope<'a>,
    /// Samples or a count.
    pub output: Output,
    /// The clock that timestamps its samples.
    pub clock: Clock,
    /// Whether it stays off until PERF_EVENT_IOC_ENABLE. A group member that is not disabled goes on with its
    /// leader.
    pub disabled: bool,
    /// The fields that `read` returns.
    pub read_format: ReadFormat,
}

impl EventSpec<'_> {
    /// The `perf_event_attr` of this event. Its clock is one that the kernel accepts for tracepoints
    /// ([`Clock::sampled`]).
    pub(super) fn attr(&self) -> abi::perf_event_attr {
        let mut attr = abi::perf_event_attr { size: size_of::<abi::perf_event_attr>() as u32, ..Default::default() };
        (attr.type_, attr.config) = match self.kind {
            EventKind::Dummy | EventKind::Threads => (abi::PERF_TYPE_SOFTWARE, u64::from(abi::PERF_COUNT_SW_DUMMY)),
            EventKind::CpuClock => (abi::PERF_TYPE_SOFTWARE, u64::from(abi::PERF_COUNT_SW_CPU_CLOCK)),
            EventKind::Tracepoint(id) => (abi::PERF_TYPE_TRACEPOINT, id),
        };
        if self.kind == EventKind::Threads {
            attr.set_task(1);
            attr.set_comm(1);
        }
        if let Output::Samples { sample_period, wakeup_watermark, weighted, process, cpu } = self.output {
            if self.kind == EventKind::Threads && process.has_cgroup() {
                attr.set_cgroup(1);
            }
            attr.__bindgen_anon_1.sample_period = sample_period;
            let optional = |wanted: bool, bit: u32| if wanted { bit } else { 0 };
            attr.sample_type = u64::from(
                abi::PERF_SAMPLE_IDENTIFIER
                    | abi::PERF_SAMPLE_TIME
                    | optional(cpu, abi::PERF_SAMPLE_CPU)
                    | optional(weighted, abi::PERF_SAMPLE_PERIOD)
                    | optional(process.has_thread(), abi::PERF_SAMPLE_TID)
                    | optional(process.has_cgroup(), abi::PERF_SAMPLE_CGROUP),
            );
            attr.set_sample_id_all(1);
            attr.set_watermark(1);
            attr.__bindgen_anon_2.wakeup_watermark = wakeup_watermark;
        }
        let ReadFormat { group, enabled, lost } = self.read_format;
        let format = |wanted: bool, bits: u32| if wanted { u64::from(bits) } else { 0 };
        attr.read_format = format(group, abi::PERF_FORMAT_GROUP | abi::PERF_FORMAT_ID)
            | format(enabled, abi::PERF_FORMAT_TOTAL_TIME_ENABLED)
            | format(lost, abi::PERF_FORMAT_LOST);
        attr.set_disabled(self.disabled.into());
        attr.set_use_clockid(1);
        attr.clockid = self.clock.sampled().number();
        attr
    }

    /// The arguments `pid`, `cpu` and `flags`.
    pub(super) fn target(&self) -> (i32, i32, u64) {
        let flags = u64::from(abi::PERF_FLAG_FD_CLOEXEC);
        match self.scope {
            Scope::AllOn(cpu) => (-1, cpu.get() as i32, flags),
            Scope::Process(pid) => (pid, -1, flags),
            Scope::Cgroup { cgroup, cpu } => {
                (cgroup.as_raw_fd(), cpu.get() as i32, flags | u64::from(abi::PERF_FLAG_PID_CGROUP))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    const SAMPLES: Output = Output::Samples {
        sample_period: 1,
        wakeup_watermark: 4096,
        weighted: false,
        process: ProcessFields::None,
        cpu: false,
    };

    fn spec(kind: EventKind, output: Output) -> EventSpec<'static> {
        let (scope, clock) = (Scope::AllOn(Cpu::new(3)), Clock::Tai);
        EventSpec { kind, scope, output, clock, disabled: true, read_format: ReadFormat::default() }
    }

    #[test]
    fn a_sample_has_an_id_and_a_time() {
        let attr = spec(EventKind::Tracepoint(77), SAMPLES).attr();
        assert_eq!((attr.type_, attr.config), (abi::PERF_TYPE_TRACEPOINT, 77));
        assert_eq!(attr.sample_type, u64::from(abi::PERF_SAMPLE_IDENTIFIER | abi::PERF_SAMPLE_TIME));
        // The kernel refuses CLOCK_TAI for a tracepoint.
        assert_eq!((attr.clockid, attr.use_clockid()), (Clock::Monotonic.number(), 1));
        assert_eq!((attr.disabled(), attr.watermark(), attr.read_format), (1, 1, 0));
        // SAFETY: the unions hold integers, for which all bit patterns are valid.
        unsafe { assert_eq!((attr.__bindgen_anon_1.sample_period, attr.__bindgen_anon_2.wakeup_watermark), (1, 4096)) };
    }

    #[test]
    fn a_sample_with_its_thread_has_one_more_field_and_a_dummy_event_tells_of_threads() {
        let with = |process| Output::Samples {
            sample_period: 1,
            wakeup_watermark: 4096,
            weighted: false,
            process,
            cpu: false,
        };
        let output = with(ProcessFields::Thread);
        let usual = u64::from(abi::PERF_SAMPLE_IDENTIFIER | abi::PERF_SAMPLE_TIME);
        let attr = spec(EventKind::Tracepoint(77), output).attr();
        assert_eq!((attr.sample_type, attr.task(), attr.comm()), (usual | u64::from(abi::PERF_SAMPLE_TID), 0, 0));
        let attr = spec(EventKind::Threads, output).attr();
        assert_eq!((attr.config, attr.task(), attr.comm()), (u64::from(abi::PERF_COUNT_SW_DUMMY), 1, 1));
        assert_eq!(attr.cgroup(), 0);
        let output = with(ProcessFields::Cgroup);
        let (attr, threads) = (spec(EventKind::Tracepoint(77), output).attr(), spec(EventKind::Threads, output).attr());
        assert_eq!(attr.sample_type, usual | u64::from(abi::PERF_SAMPLE_TID | abi::PERF_SAMPLE_CGROUP));
        assert_eq!((attr.cgroup(), threads.cgroup()), (0, 1));
    }

    #[test]
    fn a_counting_event_has_no_period_and_no_samples() {
        let read_format = ReadFormat { group: true, enabled: true, lost: true };
        let attr = EventSpec { read_format, ..spec(EventKind::Dummy, Output::Counts) }.attr();
        assert_eq!((attr.type_, attr.config), (abi::PERF_TYPE_SOFTWARE, u64::from(abi::PERF_COUNT_SW_DUMMY)));
        assert_eq!((attr.sample_type, attr.sample_id_all()), (0, 0));
        // SAFETY: the union holds integers, for which all bit patterns are valid.
        unsafe { assert_eq!(attr.__bindgen_anon_1.sample_period, 0) };
        let of_group = abi::PERF_FORMAT_GROUP | abi::PERF_FORMAT_ID | abi::PERF_FORMAT_TOTAL_TIME_ENABLED;
        let all = of_group | abi::PERF_FORMAT_LOST;
        assert_eq!(attr.read_format, u64::from(all));
    }

    #[test]
    fn a_scope_becomes_pid_cpu_and_flags() {
        let folder = std::fs::File::open("/").unwrap();
        let cloexec = u64::from(abi::PERF_FLAG_FD_CLOEXEC);
        let target = |scope| EventSpec { scope, ..spec(EventKind::Dummy, Output::Counts) }.target();
        assert_eq!(target(Scope::AllOn(Cpu::new(3))), (-1, 3, cloexec));
        assert_eq!(target(Scope::Process(42)), (42, -1, cloexec));
        let cgroup = folder.as_fd();
        let flags = cloexec | u64::from(abi::PERF_FLAG_PID_CGROUP);
        assert_eq!(target(Scope::Cgroup { cgroup, cpu: Cpu::new(2) }), (folder.as_raw_fd(), 2, flags));
    }
}
