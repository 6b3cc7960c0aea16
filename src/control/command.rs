//! COMMAND: tp-perf looks it up before it attaches, and starts it once the events are on.

use crate::os::privileges::{self, Starts};
use crate::os::process::start_with_nofile_limit;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{AccessFlags, Pid, access};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A command line whose program exists.
#[derive(Debug, Clone)]
pub struct CommandLine {
    program: PathBuf,
    words: Vec<OsString>,
    as_root: bool,
}

impl CommandLine {
    /// Looks up the program as execvp(3) would.
    ///
    /// # Errors
    /// A message that names the program and why it cannot be run.
    pub fn find(words: Vec<OsString>) -> Result<Self, String> {
        match privileges::rights_of_program(false) {
            Starts::AsRoot => Self::find_as_root(words),
            _ => Self::look_up(words, |path| access(path, AccessFlags::X_OK).is_ok()),
        }
    }

    /// The same for a program that runs as root. Under sudo, [`find`](Self::find) is for a program of the user.
    ///
    /// # Errors
    /// As [`find`](Self::find), and a message if neither root nor sudo started tp-perf.
    pub fn find_as_root(words: Vec<OsString>) -> Result<Self, String> {
        if !privileges::is_run_by_root() {
            return Err("--command-as-root: an ordinary user cannot run COMMAND as root; use sudo".to_owned());
        }
        // access(2) would answer for the user. Root may run each file that somebody may run.
        let runs = |path: &Path| path.metadata().is_ok_and(|file| file.permissions().mode() & 0o111 != 0);
        let line = privileges::raised(|| Self::look_up(words, runs))?;
        Ok(CommandLine { as_root: true, ..line })
    }

    fn look_up(words: Vec<OsString>, may_run: impl Fn(&Path) -> bool) -> Result<Self, String> {
        let Some(name) = words.first() else { return Err("COMMAND is empty".to_owned()) };
        let shown = name.to_string_lossy();
        let runs = |path: &Path| path.is_file() && may_run(path);
        if name.is_empty() {
            return Err("COMMAND is empty".to_owned());
        }
        if shown.contains('/') {
            let program = PathBuf::from(name);
            return match (program.exists(), runs(&program)) {
                (false, _) => Err(format!("COMMAND `{shown}` does not exist")),
                (_, false) => Err(format!(
                    "COMMAND `{shown}` is not executable; `chmod +x` it, or start it through its interpreter"
                )),
                _ => Ok(CommandLine { program, words, as_root: false }),
            };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| runs(program));
        match program {
            Some(program) => Ok(CommandLine { program, words, as_root: false }),
            None if std::env::var_os("SUDO_UID").is_some() => Err(format!(
                "COMMAND `{shown}` was not found in the PATH that sudo sets ({}): give the full path",
                path.to_string_lossy()
            )),
            None => Err(format!("COMMAND `{shown}` was not found in PATH")),
        }
    }

    /// The rights that tp-perf must keep to start it.
    pub fn rights(&self) -> Starts {
        privileges::rights_of_program(self.as_root)
    }

    /// The words of the command line, with invalid UTF-8 replaced.
    pub fn words(&self) -> Vec<String> {
        self.words.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }
}

/// Why COMMAND could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program was found, but could not be started.
    #[error("failed to start COMMAND `{}`: {cause}", program.display())]
    Start {
        /// The path of the program.
        program: PathBuf,
        /// The error of execve(2) or fork(2).
        cause: io::Error,
    },
    /// Its input or output could not be set up.
    #[error("failed to set up the input and output of COMMAND: {0}")]
    Streams(io::Error),
    /// tp-perf could not give up the rights that only the start of COMMAND needed.
    #[error(transparent)]
    Rights(#[from] privileges::Error),
}

/// How COMMAND is started.
pub struct Launch<'a> {
    /// The command line.
    pub line: &'a CommandLine,
    /// The descriptor limit `(soft, hard)` for COMMAND: the one with which this process was started.
    pub nofile_limit: (u64, u64),
    /// Where its input comes from, and where its output goes.
    pub streams: Streams<'a>,
    /// Whether this process starts no program after it, and so gives up the rights to do so.
    pub is_last: bool,
}

