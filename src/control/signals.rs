//! The signals that ask tp-perf to stop, and SIGCHLD, as descriptors to poll.

use crate::os::signals::{ask_on, write_on};
use nix::errno::Errno;
use nix::libc::{SIGRTMAX, SIGRTMIN};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use signal_hook::consts::{
    SIGABRT, SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGTRAP, SIGUSR1, SIGUSR2, SIGVTALRM,
    SIGWINCH, SIGXCPU, SIGXFSZ,
};
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The signals that have arrived so far.
#[derive(Debug)]
pub struct Signals {
    interrupt: UnixStream,
    terminate: UnixStream,
    other: UnixStream,
    child: UnixStream,
    interrupts: usize,
    terminates: usize,
    others: usize,
    /// SIGUSR2, if it triggers something, and the number of those that nobody has taken yet.
    triggers: Option<(OwnSignal, usize)>,
    /// Kept open, because a stream without a sender always polls readable, and nobody would sleep.
    senders: Option<Senders>,
    /// The signals that do not ask for the end, with their sending ends.
    apart: Vec<(i32, UnixStream)>,
}

/// A signal that does something else than ask tp-perf to stop.
#[derive(Debug)]
pub struct OwnSignal(UnixStream);

impl OwnSignal {
    /// Whether it has arrived since the last call.
    pub fn has_arrived(&mut self) -> bool {
        arrived(&mut self.0) > 0
    }
}

impl AsFd for OwnSignal {
    /// Polls readable once the signal has arrived.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The sending ends. Signal handlers write to them; in tests, the test does.
#[derive(Debug)]
pub struct Senders {
    /// Each byte is a SIGINT.
    pub interrupt: UnixStream,
    /// Each byte is a SIGTERM, SIGHUP or SIGQUIT.
    pub terminate: UnixStream,
    /// Each byte is another signal that ends a process by default.
    pub other: UnixStream,
    /// Each byte is a SIGCHLD.
    pub child: UnixStream,
}

impl Signals {
    /// Creates the descriptors. No signal arrives before [`take_over`](Self::take_over).
    pub fn new() -> io::Result<Self> {
        let (signals, senders) = Self::pair()?;
        Ok(Signals { senders: Some(senders), ..signals })
    }

    /// From [`take_over`](Self::take_over) on, this signal does not ask tp-perf to stop.
    pub fn set_apart(&mut self, signal: i32) -> io::Result<OwnSignal> {
        let (reader, sender) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        self.apart.push((signal, sender));
        Ok(OwnSignal(reader))
    }

    /// Handles the signals of this process from now on. exec resets the handlers, so COMMAND gets the
    /// defaults.
    pub fn take_over(&mut self) -> io::Result<()> {
        self.take_over_except(ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default()))
    }

    /// Takes over all signals, except those that this mask ignores and that nobody sends to stop a program.
    fn take_over_except(&mut self, ignored: u64) -> io::Result<()> {
        let Some(senders) = &self.senders else { return Ok(()) };
        // A signal that was ignored at the start (SIGHUP by nohup) stays ignored, also for COMMAND. But shells start
        // background jobs with SIGINT and SIGQUIT ignored, and there they must still stop a capture.
        let is_apart = |signal: &i32| self.apart.iter().any(|(apart, _)| apart == signal);
        let is_heeded = |signal: &i32| ignored & (1 << (signal - 1)) == 0 && !is_apart(signal);
        ask_on([SIGINT], senders.interrupt.try_clone()?)?;
        ask_on(
            [SIGTERM, SIGQUIT].into_iter().chain([SIGHUP].into_iter().filter(is_heeded)),
            senders.terminate.try_clone()?,
        )?;
        ask_on(ending().filter(is_heeded), senders.other.try_clone()?)?;
        // With SIGXFSZ handled, a file that grows past `ulimit -f` is an error to report and does not kill
        // tp-perf.
        // SIGWINCH only wakes the thread that draws on the terminal.
        write_on([SIGCHLD, SIGXFSZ, SIGWINCH], senders.child.try_clone()?)?;
        self.apart.iter().try_for_each(|(signal, sender)| write_on([*signal], sender.try_clone()?))
    }

    /// Creates the descriptors, and leaves the sending ends to the caller.
    pub fn pair() -> io::Result<(Self, Senders)> {
        let pair = || {
            let (reader, sender) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            Ok::<_, io::Error>((reader, sender))
        };
        let ((interrupt, i), (terminate, t), (other, o), (child, c)) = (pair()?, pair()?, pair()?, pair()?);
        let (interrupts, terminates, others, triggers) = (0, 0, 0, None);
        let signals = Signals {
            interrupt,
            terminate,
            other,
            child,
            interrupts,
            terminates,
            others,
            triggers,
            senders: None,
            apart: Vec::new(),
        };
        Ok((signals, Senders { interrupt: i, terminate: t, other: o, child: c }))
    }

