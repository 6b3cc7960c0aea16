//! Runs the capture loop and checks its results with a simulated engine: machines of any size, and any
//! failure.

use crate::common::{Test, tests};
use crate::fuzz::targets::assert_adds_up;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use tp_perf::capture::{CaptureOptions, Captured, Error, RunTask, StopRules, SummaryRoom, Written, run};
use tp_perf::cli::{Cli, Command};
use tp_perf::command::{Context, record};
use tp_perf::control::{CommandLine, Launch, Progress, Signals, Streams};
use tp_perf::engine::simulated::{Script, Simulated, SimulatedEngine};
use tp_perf::engine::{Engine, descriptors_needed};
use tp_perf::events::{Counted, Cpu, Filter, Reading, SampleId, SampleIds, Slot, Tpid};
use tp_perf::os::clock::Clock;
use tp_perf::os::cpus::CpuList;
use tp_perf::perf_data::record::{push_lost, push_sample};
use tp_perf::perf_data::{Features, Head};
use tp_perf::recording::{Facts, RecordingDir, StopReason, Summary, Tool};
use tp_perf::source::Place;
use tp_perf::spool::{Keeping, Spool};
use tp_perf::state;
use tp_perf::tracefs::Table;

pub const TESTS: &[Test] = tests![
    events_n_gives_exactly_the_first_n_in_time_order_on_any_number_of_cpus,
    the_accounting_of_a_thousand_cpus_balances,
    losses_are_counted_beside_the_events,
    a_signal_while_capturing_stops_it_and_all_is_written,
    a_second_signal_cuts_the_log_short_but_leaves_whole_files,
    a_full_disk_stops_the_capture_and_what_was_taken_is_written,
    whichever_rule_holds_first_stops_the_capture,
    a_whole_record_needs_no_kernel,
    a_recording_with_a_budget_notes_what_it_thins,
    a_recording_that_command_deletes_is_a_failure,
    the_events_go_off_if_command_cannot_be_started,
    a_shortage_of_descriptors_leaves_no_recording,
];

type MakeFile = fn() -> io::Result<std::fs::File>;

const TRACEPOINTS: u32 = 3;

fn slot(cpu: u32, tpid: u32) -> Slot {
    Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) }
}

fn id(cpu: u32, tpid: u32) -> u64 {
    1_000 + u64::from(cpu * TRACEPOINTS + tpid)
}

/// A machine with `cpus` CPUs. Each round brings `per_round` events per CPU. The events of the CPUs are
/// interleaved in time, and some are out of order within a ring.
fn machine(cpus: u32, rounds: u64, per_round: u64) -> SimulatedEngine {
    let slots: Vec<_> = (0..cpus)
        .flat_map(|cpu| (1..=TRACEPOINTS).map(move |tpid| (SampleId(id(cpu, tpid)), slot(cpu, tpid))))
        .collect();
    let mut counts = vec![0; slots.len()];
    let mut made = VecDeque::new();
    for round in 0..rounds {
        let ring = |cpu: u32| {
            let mut ring = Vec::new();
            for n in 0..per_round {
                let swapped = if n % 10 == 4 {
                    n + 1
                } else if n % 10 == 5 {
                    n - 1
                } else {
                    n
                };
                let time = (round * per_round + swapped) * u64::from(cpus) + u64::from(cpu);
                push_sample(&mut ring, id(cpu, (n % 3) as u32 + 1), 1_000_000 + time);
            }
            ring
        };
        made.push_back((0..cpus).map(ring).collect());
    }
    for (index, (_, slot)) in slots.iter().enumerate() {
        let hits = (0..per_round).filter(|n| (n % 3) as u32 + 1 == slot.tpid.get()).count() as u64;
        counts[index] = hits * rounds;
    }
    let counted = slots.iter().zip(counts).map(|((_, slot), value)| Counted {
        slot: *slot,
        count: Reading { value, lost: 0 },
        lost_known: true,
        weighted: false,
    });
    let script = Script { counted: counted.collect(), rounds: made, ..Script::default() };
    SimulatedEngine::new(SampleIds::new(&slots), script)
}

fn table() -> Table {
    let entries = (1..=u64::from(TRACEPOINTS)).map(|n| ("group".to_owned(), format!("tracepoint_{n}"), n));
    Table::from_entries(entries.collect())
}

fn options(words: &[&str]) -> CaptureOptions {
    let words = ["tp-perf", "record"].iter().chain(words);
    match <Cli as clap::Parser>::try_parse_from(words).unwrap().command {
        Some(Command::Record(args)) => args.request().unwrap().options,
        _ => panic!("the arguments of a recording"),
    }
}

