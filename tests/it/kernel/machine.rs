//! Limits of the machine, and how tp-perf handles them.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{RENAME, Recording, Rig, shown};
use clap::Parser;
use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::process::Command;
use tp_perf::capture::capture;
use tp_perf::cli::Cli;
use tp_perf::control::Signals;
use tp_perf::engine::raise_descriptor_limit;
use tp_perf::engine::{AttachRequest, CountRequest, Counting, Engine, Error, Kernel, Live, Sampling};
use tp_perf::os::clock::Clock;
use tp_perf::os::cpus::CpuList;
use tp_perf::spool::{Keeping, Spool};
use tp_perf::tracefs::{Table, Tpid, Tracefs, Tracepoint};

pub const TESTS: &[Test] = &[
    ("without_rights_the_error_names_the_fix", nothing_more, no_rights),
    ("too_few_descriptors_are_reported_before_anything_is_opened", nothing_more, too_few_descriptors),
    ("each_way_to_watch_names_the_descriptors_that_it_lacks", setpriv, lacking_descriptors),
    ("refused_rings_are_made_smaller_and_this_is_reported", setpriv, refused_rings),
    ("a_refused_tracepoint_is_left_out_and_the_capture_continues", nothing_more, refused_tracepoint),
    ("a_cpu_that_went_offline_is_left_out", nothing_more, offline_cpu),
    ("an_interrupt_stops_attaching", nothing_more, interrupt_while_attaching),
    ("hits_of_the_excluded_thread_are_not_recorded", nothing_more, excluded_thread),
    ("ticks_count_the_hits_of_their_windows", nothing_more, counting),
    ("a_ring_polls_readable_once_it_has_more_bytes_than_its_watermark", nothing_more, watermark),
    ("doctor_reports_that_a_capture_works_here", nothing_more, doctor),
    ("list_agrees_with_the_kernel", nothing_more, list),
];

fn setpriv() -> Result<(), String> {
    let there = Command::new("setpriv").arg("--version").output().is_ok_and(|output| output.status.success());
    if there { Ok(()) } else { Err("setpriv (package util-linux)".to_owned()) }
}

fn table() -> Table {
    Table::read(Tracefs::open().unwrap().root()).unwrap()
}

fn rename(table: &Table) -> &Tracepoint {
    table.tracepoints().iter().find(|tracepoint| tracepoint.full_name() == RENAME).unwrap()
}

fn request<'a>(tracepoints: Vec<&'a Tracepoint>, cpus: &str) -> AttachRequest<'a> {
    AttachRequest {
        tracepoints,
        cpus: cpus.parse().unwrap(),
        clock: Clock::Monotonic,
        ring_size: 1 << 20,
        wakeup_watermark: 1 << 19,
        exclude_thread: None,
        process: tp_perf::engine::ProcessFields::None,
        sampled_cpu: false,
        may_thin: false,
        one_in: None,
    }
}

fn no_rights() {
    let rig = Rig::new();
    let program = rig.path("tp-perf");
    std::fs::copy(env!("CARGO_BIN_EXE_tp-perf"), &program).unwrap();
    std::fs::set_permissions(rig.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(&program);
    command.current_dir("/tmp").args(["-n", "1", "-o", "/tmp/tp-perf-test-no-rights"]).uid(65534).gid(65534);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("tp-perf: needs root: sudo ") && error.contains("tp-perf report --example"), "{error}");
    assert!(!std::path::Path::new("/tmp/tp-perf-test-no-rights").exists(), "no files are left");
}

fn too_few_descriptors() {
    // Only without CAP_SYS_RESOURCE does the hard limit apply. Root has the capability, so without setpriv
    // this calls the library with impossible numbers.
    let error = raise_descriptor_limit(1 << 20, 1 << 10).unwrap_err();
    assert!(matches!(error, Error::TooFewDescriptors { .. }), "{error}");
    if setpriv().is_err() {
        return;
    }
    let rig = Rig::new();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 90; exec setpriv --bounding-set -sys_resource \"$@\"", "sh"]);
    command
        .arg(env!("CARGO_BIN_EXE_tp-perf"))
        .arg("-o")
        .arg(rig.path("rec"))
        .args(["-n", "1", "-t", "irq:*", "-t", "sched:*"]);
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(error.contains("90 are allowed") && error.contains("ulimit -n"), "{error}");
    assert!(!rig.path("rec").exists(), "no files are left");
}

