//! Signals as bytes in a socket, and the end of a process whose output nobody reads.

use nix::libc;
use signal_hook::low_level::register;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

/// The time in nanoseconds since which this process writes to a stream whose reader may never read; 0 if it does not write.
static WRITES_SINCE: AtomicU64 = AtomicU64::new(0);
/// A write that takes longer, in nanoseconds, waits for its reader. A shorter one ends by itself.
const WAITS: u64 = 20_000_000;
/// How many signals have asked this process to stop.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// From now on, each of these signals writes a byte to `sender`, which stays open until the process ends. If nobody has
/// read the bytes for long, further ones are dropped.
pub fn write_on(signals: impl IntoIterator<Item = i32>, sender: UnixStream) -> io::Result<()> {
    on_each(signals, sender, |_| ())
}

/// Like [`write_on`], for signals that ask this process to stop. The second one ends a process that is
/// [writing to others](writing_to_others), which may have to wait for its reader forever.
pub fn ask_on(signals: impl IntoIterator<Item = i32>, sender: UnixStream) -> io::Result<()> {
    on_each(signals, sender, |signal| {
        let since = WRITES_SINCE.load(SeqCst);
        if ASKED.fetch_add(1, SeqCst) > 0 && since > 0 && now().saturating_sub(since) > WAITS {
            let asking = if signal == libc::SIGINT { libc::SIGINT } else { libc::SIGTERM };
            // SAFETY: _exit(2) is async-signal-safe.
            unsafe { libc::_exit(128 + asking) }
        }
    })
}

/// Writes to a stream whose reader may never read, such as stdout. While that waits, the second signal of [`ask_on`] ends the
/// process at once.
pub fn writing_to_others<T>(write: impl FnOnce() -> T) -> T {
    let before = WRITES_SINCE.swap(now(), SeqCst);
    let result = write();
    WRITES_SINCE.store(before, SeqCst);
    result
}

/// CLOCK_MONOTONIC in nanoseconds. It makes one async-signal-safe call.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes into `time` only.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(time.tv_nsec as u64)
}

/// Handles each of these signals: writes a byte to `sender`, then calls `then`, which must be async-signal-safe.
fn on_each(
    signals: impl IntoIterator<Item = i32>,
    sender: UnixStream,
    then: impl Fn(i32) + Copy + Send + Sync + 'static,
) -> io::Result<()> {
    // A handler may run at any time, so nothing may close this descriptor.
    let sender = sender.into_raw_fd();
    for signal in signals {
        let handle = move || {
            // SAFETY: send(2) is async-signal-safe. It reads one byte of a constant. Errno belongs to the code that the
            // signal interrupted, so the handler restores it.
            unsafe {
                let errno = *libc::__errno_location();
                libc::send(sender, c"S".as_ptr().cast(), 1, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
                *libc::__errno_location() = errno;
            }
            then(signal);
        };
        // SAFETY: the handler makes async-signal-safe calls only, and neither allocates nor panics.
        unsafe { register(signal, handle) }?;
    }
    Ok(())
}
