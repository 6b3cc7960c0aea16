//! Detaching without making anybody wait.
//!
//! The last close of each tracepoint waits for RCU grace periods under one global mutex in the kernel
//! (`perf_trace_event_unreg` calls `tracepoint_synchronize_unregister`), so that closing a whole capture takes a minute,
//! and closing from several threads is no faster. Therefore a child shares the descriptors from before the events are
//! switched on, and sleeps:
//!
//! ```text
//!   parent  open … ── fork ── enable … disable ── close (not the last, so no wait) ── results ── exit
//!   child            └─ asleep on a pipe that the parent holds ─── end of file ── close, close, close …
//! ```
//!
//! The pipe ends with the parent however the parent ends, by SIGKILL too. The child holds no terminal, no file of the
//! recording and no ring (the kernel does not copy maps of rings on fork).

use crate::engine::Error;
use crate::os::limits::DescriptorLimit;
use crate::perf::sys;
use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pipe2};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// About how long the kernel takes to detach one tracepoint, as measured on Linux 6.18 on 2 CPUs.
const DETACH_PER_TRACEPOINT: Duration = Duration::from_millis(36);

/// About how long the kernel takes to detach this many.
pub fn expected_detach(tracepoints: usize) -> Duration {
    DETACH_PER_TRACEPOINT * tracepoints as u32
}

/// The child that holds the descriptors to their end.
#[derive(Debug)]
pub(super) struct Guardian {
    child: Pid,
    /// The child wakes when this end of the pipe is closed.
    _hold: OwnedFd,
    /// One byte for each tracepoint that the child has detached.
    progress: File,
    tracepoints: usize,
}

impl Guardian {
    /// Starts the child. It disables the `leaders` and closes the `events` (one list per tracepoint) when the guardian
    /// is dropped or this process is gone. The caller must have closed its own copies by then.
    pub fn start(leaders: &[Vec<OwnedFd>], events: &[Vec<OwnedFd>]) -> Result<Self, Error> {
        let start = || {
            let (wait, hold) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
            let (progress, report) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
            let plan = Plan::new(leaders, events, wait.as_raw_fd(), report.as_raw_fd())?;
            // SAFETY: between fork and _exit the child runs `Plan::carry_out` only, which makes system calls on numbers
            // computed before the fork and neither allocates nor locks; that is allowed in a process with threads too.
            let child = match unsafe { fork() }? {
                ForkResult::Child => plan.carry_out(),
                ForkResult::Parent { child } => child,
            };
            drop((wait, report));
            let mut progress = File::from(progress);
            // Until the child is asleep: its own steps would be recorded otherwise.
            let mut ready = [0];
            progress.read_exact(&mut ready)?;
            Ok::<_, io::Error>(Guardian { child, _hold: hold, progress, tracepoints: events.len() })
        };
        start().map_err(Error::Guardian)
    }

    /// Wakes the child, once the caller has closed its own descriptors.
    pub fn release(self) -> Detaching {
        let Guardian { child, _hold, progress, tracepoints } = self;
        Detaching {
            child: Some(child),
            progress: Some(progress),
            tracepoints,
            began: Instant::now(),
            took: Duration::ZERO,
        }
    }
}

/// A detach that goes on in the background. Dropping this leaves the child to it.
#[derive(Debug)]
pub struct Detaching {
    child: Option<Pid>,
    progress: Option<File>,
    tracepoints: usize,
    began: Instant,
    took: Duration,
}

impl Detaching {
    /// A detach that is done, for an engine that has nothing to wait for.
    pub fn done() -> Self {
        Detaching { child: None, progress: None, tracepoints: 0, began: Instant::now(), took: Duration::ZERO }
    }

    /// How many tracepoints are detached.
    pub fn tracepoints(&self) -> usize {
        self.tracepoints
    }

    /// About how long the kernel will take.
    pub fn expected(&self) -> Duration {
        expected_detach(self.tracepoints)
    }

    /// How long it took, as far as it was waited for.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// The child's process id, while it is at work.
    pub fn pid(&self) -> Option<i32> {
        self.child.map(Pid::as_raw)
    }

