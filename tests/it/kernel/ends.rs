//! Detaching, however a capture ends.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, RENAME, Recording, Rig, eventually, pids_of, shown};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;
use tp_perf::os::cpus::CpuList;

pub const TESTS: &[Test] = &[
    ("the_child_that_detaches_holds_only_the_events", nothing_more, child_holds),
    ("a_killed_capture_is_detached", nothing_more, killed),
    ("wait_detach_leaves_no_child", nothing_more, wait_detach),
    ("tracefs_is_as_it_was_before", nothing_more, tracefs_untouched),
];

const GUARDIAN: &str = "tp-perf-detach";

fn no_guardian() {
    eventually("no detach is under way", || pids_of(GUARDIAN).is_empty());
}

fn child_holds() {
    no_guardian();
    let rig = Rig::new();
    // A descriptor that tp-perf inherits from its parent, with a higher number than all of its own.
    let inherited = fcntl(std::io::stdin(), FcntlArg::F_DUPFD(500)).unwrap();
    let child = Background::start(&mut rig.command(&["-q", "-t", RENAME]));
    nix::unistd::close(inherited).unwrap();
    eventually("the child runs", || !pids_of(GUARDIAN).is_empty());
    let pid = pids_of(GUARDIAN)[0];
    let mut links: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap().to_string_lossy().into_owned())
        .map(|link| link.split(':').next().unwrap().to_owned() + if link.contains("perf_event") { " perf" } else { "" })
        .collect();
    links.sort();
    let cpus = CpuList::online().unwrap().len();
    let expected = [vec!["/dev/null"; 3], vec!["anon_inode perf"; 2 * cpus], vec!["pipe"; 2]].concat();
    assert_eq!(links, expected);
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    assert!(!maps.contains("perf_event"), "{maps}");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    assert_eq!(
        (fields[3], fields[4]),
        (pid.to_string().as_str(), "0"),
        "the child has its own session and no terminal"
    );
    assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap().to_string_lossy(), "/");
    child.signal(Signal::SIGINT);
    child.end();
    no_guardian();
}

fn killed() {
    no_guardian();
    let rig = Rig::new();
    let child = Background::start(&mut rig.command(&["-q", "-t", RENAME]));
    eventually("the child runs", || !pids_of(GUARDIAN).is_empty());
    drop(child);
    no_guardian();
    let names =
        std::fs::read_dir(rig.path("rec")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let (hidden, named): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with('.'));
    assert!(named.is_empty(), "a file has its final name: {named:?}; hidden {hidden:?}");
    let output = rig.command(&["-q", "-t", RENAME, "-n", "1", "--", "true"]).output().unwrap();
    assert!(output.status.success(), "the leftovers of a killed capture are in the way: {}", shown(&output));
    assert_eq!(std::fs::read_dir(rig.path("rec")).unwrap().count(), 5);
}

fn wait_detach() {
    no_guardian();
    let rig = Rig::new();
    let output = rig.command(&["--wait-detach", "-n", "1", "-t", RENAME, "--", "true"]).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    assert!(pids_of(GUARDIAN).is_empty());
    let summary = Recording::read(&rig.path("rec")).summary;
    assert!(summary["timing_ns"]["detach"].as_u64().unwrap() > 0);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("in the background"), "{}", shown(&output));
}

fn tracefs_untouched() {
    let mounts = || std::fs::read_to_string("/proc/self/mounts").unwrap();
    let before = mounts();
    let rig = Rig::new();
    rig.run(rig.command(&["-t", RENAME, "-d", "10ms"]));
    assert_eq!(mounts(), before);
}
