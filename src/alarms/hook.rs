//! The command that each alarm runs.

use crate::os::privileges::start_without_rights;
use crate::os::process::start_with_nofile_limit;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Serialize;
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// At most this many alarms wait for the command of an earlier one.
const WAITING: usize = 16;

/// Runs a shell command for each alarm, one after the other.
#[derive(Debug)]
pub struct AlarmHook {
    command: String,
    timeout: Duration,
    nofile_limit: (u64, u64),
    running: Option<RunningHook>,
    waiting: VecDeque<(u64, String)>,
}

#[derive(Debug)]
struct RunningHook {
    alarm: u64,
    child: Child,
    deadline: Instant,
    is_killed: bool,
}

/// What became of the command of an alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HookReport {
    /// The number of the alarm.
    pub number: u64,
    /// Its end.
    #[serde(flatten)]
    pub end: HookEnd,
}

/// How the command of an alarm ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum HookEnd {
    /// By itself.
    Exited {
        /// Its exit code, or 128 + n if signal n killed it.
        exit_code: i32,
    },
    /// It ran for too long, so tp-perf killed it.
    Killed,
    /// It could not be started.
    NotStarted {
        /// Why.
        error: String,
    },
    /// Too many alarms waited for the commands of earlier ones.
    LeftOut,
}

impl AlarmHook {
    /// Runs `command` with `sh -c`, and kills it after `timeout`. `nofile_limit` is the descriptor limit `(soft, hard)` with which this
    /// process was started.
    pub fn new(command: String, timeout: Duration, nofile_limit: (u64, u64)) -> Self {
        AlarmHook { command, timeout, nofile_limit, running: None, waiting: VecDeque::new() }
    }

    /// Changes the command for the next alarms.
    pub fn change(&mut self, command: String, timeout: Duration) {
        (self.command, self.timeout) = (command, timeout);
    }

    /// Whether a command runs or waits.
    pub fn is_busy(&self) -> bool {
        self.running.is_some() || !self.waiting.is_empty()
    }

    /// Runs the command for an alarm, at once or after those of earlier alarms. It gets the alarm's line of JSON in the variable
    /// `TP_PERF_ALARM`.
    pub fn run(&mut self, alarm: u64, line: &str) -> Option<HookReport> {
        if self.running.is_none() {
            return self.start(alarm, line);
        }
        if self.waiting.len() >= WAITING {
            return Some(HookReport { number: alarm, end: HookEnd::LeftOut });
        }
        self.waiting.push_back((alarm, line.to_owned()));
        None
    }

    fn start(&mut self, alarm: u64, line: &str) -> Option<HookReport> {
        match self.spawn(line) {
            Ok(child) => {
                let deadline = Instant::now() + self.timeout;
                self.running = Some(RunningHook { alarm, child, deadline, is_killed: false });
                None
            }
            Err(error) => Some(HookReport { number: alarm, end: HookEnd::NotStarted { error: error.to_string() } }),
        }
    }

    fn spawn(&self, line: &str) -> io::Result<Child> {
        let stderr = || io::stderr().as_fd().try_clone_to_owned();
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.command).env("TP_PERF_ALARM", line.trim_end());
        // stdout has lines of JSON. With a process group of its own, all that the command starts can be killed.
        command.stdin(Stdio::null()).stdout(stderr()?).stderr(stderr()?).process_group(0);
        start_with_nofile_limit(&mut command, self.nofile_limit);
        start_without_rights(&mut command);
        command.spawn()
    }

    /// When the running command must have ended.
    pub fn due(&self) -> Option<Instant> {
        self.running.as_ref().filter(|running| !running.is_killed).map(|running| running.deadline)
    }

    /// Notes the end of a command, kills one that runs for too long, and starts the next one. SIGCHLD and [`due`](Self::due) tell when.
    pub fn act(&mut self) -> Vec<HookReport> {
        let mut reports = Vec::new();
        loop {
            if let Some(running) = &mut self.running {
                let Some(end) = running.end(Instant::now()) else { break };
                reports.push(HookReport { number: running.alarm, end });
                self.running = None;
            }
            let Some((alarm, line)) = self.waiting.pop_front() else { break };
            reports.extend(self.start(alarm, &line));
        }
        reports
    }

    /// Kills the running command. No other one starts.
    pub fn end(&mut self) {
        self.waiting.clear();
        if let Some(mut running) = self.running.take() {
            running.kill();
            // A killed process ends at once, unless the kernel cannot end it. Nobody should wait for that.
            let _ = running.child.try_wait();
        }
    }
}