    /// A descriptor that polls readable when there is progress or the end.
    pub fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.progress.as_ref().map(std::os::fd::AsFd::as_fd)
    }

    /// Waits until some more are done; gives how many, 0 when all are.
    pub fn wait_for_more(&mut self) -> io::Result<usize> {
        let Some(progress) = &mut self.progress else { return Ok(0) };
        let mut bytes = [0; 256];
        let more = progress.read(&mut bytes)?;
        if more == 0 {
            self.progress = None;
            self.took = self.began.elapsed();
            if let Some(child) = self.child.take() {
                waitpid(child, None)?;
            }
        }
        Ok(more)
    }
}

/// All that the child needs to know, as plain numbers.
struct Plan {
    leaders: Vec<RawFd>,
    events: Vec<Vec<RawFd>>,
    /// The numbers between those of the child, from and to: what else this process has open is none of its business.
    foreign: Vec<(RawFd, RawFd)>,
    /// No descriptor has a higher number.
    most: RawFd,
    wait: RawFd,
    report: RawFd,
}

impl Plan {
    fn new(leaders: &[Vec<OwnedFd>], events: &[Vec<OwnedFd>], wait: RawFd, report: RawFd) -> io::Result<Self> {
        let numbers = |descriptors: &[OwnedFd]| descriptors.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>();
        let leaders = leaders.iter().flat_map(|leaders| numbers(leaders)).collect::<Vec<_>>();
        let events: Vec<_> = events.iter().map(|descriptors| numbers(descriptors)).collect();
        let mut kept: Vec<RawFd> = events.iter().flatten().chain(&leaders).copied().chain([wait, report]).collect();
        kept.sort_unstable();
        let behind = kept.iter().map(|number| number + 1);
        let befores = kept.iter().map(|number| number - 1).chain([RawFd::MAX]);
        let foreign = [3].into_iter().chain(behind).zip(befores).filter(|(first, last)| first <= last).collect();
        let DescriptorLimit { soft, .. } = DescriptorLimit::read();
        Ok(Plan { leaders, events, foreign, most: RawFd::try_from(soft).unwrap_or(RawFd::MAX), wait, report })
    }

    /// The child's whole life. Async-signal-safe: system calls only.
    fn carry_out(self) -> ! {
        let close = |number: RawFd| {
            // SAFETY: in the child nothing else uses this number any more.
            unsafe { libc::close(number) };
        };
        // SAFETY: plain system calls on constants and on numbers that are open in this process; none touches memory of
        // this process but the one byte named. Their failures leave nothing that could be done better.
        unsafe {
            libc::setsid();
            libc::chdir(c"/".as_ptr());
            libc::prctl(libc::PR_SET_NAME, c"tp-perf-detach".as_ptr());
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            (0..=2).for_each(|number| {
                libc::dup2(null, number);
            });
            if null > 2 {
                close(null);
            }
        }
        for (first, last) in self.foreign.iter().copied() {
            // SAFETY: in the child nothing uses these numbers any more.
            let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0;
            if !closed {
                // Before Linux 5.9.
                (first..=last.min(self.most)).for_each(close);
            }
        }
        let mut byte = 0u8;
        let report = || {
            // SAFETY: writes one byte. When nobody listens any more it fails, or SIGPIPE ends the child, which closes the rest.
            unsafe { libc::write(self.report, c"".as_ptr().cast(), 1) };
        };
        report();
        // SAFETY: reads at most one byte into `byte`; returns 0 when the last writer is gone.
        while unsafe { libc::read(self.wait, (&raw mut byte).cast(), 1) } != 0 {
            // SAFETY: errno is this thread's own.
            if unsafe { *libc::__errno_location() } != libc::EINTR {
                break;
            }
        }
        for leader in &self.leaders {
            // SAFETY: the number is open in this process and stays so for the call.
            let _ = sys::disable(unsafe { BorrowedFd::borrow_raw(*leader) });
        }
        for tracepoint in &self.events {
            tracepoint.iter().copied().for_each(close);
            report();
        }
        // SAFETY: ends this process at once, without running anything of the parent's.
        unsafe { libc::_exit(0) }
    }
}
