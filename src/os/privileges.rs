//! The rights of this process: it gives them up as early as it can.
//!
//! ```text
//!   start ── become the user who called sudo ── set all capabilities aside
//!     │                                               │
//!     │ commands that never trace                     │ raised: only while tracefs is read and events are opened
//!     ▼                                               ▼
//!   give up everything                              give up everything
//! ```
//!
//! Only the program's own `main` starts this ([`take_over`]). In other programs that use the library, and in
//! tests, the functions here leave the process as it is.
//!
//! A capability that is set aside is permitted, but not effective: the kernel ignores it until the process raises
//! it. So between the start and the end, each file is opened with the rights of the user alone, wherever the code
//! that opens it stands.
//!
//! Capabilities belong to a thread, and a new thread inherits them. The program changes them in its first thread,
//! and has no other thread at these moments. See capabilities(7) and credentials(7).

use nix::libc;
use nix::sys::prctl::set_dumpable;
use nix::unistd::{Gid, Uid, User, getegid, geteuid, getgid, getgrouplist, getgroups, getuid};
use nix::unistd::{setgroups, setresgid, setresuid};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, set_capabilities};
use rustix::thread::{remove_capability_from_bounding_set, set_keep_capabilities, set_no_new_privs};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fmt};

/// The highest number of a capability that the kernel's interface has room for.
const MOST_CAPABILITIES: u32 = 64;

/// Whether this process will still open events.
static STILL_OPENS: AtomicBool = AtomicBool::new(false);

/// What [`take_over`] found.
static TAKEN_OVER: OnceLock<Taken> = OnceLock::new();

struct Taken {
    invoker: Option<Invoker>,
    root: Option<Root>,
    /// Whether the capabilities are set aside.
    is_lowered: bool,
}

/// The groups that the process had as root, for a COMMAND that runs as root.
struct Root {
    group: Gid,
    groups: Vec<Gid>,
}

/// The user who called sudo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoker {
    user: Uid,
    group: Gid,
    groups: Vec<Gid>,
    /// The entry in the password database, if there is one.
    entry: Option<User>,
}

/// The programs that this process will still start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// None.
    Nothing,
    /// Programs with the rights of the user. They may gain rights by themselves, as sudo does.
    AsUser,
    /// Programs with the rights of root.
    AsRoot,
}

/// The rights with which this process opens files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRights {
    /// Those with which it was started.
    Own,
    /// Those of the user who called sudo.
    OfInvoker(&'static Invoker),
    /// Those of root as the owner of files, without the capabilities that open the files of others.
    OfRootAsOwner,
}

/// Why the process could not give up rights.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program file has the set-user-ID bit, so its environment is not to be trusted.
    #[error("tp-perf does not run with a set-user-ID or set-group-ID bit")]
    SetUserId,
    /// A variable that sudo sets has another form than sudo gives it.
    #[error("`{name}` is not a valid number of a user or group")]
    Variable {
        /// The name of the variable.
        name: &'static str,
    },
    /// A system call on the way to the user failed.
    #[error("failed to become {invoker}, who called sudo ({step}: {cause})")]
    Become {
        /// The user.
        invoker: Box<Invoker>,
        /// The system call.
        step: &'static str,
        /// The cause.
        cause: io::Error,
    },
    /// Capabilities could not be given up.
    #[error("failed to give up capabilities: {0}")]
    GiveUp(io::Error),
}

/// Begins with the least rights. Under sudo, the process becomes the user who called sudo, for good. If it will
/// `trace`, it sets its capabilities aside, and [`raised`] brings them back for a moment. If not, it gives them up;
/// only root without sudo keeps its rights then, because reading the files of others is what root is for.
///
/// Call it once, before any file is opened and before any thread is started.
///
/// # Errors
/// If rights cannot be given up. The caller must end then.
pub fn take_over(trace: bool) -> Result<(), Error> {
    if (getuid(), getgid()) != (geteuid(), getegid()) {
        return Err(Error::SetUserId);
    }
    // Other users may set these variables to anything.
    let invoker = if getuid().is_root() { Invoker::of_sudo(|name| env::var_os(name))? } else { None };
    let root = getuid().is_root().then(|| Root { group: getgid(), groups: getgroups().unwrap_or_default() });
    if let Some(invoker) = &invoker {
        invoker.be()?;
    }
    let is_lowered = trace || !getuid().is_root();
    if is_lowered {
        lower().map_err(Error::GiveUp)?;
    }
    // `main` calls this once. A second call would change nothing.
    let _ = TAKEN_OVER.set(Taken { invoker, root, is_lowered });
    Ok(())
}

/// The user who called sudo, if root runs this process for a user.
pub fn invoker() -> Option<&'static Invoker> {
    TAKEN_OVER.get()?.invoker.as_ref()
}

/// Whether root runs this process, for itself or for the user who called sudo.
pub fn is_run_by_root() -> bool {
    TAKEN_OVER.get().map_or_else(|| geteuid().is_root(), |taken| taken.root.is_some())
}

