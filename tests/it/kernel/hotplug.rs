//! CPUs that go offline and come back during a capture. The tests take the last CPU offline for real.

use crate::common::Test;
use crate::kernel::rig::{Background, RENAME, Recording, Rig, shown};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::process::{Command, Output};
use tp_perf::os::cpus::{Cpu, CpuList};

pub const TESTS: &[Test] = &[
    ("a_cpu_that_returns_is_reported_as_unwatched", second_cpu, returns),
    ("a_cpu_that_comes_online_later_is_reported_as_unwatched", second_cpu, comes_later),
    ("a_cpu_that_stays_offline_has_no_hits_to_miss", second_cpu, stays_away),
    ("a_count_reports_a_cpu_that_returns", second_cpu, counted),
    ("a_tick_counts_what_a_cpu_had_before_it_went_offline", second_cpu, counted_until_then),
];

/// The last CPU, which is online again when this is dropped.
pub struct LastCpu(pub Cpu);

impl LastCpu {
    pub fn new() -> Self {
        LastCpu(*CpuList::online().unwrap().as_slice().last().unwrap())
    }

    fn file(&self) -> String {
        format!("/sys/devices/system/cpu/cpu{}/online", self.0)
    }

    pub fn set(&self, online: bool) {
        fs::write(self.file(), if online { "1" } else { "0" }).unwrap();
    }

    /// Hits the tracepoint of getsid(2) there.
    pub fn storm_of_getsid(&self, hits: u64) {
        let mut storm = Command::new(std::env::current_exe().unwrap());
        storm.args(["storm", &hits.to_string(), &self.0.to_string(), "getsid"]);
        assert!(storm.status().unwrap().success());
    }

    fn storm(&self, hits: u64) {
        let storm = Command::new(std::env::current_exe().unwrap())
            .args(["storm", &hits.to_string(), &self.0.to_string()])
            .status();
        assert!(storm.unwrap().success());
    }
}

impl Drop for LastCpu {
    fn drop(&mut self) {
        let _ = fs::write(self.file(), "1");
    }
}

pub fn second_cpu() -> Result<(), String> {
    let cpu = LastCpu::new();
    // Writing what is there changes nothing, and shows whether it is allowed.
    match CpuList::online().unwrap().len() > 1 && fs::write(cpu.file(), "1").is_ok() {
        true => Ok(()),
        false => Err("a second CPU that can go offline".to_owned()),
    }
}

/// Captures while `happens` happens, then stops the capture.
fn capture(rig: &Rig, happens: impl FnOnce()) -> (Output, Recording) {
    let child = Background::start(&mut rig.command(&["-t", RENAME]));
    child.wait_until_it_polls();
    happens();
    child.signal(Signal::SIGINT);
    let output = child.end();
    let recording = Recording::read(&rig.path("rec"));
    (output, recording)
}

fn unwatched(recording: &Recording) -> Vec<(u64, bool)> {
    let stretches = recording.summary["unwatched"].as_array().unwrap();
    let time = |stretch: &Value, field: &str| stretch[field].as_u64().unwrap();
    stretches.iter().for_each(|stretch| assert!(time(stretch, "from_ns") <= time(stretch, "to_ns"), "{stretch}"));
    stretches.iter().map(|it| (it["cpu"].as_u64().unwrap(), it["was_online"].as_bool().unwrap())).collect()
}

/// The text without its line breaks, which depend on its width.
fn one_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn returns() {
    let (rig, cpu) = (Rig::new(), LastCpu::new());
    let (output, recording) = capture(&rig, || {
        cpu.storm(100);
        cpu.set(false);
        cpu.set(true);
        cpu.storm(50);
    });
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert_eq!(unwatched(&recording), [(cpu.0.get().into(), true)]);
    let (stdout, stderr) = (one_line(&output.stdout), one_line(&output.stderr));
    assert!(stdout.contains(&format!("CPU {} from ", cpu.0)) && stdout.contains("hits on it are missing"), "{stdout}");
    assert!(stderr.contains(&format!("watched CPU {} for a part of the time only", cpu.0)), "{stderr}");
    // The hits before are all there, and those after are not.
    assert!((100..150).contains(&recording.on_cpu(cpu.0, "counted")), "{:?}", recording.summary["per_cpu"]);
    assert_eq!(recording.on_cpu(cpu.0, "unaccounted"), 0);
    // A replay reports it too.
    let replay = Command::new(env!("CARGO_BIN_EXE_tp-perf")).arg("replay").arg(rig.path("rec")).output().unwrap();
    assert_eq!(replay.status.code(), Some(1), "{}", shown(&replay));
}

fn comes_later() {
    let (rig, cpu) = (Rig::new(), LastCpu::new());
    cpu.set(false);
    let (output, recording) = capture(&rig, || {
        cpu.set(true);
        cpu.storm(50);
    });
    assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
    assert_eq!(unwatched(&recording), [(cpu.0.get().into(), true)]);
    let stdout = one_line(&output.stdout);
    assert!(stdout.contains("it came online after tp-perf had attached"), "{stdout}");
}

fn stays_away() {
    let (rig, cpu) = (Rig::new(), LastCpu::new());
    let (output, recording) = capture(&rig, || cpu.set(false));
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    assert_eq!(unwatched(&recording), [(cpu.0.get().into(), false)]);
    assert_eq!(recording.summary["offline_cpus"], serde_json::json!([cpu.0.get()]));
}

fn counted() {
    for budget in ["none", "50%"] {
        let cpu = LastCpu::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(["count", "-q", "--format", "json", "-t", RENAME, "--budget", budget]);
        let child = Background::start(&mut command);
        child.wait_until_it_polls();
        cpu.storm(100);
        cpu.set(false);
        cpu.set(true);
        cpu.storm(50);
        child.signal(Signal::SIGINT);
        let output = child.end();
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let unwatched = &summary["unwatched"][0];
        assert_eq!((&unwatched["cpu"], &unwatched["was_online"]), (&cpu.0.get().into(), &true.into()));
        let of_cpu = summary["per_cpu"].as_array().unwrap().iter().find(|it| it["cpu"] == cpu.0.get()).unwrap();
        assert!((100..150).contains(&of_cpu["hits"].as_u64().unwrap()), "{of_cpu}");
        let stderr = one_line(&output.stderr);
        assert!(stderr.contains(&format!("watched CPU {} for a part of the time only", cpu.0)), "{stderr}");
    }
}

fn counted_until_then() {
    use tp_perf::engine::{CountRequest, Counting, Engine, Kernel, Live, unwatched};
    let cpu = LastCpu::new();
    let table = Live.table().unwrap();
    let rename = table.tracepoints().iter().find(|tracepoint| tracepoint.full_name() == RENAME).unwrap();
    let cpus = CpuList::online().unwrap();
    let request = CountRequest { tracepoints: vec![rename], cpus, exclude_thread: None, may_move: false };
    let mut engine = Live.count(&request, &mut unwatched).unwrap();
    engine.enable().unwrap();
    cpu.storm(100);
    cpu.set(false);
    let hits = engine.tick().unwrap().total();
    assert!((100..150).contains(&hits), "{hits}");
    cpu.set(true);
    engine.tick().unwrap();
    let time_on = engine.time_on().unwrap();
    let longest = time_on.iter().map(|(_, time)| *time).max().unwrap();
    let of_cpu = time_on.iter().find(|(other, _)| *other == cpu.0).unwrap().1;
    assert!(of_cpu < longest, "{time_on:?}");
}