/// The header of `events.perf`.
fn head(engine: &SimulatedEngine, options: &CaptureOptions) -> Vec<u8> {
    let facts = Facts {
        schema: Facts::schema_with(None, false),
        tool: Tool { name: "tp-perf".to_owned(), version: "test".to_owned() },
        kernel: "none".to_owned(),
        hostname: "nowhere".to_owned(),
        cpus: engine.ids.slots().iter().filter_map(|slot| slot.cpu).collect::<CpuList>().as_slice().to_vec(),
        offline_cpus: Vec::new(),
        clock: Clock::Monotonic,
        clock_offset_ns: 0,
        command: None,
        arguments: Vec::new(),
        events: options.rules.events,
        started: String::new(),
        ring_size: 1 << 20,
        budget: None,
        only: None,
        last: None,
        attach_ns: 0,
        self_excluded: true,
        pid: 1,
        left_out: Default::default(),
    };
    Head {
        table: &table(),
        ids: &engine.ids,
        clock: Clock::Monotonic,
        lost_known: true,
        sampled_cpu: false,
        threads: None,
        features: &Features::default(),
        facts: &serde_json::to_string(&facts).unwrap(),
    }
    .encode()
}

struct Result {
    written: Written,
    stop_reason: StopReason,
    log: String,
}

/// Captures without showing progress.
fn capture(engine: SimulatedEngine, words: &[&str], signals: &mut Signals, make_file: MakeFile) -> Result {
    capture_watched(engine, &options(words), signals, make_file, &mut ())
}

fn capture_watched(
    mut engine: SimulatedEngine,
    options: &CaptureOptions,
    signals: &mut Signals,
    make_file: MakeFile,
    watcher: &mut dyn Progress,
) -> Result {
    let folder = tempfile::tempdir().unwrap();
    let directory = RecordingDir::create(&folder.path().join("rec"), false).unwrap();
    let keeping = Keeping { memory: 0, rings: 1 << 20, compress: options.compress, frugal: false };
    let mut spool = Spool::new(&head(&engine, options), keeping, make_file).unwrap();
    let run = run(
        &mut engine,
        RunTask { rules: &options.rules, command: None, chosen: None, steering: None },
        &mut None,
        &mut spool,
        signals,
        &mut (),
    )
    .unwrap();
    let stop_reason = run.stop_reason;
    let room = SummaryRoom::set_aside(&directory, engine.ids.slots().len()).unwrap();
    let ids = engine.ids.clone();
    let captured =
        Captured { run, spool, ids, unwatched: Vec::new(), command_exit: None, detach_expected: Duration::ZERO };
    let written = captured.write(options, &directory, room, signals, watcher).unwrap();
    let log = read(directory.path(), "log.csv");
    Result { written, stop_reason, log }
}

fn read(path: &Path, name: &str) -> String {
    std::fs::read_to_string(path.join(name)).unwrap()
}

fn simply(engine: SimulatedEngine, words: &[&str]) -> Result {
    let (mut signals, _senders) = Signals::pair().unwrap();
    capture(engine, words, &mut signals, tempfile::tempfile)
}

fn times(log: &str) -> Vec<u64> {
    log.lines().skip(1).map(|row| row.split(',').next().unwrap().parse().unwrap()).collect()
}

fn events_n_gives_exactly_the_first_n_in_time_order_on_any_number_of_cpus() {
    for cpus in [1, 2, 7, 1024] {
        for n in [1u64, 500, 2_000] {
            let result = simply(machine(cpus, 400, 20), &["-n", &n.to_string()]);
            let expected: Vec<u64> = (0..n).map(|time| 1_000_000 + time).collect();
            assert!(times(&result.log) == expected, "{cpus} CPUs, {n} events");
            assert_eq!(result.stop_reason, StopReason::Events);
            assert_eq!(result.written.summary.events.logged, n);
            assert_eq!(result.written.summary.events.late, 0);
        }
    }
}

fn the_accounting_of_a_thousand_cpus_balances() {
    let summary = simply(machine(1024, 5, 12), &["-d", "1ms"]).written.summary;
    // The number of rounds depends on the time that they take. Hits that stay in the rings are reported as
    // unaccounted.
    let events = summary.events;
    let (counted, unaccounted) = (events.counted.unwrap(), events.unaccounted.unwrap());
    assert_eq!(counted, 1024 * 12 * 5);
    assert!(events.recorded >= 1024 * 12 * 3 && events.recorded + unaccounted as u64 == counted);
    assert_eq!(summary.per_cpu.len(), 1024);
    assert_eq!(summary.unaccounted.len(), if unaccounted == 0 { 0 } else { 1024 * 3 });
    assert_eq!(summary.per_tracepoint.len(), 3);
}