/// The rights with which this process opens files.
pub fn file_rights() -> FileRights {
    match TAKEN_OVER.get() {
        Some(Taken { invoker: Some(invoker), .. }) if !invoker.user.is_root() => FileRights::OfInvoker(invoker),
        Some(Taken { root: Some(_), is_lowered: true, .. }) => FileRights::OfRootAsOwner,
        _ => FileRights::Own,
    }
}

/// Does work with the capabilities that were set aside, and sets them aside again. Without any, the work has the
/// rights that the process has.
pub fn raised<T>(work: impl FnOnce() -> T) -> T {
    /// Lowers even if the work panics.
    struct Raised;
    impl Drop for Raised {
        fn drop(&mut self) {
            lower().expect("a process may always lower its capabilities");
        }
    }
    if !is_lowered() {
        return work();
    }
    raise().expect("a process may always raise a permitted capability");
    let _raised = Raised;
    work()
}

/// From now on, [`give_up`] keeps CAP_PERFMON set aside, so this process can still open events. Linux before 5.8 does not
/// have this capability, and then the process cannot. With `false`, the next [`give_up`] gives it up.
pub fn keep_opening(keep: bool) {
    STILL_OPENS.store(keep, Ordering::Relaxed);
}

/// Gives up all rights for good, except those that the programs need which the process will `still` start. For
/// [`Starts::AsRoot`], the capabilities stay set aside. For [`Starts::AsUser`], the process does not yet set
/// NoNewPrivs, because the programs would inherit it, and sudo would not work in them.
///
/// # Errors
/// If the kernel refuses.
pub fn give_up(still: Starts) -> Result<(), Error> {
    if TAKEN_OVER.get().is_none() {
        return Ok(());
    }
    let given_up = || match still {
        Starts::AsRoot => Ok(()),
        Starts::AsUser if is_lowered() => change(only_opening),
        Starts::AsUser => Ok(()),
        Starts::Nothing if is_lowered() && STILL_OPENS.load(Ordering::Relaxed) => {
            change(only_opening).and_then(|()| set_no_new_privs(true))
        }
        Starts::Nothing if is_lowered() => give_up_in_thread(),
        Starts::Nothing => set_no_new_privs(true),
    };
    given_up().map_err(|errno| Error::GiveUp(errno.into()))
}

/// Gives up all capabilities of this thread and all ways to gain others. It makes only system calls, so a child may
/// call it between fork and exec.
pub fn give_up_in_thread() -> rustix::io::Result<()> {
    // Removing from the bounding set needs CAP_SETPCAP. Without it, NoNewPrivs has the same effect.
    let _ = raise();
    for number in 0..MOST_CAPABILITIES {
        // The kernel refuses the numbers of capabilities that it does not have.
        let _ = remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number));
    }
    // Linux before 4.3 has no ambient set.
    let _ = clear_ambient_capability_set();
    change(|_| NONE)?;
    set_no_new_privs(true)
}

/// The rights with which a program starts: those of the user, unless it is to be root's or root works for itself.
pub fn rights_of_program(as_root: bool) -> Starts {
    match TAKEN_OVER.get() {
        Some(taken) if taken.root.is_some() && (as_root || getuid().is_root()) => Starts::AsRoot,
        _ => Starts::AsUser,
    }
}

/// Prepares `command` to start with these rights. As the user, it gets the environment of the user who called sudo:
/// HOME, USER, LOGNAME, and SHELL.
pub fn start_with(rights: Starts, command: &mut Command) {
    let Some(taken) = TAKEN_OVER.get() else { return };
    match (rights, &taken.invoker, &taken.root) {
        (Starts::AsRoot, invoker, Some(root)) => start_as_root(command, invoker.is_some().then_some(root)),
        (_, Some(invoker), _) => {
            command.envs(invoker.variables());
        }
        _ => {}
    }
}

/// Makes `command` start without any capability, and without a way to gain rights.
pub fn start_without_rights(command: &mut Command) {
    // SAFETY: the closure makes only system calls, which is allowed between fork and exec.
    unsafe { command.pre_exec(|| Ok(give_up_in_thread()?)) };
}

/// Makes `command` start with all capabilities that were set aside. If this process has become the user, the child
/// becomes root again.
fn start_as_root(command: &mut Command, root: Option<&Root>) {
    let of_thread = |group: &Gid| rustix::thread::Gid::from_raw(group.as_raw());
    let groups = root.map(|root| (of_thread(&root.group), root.groups.iter().map(of_thread).collect::<Vec<_>>()));
    let become_root = move || {
        raise()?;
        if let Some((group, groups)) = &groups {
            set_thread_groups(groups)?;
            set_thread_res_gid(*group, *group, *group)?;
            let root = rustix::thread::Uid::ROOT;
            set_thread_res_uid(root, root, root)?;
            // The user owns the keyring of this process.
            join_new_keyring();
        }
        Ok(())
    };
    // SAFETY: the closure makes a few system calls on memory that is already there, which is allowed between fork
    // and exec.
    unsafe { command.pre_exec(become_root) };
}

