//! Measures a tick of a machine with many CPUs: `TP_PERF_CPUS=128 cargo bench --bench many_cpus`, as root on a machine
//! without other load.
//!
//! The tracepoints that tp-perf counts by default are opened many times on each CPU of this machine, as often as the
//! simulated machine has CPUs. So a tick reads as many groups, and touches as much memory. It runs on one CPU. There a read
//! needs no interrupt; the other reads interrupt another CPU, as nearly all reads on a large machine do.
//!
//! A process may have too few descriptors for all events. So other processes, which are copies of this program, open the
//! events and hold them. This process borrows the descriptors of the groups' leaders.
//!
//! Two things are not as on a large machine. A hit costs much more here, because many events count it. So does switching
//! groups on, because the kernel walks all events of a CPU for each group.

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};
use tp_perf::engine::{Clock, Kernel, Live, raise_descriptor_limit};
use tp_perf::events::Cpu;
use tp_perf::os::limits::{Capabilities, DescriptorLimit};
use tp_perf::os::thread::{cpu_time, on_one_cpu};
use tp_perf::perf::{EventKind, EventSpec, Output, ReadFormat, Scope, sys};
use tp_perf::tracefs::Selection;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The members of a group, as in the engine.
const GROUP: usize = 256;
const TICKS: usize = 15;
/// Descriptors that a process needs beside its events.
const OTHERS: u64 = 128;
/// The environment variable of a process that holds events: the real CPUs, one for each simulated CPU.
const HOLD: &str = "TP_PERF_HOLD";

fn tracefs_ids() -> Result<Vec<u64>> {
    let table = Live.table()?;
    let selection = Selection::by_default(&table)?;
    Ok(selection.tracepoints(&table).iter().map(|tracepoint| tracepoint.tracefs_id).collect())
}

/// Opens the events of these CPUs, prints the leaders of each CPU on a line, and holds all events until its stdin ends.
fn hold(cpus: &str) -> Result<()> {
    let ids = tracefs_ids()?;
    let cpus = cpus.split(' ').map(|cpu| Ok(Cpu::new(cpu.parse()?))).collect::<Result<Vec<_>>>()?;
    raise_descriptor_limit(ids.len(), cpus.len())?;
    let (mut all, mut leaders) = (Vec::new(), Vec::new());
    for cpu in cpus {
        let (of_cpu, members) = open(cpu, &ids)?;
        println!("{}", of_cpu.iter().map(|leader| leader.as_raw_fd().to_string()).collect::<Vec<_>>().join(" "));
        all.push(members);
        leaders.push(of_cpu);
    }
    io::stdin().read_to_end(&mut Vec::new())?;
    // Tracepoint by tracepoint, as the child that detaches does.
    for _ in &ids {
        all.iter_mut().for_each(|members| drop(members.pop()));
    }
    Ok(())
}

/// Opens the tracepoints on a CPU, in groups. Returns the leaders and the members.
fn open(cpu: Cpu, ids: &[u64]) -> io::Result<(Vec<OwnedFd>, Vec<OwnedFd>)> {
    let spec = |kind, leads| EventSpec {
        kind,
        scope: Scope::AllOn(cpu),
        output: Output::Counts,
        clock: Clock::Monotonic,
        disabled: leads,
        read_format: ReadFormat { group: leads, enabled: leads, lost: true },
    };
    let (mut leaders, mut members) = (Vec::new(), Vec::new());
    for group in ids.chunks(GROUP) {
        let leader = sys::open(&spec(EventKind::Dummy, true), None)?;
        for id in group {
            members.push(sys::open(&spec(EventKind::Tracepoint(*id), false), Some(leader.as_fd()))?);
        }
        leaders.push(leader);
    }
    Ok((leaders, members))
}

/// The groups of one simulated CPU, and the real CPU that they are on.
struct Simulated {
    cpu: Cpu,
    leaders: Vec<OwnedFd>,
}

