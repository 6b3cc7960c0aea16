//! The user who called sudo.

use nix::unistd::{Gid, Uid, geteuid};

/// Whether this process runs as root for a user who called sudo.
pub fn is_under_sudo() -> bool {
    caller_of_sudo().is_some()
}

/// The user and group that called sudo, if this process runs as root under it.
pub fn caller_of_sudo() -> Option<(Uid, Gid)> {
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    match geteuid().is_root() {
        true => Some((Uid::from_raw(number("SUDO_UID")?), Gid::from_raw(number("SUDO_GID")?))),
        false => None,
    }
}
