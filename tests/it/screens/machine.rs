//! The screens of `overhead`, `list`, and `doctor`.

use super::stage::{COLUMNS, alone, plain, printed, shown};
use crate::common::screen::{assert_screen, on_terminal};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tp_perf::doctor::{Machine, Needs, diagnose};
use tp_perf::os::cpus::{Cpu, CpuList};
use tp_perf::os::limits::{Capabilities, DescriptorLimit};
use tp_perf::overhead::{CapturedEvents, MeasuredRun, Overhead, write_json, write_markdown};
use tp_perf::recording::Tool;
use tp_perf::terminal::{print_diagnoses, print_overhead};
use tp_perf::tracefs::Origin;

/// A measurement of these pairs, in milliseconds without and with capturing.
fn measured(pairs: &[(u64, u64)]) -> Overhead {
    let run = |pair: usize, captured: bool, wall: u64| MeasuredRun {
        pair: pair + 1,
        captured,
        wall: Duration::from_millis(wall),
        cpu: Duration::from_millis(2 * wall),
        system: Duration::from_millis(wall / 2),
        machine: Some(Duration::from_millis(3 * wall)),
        exit: 0,
        events: captured.then_some(CapturedEvents {
            events: 1_000_000,
            lost: Some(10),
            own_cpu: Duration::from_millis(90),
        }),
    };
    let runs = pairs.iter().enumerate();
    Overhead {
        schema: 1,
        tool: Tool { name: "tp-perf".to_owned(), version: "0".to_owned() },
        kernel: "6.18.0".to_owned(),
        hostname: "here".to_owned(),
        command: ["make", "-j8", "a|b"].map(str::to_owned).to_vec(),
        prepare: Some("make clean".to_owned()),
        cpus: vec![Cpu::new(0), Cpu::new(1)],
        tracepoints: 1_568,
        refused: 0,
        ring_size: 8 << 20,
        clock: "monotonic".to_owned(),
        self_excluded: true,
        compress: false,
        started: "2026-11-25T00:00:00Z".to_owned(),
        pid: 1,
        pairs_asked: pairs.len(),
        warmup: 1,
        attach: Duration::from_millis(300),
        detach_expected: Duration::from_secs(57),
        detach: None,
        runs: runs.flat_map(|(pair, (off, on))| [run(pair, true, *on), run(pair, false, *off)]).collect(),
    }
}

pub fn overhead() {
    let clear = measured(&[(2_000, 3_000), (4_000, 6_010), (3_000, 4_480), (1_000, 1_500), (2_500, 3_750)]);
    let even: Vec<_> = (0..10).map(|n| (10_000 + n * 7 % 5, 10_000 + n * 3 % 5)).collect();
    let noisy =
        measured(&[(1_000, 1_200), (3_000, 2_100), (2_000, 2_300), (1_500, 1_450), (4_000, 4_700), (900, 1_400)]);
    let few = measured(&[(1_000, 1_100), (1_020, 1_130)]);
    let mut odd = measured(&[(30, 40), (31, 42), (29, 39), (30, 41), (32, 44)]);
    odd.refused = 3;
    odd.compress = true;
    odd.prepare = None;
    odd.detach = Some(Duration::from_secs(61));
    odd.pairs_asked = 8;
    odd.self_excluded = false;
    odd.runs[0].exit = 7;
    for run in &mut odd.runs {
        run.events.iter_mut().for_each(|events| events.lost = None);
    }
    let mut screen = String::new();
    for (name, measured) in [
        ("a clear cost", &clear),
        ("no cost", &measured(&even)),
        ("noise", &noisy),
        ("two pairs", &few),
        ("short runs", &odd),
    ] {
        let text = printed(name, |width, out| print_overhead(measured, width, out).unwrap());
        writeln!(screen, "[{name}]\n{text}").unwrap();
    }
    assert_screen("overhead", &screen);
    let (mut markdown, mut json) = (Vec::new(), Vec::new());
    write_markdown(&clear, &mut markdown).unwrap();
    write_json(&few, &mut json).unwrap();
    assert_screen("overhead_for_programs", &format!("[markdown]\n{}\n[json]\n{}", plain(&markdown), plain(&json)));
}

