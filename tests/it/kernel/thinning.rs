//! Recordings with a budget on this kernel: known numbers of hits while a tracepoint is recorded, thinned, and detached.

use crate::common::budget::stretches_of;
use crate::common::{Test, nothing_more};
use crate::fuzz::targets::assert_adds_up;
use crate::kernel::accounting::WEIGHTED;
use crate::kernel::rig::{Background, GETSID, RENAME, Rig, shown};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;
use tp_perf::engine::{AttachRequest, Chunks, Clock, Engine, Kernel, Live, Room, Sampling, SamplingEngine, unwatched};
use tp_perf::events::accounting::{Account, Accounting};
use tp_perf::events::stream::Decoded;
use tp_perf::events::{RungStep, Tpid};
use tp_perf::os::cpus::{Cpu, CpuList};
use tp_perf::perf_data::record;

pub const TESTS: &[Test] = &[
    ("the_kernel_takes_the_samples_that_the_model_expects", nothing_more, model),
    ("a_hot_tracepoint_is_counted_exactly_while_it_moves", nothing_more, hot),
    ("a_detached_tracepoint_keeps_its_account", nothing_more, detached),
    ("a_recording_with_a_budget_accounts_for_every_hit", nothing_more, recording),
    ("a_recording_within_its_budget_is_complete", nothing_more, within),
    ("a_counter_of_nanoseconds_does_not_thin_a_recording", nothing_more, weighted),
];

/// An engine with one tracepoint, switched on, and what came out of it.
struct Thinned {
    engine: SamplingEngine,
    tpid: Tpid,
    steps: Vec<RungStep>,
    samples: Samples,
}

/// Counts the samples of each sample id.
#[derive(Default)]
struct Samples {
    bytes: Vec<u8>,
    of: BTreeMap<u64, u64>,
}

impl Chunks for Samples {
    fn append(&mut self, _most: usize, take: &mut dyn FnMut(&mut dyn Room) -> io::Result<()>) -> io::Result<()> {
        self.bytes.clear();
        take(&mut self.bytes)?;
        let mut rest = self.bytes.as_slice();
        while let Some(record) = record::first(rest).unwrap() {
            match record.kind {
                perf_event_open_sys::bindings::PERF_RECORD_SAMPLE => {
                    *self.of.entry(record.word(8).unwrap()).or_default() += 1;
                }
                // A throttled event does not count.
                kind => assert_ne!(kind, perf_event_open_sys::bindings::PERF_RECORD_THROTTLE),
            }
            rest = &rest[record.bytes.len()..];
        }
        Ok(())
    }

