//! Plays sudo: runs tp-perf as root with the variables that sudo sets.

use nix::unistd::{Gid, Uid, chown, geteuid, setgroups};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The user who calls sudo: `nobody`, and a group that no system has.
pub const USER: u32 = 65534;
pub const GROUP: u32 = 54_321;

pub fn is_root() -> Result<(), String> {
    if geteuid().is_root() { Ok(()) } else { Err("root, to play sudo".to_owned()) }
}

/// Makes `command` start as sudo starts it: as root, with supplementary groups of root.
pub fn by_sudo(command: &mut Command) -> &mut Command {
    // SAFETY: the closure makes one system call, which is allowed between fork and exec.
    unsafe { command.pre_exec(|| Ok(setgroups(&[0, 4, 20].map(Gid::from_raw))?)) };
    command.env("SUDO_UID", USER.to_string()).env("SUDO_GID", GROUP.to_string())
}

/// A directory of the user, and next to it one that only root may enter.
pub struct Homes {
    _parent: TempDir,
    pub of_user: PathBuf,
    pub of_root: PathBuf,
}

impl Homes {
    pub fn new() -> Self {
        let parent = tempfile::tempdir().unwrap();
        let [of_user, of_root] = ["user", "root"].map(|name| parent.path().join(name));
        for (folder, mode) in [(parent.path(), 0o755), (&of_user, 0o755), (&of_root, 0o700)] {
            fs::create_dir_all(folder).unwrap();
            fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        give(&of_user);
        Homes { _parent: parent, of_user, of_root }
    }

    /// tp-perf by sudo, in the user's directory.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        by_sudo(command.args(words)).current_dir(&self.of_user).stdin(Stdio::null());
        command
    }

    /// Runs tp-perf by sudo, which must succeed.
    pub fn well(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs tp-perf by sudo, which must fail without a trace in root's directory. Returns the message.
    pub fn denied(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(all_in(&self.of_root).is_empty(), "{words:?}");
        said
    }

    /// Checks that everything in the user's directory belongs to the user, and returns the number of entries.
    pub fn all_is_the_users(&self) -> usize {
        let all = all_in(&self.of_user);
        for path in &all {
            let metadata = path.symlink_metadata().unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (USER, GROUP), "{}", path.display());
        }
        all.len()
    }
}

/// Gives a file to the user.
pub fn give(path: &Path) {
    chown(path, Some(Uid::from_raw(USER)), Some(Gid::from_raw(GROUP))).unwrap();
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// All entries below a folder.
fn all_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let with_inner = |path: PathBuf| {
        let inner = if path.is_dir() && !path.is_symlink() { all_in(&path) } else { Vec::new() };
        [path].into_iter().chain(inner)
    };
    entries.flat_map(with_inner).collect()
}

/// The rights of a process, as `/proc/PID/status` shows them.
#[derive(Debug, PartialEq, Eq)]
pub struct Rights(BTreeMap<String, String>);

impl Rights {
    /// Those of each thread of a process.
    pub fn of_threads(pid: u32) -> Vec<Rights> {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        // A thread may end meanwhile.
        let statuses = threads.filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("status")).ok());
        let rights: Vec<_> = statuses.map(|status| Rights::parse(&status)).collect();
        assert!(!rights.is_empty());
        rights
    }

    /// Reads the text of a status.
    pub fn parse(status: &str) -> Self {
        let fields = status.lines().filter_map(|line| line.split_once(':'));
        Rights(fields.map(|(name, value)| (name.to_owned(), value.trim().replace('\t', " "))).collect())
    }

    pub fn field(&self, name: &str) -> &str {
        &self.0[name]
    }

    /// Whether the process has no capability. The bounding set is not checked.
    pub fn has_no_capability(&self) -> bool {
        ["CapInh", "CapPrm", "CapEff", "CapAmb"].iter().all(|set| self.field(set).trim_matches('0').is_empty())
    }

    /// Checks that these are the rights of the user: real, effective, saved, and of the filesystem.
    pub fn are_the_users(&self) {
        let four = |number: u32| vec![number.to_string(); 4].join(" ");
        assert_eq!((self.field("Uid"), self.field("Gid")), (&*four(USER), &*four(GROUP)), "{self:?}");
        assert_eq!(self.field("Groups"), GROUP.to_string(), "{self:?}");
        assert!(self.has_no_capability(), "{self:?}");
    }

    /// Checks that the process cannot gain rights.
    pub fn stay(&self) {
        assert_eq!(self.field("NoNewPrivs"), "1", "{self:?}");
        assert!(self.has_no_capability(), "{self:?}");
    }
}
