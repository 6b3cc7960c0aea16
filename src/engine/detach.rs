//! Detaches in the background, so nobody has to wait.
//!
//! The last close of each tracepoint waits for RCU grace periods under one global mutex in the kernel
//! (`perf_trace_event_unreg` calls `tracepoint_synchronize_unregister`). Closing a whole capture therefore
//! takes about a minute, and closing from several threads is no faster. So before the events go on, tp-perf
//! forks a child, which shares the descriptors and sleeps:
//!
//! ```text
//!   parent  open … ── fork ── enable … disable ── close (not the last, so no wait) ── results ── exit
//!   child            └─ asleep on a pipe that the parent holds ─── end of file ── close, close, close …
//! ```
//!
//! The pipe closes when the parent ends, even by SIGKILL. The child holds no terminal, no file of the
//! recording and no ring (the kernel does not copy the maps of rings on fork).

use crate::engine::Error;
use crate::os::limits::DescriptorLimit;
use crate::os::privileges::give_up_in_thread;
use crate::perf::sys;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pipe2};
use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// The approximate time that the kernel takes to detach one tracepoint, measured on Linux 6.18 with 2 CPUs.
const DETACH_PER_TRACEPOINT: Duration = Duration::from_millis(36);

/// The approximate time that the kernel takes to detach this many tracepoints.
pub fn expected_detach(tracepoints: usize) -> Duration {
    DETACH_PER_TRACEPOINT * tracepoints as u32
}

/// The name of the child's process.
const NAME: &CStr = c"tp-perf-detach";

/// The processes that hold tracepoints for another tp-perf, or are detaching them. Ask before this process attaches:
/// its own child counts too.
pub fn held_by_others() -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let holds = |entry: &fs::DirEntry| {
        fs::read(entry.path().join("comm")).is_ok_and(|comm| comm.trim_ascii_end() == NAME.to_bytes())
    };
    processes.filter(holds).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The child that closes the descriptors last.
#[derive(Debug)]
pub(super) struct Guardian {
    child: Pid,
    /// The child wakes when this end of the pipe is closed, and when it is told to close a tracepoint.
    hold: File,
    /// One byte for each tracepoint that the child has detached.
    progress: File,
    tracepoints: usize,
    /// The number of tracepoints that the child is closing now.
    closing: usize,
}

impl Guardian {
    /// Starts the child. When the guardian is dropped, or this process is gone, the child disables the
    /// `leaders` and closes the `events` (one list per tracepoint). The caller must close its own copies
    /// first.
    pub fn start(leaders: &[Vec<OwnedFd>], events: &[Vec<OwnedFd>]) -> Result<Self, Error> {
        let start = || {
            let (wait, hold) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
            let (progress, report) = pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
            let plan = Plan::new(leaders, events, wait.as_raw_fd(), report.as_raw_fd())?;
            // SAFETY: between fork and _exit, the child runs only `Plan::carry_out`. That function makes
            // system calls on numbers computed before the fork, and neither allocates nor locks, so it is
            // also allowed in a process with threads.
            let child = match unsafe { fork() }? {
                ForkResult::Child => plan.carry_out(),
                ForkResult::Parent { child } => child,
            };
            drop((wait, report));
            let mut progress = File::from(progress);
            // Wait until the child is about to sleep. Otherwise the capture would record the child's own
            // work.
            let mut ready = [0];
            progress.read_exact(&mut ready)?;
            Ok::<_, io::Error>(Guardian {
                child,
                hold: File::from(hold),
                progress,
                tracepoints: events.len(),
                closing: 0,
            })
        };
        start().map_err(Error::Guardian)
    }

