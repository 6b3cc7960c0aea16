//! Counts whose destination takes no more, or never takes anything.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, RENAME, Rig, eventually, shown};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tp_perf::os::cpus::Cpu;

pub const TESTS: &[Test] = &[
    ("counts_do_not_wait_for_the_reader_of_a_fifo", nothing_more, fifo),
    ("counts_do_not_go_through_a_link_to_another_file", nothing_more, link),
    ("a_file_that_is_full_has_whole_windows", nothing_more, full),
    ("the_second_signal_ends_a_count_that_nobody_reads", nothing_more, unread),
];

/// A count of this length in windows of a millisecond, as CSV.
const WINDOWS: [&str; 9] = ["count", "-q", "-t", RENAME, "--every", "1ms", "--format", "csv", "-d"];

fn fifo() {
    let rig = Rig::new();
    let fifo = rig.path("fifo");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    let count = || {
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "60", env!("CARGO_BIN_EXE_tp-perf"), "count", "-q", "-t", RENAME, "-d", "10ms"]);
        command.arg("-o").arg(&fifo).output().unwrap()
    };
    // Only SIGKILL would end it if it waited.
    let output = count();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(error.contains(&format!("failed to create `{}`: nobody reads this FIFO", fifo.display())), "{error}");
    assert!(error.contains("start its reader first"), "{error}");
    let reader = Command::new("cat").arg(&fifo).stdout(Stdio::piped()).spawn().unwrap();
    // The reader may open the FIFO a moment later.
    eventually("the counts are in the FIFO", || count().status.success());
    let read = reader.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&read.stdout).contains("stopped by"), "{}", shown(&read));
}

fn link() {
    let rig = Rig::new();
    let count = |output: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(["count", "-q", "-t", RENAME, "-d", "10ms", "-o"]).arg(output).output().unwrap()
    };
    std::fs::write(rig.path("victim"), "precious").unwrap();
    for target in ["victim", "missing"] {
        let link = rig.path("link");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(target, &link).unwrap();
        let output = count(&link);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
        assert!(error.contains("is a symbolic link") && error.contains("name what it leads to"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(rig.path("victim")).unwrap(), "precious");
    assert!(!rig.path("missing").exists());
    // A link to a stream is how a program names its own stdout.
    let output = count(Path::new("/dev/stdout"));
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("stopped by"),
        "{}",
        shown(&output)
    );
}

fn full() {
    let (rig, _storm) = (Rig::new(), Background::storm(Cpu::new(0)));
    let mut command = Command::new("sh");
    // Blocks of 512 bytes, and some shells have blocks of 1024 bytes.
    command.args(["-c", "ulimit -f 4; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tp-perf")]).args(WINDOWS);
    let output = command.args(["60s", "-o"]).arg(rig.path("counts.csv")).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(
        error.contains("failed to write `") && error.contains("counts.csv`") && error.contains("ulimit -f"),
        "{error}"
    );
    let counts = std::fs::read_to_string(rig.path("counts.csv")).unwrap();
    assert!(counts.lines().count() > 10 && counts.ends_with('\n'), "{counts}");
    let rows = csv::Reader::from_reader(counts.as_bytes()).into_records().map(Result::unwrap);
    assert!(rows.count() > 10);
}

/// Whether a process waits in write(2) for room in stdout.
fn is_stuck(pid: u32) -> bool {
    let call = || std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let writes = ["1 0x1 ", "64 0x1 "]; // write on x86-64 and on aarch64
    let before = call();
    std::thread::sleep(Duration::from_millis(50));
    writes.iter().any(|write| before.starts_with(write)) && call() == before
}

fn unread() {
    let _storm = Background::storm(Cpu::new(0));
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let (reader, writer) = std::io::pipe().unwrap();
        fcntl(&reader, FcntlArg::F_SETPIPE_SZ(4096)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(WINDOWS).arg("1h").stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        drop(command);
        eventually("the pipe is full", || is_stuck(child.id()));
        let pid = Pid::from_raw(child.id() as i32);
        kill(pid, signal).unwrap();
        // The reader may only be slow, so the first signal does not lose the counts.
        eventually("the signal has arrived", || is_stuck(child.id()));
        kill(pid, signal).unwrap();
        let code = (0..3_000).find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            child.try_wait().unwrap()
        });
        // A child that does not end fails the test, and must not outlive it.
        let _ = child.kill();
        assert_eq!(code.and_then(|status| status.code()), Some(128 + signal as i32), "{signal}");
    }
}
