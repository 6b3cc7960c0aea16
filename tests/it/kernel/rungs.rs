//! Rungs of a counting engine on this kernel: known hits while a tracepoint is counted, visited, and detached.

use crate::common::{Test, nothing_more};
use crate::kernel::rig::{Background, GETSID, RENAME, eventually, pids_of};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;
use tp_perf::engine::{CountRequest, Counting, CountingEngine, Engine, Kernel, Live, unwatched};
use tp_perf::events::{Rung, Tpid};
use tp_perf::os::cpus::{Cpu, CpuList};
use tp_perf::tracefs::Table;

pub const TESTS: &[Test] = &[
    ("counts_are_exact_on_each_rung_that_counts", nothing_more, exact),
    ("visits_estimate_a_steady_rate", nothing_more, visits),
    ("a_detached_tracepoint_can_return", nothing_more, returns),
    ("other_tracepoints_keep_their_exact_counts_meanwhile", nothing_more, others),
];

/// An engine with these tracepoints, switched on.
fn engine(names: &[&str]) -> (CountingEngine, Vec<Tpid>) {
    let table: Table = Live.table().unwrap();
    let find = |name: &&str| table.tracepoints().iter().find(|it| it.full_name() == **name).unwrap();
    let mut tracepoints: Vec<_> = names.iter().map(find).collect();
    let tpids = tracepoints.iter().map(|tracepoint| tracepoint.tpid).collect();
    tracepoints.sort_by_key(|tracepoint| tracepoint.tpid);
    let request = CountRequest { tracepoints, cpus: CpuList::online().unwrap(), exclude_thread: None, may_move: false };
    let mut engine = Live.count(&request, &mut unwatched).unwrap();
    engine.enable().unwrap();
    (engine, tpids)
}

fn storm(number: u64, cpu: Option<Cpu>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["storm", &number.to_string()]).args(cpu.map(|cpu| cpu.to_string())).arg("getsid");
    assert!(command.status().unwrap().success());
}

/// The hits of a tracepoint in the window that ends now.
fn hits(engine: &mut CountingEngine, tpid: Tpid) -> u64 {
    let tick = engine.tick().unwrap();
    tick.hit().filter(|(slot, _)| slot.tpid == tpid).map(|(_, hits)| hits).sum()
}

/// A rare tracepoint, which leads the small groups.
const QUIET: &str = "syscalls:sys_enter_acct";

fn exact() {
    let (mut engine, tpids) = engine(&[GETSID, QUIET]);
    let getsid = tpids[0];
    storm(1_000, None);
    assert_eq!(hits(&mut engine, getsid), 1_000);
    engine.set_rung(getsid, Rung::Visited).unwrap();
    storm(500, None);
    assert_eq!(hits(&mut engine, getsid), 0, "nobody visits");
    engine.begin_visit().unwrap();
    storm(300, None);
    engine.end_visit().unwrap();
    storm(20, None);
    assert_eq!(hits(&mut engine, getsid), 300, "those of the visit");
    engine.set_rung(getsid, Rung::Counted).unwrap();
    storm(70, None);
    assert_eq!((engine.rung(getsid), hits(&mut engine, getsid)), (Rung::Counted, 70));
    // Twice more, so the events of both small groups were opened and closed.
    engine.set_rung(getsid, Rung::Visited).unwrap();
    engine.set_rung(getsid, Rung::Counted).unwrap();
    // A window in which it returned was not watched from its start on, so its hits are an estimate.
    let tick = engine.tick().unwrap();
    let [partly] = tick.partly else { panic!("{:?}", tick.partly) };
    assert!(partly.rung == Rung::Counted && partly.watched < 1.0 && partly.estimated.is_some(), "{partly:?}");
    for cpu in CpuList::online().unwrap().as_slice() {
        storm(9, Some(*cpu));
        let tick = engine.tick().unwrap();
        let on: Vec<_> = tick.hit().map(|(slot, hits)| (slot.tpid, slot.cpu, hits)).collect();
        assert_eq!(on, [(getsid, Some(*cpu), 9)]);
        assert!(tick.partly.is_empty());
    }
    engine.disable().unwrap();
    storm(5, None);
    assert_eq!(hits(&mut engine, getsid), 0, "all are off");
    engine.enable().unwrap();
    storm(6, None);
    assert_eq!(hits(&mut engine, getsid), 6, "all are on again");
}

fn visits() {
    let (mut engine, tpids) = engine(&[RENAME, QUIET]);
    let _storms: Vec<_> = CpuList::online().unwrap().as_slice().iter().map(|cpu| Background::storm(*cpu)).collect();
    eventually("the storms have begun", || pids_of("storm").len() >= CpuList::online().unwrap().len());
    engine.tick().unwrap();
    engine.set_rung(tpids[0], Rung::Visited).unwrap();
    // A second engine counts the same hits exactly.
    let (mut truth, _) = self::engine(&[RENAME]);
    truth.tick().unwrap();
    engine.tick().unwrap();
    for _ in 0..20 {
        sleep(Duration::from_millis(18));
        engine.begin_visit().unwrap();
        sleep(Duration::from_millis(2));
        engine.end_visit().unwrap();
    }
    let seen = hits(&mut truth, tpids[0]);
    let tick = engine.tick().unwrap();
    let [partly] = tick.partly else { panic!("{:?}", tick.partly) };
    assert_eq!((partly.tpid, partly.rung), (tpids[0], Rung::Visited));
    let estimated = partly.estimated.unwrap();
    let counted = tick.total();
    eprintln!("{seen} hits, estimated {:.0} in {:?} from {counted}", estimated.hits, estimated.interval());
    assert!((0.01..0.9).contains(&partly.watched) && counted < seen, "{partly:?}");
    // Only a wrong scale would be this far off, whatever the machine does meanwhile.
    assert!((0.3..3.0).contains(&(estimated.hits / seen as f64)), "{estimated:?} instead of {seen}");
}

fn returns() {
    let (mut engine, tpids) = engine(&[GETSID, QUIET]);
    let getsid = tpids[0];
    engine.set_rung(getsid, Rung::Detached).unwrap();
    storm(100, None);
    let tick = engine.tick().unwrap();
    assert!(tick.total() == 0 && tick.partly.len() == 1 && tick.partly[0].estimated.is_none());
    engine.set_rung(getsid, Rung::Visited).unwrap();
    engine.begin_visit().unwrap();
    storm(30, None);
    engine.end_visit().unwrap();
    assert_eq!(hits(&mut engine, getsid), 30);
    engine.set_rung(getsid, Rung::Counted).unwrap();
    storm(40, None);
    assert_eq!(hits(&mut engine, getsid), 40);
    engine.set_rung(getsid, Rung::Detached).unwrap();
    assert_eq!(hits(&mut engine, getsid), 0);
}

fn others() {
    let (mut engine, tpids) = engine(&[RENAME, GETSID, QUIET]);
    let mut all = 0;
    for rung in [Rung::Visited, Rung::Counted, Rung::Visited, Rung::Detached, Rung::Visited, Rung::Counted] {
        let load =
            Background::start(Command::new(std::env::current_exe().unwrap()).args(["storm", "200000", "getsid"]));
        engine.set_rung(tpids[0], rung).unwrap();
        engine.begin_visit().unwrap();
        engine.end_visit().unwrap();
        assert!(load.end().status.success());
        all += hits(&mut engine, tpids[1]);
    }
    assert_eq!(all, 6 * 200_000);
}