fn losses_are_counted_beside_the_events() {
    let mut engine = machine(2, 3, 9);
    push_lost(&mut engine.script.rounds[1][0], id(0, 1), 5, 1_000_060);
    for counted in &mut engine.script.counted {
        if counted.slot == slot(0, 1) {
            counted.count = Reading { value: counted.count.value + 5, lost: 5 };
        }
    }
    let summary = simply(engine, &["-d", "1ms"]).written.summary;
    let events = summary.events;
    assert_eq!((events.recorded, events.lost, events.counted, events.unaccounted), (54, 5, Some(59), Some(0)));
    assert_eq!(summary.per_cpu[0].lost, 5);
    assert_eq!(summary.per_tracepoint[0].lost, Some(5));
}

fn a_signal_while_capturing_stops_it_and_all_is_written() {
    for (terminate, expected) in [(false, StopReason::Interrupt), (true, StopReason::Terminate)] {
        let (mut signals, senders) = Signals::pair().unwrap();
        let mut sender = if terminate { senders.terminate.try_clone() } else { senders.interrupt.try_clone() }.unwrap();
        let mut engine = machine(2, 5, 30);
        engine.script.at_round = Some(Box::new(move |round| {
            if round == 2 {
                sender.write_all(&[0]).unwrap();
            }
        }));
        let result = capture(engine, &[], &mut signals, tempfile::tempfile);
        assert_eq!(result.stop_reason, expected);
        assert_eq!(times(&result.log).len(), 5 * 60);
        assert!(result.written.summary.log_complete);
    }
}

fn a_second_signal_cuts_the_log_short_but_leaves_whole_files() {
    let (mut signals, senders) = Signals::pair().unwrap();
    let mut sender = senders.interrupt.try_clone().unwrap();
    let mut engine = machine(2, 40, 30);
    engine.script.at_round = Some(Box::new(move |round| {
        // The first signal stops the capture. The second comes during the last rounds, before anything is
        // written.
        if round == 2 || round == 4 {
            sender.write_all(&[0]).unwrap();
        }
    }));
    let mut writing = Writing { sender: senders.interrupt.try_clone().unwrap(), sent: false };
    let Result { written, log, .. } =
        capture_watched(engine, &options(&[]), &mut signals, tempfile::tempfile, &mut writing);
    assert!(!written.summary.log_complete);
    assert!(log.ends_with('\n') && times(&log).len() as u64 == written.summary.events.logged);
    assert_eq!(written.summary.events.recorded, 5 * 60, "the accounting includes all events that were taken");
}

/// Sends a signal as soon as writing begins.
struct Writing {
    sender: std::os::unix::net::UnixStream,
    sent: bool,
}

impl Progress for Writing {
    fn replaying(&mut self, _events: u64, _read: u64, _length: Option<u64>) {
        if !std::mem::replace(&mut self.sent, true) {
            self.sender.write_all(&[0]).unwrap();
        }
    }
}

fn a_full_disk_stops_the_capture_and_what_was_taken_is_written() {
    let full: MakeFile = || Err(io::ErrorKind::StorageFull.into());
    let (mut signals, _senders) = Signals::pair().unwrap();
    let mut engine = machine(2, 40, 10_000);
    engine.script.counted.clear();
    let result = capture(engine, &[], &mut signals, full);
    assert_eq!(result.stop_reason, StopReason::DiskFull);
    let summary = result.written.summary;
    assert_eq!((summary.stop_reason, summary.log_complete), (Some(StopReason::DiskFull), false));
    assert!(times(&result.log).len() > 100_000 && times(&result.log).is_sorted());
}

fn whichever_rule_holds_first_stops_the_capture() {
    let rules = |words: &[&str]| options(words).rules;
    assert_eq!(rules(&["-n", "5", "-d", "1s"]), StopRules { events: Some(5), duration: Some(Duration::from_secs(1)) });
    assert_eq!(simply(machine(2, 50, 10), &["-n", "5", "-d", "1h"]).stop_reason, StopReason::Events);
    assert_eq!(simply(machine(2, 50, 10), &["-n", "1000000", "-d", "1ms"]).stop_reason, StopReason::Duration);
}

