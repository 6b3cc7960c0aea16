//! Work that a signal stops.

use super::signals::{Signals, wait_for_any};
use crate::os::thread::Work;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Does work that has no result before its end. `None` as soon as the user asks to stop, or has asked before. The work
/// then continues on a thread of its own until the process ends, so it must leave nothing half done.
///
/// If the system cannot start a thread, the work is done to its end.
///
/// # Panics
/// If the work panicked.
pub fn unless_stopped<T: Send + 'static>(
    signals: &mut Signals,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if signals.asked() > 0 {
        return None;
    }
    let Ok((ended, ends)) = UnixStream::pair() else { return Some(work()) };
    let work = Work::begin(move || {
        // Its end wakes the other thread, also after a panic.
        let _ends = ends;
        work()
    });
    loop {
        let wakers = signals.wake_descriptors().chain([ended.as_fd()]);
        match wait_for_any(wakers, None) {
            Ok(ready) if ready.last() == Some(&false) => {}
            _ => return Some(work.result()),
        }
        if signals.asked() > 0 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::mpsc::channel;

    #[test]
    fn a_signal_stops_work_that_does_not_end() {
        let (mut signals, mut senders) = Signals::pair().unwrap();
        let (sender, receiver) = channel::<()>();
        // The work ends at the end of the test.
        let work = move || {
            senders.child.write_all(b"c").unwrap();
            senders.interrupt.write_all(b"i").unwrap();
            receiver.recv()
        };
        assert_eq!(unless_stopped(&mut signals, work), None);
        drop(sender);
        assert_eq!((signals.interrupts(), unless_stopped(&mut signals, || ())), (1, None), "it was asked before");
    }

    #[test]
    fn without_a_signal_the_result_arrives() {
        let (mut signals, mut senders) = Signals::pair().unwrap();
        // The end of a child is no reason to stop.
        senders.child.write_all(b"c").unwrap();
        assert_eq!(unless_stopped(&mut signals, || 7), Some(7));
        let panics = || unless_stopped(&mut signals, || panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    }
}