    fn finish_round(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Thinned {
    fn new(name: &str) -> Self {
        let table = Live.table().unwrap();
        let tracepoint = table.tracepoints().iter().find(|it| it.full_name() == name).unwrap();
        let request = AttachRequest {
            tracepoints: vec![tracepoint],
            cpus: CpuList::online().unwrap(),
            clock: Clock::Monotonic,
            ring_size: 32 << 20,
            wakeup_watermark: 1 << 20,
            exclude_thread: None,
            process: tp_perf::engine::ProcessFields::None,
            sampled_cpu: false,
            may_thin: true,
            one_in: None,
        };
        let mut engine = Live.attach(&request, &mut unwatched).unwrap();
        engine.enable().unwrap();
        let steps = engine.record_all().unwrap();
        Thinned { engine, tpid: tracepoint.tpid, steps, samples: Samples::default() }
    }

    fn thin(&mut self, one_in: u64) {
        self.engine.thin(&[(self.tpid, one_in)], &mut self.steps).unwrap();
    }

    /// Closes the account of the tracepoint.
    fn account(mut self) -> Account {
        self.engine.disable().unwrap();
        self.engine.round(&mut self.samples).unwrap();
        let ids = self.engine.sample_ids();
        let samples = ids.ids().iter().zip(ids.slots());
        let samples = samples.map(|(id, slot)| (*slot, self.samples.of.get(&id.0).copied().unwrap_or(0)));
        let counted = self.engine.counters().unwrap();
        let decoded =
            Decoded { samples: samples.collect(), counted: Some(counted), steps: self.steps, ..Decoded::default() };
        Accounting::close(&decoded, &[]).total()
    }
}

fn storm(number: u64, cpu: Option<Cpu>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["storm", &number.to_string()]).args(cpu.map(|cpu| cpu.to_string())).arg("getsid");
    command
}

fn model() {
    let mut thinned = Thinned::new(GETSID);
    let mut all = 0;
    for one_in in [1, 17, 257, 17, 1, 257, 1, 17] {
        for cpu in CpuList::online().unwrap().as_slice() {
            assert!(storm(5_000, Some(*cpu)).status().unwrap().success());
            all += 5_000;
        }
        thinned.thin(one_in);
    }
    let account = thinned.account();
    assert_eq!((account.counted, account.lost, account.unaccounted()), (all, 0, 0), "{account:?}");
    assert!(account.thinned > all / 3 && account.recorded > all / 3, "{account:?}");
}

/// A change to a hot tracepoint must not make the kernel throttle it, because then it counts nothing for a while.
fn hot() {
    let number = 1_000_000;
    let mut thinned = Thinned::new(GETSID);
    let storms: Vec<_> = CpuList::online().unwrap().as_slice().iter().map(|cpu| storm(number, Some(*cpu))).collect();
    let expected = number * storms.len() as u64;
    let storms: Vec<_> = storms.into_iter().map(|mut storm| Background::start(&mut storm)).collect();
    for one_in in [17, 1, 257, 17, 1, 17, 1, 257].into_iter().cycle().take(40) {
        sleep(Duration::from_millis(5));
        thinned.thin(one_in);
        thinned.engine.round(&mut thinned.samples).unwrap();
    }
    storms.into_iter().for_each(|storm| assert!(storm.end().status.success()));
    let account = thinned.account();
    assert_eq!(account.counted, expected, "{account:?}");
    assert_eq!(account.unaccounted(), 0, "{account:?}");
    assert!(account.thinned > 0, "{account:?}");
}

fn detached() {
    let mut thinned = Thinned::new(GETSID);
    assert!(storm(700, None).status().unwrap().success());
    thinned.thin(17);
    assert!(storm(1_700, None).status().unwrap().success());
    thinned.thin(0);
    assert!(storm(900, None).status().unwrap().success());
    assert_eq!(thinned.engine.hits().unwrap().iter().sum::<u64>(), 2_400);
    let account = thinned.account();
    assert_eq!((account.counted, account.unaccounted()), (2_400, 0), "{account:?}");
    assert!((1_500..1_700).contains(&account.thinned), "{account:?}");
}

/// Any storm exceeds this budget. So the tracepoint is thinned, and perhaps detached later.
fn recording() {
    let (rig, number) = (Rig::new(), 3_000_000);
    let mut command = rig.command(&["-t", GETSID, "-t", RENAME, "--budget", "0.5%", "--"]);
    let output = command.arg(std::env::current_exe().unwrap()).args(["storm", &number.to_string(), "getsid"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let summary: Value = serde_json::from_slice(&std::fs::read(rig.path("rec/summary.json")).unwrap()).unwrap();
    assert_adds_up(&summary, "a recording with a budget");
    let all = summary["per_tracepoint"].as_array().unwrap();
    let account = all.iter().find(|account| account["name"] == GETSID).unwrap();
    let of = |field: &str| account[field].as_u64().unwrap_or_default();
    assert_eq!(of("counted"), of("recorded") + of("thinned") + of("lost"), "{account}");
    assert_eq!(account["unaccounted"], 0, "{account}");
    assert!(of("thinned") > 0, "{account}");
    let stretches = stretches_of(&summary);
    let of_it = |one_in: u64| stretches.iter().any(|(name, its)| name == GETSID && *its == one_in);
    assert!(of_it(17) || of_it(257), "{stretches:?}");
    match of_it(0) {
        true => assert!(of("counted") <= number, "{account}"),
        false => assert_eq!(of("counted"), number),
    }
    assert!(summary["budget"]["cost"]["over"].as_u64().unwrap() > 0);
    // The rows stand for all hits but those after the last samples, and those of lost samples.
    let hits = |place: &str| -> (u64, u64) {
        let mut log = csv::Reader::from_path(rig.path(place)).unwrap();
        assert_eq!(log.headers().unwrap(), vec!["timestamp", "tpid", "gid", "tracepoint name", "hits"]);
        let rows: Vec<(u64, u32, u32, String, u64)> = log.deserialize().map(Result::unwrap).collect();
        let of_it = rows.into_iter().filter(|row| row.3 == "sys_enter_getsid");
        of_it.fold((0, 0), |(rows, sum), row| (rows + 1, sum + row.4))
    };
    let (rows, sum) = hits("rec/log.csv");
    assert_eq!(rows, of("recorded"));
    let rest = 257 * (CpuList::online().unwrap().len() + stretches.len()) as u64;
    assert!(sum.abs_diff(of("counted")) <= rest + 257 * of("lost"), "{sum} {account} {stretches:?}");
    // A replay gives the same.
    let mut replay = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    let replay = replay.arg("replay").arg(rig.path("rec")).arg("-o").arg(rig.path("again")).output().unwrap();
    assert!(replay.status.success(), "{}", shown(&replay));
    assert_eq!(hits("again/log.csv"), (rows, sum));
    let again: Value = serde_json::from_slice(&std::fs::read(rig.path("again/summary.json")).unwrap()).unwrap();
    assert_eq!((&again["events"]["thinned"], &again["budget"]), (&summary["events"]["thinned"], &summary["budget"]));
}

fn within() {
    let rig = Rig::new();
    let mut command = rig.command(&["-t", GETSID, "--budget", "90%", "--"]);
    let output = command.arg(std::env::current_exe().unwrap()).args(["storm", "1000", "getsid"]).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let summary: Value = serde_json::from_slice(&std::fs::read(rig.path("rec/summary.json")).unwrap()).unwrap();
    let events = &summary["events"];
    assert_eq!((&events["recorded"], &events["counted"]), (&1_000.into(), &1_000.into()), "{events}");
    let stretches = stretches_of(&summary);
    assert!(stretches.iter().all(|(_, one_in)| *one_in == 2), "{stretches:?}");
}

/// The counters of `sched_stat_runtime` add up nanoseconds. If they counted as hits, they would exceed any budget.
fn weighted() {
    let rig = Rig::new();
    let mut command = rig.command(&["-t", WEIGHTED, "-t", GETSID, "--budget", "60%", "-d", "900ms", "--"]);
    let output = command.arg(std::env::current_exe().unwrap()).args(["storm", "20000", "getsid"]).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let summary: Value = serde_json::from_slice(&std::fs::read(rig.path("rec/summary.json")).unwrap()).unwrap();
    let of = |name: &str| {
        let mut all = summary["per_tracepoint"].as_array().unwrap().iter();
        let account = all.find(|account| account["name"] == name).unwrap();
        let field = |field: &str| account[field].as_u64().unwrap_or(0);
        assert_eq!(account["unaccounted"], 0, "{account}");
        (field("recorded") + field("lost"), field("thinned"), field("counted"))
    };
    assert_eq!(of(GETSID), (20_000, 0, 20_000));
    let (recorded, thinned, counted) = of(WEIGHTED);
    assert!(recorded > 0 && thinned == 0 && counted == recorded, "{recorded} {thinned} {counted}");
    let cost = &summary["budget"]["cost"];
    assert!(cost["part"].as_f64().unwrap() < 1.0 && cost["steps"] == 0, "{cost}");
    let stretches = stretches_of(&summary);
    assert!(stretches.iter().all(|(name, _)| name == GETSID), "{stretches:?}");
}