/// Mounts a folder in place of tracefs, for one command.
fn in_small_kernel(tracing: &Path, line: &str) -> Command {
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let script = "mount --bind \"$1\" /sys/kernel/tracing && shift && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(tracing).arg(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(line.split_whitespace());
    alone(&mut command);
    command
}

pub fn mounts() -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = in_small_kernel(folder.path(), "--version");
    let there = command.output().is_ok_and(|output| output.status.success());
    if there { Ok(()) } else { Err("unshare(1) with mount namespaces, and /sys/kernel/tracing".to_owned()) }
}

pub fn list() {
    let folder = tempfile::tempdir().unwrap();
    let tracepoints = [
        "irq/irq_handler_entry",
        "irq/softirq_entry",
        "raw_syscalls/sys_enter",
        "sched/sched_process_exec",
        "sched/sched_switch",
        "sched/sched_wakeup",
        "syscalls/sys_enter_read",
        "task/task_rename",
        "timer/hrtimer_start",
    ];
    for (id, name) in (101..).zip(tracepoints) {
        let path = folder.path().join("events").join(name);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("id"), format!("{id}\n")).unwrap();
    }
    let lines = [
        "list",
        "list sched:*",
        "list -t sched:* -x sched_wakeup",
        "list --all",
        "list --also sched_switch",
        "list sched:* --format csv",
        "list task:* --format json",
        "list shced:*",
        "list sched_swich",
        "list -t shced:*",
    ];
    let of = |line: &str| {
        let outputs = COLUMNS.map(|columns| on_terminal(in_small_kernel(folder.path(), line), columns));
        shown(line, outputs.each_ref())
    };
    assert_screen("list", &lines.map(of).join("\n"));
}

/// The findings and fixes of doctor for several machines.
pub fn doctor() {
    let good = Machine {
        kernel: "6.18.0".to_owned(),
        tracefs: Ok((Origin::Found, 2307)),
        paranoid: Some(2),
        capabilities: Capabilities::in_status("CapEff: 000001ffffffffff"),
        trial: Ok(()),
        descriptors: DescriptorLimit { soft: 1024, hard: 524_288, nr_open: 1 << 20 },
        perf_mlock: Some(516 << 10),
        memlock: 8 << 20,
        online: "0-1".parse().unwrap(),
        memory: Some(64 << 30),
        costs: Some((130.4, 612.7)),
    };
    let old = Machine {
        kernel: "5.15.0-58-generic".to_owned(),
        costs: None,
        tracefs: Ok((Origin::Detached, 1998)),
        paranoid: Some(-1),
        capabilities: Capabilities::in_status(""),
        memory: Some(64 << 20),
        descriptors: DescriptorLimit { soft: 1024, hard: 4096, nr_open: 1 << 20 },
        ..good.clone()
    };
    let user = Machine {
        kernel: "3.10.0".to_owned(),
        tracefs: Err("tracefs is not mounted".to_owned()),
        paranoid: None,
        trial: Err("Permission denied".to_owned()),
        capabilities: Capabilities::in_status(""),
        ..good.clone()
    };
    let poor =
        Machine { capabilities: Capabilities::in_status(""), tracefs: Ok((Origin::Plain, 2307)), ..good.clone() };
    let two: CpuList = "0-1".parse().unwrap();
    let needs = Needs { tracepoints: 1568, cpus: two, ring_size: 8 << 20 };
    let many = Needs { cpus: "0-1023".parse().unwrap(), ..needs.clone() };
    let mut screen = String::new();
    for (name, machine, needs) in [
        ("all is well", &good, &needs),
        ("an old kernel, and little memory", &old, &needs),
        ("a user without rights", &user, &needs),
        ("a user without much memory for rings", &poor, &needs),
        ("more CPUs than there are", &good, &many),
    ] {
        let diagnoses = diagnose(machine, needs);
        let text = printed(name, |width, out| print_diagnoses(&diagnoses, width, out).unwrap());
        writeln!(screen, "[{name}]\n{text}").unwrap();
    }
    assert_screen("doctor", &screen);
}