    /// Descriptors that poll readable once a signal has arrived.
    pub fn wake_descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let streams = [&self.interrupt, &self.terminate, &self.other, &self.child].map(AsFd::as_fd);
        streams.into_iter().chain(self.triggers.iter().map(|(signal, _)| signal.as_fd()))
    }

    /// From now on, SIGUSR2 does not ask to stop, but triggers something: [`take_triggers`](Self::take_triggers). Call it before
    /// [`take_over`](Self::take_over).
    pub fn trigger_on_user(&mut self) -> io::Result<()> {
        if self.triggers.is_none() {
            self.triggers = Some((self.set_apart(SIGUSR2)?, 0));
        }
        Ok(())
    }

    /// The number of SIGUSR2 since the last call, if they trigger something.
    pub fn take_triggers(&mut self) -> usize {
        self.check();
        self.triggers.as_mut().map_or(0, |(_, number)| std::mem::take(number))
    }

    /// Duplicates of the descriptors of all signals but SIGCHLD. They poll readable until
    /// [`check`](Self::check) has counted the signal.
    pub fn wakers(&self) -> io::Result<Vec<OwnedFd>> {
        let streams = [&self.interrupt, &self.terminate, &self.other].map(AsFd::as_fd);
        let all = streams.into_iter().chain(self.triggers.iter().map(|(signal, _)| signal.as_fd()));
        all.map(|stream| stream.try_clone_to_owned()).collect()
    }

    /// Sleeps until a signal arrives.
    pub fn wait(&self) -> io::Result<()> {
        wait_for_any(self.wake_descriptors(), None).map(drop)
    }

    /// Counts the signals that have arrived since the last call.
    pub fn check(&mut self) {
        self.interrupts += arrived(&mut self.interrupt);
        self.terminates += arrived(&mut self.terminate);
        self.others += arrived(&mut self.other);
        if let Some((signal, number)) = &mut self.triggers {
            *number += arrived(&mut signal.0);
        }
        arrived(&mut self.child);
    }

    /// The number of SIGINTs so far.
    pub fn interrupts(&self) -> usize {
        self.interrupts
    }

    /// The number of SIGTERMs, SIGHUPs and SIGQUITs so far. They are meant for COMMAND too.
    pub fn terminates(&self) -> usize {
        self.terminates
    }

    /// The number of other signals so far that end a process by default.
    pub fn others(&self) -> usize {
        self.others
    }

    /// How often the user has asked tp-perf to stop, by any signal. Checks for new signals first.
    pub fn asked(&mut self) -> usize {
        self.check();
        self.interrupts + self.terminates + self.others
    }
}

/// The signals besides SIGINT, SIGTERM, SIGQUIT and SIGHUP that end a process by default, and that can be handled. The
/// kernel sends SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGSYS for faults of the program, which must end it.
fn ending() -> impl Iterator<Item = i32> {
    /// Linux has these signals, and POSIX does not.
    const SIGSTKFLT: i32 = 16;
    const SIGPWR: i32 = 30;
    let named = [SIGTRAP, SIGABRT, SIGUSR1, SIGUSR2, SIGALRM, SIGSTKFLT, SIGXCPU, SIGVTALRM, SIGPROF, SIGIO, SIGPWR];
    named.into_iter().chain(SIGRTMIN()..=SIGRTMAX())
}

/// Sleeps until a descriptor is readable, a signal interrupts the sleep, or `patience` has passed. Returns
/// for each descriptor whether it is readable.
pub(crate) fn wait_for_any<'a>(
    descriptors: impl Iterator<Item = BorrowedFd<'a>>,
    patience: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let mut polled: Vec<_> = descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
    // The timeout of ppoll has nanoseconds; that of poll would make each tick late by up to a millisecond.
    match ppoll(&mut polled, patience.map(TimeSpec::from), None) {
        Ok(_) | Err(Errno::EINTR) => Ok(polled.iter().map(|descriptor| descriptor.any().unwrap_or(false)).collect()),
        Err(errno) => Err(errno.into()),
    }
}

/// The mask of ignored signals in the text of `/proc/self/status`; bit 0 is signal 1.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
}

/// Reads the waiting bytes, at most 64, and returns their number.
fn arrived(stream: &mut UnixStream) -> usize {
    let mut bytes = [0; 64];
    stream.read(&mut bytes).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_signal_nothing_wakes_even_if_all_are_ignored() {
        let mut signals = Signals::new().unwrap();
        signals.take_over_except(u64::MAX).unwrap();
        let ready = wait_for_any(signals.wake_descriptors(), Some(Duration::ZERO)).unwrap();
        assert_eq!(ready, [false; 4]);
    }

    #[test]
    fn sigusr2_asks_to_stop_unless_it_triggers_something() {
        use std::io::Write;
        let (mut signals, mut senders) = Signals::pair().unwrap();
        senders.other.write_all(b"S").unwrap();
        assert_eq!((signals.asked(), signals.take_triggers()), (1, 0));
        signals.trigger_on_user().unwrap();
        let (signal, sender) = &mut signals.apart[0];
        assert_eq!(*signal, SIGUSR2);
        sender.write_all(b"SS").unwrap();
        assert_eq!((signals.asked(), signals.take_triggers(), signals.take_triggers()), (1, 2, 0));
    }

    #[test]
    fn ignored_signals_are_read_from_their_mask() {
        assert_eq!(
            ignored("SigBlk:\t0\nSigIgn:\t0000000000001001\n"),
            1 << (SIGHUP - 1) | 1 << (signal_hook::consts::SIGPIPE - 1)
        );
        assert_eq!(ignored(""), 0);
    }
}
