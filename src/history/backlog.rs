//! Frames that wait to be written, in a bounded amount of memory.

use crate::events::Ns;
use std::collections::VecDeque;

/// The most bytes of frames that wait: about an hour of windows of a second.
const MOST_BYTES: usize = 4 << 20;
/// The memory of a frame beside its bytes.
const OF_FRAME: usize = 64;

/// A frame that waits.
#[derive(Debug)]
pub(super) struct WaitingFrame {
    /// The begin of the window, or the time of the event.
    pub(super) time: Ns,
    pub(super) is_window: bool,
    pub(super) bytes: Vec<u8>,
}

/// Frames that wait, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    frames: VecDeque<WaitingFrame>,
    bytes: usize,
    windows: u64,
}

impl Backlog {
    /// Adds a frame. Returns the frames that had to go.
    pub(super) fn push(&mut self, frame: WaitingFrame) -> Vec<WaitingFrame> {
        self.bytes += OF_FRAME + frame.bytes.len();
        self.windows += u64::from(frame.is_window);
        self.frames.push_back(frame);
        let mut gone = Vec::new();
        while self.bytes > MOST_BYTES && self.frames.len() > 1 {
            gone.extend(self.pop());
        }
        gone
    }

    pub(super) fn first(&self) -> Option<&WaitingFrame> {
        self.frames.front()
    }

    pub(super) fn pop(&mut self) -> Option<WaitingFrame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= OF_FRAME + frame.bytes.len();
        self.windows -= u64::from(frame.is_window);
        Some(frame)
    }

    /// The number of windows.
    pub(super) fn windows(&self) -> u64 {
        self.windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_frames_go_when_there_are_too_many() {
        let mut backlog = Backlog::default();
        let frame = |n: u64| WaitingFrame { time: Ns(n), is_window: n.is_multiple_of(2), bytes: vec![0; 1_000] };
        let mut gone = Vec::new();
        for n in 0..5_000 {
            gone.extend(backlog.push(frame(n)).iter().map(|frame| frame.time.0));
        }
        let kept = MOST_BYTES / (1_000 + OF_FRAME);
        assert_eq!(gone, (0..5_000 - kept as u64).collect::<Vec<_>>());
        assert_eq!(backlog.first().unwrap().time, Ns(5_000 - kept as u64));
        assert_eq!(backlog.windows(), (kept / 2) as u64);
        assert_eq!(std::iter::from_fn(|| backlog.pop()).count(), kept);
        assert_eq!((backlog.windows(), backlog.bytes), (0, 0));
    }
}