impl Simulated {
    fn switch(&self, switch: fn(BorrowedFd<'_>) -> io::Result<()>) -> io::Result<()> {
        self.leaders.iter().try_for_each(|leader| switch(leader.as_fd()))
    }

    /// Reads all groups. Returns the sum of the counters.
    fn read(&self, bytes: &mut Vec<u8>) -> io::Result<u64> {
        let mut hits = 0;
        for leader in &self.leaders {
            sys::read_group(leader.as_fd(), GROUP, true, bytes, |_, reading| hits += reading.value)?;
        }
        Ok(hits)
    }
}

/// A process that holds the events of some simulated CPUs.
struct Holder {
    process: Child,
    cpus: Vec<Cpu>,
}

impl Holder {
    fn start(cpus: &[Cpu]) -> io::Result<Self> {
        let words = cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let mut command = Command::new(env::current_exe()?);
        let process = command.env(HOLD, words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        Ok(Holder { process, cpus: cpus.to_vec() })
    }

    /// Waits until the events are open, and borrows the leaders.
    fn borrow(&mut self) -> Result<Vec<Simulated>> {
        let pid = pidfd_open(Pid::from_child(&self.process), PidfdFlags::empty())?;
        let mut lines = BufReader::new(self.process.stdout.take().ok_or("no stdout")?).lines();
        let simulated = |cpu: &Cpu| {
            let line = lines.next().ok_or("a process that opens events has failed")??;
            let borrow = |number: &str| Ok(pidfd_getfd(&pid, number.parse()?, PidfdGetfdFlags::empty())?);
            Ok(Simulated { cpu: *cpu, leaders: line.split(' ').map(borrow).collect::<Result<_>>()? })
        };
        self.cpus.iter().map(simulated).collect()
    }
}

/// The memory that the kernel has left, in MiB, and how much of it its own objects take.
fn memory() -> (f64, f64) {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim_matches([':', ' ']).split(' ').next()?.parse::<f64>().ok());
        number.unwrap_or(f64::NAN) / 1024.0
    };
    (of("MemFree"), of("Slab") + of("Percpu"))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn measure(cpus: usize) -> Result<()> {
    let tracepoints = tracefs_ids()?.len();
    let groups = tracepoints.div_ceil(GROUP);
    let online = Live.online()?;
    println!("{tracepoints} tracepoints on {cpus} simulated CPUs, on {} real ones (CPUs {online})", online.len());

    let (before, begin) = (memory(), Instant::now());
    let places: Vec<_> = online.as_slice().iter().copied().cycle().take(cpus).collect();
    let allowed = DescriptorLimit::read().reachable(Capabilities::of_this_process());
    let for_each = (allowed.saturating_sub(OTHERS) as usize / (tracepoints + groups + 1)).max(1);
    // One after the other, because the kernel opens only one event at a time.
    let (mut holders, mut simulated) = (Vec::new(), Vec::new());
    for places in places.chunks(for_each) {
        let mut holder = Holder::start(places)?;
        simulated.append(&mut holder.borrow()?);
        holders.push(holder);
    }
    let (after, events) = (memory(), (tracepoints + groups) * cpus);
    println!("opened {events} events in {:.2?} ({} processes)", begin.elapsed(), holders.len());
    println!(
        "kernel memory: {:.0} MiB ({:.0} MiB of it in slabs and per-CPU memory), {:.2} kB for each event",
        before.0 - after.0,
        after.1 - before.1,
        (before.0 - after.0) * 1024.0 / events as f64
    );

    let begin = Instant::now();
    simulated.iter().try_for_each(|it| it.switch(sys::enable))?;
    println!("switched on in {:.2?}", begin.elapsed());
    on_one_cpu(|here| ticks(&simulated, here))??;
    let begin = Instant::now();
    simulated.iter().rev().try_for_each(|it| it.switch(sys::disable))?;
    println!("switched off in {:.2?}", begin.elapsed());

    let begin = Instant::now();
    drop(simulated);
    holders.iter_mut().for_each(|holder| drop(holder.process.stdin.take()));
    for mut holder in holders {
        holder.process.wait()?;
    }
    println!("closed in {:.2?}", begin.elapsed());
    Ok(())
}

fn ticks(simulated: &[Simulated], here: Cpu) -> io::Result<()> {
    let mut bytes = Vec::new();
    let (mut own, mut other, mut whole, mut thread_time) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TICKS {
        thread::sleep(Duration::from_millis(200));
        let (mut on_own, mut on_other, before) = (Duration::ZERO, Duration::ZERO, cpu_time()?);
        for it in simulated {
            let begin = Instant::now();
            it.read(&mut bytes)?;
            *if it.cpu == here { &mut on_own } else { &mut on_other } += begin.elapsed();
        }
        thread_time.push(cpu_time()?.saturating_sub(before));
        whole.push(on_own + on_other);
        own.push(on_own);
        other.push(on_other);
    }
    let groups_where = |is_here: bool| {
        simulated.iter().filter(|it| (it.cpu == here) == is_here).map(|it| it.leaders.len()).sum::<usize>()
    };
    let (here_reads, other_reads) = (groups_where(true), groups_where(false));
    let each = |time: Duration, reads: usize| time.as_secs_f64() * 1e6 / reads.max(1) as f64;
    let (whole, least) = (median(whole.clone()), whole.into_iter().min().unwrap_or_default());
    let (own, other) = (each(median(own), here_reads), each(median(other), other_reads));
    println!(
        "a tick of {} reads: {whole:.2?} (median of {TICKS}; the fastest {least:.2?}), {:.2?} of CPU time",
        here_reads + other_reads,
        median(thread_time)
    );
    println!(
        "a read of this CPU: {own:.1} µs; of another CPU: {other:.1} µs, {:.1} µs of it for the interrupt",
        other - own
    );
    let remote = (here_reads + other_reads) as f64 * other / 1e3;
    println!(
        "if each read interrupted: {remote:.1} ms a tick, {:.0} % of it for the interrupts",
        100.0 * (other - own) / other
    );
    Ok(())
}

fn main() -> ExitCode {
    let cpus = || env::var("TP_PERF_CPUS").ok()?.parse::<usize>().ok();
    let result = match (env::var(HOLD), cpus()) {
        (Ok(cpus), _) => hold(&cpus),
        (_, Some(cpus)) => measure(cpus),
        _ => {
            println!("skipped: needs TP_PERF_CPUS, the number of CPUs to simulate (128), root, and no other load");
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("many_cpus: {error}");
            ExitCode::FAILURE
        }
    }
}