const NONE: CapabilitySets = CapabilitySets {
    effective: CapabilitySet::empty(),
    permitted: CapabilitySet::empty(),
    inheritable: CapabilitySet::empty(),
};

/// No rights, except that to open events if this process still needs it.
fn only_opening(permitted: CapabilitySet) -> CapabilitySets {
    match STILL_OPENS.load(Ordering::Relaxed) {
        true => CapabilitySets { permitted: permitted & CapabilitySet::PERFMON, ..NONE },
        false => NONE,
    }
}

fn is_lowered() -> bool {
    TAKEN_OVER.get().is_some_and(|taken| taken.is_lowered)
}

/// Sets all capabilities aside.
fn lower() -> io::Result<()> {
    // Without an inheritable capability, the kernel removes the ambient one.
    Ok(change(|permitted| CapabilitySets { permitted, ..NONE })?)
}

/// Makes all capabilities effective that were set aside.
fn raise() -> io::Result<()> {
    Ok(change(|permitted| CapabilitySets { effective: permitted, permitted, ..NONE })?)
}

/// Changes the capabilities of this thread to those that follow from the permitted ones. A process without any makes no
/// system call to change them: the sandboxes of some services kill the caller of capset(2).
fn change(to: impl FnOnce(CapabilitySet) -> CapabilitySets) -> rustix::io::Result<()> {
    let now = capabilities(None)?;
    let then = to(now.permitted);
    if then == now { Ok(()) } else { set_capabilities(None, then) }
}

/// Joins a new, empty session keyring, because whoever shares a session keyring may use its keys. A kernel without keys
/// refuses.
fn join_new_keyring() {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: the name is a null pointer, so the kernel reads no memory of this process.
    unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

impl Invoker {
    /// The user whom sudo names in its variables.
    fn of_sudo(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, Error> {
        let number = |name: &'static str| {
            let text = variable(name);
            // u32::MAX means "do not change" to the kernel.
            let number = text.as_deref().and_then(OsStr::to_str).and_then(|text| text.parse::<u32>().ok());
            number.filter(|number| *number != u32::MAX).ok_or(Error::Variable { name })
        };
        if variable("SUDO_UID").is_none() {
            return Ok(None);
        }
        let (user, group) = (Uid::from_raw(number("SUDO_UID")?), Gid::from_raw(number("SUDO_GID")?));
        let entry = User::from_uid(user).ok().flatten();
        let name = entry.as_ref().and_then(|entry| CString::new(entry.name.as_str()).ok());
        let groups = name.and_then(|name| getgrouplist(&name, group).ok()).unwrap_or_else(|| vec![group]);
        Ok(Some(Invoker { user, group, groups, entry }))
    }

    /// Becomes the user for good: real, effective, saved. The groups come first, because the user may not change
    /// them. The permitted capabilities stay.
    fn be(&self) -> Result<(), Error> {
        let failed = |step| move |cause: io::Error| Error::Become { invoker: Box::new(self.clone()), step, cause };
        let Invoker { user, group, groups, .. } = self;
        setgroups(groups).map_err(|errno| failed("setgroups")(errno.into()))?;
        setresgid(*group, *group, *group).map_err(|errno| failed("setresgid")(errno.into()))?;
        set_keep_capabilities(true).map_err(|errno| failed("prctl")(errno.into()))?;
        setresuid(*user, *user, *user).map_err(|errno| failed("setresuid")(errno.into()))?;
        set_keep_capabilities(false).map_err(|errno| failed("prctl")(errno.into()))?;
        // The user must not trace this process: its descriptors of events show the whole system. The kernel sees to
        // that when the user changes, unless fs.suid_dumpable is 1.
        set_dumpable(false).map_err(|errno| failed("prctl")(errno.into()))?;
        join_new_keyring();
        Ok(())
    }

    /// The home directory, if the password database has the user.
    pub fn home(&self) -> Option<PathBuf> {
        self.entry.as_ref().map(|entry| entry.dir.clone())
    }

    /// The variables that describe the user to a program. A user without an entry gets the usual defaults.
    fn variables(&self) -> [(&'static str, OsString); 4] {
        let (name, home, shell) = match &self.entry {
            Some(User { name, dir, shell, .. }) => (name.clone(), dir.clone().into(), shell.clone().into()),
            None => (self.user.to_string(), "/".into(), "/bin/sh".into()),
        };
        [("HOME", home), ("USER", name.clone().into()), ("LOGNAME", name.into()), ("SHELL", shell)]
    }
}

impl fmt::Display for Invoker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(f, "user `{}`", entry.name),
            None => write!(f, "user {}", self.user),
        }
    }
}
