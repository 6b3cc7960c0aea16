//! CPUs that come online or go offline.

use rustix::io::Errno;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A descriptor that polls readable when the kernel announces a change of its devices, CPUs included (a
/// "uevent"). Nobody has to wake up in the meantime to look.
#[derive(Debug)]
pub struct Hotplug(OwnedFd);

impl Hotplug {
    /// Listens from now on.
    ///
    /// # Errors
    /// If the process may not open a netlink socket, for example in a sandbox.
    pub fn listen() -> io::Result<Self> {
        /// The group of messages that the kernel itself sends.
        const KERNEL: u32 = 1;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(KOBJECT_UEVENT))?;
        bind(&socket, &SocketAddrNetlink::new(0, KERNEL))?;
        Ok(Hotplug(socket))
    }

    /// Reads all waiting messages. Returns whether a CPU came online or went offline.
    pub fn cpus_changed(&self) -> bool {
        let mut message = [0; 4096];
        let mut changed = false;
        loop {
            match recv(&self.0, &mut message, RecvFlags::empty()) {
                Ok((length, _)) => changed |= is_of_cpu(&message[..length]),
                Err(Errno::INTR) => {}
                // The kernel dropped messages, perhaps of a CPU.
                Err(Errno::NOBUFS) => changed = true,
                Err(_) => return changed,
            }
        }
    }
}

impl AsFd for Hotplug {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether a message announces that a CPU came online or went offline. A message begins with
/// `online@/devices/system/cpu/cpu1` and a NUL.
fn is_of_cpu(message: &[u8]) -> bool {
    [&b"online@/devices/system/cpu/cpu"[..], b"offline@/devices/system/cpu/cpu"]
        .iter()
        .any(|start| message.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cpus_that_come_and_go_count() {
        assert!(is_of_cpu(b"online@/devices/system/cpu/cpu1\0ACTION=online\0"));
        assert!(is_of_cpu(b"offline@/devices/system/cpu/cpu17\0"));
        for other in [&b""[..], b"change@/devices/system/cpu/cpu1\0", b"online@/devices/system/memory/memory3\0"] {
            assert!(!is_of_cpu(other));
        }
    }

    #[test]
    fn nothing_has_changed_at_first() {
        // Where sockets of this kind are forbidden, there is nothing to test.
        if let Ok(hotplug) = Hotplug::listen() {
            hotplug.cpus_changed();
            assert!(!hotplug.cpus_changed());
        }
    }
}
