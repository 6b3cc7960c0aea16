//! Lines of JSON on stdout that never make tp-perf wait for their reader.

use super::stdout::Stdout;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// A pipe that polls writable takes at least this many bytes at once (PIPE_BUF).
const PIECE: usize = 4_096;
/// Lines that wait for a slow reader take at most this many bytes.
const MOST_WAITING: usize = 1 << 20;

/// Lines of JSON. A reader that does not read delays nothing: its lines wait, and if there are too many, new ones are dropped and counted.
#[derive(Debug, Default)]
pub struct JsonLines {
    waiting: Vec<u8>,
    /// Lines that were dropped since the last one that was not.
    dropped: u64,
    is_closed: bool,
    /// Kept lines, in a test.
    keeps: bool,
}

impl JsonLines {
    /// Keeps all lines in memory, for a test.
    pub fn keeping() -> Self {
        JsonLines { keeps: true, ..Self::default() }
    }

    /// The lines that wait for their reader.
    pub fn waiting(&self) -> &[u8] {
        &self.waiting
    }

    /// Whether nobody reads the lines any more.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Lines that were dropped, because the reader is too slow. Once there is room for a line about them, they are forgotten.
    pub fn take_dropped(&mut self) -> Option<u64> {
        let has_room = self.waiting.len() + PIECE <= MOST_WAITING;
        (self.dropped > 0 && has_room).then(|| std::mem::take(&mut self.dropped))
    }

    /// Prints a line, which ends with a line feed, as far as the reader takes it now.
    ///
    /// # Errors
    /// If stdout fails. A reader that has gone is no error.
    pub fn print(&mut self, line: &[u8], out: &mut Stdout) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        if self.waiting.len() + line.len() > MOST_WAITING {
            self.dropped += 1;
        } else {
            self.waiting.extend_from_slice(line);
        }
        self.flush(out)
    }

    /// Prints what waits, as far as the reader takes it now.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub fn flush(&mut self, out: &mut Stdout) -> io::Result<()> {
        self.flush_within(Duration::ZERO, out)
    }

    /// Prints what waits. Waits for the reader for this time at most.
    ///
    /// # Errors
    /// As [`print`](Self::print).
    pub fn flush_within(&mut self, patience: Duration, out: &mut Stdout) -> io::Result<()> {
        if self.keeps || self.waiting.is_empty() {
            return Ok(());
        }
        let mut printed = 0;
        let result = self.print_within(Instant::now() + patience, &mut printed, out);
        // All at once: what waits may be long, and the pieces are short.
        self.waiting.drain(..printed);
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                self.waiting = Vec::new();
                Ok(())
            }
            result => result,
        }
    }

    /// Prints what waits until then, and counts the bytes.
    fn print_within(&self, end: Instant, printed: &mut usize, out: &mut Stdout) -> io::Result<()> {
        let is_terminal = io::stdout().is_terminal();
        while let rest @ [_, behind @ ..] = &self.waiting[*printed..] {
            let left = end.saturating_duration_since(Instant::now());
            if !takes_more(left)? {
                if left.is_zero() {
                    break;
                }
                continue;
            }
            // A terminal promises less than a pipe: one character.
            let piece = match is_terminal {
                true => 1 + behind.iter().take_while(|byte| **byte & 0xC0 == 0x80).count(),
                false => rest.len().min(PIECE),
            };
            out.print_data(&rest[..piece])?;
            *printed += piece;
        }
        Ok(())
    }
}

/// Whether stdout takes bytes without waiting, or after this time at most.
fn takes_more(patience: Duration) -> io::Result<bool> {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
    match poll(&mut polled, PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX)) {
        Ok(_) => {}
        // A signal came. The lines wait for the next call.
        Err(Errno::EINTR) => return Ok(false),
        Err(errno) => return Err(errno.into()),
    }
    // A pipe without a reader polls an error, and the write then tells.
    Ok(polled[0].any().unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted() {
        let mut lines = JsonLines::keeping();
        let line = vec![b'x'; 100_000];
        for _ in 0..12 {
            lines.print(&line, &mut Stdout::keeping()).unwrap();
        }
        assert_eq!((lines.waiting().len(), lines.take_dropped(), lines.take_dropped()), (1_000_000, Some(2), None));
    }
}