fn lacking_descriptors() {
    let (folder, few) = (tempfile::tempdir().unwrap(), ["-t", "irq:*", "-t", "sched:*", "-d", "100ms"]);
    let ways: [&[&str]; 4] = [
        &["count", "-o", "counts"],
        &["count", "--budget", "1%"],
        &["learn", "x", "--library", "lib", "--window", "10ms"],
        &["-o", "rec"],
    ];
    for way in ways {
        let run = |limit: u64| {
            let mut command = Command::new("sh");
            let line =
                format!("ulimit -n {limit}; exec setpriv --bounding-set -sys_resource --inh-caps -sys_resource \"$@\"");
            command.args(["-c", &line, "sh", env!("CARGO_BIN_EXE_tp-perf")]).args(way).args(few);
            command.current_dir(folder.path()).output().unwrap()
        };
        let refused = |limit: u64| {
            let output = run(limit);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{way:?}: {}", shown(&output));
            assert!(error.contains(&format!("but only {limit} are allowed")), "{way:?}: {error}");
            assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "{way:?} left something");
            let fix = error.split("`ulimit -n ").nth(1).and_then(|rest| rest.split('`').next());
            fix.and_then(|number| number.parse::<u64>().ok()).unwrap_or_else(|| panic!("{way:?}: no fix in {error}"))
        };
        let needed = refused(90);
        assert_eq!(refused(needed - 1), needed, "{way:?}");
        // The fix works.
        let output = run(needed);
        assert_eq!(output.status.code(), Some(0), "{way:?}: {}", shown(&output));
        std::fs::read_dir(folder.path()).unwrap().flatten().for_each(|made| {
            let remove = if made.path().is_dir() { std::fs::remove_dir_all } else { std::fs::remove_file };
            remove(made.path()).unwrap();
        });
    }
}

