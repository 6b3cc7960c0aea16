//! Signals as bytes in a socket.

use nix::libc;
use signal_hook::low_level::register;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;

/// From now on, each of these signals writes a byte to `sender`, which stays open until the process ends. If nobody has
/// read the bytes for long, further ones are dropped.
pub fn write_on(signals: impl IntoIterator<Item = i32>, sender: UnixStream) -> io::Result<()> {
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
        };
        // SAFETY: the handler makes one async-signal-safe call, and neither allocates nor panics.
        unsafe { register(signal, handle) }?;
    }
    Ok(())
}
