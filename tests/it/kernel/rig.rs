//! Helpers of the kernel tests.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl::set_name;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid, getsid};
use serde_json::Value;
use std::ffi::CStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;
use tp_perf::os::cpus::{Cpu, CpuList};
use tp_perf::perf::sys::try_to_open;
use tp_perf::tracefs::Tracefs;

/// The tracepoint that a storm hits.
pub const RENAME: &str = "task:task_rename";

/// The tracepoint that a storm of `getsid` hits. Hardly any program calls getsid(2).
pub const GETSID: &str = "syscalls:sys_enter_getsid";

/// Hits [`GETSID`] a thousand times a second until it is killed: in this process under the name `steady`, and in a thread `steady-too`.
pub fn steady() -> ! {
    fn hit(name: &CStr) -> ! {
        set_name(name).unwrap();
        loop {
            let _ = getsid(None);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
    std::thread::spawn(|| hit(c"steady-too"));
    hit(c"steady")
}

/// Hits [`RENAME`] exactly N times, or [`GETSID`] with `getsid` as the last word. `words` are N, and a CPU to stay on or `stopped`,
/// which stops the parent (tp-perf) meanwhile.
pub fn storm(words: &[String]) {
    let number = |index: usize| words.get(index).and_then(|word| word.parse::<u64>().ok());
    if let Some(cpu) = number(1) {
        pin(cpu as u32);
    }
    // A reader that stands still loses events for certain, however fast it is.
    let reader = words.iter().any(|word| word == "stopped").then(getppid);
    reader.iter().for_each(|reader| kill(*reader, Signal::SIGSTOP).unwrap());
    let is_getsid = words.last().is_some_and(|word| word == "getsid");
    for _ in 0..number(0).expect("storm takes a number") {
        match is_getsid {
            true => drop(getsid(None)),
            false => set_name(c"storm").expect("a process may rename itself"),
        }
    }
    reader.iter().for_each(|reader| kill(*reader, Signal::SIGCONT).unwrap());
}

/// How often a family of threads and children hits [`GETSID`].
pub struct Family {
    pub own: u64,
    pub threads: u64,
    /// After they have renamed themselves.
    pub renamed: u64,
    pub children: u64,
    pub of_child: u64,
}

pub const FAMILY: Family = Family { own: 7, threads: 4, renamed: 13, children: 100, of_child: 10 };

impl Family {
    /// The hits of a thread before it renames itself.
    pub fn of_thread(&self, thread: u64) -> u64 {
        100 * (thread + 1)
    }

    /// All hits.
    pub fn all(&self) -> u64 {
        let of_threads: u64 = (0..self.threads).map(|thread| self.of_thread(thread) + self.renamed).sum();
        self.own + of_threads + self.children * self.of_child
    }

    /// Runs the threads and the children.
    pub fn run(&self) {
        let hit = |number: u64| {
            for _ in 0..number {
                let _ = getsid(None);
            }
        };
        let name = |name: String| set_name(&std::ffi::CString::new(name).unwrap()).unwrap();
        name("family".to_owned());
        hit(self.own);
        std::thread::scope(|scope| {
            for thread in 0..self.threads {
                scope.spawn(move || {
                    name(format!("thread-{thread}"));
                    hit(self.of_thread(thread));
                    name(format!("renamed-{thread}"));
                    hit(self.renamed);
                });
            }
        });
        let myself = std::env::current_exe().unwrap();
        for _ in 0..self.children {
            let mut child = Command::new(&myself);
            assert!(child.args(["storm", &self.of_child.to_string(), "getsid"]).status().unwrap().success());
        }
    }
}

pub fn pin(cpu: u32) {
    let mut cpus = CpuSet::new();
    cpus.set(cpu as usize).unwrap();
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
}

/// Returns an error that names what is missing, if this kernel cannot be traced here.
pub fn can_trace() -> Result<(), String> {
    let needs = |error: &dyn std::fmt::Display| format!("a kernel that can be traced ({error})");
    Tracefs::open().map_err(|error| needs(&error))?;
    let cpu = CpuList::online().map_err(|error| needs(&error))?.as_slice()[0];
    try_to_open(cpu).map_err(|error| needs(&error))
}

/// As [`can_trace`], and the tests run as root, so they can play sudo.
pub fn can_trace_as_root() -> Result<(), String> {
    crate::common::sudo::is_root().and_then(|()| can_trace())
}

/// A temporary directory for recordings, and the commands to run there.
pub struct Rig {
    folder: TempDir,
}

impl Rig {
    pub fn new() -> Self {
        Rig { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command `tp-perf -o rec` with these arguments.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.arg("-o").arg(self.path("rec")).args(words).stdin(Stdio::null());
        command
    }

    /// Captures a storm of `number` hits as COMMAND, and returns the recording. The capture must succeed.
    pub fn storm(&self, words: &[&str], number: u64, cpu: Option<Cpu>) -> Recording {
        let (myself, number) = (std::env::current_exe().unwrap(), number.to_string());
        let cpu = cpu.map(|cpu| cpu.to_string());
        let mut command = self.command(&["-t", RENAME]);
        command.args(words).arg("--").arg(myself).arg("storm").arg(number).args(cpu);
        self.run(command)
    }

    pub fn run(&self, mut command: Command) -> Recording {
        self.run_by(&mut command)
    }

    pub fn run_by(&self, command: &mut Command) -> Recording {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?} gave {}", shown(&output));
        Recording::read(&self.path("rec"))
    }
}

/// A child process that ends with its test, even if the test fails.
pub struct Background(Child);

impl Background {
    pub fn start(command: &mut Command) -> Self {
        Background(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// A storm that runs until this is dropped.
    pub fn storm(cpu: Cpu) -> Self {
        let myself = std::env::current_exe().unwrap();
        Self::start(Command::new(myself).args(["storm", &u64::MAX.to_string(), &cpu.to_string()]))
    }

    /// A process that keeps a CPU busy, and does not hit [`RENAME`] after its start.
    pub fn busy() -> Self {
        Self::start(Command::new("sh").args(["-c", "while :; do :; done"]))
    }

    /// Waits until the child sleeps in ppoll(2). tp-perf does that only once the events are on.
    pub fn wait_until_it_polls(&self) {
        let path = format!("/proc/{}/syscall", self.0.id());
        let polls = ["271 ", "73 "]; // ppoll on x86-64 and on aarch64
        eventually("the events are on", || {
            std::fs::read_to_string(&path).is_ok_and(|call| polls.iter().any(|poll| call.starts_with(poll)))
        });
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }

    /// Sends any signal, also one without a name.
    pub fn signal_number(&self, number: i32) {
        let sent = Command::new("kill").args([format!("-{number}"), self.0.id().to_string()]).status();
        assert!(sent.unwrap().success(), "signal {number}");
    }

    /// Waits until the child ends by itself, and returns its output.
    pub fn end(mut self) -> Output {
        let mut output = Output { status: Default::default(), stdout: Vec::new(), stderr: Vec::new() };
        self.0.stdout.take().unwrap().read_to_end(&mut output.stdout).unwrap();
        self.0.stderr.take().unwrap().read_to_end(&mut output.stderr).unwrap();
        output.status = self.0.wait().unwrap();
        output
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The files of a recording.
pub struct Recording {
    pub summary: Value,
    /// The rows of the log: (timestamp, tpid, gid, name).
    pub rows: Vec<(u64, u32, u32, String)>,
}

impl Recording {
    pub fn read(path: &Path) -> Self {
        let summary = serde_json::from_slice(&std::fs::read(path.join("summary.json")).unwrap()).unwrap();
        let mut log = csv::Reader::from_path(path.join("log.csv")).unwrap();
        assert_eq!(log.headers().unwrap(), vec!["timestamp", "tpid", "gid", "tracepoint name"]);
        let rows = log.deserialize().map(Result::unwrap).collect();
        Recording { summary, rows }
    }

    pub fn events(&self, field: &str) -> i64 {
        self.summary["events"][field].as_i64().unwrap()
    }

    /// The account of one tracepoint on all CPUs.
    pub fn account(&self, name: &str) -> &Value {
        let all = self.summary["per_tracepoint"].as_array().unwrap();
        all.iter().find(|account| account["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:?}"))
    }

    pub fn on_cpu(&self, cpu: Cpu, field: &str) -> u64 {
        let all = self.summary["per_cpu"].as_array().unwrap();
        all.iter().find(|account| account["cpu"] == cpu.get()).unwrap()[field].as_u64().unwrap()
    }
}

pub fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\nstdout: {}\nstderr: {}", output.status, text(&output.stdout), text(&output.stderr))
}

/// The pids of all processes with this name.
pub fn pids_of(name: &str) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap();
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name))
        .collect()
}

/// Waits until `holds` returns true, and fails after two minutes. The limit is that long because an earlier
/// capture may still be detaching. No test depends on how long this takes.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("this did not happen within two minutes: {what}");
}