/// Where COMMAND's input comes from, and where its output goes.
#[derive(Debug, Clone, Copy)]
pub enum Streams<'a> {
    /// COMMAND shares tp-perf's stdin, stdout and stderr.
    Own,
    /// No input. All output goes to tp-perf's stderr, because stdout is for results.
    ToStderr,
    /// No input. All output is appended to this file.
    Kept(&'a File),
}

impl Launch<'_> {
    /// Starts COMMAND, as the user who called sudo or as root. Once it runs, it is in `running`.
    ///
    /// # Errors
    /// [`Error::Start`] if COMMAND cannot be started, and [`Error::Streams`] if its input or output cannot be
    /// set up. [`Error::Rights`] comes after the start.
    pub fn start<'r>(&self, running: &'r mut Option<Running>) -> Result<&'r mut Running, Error> {
        let CommandLine { program, words, .. } = self.line;
        let mut command = Command::new(program);
        // Some programs behave according to the name by which they were called.
        command.arg0(&words[0]).args(&words[1..]);
        match self.streams {
            Streams::Own => {}
            Streams::ToStderr => {
                let stderr = || io::stderr().as_fd().try_clone_to_owned().map_err(Error::Streams);
                command.stdin(Stdio::null()).stdout(stderr()?).stderr(stderr()?);
            }
            Streams::Kept(file) => {
                let same = || file.try_clone().map_err(Error::Streams);
                command.stdin(Stdio::null()).stdout(same()?).stderr(same()?);
            }
        }
        start_with_nofile_limit(&mut command, self.nofile_limit);
        privileges::start_with(self.line.rights(), &mut command);
        let started = Instant::now();
        let child = command.spawn().map_err(|cause| Error::Start { program: program.clone(), cause })?;
        let running = running.insert(Running { child, started, ended: None });
        if self.is_last {
            privileges::give_up(Starts::Nothing)?;
        }
        Ok(running)
    }
}

/// A COMMAND that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    started: Instant,
    /// The exit code, and when tp-perf noticed the end.
    ended: Option<(i32, Instant)>,
}

impl Running {
    /// The exit code once COMMAND has ended: its own, or 128 + n if signal n killed it. `None` while it runs.
    pub fn exit_code(&mut self) -> io::Result<Option<i32>> {
        if self.ended.is_none() {
            let code = |status: ExitStatus| status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
            self.ended = self.child.try_wait()?.map(|status| (code(status), Instant::now()));
        }
        Ok(self.ended.map(|(code, _)| code))
    }

    /// How long COMMAND ran; `None` until [`Running::exit_code`] has returned its exit code.
    pub fn took(&self) -> Option<Duration> {
        self.ended.map(|(_, ended)| ended - self.started)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM. Returns false if COMMAND has gained rights that this process lacks, so it cannot be stopped.
    pub fn terminate(&self) -> bool {
        // If COMMAND has ended in the meantime, there is nothing to terminate.
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM) != Err(Errno::EPERM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(words: &[&str]) -> Result<CommandLine, String> {
        CommandLine::find(words.iter().map(OsString::from).collect())
    }

    #[test]
    fn a_command_that_cannot_run_is_refused_before_it_starts() {
        for (words, expected) in [
            (vec![], "is empty"),
            (vec![""], "is empty"),
            (vec!["/no/such/program"], "does not exist"),
            (vec!["/etc/passwd"], "is not executable"),
            (vec!["/etc"], "is not executable"),
            (vec!["no-such-program-at-all"], "was not found in"),
        ] {
            let error = find(&words).unwrap_err();
            assert!(error.contains(expected), "{words:?} gave {error:?}");
        }
    }

    #[test]
    fn the_exit_code_is_the_commands_own_or_that_of_its_signal() {
        for (script, expected) in [("exit 7", 7), ("kill -9 $$", 137)] {
            let limit = crate::os::limits::DescriptorLimit::read();
            let line = find(&["sh", "-c", script]).unwrap();
            let nofile_limit = (limit.soft, limit.hard);
            let mut running = None;
            let launch = Launch { line: &line, nofile_limit, streams: Streams::Own, is_last: true };
            let running = launch.start(&mut running).unwrap();
            assert_eq!(running.took(), None);
            let code = loop {
                match running.exit_code().unwrap() {
                    Some(code) => break code,
                    None => std::thread::yield_now(),
                }
            };
            assert_eq!(code, expected);
            assert_eq!(running.exit_code().unwrap(), Some(expected), "asked again");
            assert!(running.took().is_some());
        }
    }
}