/// A kernel with three tracepoints on four CPUs that refuses the second one. In each round, every opened
/// event has one sample.
fn kernel(rounds: u64) -> Simulated<impl Fn(&SampleIds) -> Script> {
    let script = move |ids: &SampleIds| {
        let mut script = Script::default();
        for round in 0..rounds {
            let ring = |cpu: u32| {
                let mut ring = Vec::new();
                let of_cpu = ids.slots().iter().zip(ids.ids()).filter(|(slot, _)| slot.cpu == Some(Cpu::new(cpu)));
                for (n, (slot, id)) in of_cpu.enumerate() {
                    assert_ne!(slot.tpid, Tpid::new(2), "it was refused");
                    push_sample(&mut ring, id.0, 1_000_000 + round * 1_000 + n as u64 * 10 + u64::from(cpu));
                }
                ring
            };
            script.rounds.push_back((0..4).map(ring).collect());
        }
        let counted = |slot: &Slot| {
            let count = Reading { value: rounds, lost: 0 };
            Counted { slot: *slot, count, lost_known: true, weighted: false }
        };
        script.counted = ids.slots().iter().map(counted).collect();
        script.windows = (1..4).map(|hits| vec![hits; ids.slots().len()]).collect();
        script
    };
    let refuses = vec![("group:tracepoint_2".to_owned(), "Invalid argument".to_owned())];
    Simulated { table: table(), cpus: "0-3".parse().unwrap(), refuses, descriptors: 1 << 20, script }
}

/// In the first quarter of a second, each tracepoint has more hits than any budget allows.
fn a_recording_with_a_budget_notes_what_it_thins() {
    let (folder, hits) = (tempfile::tempdir().unwrap(), 100_000_000);
    let simulated = kernel(3);
    let script = |ids: &SampleIds| Script {
        windows: [0, 0, 0, hits].map(|hits| vec![hits; ids.slots().len()]).into(),
        counted: ids
            .slots()
            .iter()
            .map(|slot| {
                let count = Reading { value: hits, lost: 0 };
                Counted { slot: *slot, count, lost_known: true, weighted: false }
            })
            .collect(),
        ..(simulated.script)(ids)
    };
    let kernel = Simulated {
        table: table(),
        cpus: "0-3".parse().unwrap(),
        refuses: simulated.refuses.clone(),
        descriptors: 1 << 20,
        script,
    };
    let rec = folder.path().join("rec");
    let words = ["tp-perf", "-d", "600ms", "--budget", "5%", "-o", rec.to_str().unwrap()];
    let cli = <Cli as clap::Parser>::try_parse_from(words).unwrap();
    let (signals, _senders) = Signals::pair().unwrap();
    let mut context = Context::of_test(signals);
    assert_eq!(record(&kernel, cli.record, &mut context).unwrap(), 0);
    let summary = read(&rec, "summary.json");
    assert_adds_up(&serde_json::from_str(&summary).unwrap(), "a recording with a budget");
    let summary: Summary = serde_json::from_str(&summary).unwrap();
    let budget = summary.budget.unwrap();
    let thinned: Vec<_> = budget.stretches.iter().map(|stretch| (stretch.tpid.get(), stretch.one_in)).collect();
    assert_eq!(thinned, [(1, 257), (3, 257)]);
    let cost = budget.cost.unwrap();
    assert!(cost.steps == 2 && cost.over >= 1 && cost.most > 1.0 && !cost.hit.measured, "{cost:?}");
    let log = read(&rec, "log.csv");
    assert!(
        log.starts_with("timestamp,tpid,gid,tracepoint name,hits\n") && log.ends_with(",tracepoint_3,1\n"),
        "{log}"
    );
    // Its events do not show how often the tracepoints were hit.
    let learned = state::read(&Place::Path(rec), &Filter::default(), None, &mut Signals::pair().unwrap().0, &mut ());
    let refused = learned.unwrap_err().to_string();
    assert!(refused.contains("2 tracepoints were thinned or detached"), "{refused}");
    let printed = String::from_utf8_lossy(context.out.kept()).into_owned();
    assert!(printed.contains("the budget was not kept") && printed.contains("by the costs of"), "{printed}");
    assert!(printed.contains("2 tracepoints, from "), "{printed}");
}

