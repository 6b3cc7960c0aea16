//! CPUs that come online or go offline.

use crate::os::cpus::Cpu;
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

    /// Reads all waiting messages, and returns the CPUs that came online (true) or went offline, in order. `None` if
    /// the kernel dropped messages, perhaps of a CPU.
    pub fn changes(&self) -> Option<Vec<(Cpu, bool)>> {
        let mut message = [0; 4096];
        let (mut changes, mut are_all) = (Vec::new(), true);
        loop {
            match recv(&self.0, &mut message, RecvFlags::empty()) {
                Ok((length, _)) => changes.extend(of_cpu(&message[..length])),
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => are_all = false,
                Err(_) => return are_all.then_some(changes),
            }
        }
    }
}

impl AsFd for Hotplug {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The CPU that a message announces, and whether it came online. A message begins with
/// `online@/devices/system/cpu/cpu1` and a NUL.
fn of_cpu(message: &[u8]) -> Option<(Cpu, bool)> {
    let text = std::str::from_utf8(message.split(|byte| *byte == 0).next()?).ok()?;
    let (action, path) = text.split_once('@')?;
    let number: u32 = path.strip_prefix("/devices/system/cpu/cpu")?.parse().ok()?;
    let cpu = Cpu::try_from(number).ok()?;
    match action {
        "online" => Some((cpu, true)),
        "offline" => Some((cpu, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cpus_that_come_and_go_count() {
        assert_eq!(of_cpu(b"online@/devices/system/cpu/cpu1\0ACTION=online\0"), Some((Cpu::new(1), true)));
        assert_eq!(of_cpu(b"offline@/devices/system/cpu/cpu17\0"), Some((Cpu::new(17), false)));
        let others = [
            &b""[..],
            b"change@/devices/system/cpu/cpu1\0",
            b"online@/devices/system/memory/memory3\0",
            b"online@/devices/system/cpu/cpuidle\0",
            b"online@/devices/system/cpu/cpu4294967295\0",
            b"\xff\xfe",
        ];
        assert!(others.iter().all(|other| of_cpu(other).is_none()));
    }
}
