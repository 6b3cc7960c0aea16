//! SIGINT, SIGTERM, SIGHUP and SIGCHLD as descriptors to poll.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::low_level::pipe;
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What has arrived so far.
#[derive(Debug)]
pub struct Signals {
    interrupt: UnixStream,
    terminate: UnixStream,
    child: UnixStream,
    interrupts: usize,
    terminates: usize,
    /// Kept open: without any sender a stream polls readable for ever, and nobody would sleep.
    senders: Option<Senders>,
}

/// The ends that signals arrive at; in tests, what plays the user.
#[derive(Debug)]
pub struct Senders {
    /// A byte is a SIGINT.
    pub interrupt: UnixStream,
    /// A byte is a SIGTERM or SIGHUP.
    pub terminate: UnixStream,
    /// A byte is a SIGCHLD.
    pub child: UnixStream,
}

impl Signals {
    /// Signals that are not taken over yet: none arrives.
    pub fn new() -> io::Result<Self> {
        let (signals, senders) = Self::pair()?;
        Ok(Signals { senders: Some(senders), ..signals })
    }

    /// Takes over the signals of this process, for good. COMMAND gets its own back when it starts.
    pub fn take_over(&mut self) -> io::Result<()> {
        self.take_over_but(ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default()))
    }

    /// Takes over the signals but those of this mask.
    fn take_over_but(&mut self, ignored: u64) -> io::Result<()> {
        let Some(senders) = &self.senders else { return Ok(()) };
        for (signal, sender) in [
            (SIGHUP, &senders.terminate),
            (SIGTERM, &senders.terminate),
            (SIGQUIT, &senders.terminate),
            (SIGINT, &senders.interrupt),
        ] {
            // Who started us with a hang-up ignored, as nohup does, wants it ignored, by COMMAND too. Shells ignore SIGINT in
            // what they start in the background; there it is still the way to stop a capture.
            if signal != SIGHUP || ignored & (1 << (signal - 1)) == 0 {
                pipe::register(signal, sender.try_clone()?)?;
            }
        }
        pipe::register(SIGCHLD, senders.child.try_clone()?)?;
        // A file that grows past `ulimit -f` is an error to report then, and not the end.
        pipe::register(SIGXFSZ, UnixStream::pair()?.0)?;
        Ok(())
    }

    /// Signals that somebody else sends.
    pub fn pair() -> io::Result<(Self, Senders)> {
        let pair = || {
            let (reader, sender) = UnixStream::pair()?;
            reader.set_nonblocking(true)?;
            Ok::<_, io::Error>((reader, sender))
        };
        let ((interrupt, i), (terminate, t), (child, c)) = (pair()?, pair()?, pair()?);
        let senders = Senders { interrupt: i, terminate: t, child: c };
        Ok((Signals { interrupt, terminate, child, interrupts: 0, terminates: 0, senders: None }, senders))
    }

    /// Descriptors that poll readable when a signal has arrived.
    pub fn wake_descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [self.interrupt.as_fd(), self.terminate.as_fd(), self.child.as_fd()]
    }

    /// Descriptors of one's own that poll readable when SIGINT, SIGTERM or SIGHUP has arrived and is not noted yet.
    pub fn wakers(&self) -> io::Result<Vec<OwnedFd>> {
        [&self.interrupt, &self.terminate].into_iter().map(|stream| stream.as_fd().try_clone_to_owned()).collect()
    }

    /// Sleeps until a signal arrives.
    pub fn wait(&self) -> io::Result<()> {
        wait_for_any(self.wake_descriptors().into_iter(), None).map(drop)
    }

    /// Takes note of what has arrived.
    pub fn check(&mut self) {
        self.interrupts += arrived(&mut self.interrupt);
        self.terminates += arrived(&mut self.terminate);
        arrived(&mut self.child);
    }

    /// SIGINTs so far.
    pub fn interrupts(&self) -> usize {
        self.interrupts
    }

    /// SIGTERMs and SIGHUPs so far.
    pub fn terminates(&self) -> usize {
        self.terminates
    }

    /// How often the user has asked for the end by now, in whatever way.
    pub fn asked(&mut self) -> usize {
        self.check();
        self.interrupts + self.terminates
    }
}

/// A sleep until any of the descriptors is readable, or until `patience` is over.
pub(crate) fn wait_for_any<'a>(
    descriptors: impl Iterator<Item = BorrowedFd<'a>>,
    patience: Option<Duration>,
) -> io::Result<Vec<bool>> {
    let mut polled: Vec<_> = descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
    // Rounded up, or the last fraction of a millisecond would be spent polling again and again.
    let timeout = patience
        .map(|patience| PollTimeout::try_from(patience + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX));
    match poll(&mut polled, timeout.unwrap_or(PollTimeout::NONE)) {
        Ok(_) | Err(Errno::EINTR) => Ok(polled.iter().map(|descriptor| descriptor.any().unwrap_or(false)).collect()),
        Err(errno) => Err(errno.into()),
    }
}

/// The mask of ignored signals in the text of `/proc/self/status`; bit 0 is signal 1.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
}

/// How many bytes are waiting.
fn arrived(stream: &mut UnixStream) -> usize {
    let mut bytes = [0; 64];
    stream.read(&mut bytes).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_wakes_where_no_signal_comes_even_if_all_are_ignored() {
        let mut signals = Signals::new().unwrap();
        signals.take_over_but(u64::MAX).unwrap();
        let ready = wait_for_any(signals.wake_descriptors().into_iter(), Some(Duration::ZERO)).unwrap();
        assert_eq!(ready, [false; 3]);
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