    /// Makes the child close the events of the tracepoints with these indices now. The caller must have closed its own
    /// descriptors of these events. Meanwhile, the kernel lets nobody open or close a tracepoint's events.
    ///
    /// # Errors
    /// If the child cannot be told.
    pub fn close(&mut self, indices: &[usize]) -> io::Result<()> {
        for index in indices {
            match self.hold.write_all(&(*index as u64).to_ne_bytes()) {
                Ok(()) => self.closing += 1,
                // Somebody killed the child, and with it its copies.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the child is still closing tracepoints that it was told to close.
    pub fn is_closing(&mut self) -> io::Result<bool> {
        while self.closing > 0 {
            let mut polled = [PollFd::new(self.progress.as_fd(), PollFlags::POLLIN)];
            if poll(&mut polled, PollTimeout::ZERO)? == 0 {
                return Ok(true);
            }
            let mut bytes = [0; 256];
            match self.progress.read(&mut bytes)? {
                0 => self.closing = 0,
                closed => self.closing = self.closing.saturating_sub(closed),
            }
        }
        Ok(false)
    }

    /// Wakes the child. The caller must have closed its own descriptors.
    pub fn release(self) -> Detaching {
        let Guardian { child, hold, progress, tracepoints, closing: _ } = self;
        drop(hold);
        Detaching {
            child: Some(child),
            progress: Some(progress),
            tracepoints,
            began: Instant::now(),
            took: Duration::ZERO,
        }
    }
}

/// A detach in the background. Dropping this does not stop the child.
#[derive(Debug)]
pub struct Detaching {
    child: Option<Pid>,
    progress: Option<File>,
    tracepoints: usize,
    began: Instant,
    took: Duration,
}

impl Detaching {
    /// A finished detach, for an engine that has nothing to close.
    pub fn done() -> Self {
        Detaching { child: None, progress: None, tracepoints: 0, began: Instant::now(), took: Duration::ZERO }
    }

    /// The number of tracepoints that the child detaches.
    pub fn tracepoints(&self) -> usize {
        self.tracepoints
    }

    /// The approximate time that the kernel will take.
    pub fn expected(&self) -> Duration {
        expected_detach(self.tracepoints)
    }

    /// How long the detach took; zero unless somebody waited for its end.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// The child's process id, until somebody has waited for its end.
    pub fn pid(&self) -> Option<i32> {
        self.child.map(Pid::as_raw)
    }

    /// A descriptor that polls readable when the child makes progress or ends.
    pub fn wake_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.progress.as_ref().map(std::os::fd::AsFd::as_fd)
    }

    /// Whether [`wait_for_more`](Self::wait_for_more) would return at once.
    pub fn has_news(&self) -> bool {
        let Some(progress) = &self.progress else { return true };
        poll(&mut [PollFd::new(progress.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Waits until more tracepoints are detached, and returns their number. Returns 0 once the child has
    /// ended.
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

/// Everything that the child needs, as plain numbers.
struct Plan {
    leaders: Vec<RawFd>,
    events: Vec<Vec<RawFd>>,
    /// Ranges (first, last) of descriptors that the child must not keep: everything else that this process
    /// has open.
    foreign: Vec<(RawFd, RawFd)>,
    /// An upper bound for descriptor numbers.
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

    /// Runs the child until it exits. Async-signal-safe: makes only system calls.
    fn carry_out(self) -> ! {
        let close = |number: RawFd| {
            // SAFETY: nothing else in the child uses this number any more.
            unsafe { libc::close(number) };
        };
        // A handler of the parent would write to a descriptor that is closed here, and nobody could end the child.
        for signal in 1..=libc::SIGRTMAX() {
            // SAFETY: signal(2) only makes a system call. For SIGKILL and SIGSTOP it fails.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        // SAFETY: these system calls take constants and descriptors that are open in this process. None of
        // them writes to this process's memory. If one fails, the child can do nothing better than continue.
        unsafe {
            libc::setsid();
            libc::chdir(c"/".as_ptr());
            libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
            let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            (0..=2).for_each(|number| {
                libc::dup2(null, number);
            });
            if null > 2 {
                close(null);
            }
        }
        // Closing needs no rights. If the kernel refuses, a child with more rights closes just as well.
        let _ = give_up_in_thread();
        for (first, last) in self.foreign.iter().copied() {
            // SAFETY: nothing in the child uses these numbers any more.
            let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0;
            if !closed {
                // Linux before 5.9 has no close_range.
                (first..=last.min(self.most)).for_each(close);
            }
        }
        let mut index = [0u8; 8];
        let report = || {
            // SAFETY: reads one byte of a constant. When nobody reads the pipe any more, the write fails, or
            // SIGPIPE kills the child, and then the kernel closes the rest.
            unsafe { libc::write(self.report, c"".as_ptr().cast(), 1) };
        };
        report();
        loop {
            // SAFETY: writes at most 8 bytes, to `index`. A pipe keeps such a message in one piece. The call returns 0 when
            // the last writer is gone.
            match unsafe { libc::read(self.wait, (&raw mut index).cast(), 8) } {
                8 => {
                    // The child closes all numbers again at its end. It opens no file, so these numbers are still free then, and
                    // closing them again only fails.
                    let index = usize::try_from(u64::from_ne_bytes(index)).unwrap_or(usize::MAX);
                    self.events.get(index).into_iter().flatten().copied().for_each(close);
                    report();
                }
                // SAFETY: errno is this thread's own.
                ..0 if unsafe { *libc::__errno_location() } == libc::EINTR => {}
                _ => break,
            }
        }
        for leader in &self.leaders {
            // SAFETY: the descriptor is open in this process, and stays open during the call.
            let _ = sys::disable(unsafe { BorrowedFd::borrow_raw(*leader) });
        }
        for tracepoint in &self.events {
            tracepoint.iter().copied().for_each(close);
            report();
        }
        // SAFETY: ends this process at once, without running any destructor or exit handler of the parent.
        unsafe { libc::_exit(0) }
    }
}