fn a_recording_that_command_deletes_is_a_failure() {
    for (end, code) in [("true", 0), ("rm -r \"$0\"", 1), ("rm -r \"$0\"; exit 7", 7)] {
        let folder = tempfile::tempdir().unwrap();
        let rec = folder.path().join("rec");
        let rec = rec.to_str().unwrap();
        let wait = format!("while [ ! -e \"$0/summary.json\" ]; do sleep 0.01; done; {end}");
        let words = ["tp-perf", "-n", "80", "-o", rec, "--", "sh", "-c", &wait, rec];
        let cli = <Cli as clap::Parser>::try_parse_from(words).unwrap();
        let (signals, mut senders) = Signals::pair().unwrap();
        let mut context = Context::of_test(signals);
        // The test has no handler of SIGCHLD.
        let chld = std::thread::spawn(move || {
            while senders.child.write_all(&[0]).is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        assert_eq!(record(&kernel(10), cli.record, &mut context).unwrap(), code, "{end}");
        drop(context);
        chld.join().unwrap();
    }
}

fn a_whole_record_needs_no_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let rec = folder.path().join("rec");
    let words = ["tp-perf", "-n", "80", "-o", rec.to_str().unwrap()];
    let cli = <Cli as clap::Parser>::try_parse_from(words).unwrap();
    let (signals, _senders) = Signals::pair().unwrap();
    let mut context = Context::of_test(signals);
    assert_eq!(record(&kernel(10), cli.record, &mut context).unwrap(), 0);

    let log = read(&rec, "log.csv");
    assert!(times(&log).len() == 80 && times(&log).is_sorted(), "{log}");
    assert!(log.ends_with(",1,1,tracepoint_1\n") || log.ends_with(",3,1,tracepoint_3\n"), "{log}");
    assert!(read(&rec, "tracepoints.csv").contains("2,1,tracepoint_2,group,2,refused: Invalid argument"));
    let summary: Summary = serde_json::from_str(&read(&rec, "summary.json")).unwrap();
    assert_eq!((summary.stop_reason, summary.log_complete), (Some(StopReason::Events), true));
    assert_eq!((summary.events.recorded, summary.events.counted, summary.events.unaccounted), (80, Some(80), Some(0)));
    assert_eq!((summary.tracepoints.captured, summary.tracepoints.refused), (2, 1));
    assert_eq!(summary.offline_cpus, [], "its CPUs differ from those of this machine");
    // The output for the user.
    let printed = String::from_utf8_lossy(context.out.kept()).into_owned();
    assert!(
        printed.contains("80 counted = 80 recorded + 0 lost") && printed.contains("group:tracepoint_3"),
        "{printed}"
    );

    // A second capture into the same directory is refused, and the first stays intact.
    let cli = <Cli as clap::Parser>::try_parse_from(words).unwrap();
    let error = record(&kernel(10), cli.record, &mut context).unwrap_err();
    assert!(error.to_string().contains("already contains a recording"), "{error}");
    assert_eq!(read(&rec, "log.csv"), log);
}

fn the_events_go_off_if_command_cannot_be_started() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::fs::copy("/bin/true", &program).unwrap();
    let line = CommandLine::find(vec![program.clone().into()]).unwrap();
    std::fs::remove_file(program).unwrap();
    let launch = Launch { line: &line, nofile_limit: (1024, 1024), streams: Streams::Own, is_last: false };

    let mut engine = machine(2, 1, 10);
    let keeping = Keeping { memory: 0, rings: 1 << 20, compress: false, frugal: false };
    let mut spool = Spool::new(&head(&engine, &options(&[])), keeping, tempfile::tempfile).unwrap();
    let (mut signals, _senders) = Signals::pair().unwrap();
    let rules = StopRules::default();
    let task = RunTask { rules: &rules, command: Some(launch), chosen: None, steering: None };
    let failed = run(&mut engine, task, &mut None, &mut spool, &mut signals, &mut ());
    assert!(matches!(failed, Err(Error::Command(_))), "{failed:?}");
    // This panics if the events are on.
    engine.counters().unwrap();
}

fn a_shortage_of_descriptors_leaves_no_recording() {
    let folder = tempfile::tempdir().unwrap();
    let rec = folder.path().join("rec");
    let needed = descriptors_needed(TRACEPOINTS as usize, 4);
    for (descriptors, is_enough) in [(needed - 1, false), (needed, true)] {
        let words = ["tp-perf", "-n", "80", "-o", rec.to_str().unwrap()];
        let cli = <Cli as clap::Parser>::try_parse_from(words).unwrap();
        let mut context = Context::of_test(Signals::pair().unwrap().0);
        let result = record(&Simulated { descriptors, ..kernel(10) }, cli.record, &mut context);
        let said = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!((said.contains(&format!("needs {needed} file descriptors")), rec.exists()), (!is_enough, is_enough));
    }
}
