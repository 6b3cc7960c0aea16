use super::*;
use crate::capture::Choice;
use crate::engine::ProcessFields;
use crate::engine::simulated::{Script, SimulatedEngine};
use crate::events::threads::testing::tid;
use crate::events::{Cpu, NamePattern, SampleIds, Slot, ThreadFact, Tpid};
use crate::os::cgroups::RunningCgroup;
use crate::os::process::end_of_process;
use crate::os::running_threads::RunningThread;
use crate::perf::Room;
use crate::perf_data::push_record;
use std::collections::VecDeque;

const TASK: u32 = 2;
const IRQ: u32 = 1;

/// A record, and its time.
type Timed = (u64, Vec<u8>);

fn record(kind: u32, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    push_record(&mut out, kind, parts);
    out
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn sample(time: u64, id: u64, [process, tid]: [u32; 2]) -> Vec<u8> {
    record(abi::PERF_RECORD_SAMPLE, &[&id.to_ne_bytes(), &words(&[process, tid]), &time.to_ne_bytes()])
}

/// At the end of each record about threads: pid, tid, time, and the sample id.
fn trailer(time: u64) -> Vec<u8> {
    [0, time, 0].iter().flat_map(|word: &u64| word.to_ne_bytes()).collect()
}

fn fork(time: u64, numbers: [u32; 4]) -> Vec<u8> {
    record(abi::PERF_RECORD_FORK, &[&words(&numbers), &time.to_ne_bytes(), &trailer(time)])
}

fn comm(time: u64, numbers: [u32; 2], name: &[u8; 8]) -> Vec<u8> {
    record(abi::PERF_RECORD_COMM, &[&words(&numbers), name, &trailer(time)])
}

/// Collects the samples: times and threads.
#[derive(Default)]
struct Collected(Vec<(u64, u32)>);

impl Chunks for Collected {
    fn append(&mut self, _most: usize, take: &mut dyn FnMut(&mut dyn Room) -> io::Result<()>) -> io::Result<()> {
        let mut bytes = Vec::new();
        take(&mut bytes)?;
        let mut rest = bytes.as_slice();
        while let Some(record) = next_record(&mut rest)? {
            if record.kind == abi::PERF_RECORD_SAMPLE {
                self.0.push((record.word(24).unwrap(), tid_of(record.word(16).unwrap())));
            }
        }
        Ok(())
    }

    fn finish_round(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn table() -> Table {
    let entry = |group: &str, name: &str, id| (group.to_owned(), name.to_owned(), id);
    Table::from_entries(vec![entry("task", "task_rename", 11), entry("irq", "irq_handler_entry", 12)])
}

/// An engine with two CPUs, whose rounds have these bytes: the samples of each CPU, and then the threads of each.
fn engine(rounds: VecDeque<Vec<Vec<u8>>>) -> SimulatedEngine {
    let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
    let slots = [slot(TASK, 0), slot(TASK, 1), slot(IRQ, 0), slot(IRQ, 1)];
    let pairs: Vec<_> = (1..).map(SampleId).zip(slots).collect();
    let mut engine = SimulatedEngine::new(SampleIds::new(&pairs), Script { rounds, ..Script::default() });
    engine.attached.cpus = [0, 1].map(Cpu::new).into_iter().collect();
    engine.attached.thread_ids = [(90, 0), (91, 1)].map(|(id, cpu)| (SampleId(id), Cpu::new(cpu))).to_vec();
    engine
}

fn chosen(only: &OnlyProcesses, engine: &SimulatedEngine, running: &[RunningThread]) -> ChosenRounds {
    with_ends(only, Vec::new(), engine, running).unwrap()
}

fn with_ends(
    only: &OnlyProcesses,
    ends: Vec<(u32, ProcessEnd)>,
    engine: &SimulatedEngine,
    running: &[RunningThread],
) -> Result<ChosenRounds, Error> {
    let attach = attach();
    let at_start = AtStart { threads: running.to_vec(), cgroups: Vec::new() };
    ChosenRounds::of(only, ends, engine, &attach, &table(), &at_start, &mut ())
}

fn attach() -> AttachOptions {
    AttachOptions {
        choice: Choice::default(),
        clock: Clock::Monotonic,
        ring_size: 0,
        process: ProcessFields::Thread,
        sampled_cpu: false,
        budget: None,
    }
}

fn running(pid: u32, parent: u32, name: &str) -> RunningThread {
    RunningThread { pid, tid: pid, parent, name: name.to_owned() }
}

fn of_pid(pid: u32) -> OnlyProcesses {
    OnlyProcesses {
        processes: ProcessFilter { pids: vec![tid(pid)], names: Vec::new(), cgroups: Vec::new() },
        command: false,
    }
}

#[test]
fn a_child_is_chosen_although_its_parent_started_on_another_cpu() {
    // 5 starts 6 on CPU 0, and 6 starts 7 on CPU 1. The first round takes only the later record: the earlier one comes after
    // the round has read the ring of CPU 0.
    let none = Vec::new;
    let first = vec![none(), sample(30, 2, [7, 7]), none(), fork(20, [7, 6, 7, 6])];
    let second = vec![sample(31, 1, [9, 9]), none(), fork(10, [6, 5, 6, 5]), none()];
    let mut engine = engine([first, second].into());
    let mut rounds = chosen(&of_pid(5), &engine, &[running(5, 1, "sh"), running(9, 1, "sh")]);
    let mut kept = Collected::default();
    rounds.round_that_began_at(Ns(5), &mut engine, &mut kept).unwrap();
    assert!(kept.0.is_empty(), "the sample waits");
    rounds.round_that_began_at(Ns(40), &mut engine, &mut kept).unwrap();
    assert_eq!(kept.0, [(30, 7)]);
    let others = rounds.others(&engine);
    assert_eq!((others.of, others.in_interrupts), (vec![(Tpid::new(TASK), Cpu::new(0), 1)], 0));
}

#[test]
fn what_happens_in_an_interrupt_belongs_to_no_process_and_is_counted() {
    let bytes = [sample(1, 3, [5, 5]), sample(2, 1, [5, 5]), sample(3, 3, [9, 9])].concat();
    let mut engine = engine([vec![bytes, Vec::new(), Vec::new(), Vec::new()]].into());
    let mut rounds = chosen(&of_pid(5), &engine, &[running(5, 1, "sh")]);
    let mut kept = Collected::default();
    rounds.last_round(&mut engine, &mut kept).unwrap();
    assert_eq!(kept.0, [(2, 5)]);
    let others = rounds.others(&engine);
    assert_eq!((others.of, others.in_interrupts), (vec![(Tpid::new(IRQ), Cpu::new(0), 2)], 1));
}

#[test]
fn a_cgroup_is_chosen_by_the_sample_also_if_it_is_made_meanwhile_or_the_thread_has_ended() {
    let in_cgroup = |time, thread: u32, cgroup: u64| {
        let mut bytes = sample(time, 1, [thread, thread]);
        bytes.extend(cgroup.to_ne_bytes());
        bytes[6] = 40;
        bytes
    };
    let made = record(abi::PERF_RECORD_CGROUP, &[&8u64.to_ne_bytes(), b"/web/new\0\0\0\0\0\0\0\0", &trailer(2)]);
    let samples = [in_cgroup(1, 5, 7), in_cgroup(3, 5, 8), in_cgroup(4, 5, 9), in_cgroup(5, u32::MAX, 7)].concat();
    let mut engine = engine([vec![samples, Vec::new(), made, Vec::new()]].into());
    let only = OnlyProcesses {
        processes: ProcessFilter { cgroups: vec![CgroupPattern::path("/web").unwrap()], ..ProcessFilter::default() },
        command: false,
    };
    let cgroup = |id, path: &str| RunningCgroup { id, path: path.to_owned() };
    let attach = AttachOptions { process: ProcessFields::Cgroup, ..attach() };
    let start = |cgroups| {
        let at_start = AtStart { threads: Vec::new(), cgroups };
        ChosenRounds::of(&only, Vec::new(), &engine, &attach, &table(), &at_start, &mut ())
    };
    let error = start(vec![cgroup(1, "/"), cgroup(9, "/webs")]).map(drop).unwrap_err().to_string();
    assert!(error.contains("there is no cgroup /web"), "{error}");
    let mut rounds = start(vec![cgroup(1, "/"), cgroup(7, "/web"), cgroup(9, "/webs")]).unwrap();
    let mut kept = Collected::default();
    rounds.last_round(&mut engine, &mut kept).unwrap();
    assert_eq!(kept.0, [(1, 5), (3, 5), (5, u32::MAX)]);
}

#[test]
fn command_is_chosen_from_its_start_whatever_had_its_number_before() {
    let samples = [sample(5, 1, [7, 7]), sample(6, 1, [5, 5])].concat();
    let mut engine = engine([vec![samples, Vec::new(), fork(4, [7, 5, 7, 5]), Vec::new()]].into());
    let only = OnlyProcesses { processes: ProcessFilter::default(), command: true };
    let mut rounds = chosen(&only, &engine, &[running(5, 1, "tp-perf"), running(7, 1, "ended")]);
    rounds.command_started(7);
    let mut kept = Collected::default();
    rounds.last_round(&mut engine, &mut kept).unwrap();
    assert_eq!(kept.0, [(5, 7)]);
}

#[test]
fn a_process_that_ended_before_is_an_error() {
    let engine = engine(VecDeque::new());
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let end = end_of_process(child.id()).unwrap();
    child.wait().unwrap();
    let error = with_ends(&of_pid(5), vec![(5, end)], &engine, &[running(6, 1, "sh")]).map(drop).unwrap_err();
    assert!(error.to_string().contains("process 5 ended while tp-perf attached"), "{error}");
}

/// Random threads on two CPUs. Rounds cut each ring at any time behind their begin. What they keep is what a look at the
/// sorted records chooses.
#[test]
fn rounds_keep_what_a_replay_of_all_records_would_choose() {
    let names = [b"make\0\0\0\0", b"gcc\0\0\0\0\0", b"ld\0\0\0\0\0\0"];
    let patterns = || vec![NamePattern::new("gcc").unwrap()];
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        // By CPU: samples, and records about threads.
        let mut rings: [Vec<Timed>; 4] = Default::default();
        let threads = vec![running(5, 1, "make"), running(6, 1, "gcc")];
        let mut changes: Vec<ThreadChange> = AtStart { threads, ..AtStart::default() }.changes().collect();
        let (mut samples, mut alive) = (Vec::new(), vec![[5, 5], [6, 6]]);
        for time in 1..400 {
            let (cpu, [process, thread]) = (random.usize(0..2), alive[random.usize(0..alive.len())]);
            let change = |what| ThreadChange { time: Ns(time), tid: tid(thread), what };
            match random.u32(0..10) {
                0 => {
                    // A new process or thread. Few numbers: some come again.
                    let new = random.u32(5..20);
                    if alive.iter().any(|of| of.contains(&new)) {
                        continue;
                    }
                    let child = if random.bool() { [new, new] } else { [process, new] };
                    alive.push(child);
                    let parent = if child[0] == new { process } else { 1 };
                    rings[2 + cpu].push((time, fork(time, [child[0], parent, new, thread])));
                    let what = ThreadFact::Forked { process: tid(child[0]), parent: tid(parent), by: tid(thread) };
                    changes.push(ThreadChange { tid: tid(new), ..change(what) });
                }
                1 => {
                    let name = names[random.usize(0..names.len())];
                    rings[2 + cpu].push((time, comm(time, [process, thread], name)));
                    let text = std::str::from_utf8(name).unwrap().trim_end_matches('\0');
                    changes.push(change(ThreadFact::Named(text.into())));
                }
                // A process ends with all its threads.
                2 if alive.iter().any(|[of, _]| *of != process) => alive.retain(|[of, _]| *of != process),
                _ => {
                    rings[cpu].push((time, sample(time, 1 + cpu as u64, [process, thread])));
                    samples.push((time, thread));
                }
            }
        }
        let names = if random.bool() { patterns() } else { Vec::new() };
        let pids = if names.is_empty() || random.bool() { vec![tid(5)] } else { Vec::new() };
        let only = OnlyProcesses { processes: ProcessFilter { pids, names, cgroups: Vec::new() }, command: false };

        let mut sorted = ChosenThreads::of(&only.processes);
        sorted.add(&changes).unwrap();
        let takes = |(time, thread): &&(u64, u32)| {
            sorted.until(Ns(*time));
            sorted.takes(tid(*thread))
        };
        let expected: Vec<(u64, u32)> = samples.iter().filter(takes).copied().collect();

        let begins: Vec<u64> = (0..400).filter(|_| random.u32(0..40) == 0).collect();
        let cut = |begin: u64, random: &mut fastrand::Rng, rings: &mut [Vec<Timed>; 4]| -> Vec<Vec<u8>> {
            let taken = rings.iter_mut().map(|ring| {
                let end = begin + random.u64(0..30);
                let later = ring.split_off(ring.partition_point(|(time, _)| *time <= end));
                std::mem::replace(ring, later).into_iter().flat_map(|(_, bytes)| bytes).collect()
            });
            taken.collect()
        };
        let mut cuts: VecDeque<_> = begins.iter().map(|begin| cut(*begin, &mut random, &mut rings)).collect();
        cuts.push_back(cut(1_000, &mut random, &mut rings));
        let mut engine = engine(cuts);
        let mut rounds = chosen(&only, &engine, &[running(5, 1, "make"), running(6, 1, "gcc")]);
        let mut kept = Collected::default();
        for begin in begins {
            rounds.round_that_began_at(Ns(begin), &mut engine, &mut kept).unwrap();
        }
        rounds.last_round(&mut engine, &mut kept).unwrap();
        kept.0.sort_unstable();
        assert_eq!(kept.0, expected, "seed {seed}");
        let left_out: u64 = rounds.others(&engine).of.iter().map(|(.., hits)| hits).sum();
        assert_eq!(left_out as usize + expected.len(), samples.len());
    }
}