fn refused_rings() {
    let rig = Rig::new();
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set", "-ipc_lock", env!("CARGO_BIN_EXE_tp-perf"), "-o"]).arg(rig.path("rec"));
    command.args(["-d", "10ms", "-t", RENAME, "--ring-size", "512M"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("refused rings of 512 MiB"), "{error}");
    let size = Recording::read(&rig.path("rec")).summary["ring_size"].as_u64().unwrap();
    assert!((64 << 10..512 << 20).contains(&size), "{size}");
}

fn refused_tracepoint() {
    let table = table();
    // No kernel has a tracepoint with this number.
    let unknown = Tracepoint { tracefs_id: 65_535, tpid: Tpid::new(1), ..rename(&table).clone() };
    let mut request = request(vec![&unknown, rename(&table)], "0");
    let attachment = Live.attach(&request, &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(attachment.attached().refused.len(), 1);
    assert_eq!(attachment.attached().refused[0].tpid, Tpid::new(1));
    assert_eq!(attachment.sample_ids().slots().len(), 1);
    request.tracepoints = vec![&unknown];
    let error = Live.attach(&request, &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, Error::AllRefused { .. }), "{error}");
}

fn offline_cpu() {
    let table = table();
    let cpu = CpuList::online().unwrap().as_slice()[0];
    let request = request(vec![rename(&table)], &format!("{cpu},4095"));
    let attachment = Live.attach(&request, &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!(
        (attachment.attached().cpus.to_string(), attachment.attached().offline.to_string()),
        (cpu.to_string(), "4095".to_owned())
    );
    let mut request = request.clone();
    request.cpus = "4095".parse().unwrap();
    assert!(matches!(Live.attach(&request, &mut |_, _| ControlFlow::Continue(())), Err(Error::NoCpu { .. })));
}

fn interrupt_while_attaching() {
    use std::io::Write;
    let rig = Rig::new();
    let (mut signals, mut senders) = Signals::pair().unwrap();
    senders.interrupt.write_all(&[0]).unwrap();
    let path = rig.path("rec");
    let words = ["tp-perf", "-o", path.to_str().unwrap(), "-t", RENAME];
    let request = Cli::parse_from(words).record.request().unwrap();
    let error = capture(&Live, &request.options, &mut None, &mut signals, &mut ()).unwrap_err();
    assert!(error.to_string().contains("interrupted before"), "{error}");
    assert!(!path.exists(), "no files are left");
}

fn excluded_thread() {
    let table = table();
    let number = 1_000;
    for (excluded, expected) in [(true, 0), (false, number)] {
        let mut request = request(vec![rename(&table)], &CpuList::online().unwrap().to_string());
        request.exclude_thread = excluded.then(|| nix::unistd::gettid().as_raw());
        let mut engine = Live.attach(&request, &mut |_, _| ControlFlow::Continue(())).unwrap();
        let rings = engine.attached().ring_size * engine.attached().cpus.len();
        let keeping = Keeping { memory: 0, rings, compress: false, frugal: false };
        let mut spool = Spool::new(&[], keeping, || Err(std::io::ErrorKind::StorageFull.into())).unwrap();
        engine.enable().unwrap();
        (0..number).for_each(|_| nix::sys::prctl::set_name(c"renamed").unwrap());
        engine.disable().unwrap();
        engine.round(&mut spool).unwrap();
        let counted: u64 = engine.counters().unwrap().iter().map(|counted| counted.count.value).sum();
        // Other processes may rename themselves at the same time, but not that often.
        assert!((expected..expected + number / 2).contains(&spool.samples()), "{} samples", spool.samples());
        assert_eq!(counted, spool.samples());
    }
}

/// A tick returns exactly the hits since the last tick, of many tracepoints in several groups.
fn counting() {
    let table = table();
    // These are more tracepoints than fit in one group, so a tick takes several reads.
    let tracepoints: Vec<&Tracepoint> =
        table.tracepoints().iter().filter(|tracepoint| tracepoint.group != "syscalls").take(300).collect();
    let tracepoints = [tracepoints, vec![rename(&table)]].concat();
    let request = CountRequest { tracepoints, cpus: CpuList::online().unwrap(), exclude_thread: None, may_move: false };
    let mut engine = Live.count(&request, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let renamed = |engine: &mut dyn Counting| {
        let tick = engine.tick().unwrap();
        assert!(tick.to > tick.from);
        tick.hit().filter(|(slot, _)| slot.tpid == rename(&table).tpid).map(|(_, hits)| hits).sum::<u64>()
    };
    let storm = |number: u64| (0..number).for_each(|_| nix::sys::prctl::set_name(c"renamed").unwrap());
    storm(1_000);
    assert_eq!(renamed(&mut engine), 0, "the events are off");
    engine.enable().unwrap();
    // Other processes may rename themselves at the same time, but not that often.
    for number in [1_000, 0, 20_000] {
        storm(number);
        let hits = renamed(&mut engine);
        assert!((number..number + 500).contains(&hits), "{hits} hits of {number}");
    }
    engine.disable().unwrap();
    storm(1_000);
    assert!(renamed(&mut engine) < 500, "the events are off again");
    // The counters agree with the sum of the ticks.
    let counted: u64 = engine
        .counters()
        .unwrap()
        .iter()
        .filter(|counted| counted.slot.tpid == rename(&table).tpid)
        .map(|counted| counted.count.value)
        .sum();
    assert!((21_000..22_000).contains(&counted), "{counted}");
    drop(engine);
    let own = Some(nix::unistd::gettid().as_raw());
    let request = CountRequest { tracepoints: vec![rename(&table)], exclude_thread: own, ..request };
    let mut engine = Live.count(&request, &mut |_, _| ControlFlow::Continue(())).unwrap();
    engine.enable().unwrap();
    storm(1_000);
    assert!(renamed(&mut engine) < 500, "this thread is excluded");
}

/// A ring polls readable once it has more bytes than its watermark. A capture of N events relies on this: it
/// does no round before a ring wakes it.
fn watermark() {
    let table = table();
    let (events, sample) = (500, 24);
    let mut request = request(vec![rename(&table)], "0");
    request.wakeup_watermark = events * sample - 1;
    let mut engine = Live.attach(&request, &mut |_, _| ControlFlow::Continue(())).unwrap();
    let myself = nix::unistd::Pid::from_raw(0);
    let before = nix::sched::sched_getaffinity(myself).unwrap();
    let mut first = nix::sched::CpuSet::new();
    first.set(0).unwrap();
    nix::sched::sched_setaffinity(myself, &first).unwrap();
    engine.enable().unwrap();
    (0..events).for_each(|_| nix::sys::prctl::set_name(c"renamed").unwrap());
    let ring = engine.wake_descriptors()[0];
    let mut polled = [nix::poll::PollFd::new(ring, nix::poll::PollFlags::POLLIN)];
    let ready = nix::poll::poll(&mut polled, nix::poll::PollTimeout::from(10_000_u16)).unwrap();
    nix::sched::sched_setaffinity(myself, &before).unwrap();
    assert_eq!(ready, 1, "{events} samples of {sample} bytes are more than the watermark of {}", events * sample - 1);
    engine.disable().unwrap();
}

fn doctor() {
    let output = Command::new(env!("CARGO_BIN_EXE_tp-perf")).arg("doctor").output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("A capture works here"), "{}", shown(&output));
    let output = Command::new(env!("CARGO_BIN_EXE_tp-perf")).args(["doctor", "--cpus", "4095"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("CPU 4095 is not online"), "{}", shown(&output));
}

fn list() {
    let list = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tp-perf")).arg("list").args(words).output().unwrap();
        assert!(output.status.success(), "{}", shown(&output));
        output.stdout
    };
    let json: serde_json::Value = serde_json::from_slice(&list(&["--format", "json"])).unwrap();
    let rows = json.as_array().unwrap();
    let csv_rows = csv::Reader::from_reader(list(&["--format", "csv"]).as_slice()).into_records().count();
    assert_eq!((rows.len(), csv_rows), (table().tracepoints().len(), table().tracepoints().len()));
    let tracefs = Tracefs::open().unwrap();
    for row in rows.iter().step_by(100) {
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        let id = tracefs.root().join("events").join(text("group")).join(text("name")).join("id");
        assert_eq!(std::fs::read_to_string(id).unwrap().trim(), row["tracefs_id"].to_string());
    }
    let excluded = rows.iter().filter(|row| row["group"] == "syscalls");
    assert!(
        excluded.clone().count() > 0
            && excluded.clone().all(|row| row["status"].as_str().unwrap().starts_with("excluded"))
    );
    let one = String::from_utf8(list(&["task_rename"])).unwrap();
    assert!(one.contains("task:task_rename") && one.contains("captured"), "{one}");
}
