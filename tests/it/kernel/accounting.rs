//! The accounting: known numbers of hits are recorded, and the accounts balance.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, RENAME, Rig};
use tp_perf::os::cpus::CpuList;
use tp_perf::tracefs::Tracefs;

pub const TESTS: &[Test] = &[
    ("a_thousand_hits_are_a_thousand_events", nothing_more, a_thousand_hits),
    ("a_million_hits_are_a_million_events_under_load", nothing_more, a_million_hits),
    ("small_rings_lose_events_and_the_accounting_balances_exactly", nothing_more, small_rings),
    ("under_full_load_of_all_cpus_no_hit_of_an_ordinary_task_is_unaccounted", nothing_more, full_load),
    ("tracepoints_of_several_groups_all_go_on", nothing_more, several_groups),
    ("a_hit_with_a_weight_above_one_is_one_event", schedstat, weighted),
];

pub const WEIGHTED: &str = "sched:sched_stat_runtime";

fn schedstat() -> Result<(), String> {
    let listed = Tracefs::open().unwrap().root().join("events").join(WEIGHTED.replace(':', "/")).exists();
    if listed { Ok(()) } else { Err(format!("the tracepoint {WEIGHTED}")) }
}

fn weighted() {
    let _load = Background::busy();
    let rig = Rig::new();
    let recording = rig.run(rig.command(&["-t", WEIGHTED, "-t", RENAME, "--cpus", "0", "-n", "200"]));
    let account = recording.account(WEIGHTED);
    assert!(account["recorded"].as_u64().unwrap() >= 150, "{account}");
    assert_eq!((&account["weighted"], &account["counted"]), (&true.into(), &account["recorded"]));
    // On one CPU, no two hits have the same time, but copies of one hit would.
    assert!(recording.rows.windows(2).all(|rows| rows[0].0 < rows[1].0), "a hit became several events");
}

/// The exec of COMMAND is a rename too, before the storm begins.
const EXEC: u64 = 1;

fn exactly(rig: &Rig, number: u64) {
    let cpu = *CpuList::online().unwrap().as_slice().last().unwrap();
    let recording = rig.storm(&["--force"], number, Some(cpu));
    let expected = number + EXEC;
    assert_eq!(recording.account(RENAME)["recorded"], expected);
    assert_eq!(recording.account(RENAME)["counted"], expected);
    assert_eq!(recording.rows.len() as u64, expected);
    assert!(recording.on_cpu(cpu, "recorded") >= number, "{}", recording.summary["per_cpu"]);
    assert!(recording.rows.is_sorted_by_key(|row| row.0));
    assert!(recording.rows.iter().all(|row| row.3 == "task_rename"));
    for field in ["lost", "late", "unaccounted", "unknown"] {
        assert_eq!(recording.events(field), 0, "{field}");
    }
}

fn a_thousand_hits() {
    exactly(&Rig::new(), 1_000);
}

fn a_million_hits() {
    let _load: Vec<_> = CpuList::online().unwrap().as_slice().iter().map(|_| Background::busy()).collect();
    exactly(&Rig::new(), 1_000_000);
}

/// About 350 tracepoints need more than one group. The storm's tracepoint is in the last group, and `prctl`,
/// which the storm hits equally often, is in an earlier one.
fn several_groups() {
    let (number, prctl) = (1_000, "syscalls:sys_enter_prctl");
    let recording = Rig::new().storm(&["-t", "syscalls:sys_enter_*", "--wait-detach"], number, None);
    for (name, least, most) in [(RENAME, number + EXEC, number + EXEC), (prctl, number, u64::MAX)] {
        let recorded = recording.account(name)["recorded"].as_u64().unwrap();
        assert!((least..=most).contains(&recorded), "{name}: {recorded}");
        assert_eq!(recording.account(name)["counted"], recorded);
    }
    assert_eq!((recording.events("lost"), recording.events("unaccounted")), (0, 0));
}

fn small_rings() {
    let number = 300_000;
    let rig = Rig::new();
    let mut command = rig.command(&["-t", RENAME, "--ring-size", "64K", "--"]);
    command.arg(std::env::current_exe().unwrap()).args(["storm", &number.to_string(), "stopped"]);
    let recording = rig.run(command);
    let account = recording.account(RENAME);
    let field = |name: &str| account[name].as_u64().unwrap();
    assert_eq!(field("counted"), number + EXEC);
    assert!(field("lost") > 0, "a ring of 64 KiB loses events in a storm: {account}");
    assert_eq!(field("recorded") + field("lost"), field("counted"));
    assert_eq!(account["unaccounted"], 0);
    assert_eq!(recording.rows.len() as u64, field("recorded"));
    assert_eq!(recording.summary["ring_size"], 65536);
}

fn full_load() {
    let loads: Vec<_> = CpuList::online().unwrap().as_slice().iter().map(|cpu| Background::storm(*cpu)).collect();
    let rig = Rig::new();
    let recording = rig.run(rig.command(&["-t", RENAME, "-t", "irq:softirq_entry", "-d", "1s", "--ring-size", "32M"]));
    drop(loads);
    // The kernel withholds samples of some tasks, such as kernel threads, and one of them may rename itself
    // during the test. The storms, with hundreds of thousands of hits, are ordinary tasks.
    let unaccounted = recording.account(RENAME)["unaccounted"].as_i64().unwrap();
    assert!((0..20).contains(&unaccounted), "{}", recording.summary["unaccounted"]);
    assert_eq!(recording.events("lost"), 0);
    // Interrupts may hit tasks whose samples the kernel withholds. Then each such account is listed, and they
    // add up to the total.
    let listed = recording.summary["unaccounted"].as_array().unwrap();
    assert_eq!(
        listed.iter().map(|account| account["unaccounted"].as_i64().unwrap()).sum::<i64>(),
        recording.events("unaccounted")
    );
    for cpu in CpuList::online().unwrap().as_slice() {
        assert!(recording.on_cpu(*cpu, "recorded") > 1_000, "{}", recording.summary["per_cpu"]);
    }
}
