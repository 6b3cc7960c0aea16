//! The screens of `overhead`, `list`, and `doctor`.

use super::stage::{COLUMNS, alone, plain, printed, shown};
use crate::common::screen::{assert_screen, on_terminal};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tp_perf::doctor::{Machine, Needs, diagnose};
use tp_perf::os::cgroups::Hierarchy;
use tp_perf::os::cpus::{Cpu, CpuList};
use tp_perf::os::limits::{Capabilities, DescriptorLimit};
use tp_perf::overhead::{Arm, MeasuredRun, Overhead, WatchedHits, Way, write_json, write_markdown};
use tp_perf::recording::Tool;
use tp_perf::terminal::{print_diagnoses, print_overhead};
use tp_perf::tracefs::Origin;

/// A measurement of rounds: a run of each of these arms, in milliseconds.
fn measured<const N: usize>(arms: [Arm; N], rounds: &[[u64; N]]) -> Overhead {
    let run = |round: usize, arm: Arm, wall: u64| MeasuredRun {
        round,
        arm,
        wall: Duration::from_millis(wall),
        cpu: Duration::from_millis(2 * wall),
        system: Duration::from_millis(wall / 2),
        machine: Some(Duration::from_millis(3 * wall)),
        exit: 0,
        hits: matches!(arm, Arm::On(_)).then_some(WatchedHits {
            events: 1_000_000,
            lost: Some(if arm == Arm::On(Way::Record) { 10 } else { 0 }),
            detached: 0,
            own_cpu: Duration::from_millis(if arm == Arm::On(Way::Record) { 90 } else { 2 }),
        }),
    };
    let rounds_asked = rounds.len();
    let rounds = (1..).zip(rounds);
    let runs = rounds.flat_map(|(round, of_arms)| arms.iter().zip(of_arms).map(move |of| (round, of)));
    Overhead {
        schema: 2,
        tool: Tool { name: "tp-perf".to_owned(), version: "0".to_owned() },
        kernel: "6.18.0".to_owned(),
        hostname: "here".to_owned(),
        command: ["make", "-j8", "a|b"].map(str::to_owned).to_vec(),
        prepare: Some("make clean".to_owned()),
        cpus: vec![Cpu::new(0), Cpu::new(1)],
        arms: arms.to_vec(),
        tracepoints: 1_568,
        not_counted: 0,
        refused: 0,
        ring_size: 8 << 20,
        clock: "monotonic".to_owned(),
        self_excluded: true,
        compress: false,
        started: "2026-11-25T00:00:00Z".to_owned(),
        pid: 1,
        rounds_asked,
        warmup: 1,
        attach: Duration::from_millis(300),
        detach_expected: Duration::from_secs(57),
        detach: None,
        detach_waits: Vec::new(),
        attached_by_others: Vec::new(),
        runs: runs.map(|(round, (arm, wall))| run(round, *arm, *wall)).collect(),
    }
}

/// The same for (off, record).
fn recorded(pairs: &[(u64, u64)]) -> Overhead {
    let pairs: Vec<_> = pairs.iter().map(|(off, on)| [*on, *off]).collect();
    measured([Arm::On(Way::Record), Arm::Off], &pairs)
}

pub fn overhead() {
    let clear = recorded(&[(2_000, 3_000), (4_000, 6_010), (3_000, 4_480), (1_000, 1_500), (2_500, 3_750)]);
    let even: Vec<_> = (0..10).map(|n| (10_000 + n * 7 % 5, 10_000 + n * 3 % 5)).collect();
    let noisy =
        recorded(&[(1_000, 1_200), (3_000, 2_100), (2_000, 2_300), (1_500, 1_450), (4_000, 4_700), (900, 1_400)]);
    let few = recorded(&[(1_000, 1_100), (1_020, 1_130)]);
    let mut odd = recorded(&[(30, 40), (31, 42), (29, 39), (30, 41), (32, 44)]);
    odd.refused = 3;
    odd.compress = true;
    odd.prepare = None;
    odd.detach = Some(Duration::from_secs(61));
    odd.rounds_asked = 8;
    odd.self_excluded = false;
    odd.runs[0].exit = 7;
    for run in &mut odd.runs {
        run.hits.iter_mut().for_each(|hits| hits.lost = None);
    }
    let (record, count) = (Arm::On(Way::Record), Arm::On(Way::Count));
    let rounds = [
        [2_000, 2_800, 2_160, 1_990],
        [2_040, 2_870, 2_190, 2_020],
        [1_960, 2_700, 2_150, 1_970],
        [2_010, 2_790, 2_140, 1_980],
        [2_020, 2_850, 2_210, 2_015],
        [1_990, 2_810, 2_170, 1_950],
    ];
    let mut ways = measured([Arm::Off, record, count, Arm::Nothing], &rounds);
    ways.not_counted = 4;
    ways.detach_waits = [56, 58, 57, 57].map(Duration::from_secs).to_vec();
    ways.detach = ways.detach_waits.last().copied();
    let mut counted = measured([Arm::Off, count], &rounds.map(|[off, _, count, _]| [off, count]));
    (counted.tracepoints, counted.not_counted, counted.ring_size) = (1_564, 4, 0);
    let mut budget = measured([Arm::Off, Arm::On(Way::RecordBudget)], &rounds.map(|[off, _, count, _]| [off, count]));
    // Detached in the second round.
    let detaching = budget.runs.iter_mut().filter(|run| run.round > 1);
    detaching.filter_map(|run| run.hits.as_mut()).for_each(|hits| hits.detached = 2);
    let mut disturbed = measured([Arm::Off, record, Arm::Nothing], &[[2_000, 2_800, 1_900]]);
    disturbed.attached_by_others = vec![12, 345];
    disturbed.detach_waits = vec![Duration::from_secs(57)];
    let mut stopped = measured([Arm::Off, record, Arm::Nothing], &[]);
    stopped.rounds_asked = 5;
    let mut screen = String::new();
    for (name, measured) in [
        ("a clear cost", &clear),
        ("no cost", &recorded(&even)),
        ("noise", &noisy),
        ("two rounds", &few),
        ("short runs", &odd),
        ("two ways, and nothing attached", &ways),
        ("only counting", &counted),
        ("a budget that was too small", &budget),
        ("another tp-perf", &disturbed),
        ("stopped in the first round", &stopped),
    ] {
        let text = printed(name, |width, out| print_overhead(measured, width, out).unwrap());
        writeln!(screen, "[{name}]\n{text}").unwrap();
    }
    assert_screen("overhead", &screen);
    let (mut markdown, mut json) = (Vec::new(), Vec::new());
    write_markdown(&ways, &mut markdown).unwrap();
    write_json(&disturbed, &mut json).unwrap();
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
        landlock: Some(7),
        seccomp: true,
        kernel: "6.18.0".to_owned(),
        tracefs: Ok((Origin::Found, 2307)),
        paranoid: Some(2),
        capabilities: Capabilities::in_status("CapEff: 000001ffffffffff"),
        trial: Ok(()),
        samples_cgroups: true,
        cgroups: Some((Hierarchy { version: 2, mount: Some("/sys/fs/cgroup".into()) }, 80)),
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