impl RunningHook {
    fn kill(&self) {
        // If it has ended meanwhile, there is nothing to kill.
        let _ = killpg(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL);
    }

    /// The end of the command, if it has come. Kills the command after its deadline.
    fn end(&mut self, now: Instant) -> Option<HookEnd> {
        match self.child.try_wait() {
            Ok(Some(_)) if self.is_killed => Some(HookEnd::Killed),
            Ok(Some(status)) => {
                let exit_code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
                Some(HookEnd::Exited { exit_code })
            }
            Ok(None) => {
                if now >= self.deadline && !self.is_killed {
                    self.kill();
                    self.is_killed = true;
                }
                None
            }
            Err(error) => Some(HookEnd::NotStarted { error: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::libc;
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;
    use std::fs::{self, OpenOptions};
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;
    use std::thread::yield_now;

    fn hook(command: &str, timeout: Duration) -> AlarmHook {
        AlarmHook::new(command.to_owned(), timeout, (1_024, 1_024))
    }

    /// The reports until no command runs or waits.
    fn reports(hook: &mut AlarmHook) -> Vec<HookReport> {
        let mut all = Vec::new();
        while hook.is_busy() {
            all.extend(hook.act());
            yield_now();
        }
        all
    }

    #[test]
    fn each_alarm_runs_the_command_with_its_line_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lines");
        let command = format!("echo \"$TP_PERF_ALARM\" >> {}; exit 3", file.display());
        let mut hook = hook(&command, Duration::from_secs(60));
        for alarm in 1..=3 {
            assert_eq!(hook.run(alarm, &format!("{{\"alarm\":{alarm}}}\n")), None);
        }
        let done: Vec<_> =
            (1..=3).map(|alarm| HookReport { number: alarm, end: HookEnd::Exited { exit_code: 3 } }).collect();
        assert_eq!(reports(&mut hook), done);
        assert_eq!(fs::read_to_string(file).unwrap(), "{\"alarm\":1}\n{\"alarm\":2}\n{\"alarm\":3}\n");
    }

    #[test]
    fn a_command_that_never_ends_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let mut held = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).unwrap();
        let mut hook =
            hook(&format!("exec 9> {}; sleep 1000 & sleep 1000", fifo.display()), Duration::from_millis(200));
        assert_eq!((hook.run(1, "{}"), hook.due().is_some()), (None, true));
        assert_eq!(reports(&mut hook), [HookReport { number: 1, end: HookEnd::Killed }]);
        // The end of the file comes once no process holds it open.
        while held.read(&mut [0]).is_err() {
            yield_now();
        }
    }

    #[test]
    fn too_many_alarms_are_left_out() {
        let mut hook = hook("sleep 1000", Duration::from_secs(1_000));
        for alarm in 0..=WAITING as u64 {
            assert_eq!(hook.run(alarm, "{}"), None);
        }
        assert_eq!(hook.run(99, "{}"), Some(HookReport { number: 99, end: HookEnd::LeftOut }));
        hook.end();
        assert!(!hook.is_busy());
    }

    #[test]
    fn a_report_is_a_part_of_a_line() {
        let report = HookReport { number: 2, end: HookEnd::Exited { exit_code: 137 } };
        assert_eq!(serde_json::to_string(&report).unwrap(), r#"{"number":2,"outcome":"exited","exit_code":137}"#);
    }
}
