//! Forbids this thread system calls that a monitor never needs.
//!
//! The filter names what is forbidden. A filter that names what is allowed would have to know each call that the C library
//! makes, on each machine; the unit of systemd has such a filter. See seccomp(2).

use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::collections::BTreeMap;
use std::io;

/// The calls that run programs, look into other processes, or change the system.
const FORBIDDEN: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_open_by_handle_at,
    libc::SYS_personality,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_setgroups,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_mknodat,
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
];

/// The same calls on x86 have other numbers for programs with short pointers (x32): this bit, and five numbers of their own.
const X32: i64 = 1 << 30;
const OF_X32: [i64; 5] = [520, 521, 539, 540, 545];

/// Forbids this thread, and all that it starts, these calls: they fail with EPERM. The thread must have NoNewPrivs.
///
/// # Errors
/// If the kernel has no seccomp filters, or if the crate does not know this architecture. Then nothing is forbidden.
pub fn forbid_calls() -> io::Result<()> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    // The number of a call is shorter on some machines.
    #[allow(clippy::useless_conversion)]
    let calls = FORBIDDEN.iter().map(|call| i64::from(*call));
    let of_x32 = calls.clone().chain(OF_X32).map(|call| call | X32).filter(|_| cfg!(target_arch = "x86_64"));
    let rules: BTreeMap<i64, _> = calls.chain(of_x32).map(|call| (call, Vec::new())).collect();
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, denied, architecture).map_err(io::Error::other)?;
    let program = BpfProgram::try_from(filter).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    #[cfg_attr(miri, ignore = "miri does not know seccomp")]
    fn a_restricted_thread_runs_no_program_and_still_reads_files() {
        // The restriction is that of one thread, so the other tests go on as before.
        let failures = std::thread::scope(|scope| {
            let restricted = scope.spawn(|| {
                rustix::thread::set_no_new_privs(true).unwrap();
                forbid_calls().ok()?;
                std::fs::read("/proc/self/status").unwrap();
                let unshared = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).map_err(io::Error::from);
                Some([Command::new("/bin/true").spawn().err(), unshared.err()])
            });
            restricted.join().unwrap()
        });
        assert!(failures.is_some() || !crate::os::machine::has_seccomp());
        for error in failures.iter().flatten() {
            assert_eq!(error.as_ref().map(io::Error::kind), Some(io::ErrorKind::PermissionDenied), "{error:?}");
        }
    }
}
