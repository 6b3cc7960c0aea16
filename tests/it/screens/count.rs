//! The screens of `count`.

use super::stage::printed;
use crate::common::screen::assert_screen;
use std::fmt::Write as _;
use tp_perf::counting::{CostSummary, CountRow, CountSummary, CpuHits, EstimatedHits, NotCounted, RepeatedCount};
use tp_perf::engine::HitCost;
use tp_perf::events::{Cpu, Estimated, Ns, Partly, Rung, Slot, Tick, Tpid};
use tp_perf::recording::{SelfSummary, StopReason, Tool, Unwatched};
use tp_perf::terminal::{WindowLines, print_count, print_repeated};
use tp_perf::tracefs::Table;

const SECOND: u64 = 1_000_000_000;

fn row(group: &str, tracepoint: Option<&str>, hits: u64, all: u64, windows: Option<(u64, u64)>) -> CountRow {
    CountRow {
        tracepoint_group: group.to_owned(),
        tracepoint: tracepoint.map(str::to_owned),
        hits,
        rung: tracepoint.map(|_| Rung::Counted),
        watched: 1.0,
        detached: 0.0,
        estimated: None,
        per_second: Some(hits as f64 / 5.0),
        share: hits as f64 / all.max(1) as f64,
        first_ns: windows.map(|(first, _)| first * SECOND),
        last_ns: windows.map(|(_, last)| last * SECOND),
        per_cpu: None,
    }
}

fn summary(hits: [u64; 3]) -> CountSummary {
    let all = hits.iter().sum();
    let [cache, page, block] = hits;
    CountSummary {
        schema: 1,
        tool: Tool { name: "tp-perf".to_owned(), version: "0".to_owned() },
        kernel: "6.18.0".to_owned(),
        hostname: "here".to_owned(),
        started: "2026-11-25T00:00:00Z".to_owned(),
        command: None,
        command_exit: None,
        stop_reason: StopReason::Duration,
        cpus: vec![Cpu::new(0), Cpu::new(1)],
        offline_cpus: Vec::new(),
        unwatched: Vec::new(),
        length_ns: 5 * SECOND,
        window_ns: SECOND,
        windows: 5,
        most_late_ns: 93_000,
        skipped_ticks: 0,
        attach_ns: 300_000_000,
        own: SelfSummary { excluded: true, pid: 1, cpu_ns: 2_500_000 },
        listed: 2_307,
        excluded_by_default: 739,
        counted: 1_568,
        not_counted: Vec::new(),
        hits: all,
        estimated: None,
        per_second: Some(all as f64 / 5.0),
        cost: None,
        per_tracepoint: vec![
            row("kmem", Some("kmem_cache_alloc"), cache, all, Some((0, 4))),
            row("filemap", Some("mm_filemap_delete_from_page_cache"), page, all, Some((1, 3))),
            row("block", Some("block_\u{1b}[31m"), block, all, Some((2, 2))),
            row("task", Some("task_rename"), 0, all, None),
        ],
        per_group: vec![
            row("kmem", None, cache, all, Some((0, 4))),
            row("filemap", None, page, all, Some((1, 3))),
            row("block", None, block, all, Some((2, 2))),
            row("task", None, 0, all, None),
        ],
        per_cpu: vec![CpuHits { cpu: Cpu::new(0), hits: all - all / 3 }, CpuHits { cpu: Cpu::new(1), hits: all / 3 }],
    }
}

pub fn count() {
    let plain = summary([1_200_340, 37_000, 12]);
    let mut command = summary([700, 20, 1]);
    command.command = Some(vec!["make".to_owned()]);
    (command.stop_reason, command.command_exit) = (StopReason::Command, Some(2));
    (command.windows, command.length_ns) = (1, SECOND / 3);
    let mut by_cpu = summary([1_200_340, 37_000, 12]);
    for row in &mut by_cpu.per_tracepoint {
        let on = |cpu, hits| CpuHits { cpu: Cpu::new(cpu), hits };
        row.per_cpu = Some(vec![on(0, row.hits - row.hits / 3), on(1, row.hits / 3)]);
    }
    let mut odd = summary([5, 4, 3]);
    odd.own.excluded = false;
    odd.skipped_ticks = 3;
    odd.unwatched = vec![Unwatched { cpu: Cpu::new(1), from: Ns(2 * SECOND), to: Ns(5 * SECOND), was_online: true }];
    let not_counted = |name: &str, reason: &str| NotCounted {
        tracepoint_group: "sched".to_owned(),
        tracepoint: name.to_owned(),
        reason: reason.to_owned(),
    };
    odd.not_counted = vec![
        not_counted("sched_stat_wait", "the kernel's counter adds up nanoseconds instead of hits"),
        not_counted("sched_switch", "the kernel refused it: Invalid argument"),
    ];
    let cost = |measured| HitCost { counted_ns: 136.4, off_ns: 14.9, switch_ns: 30_000.0, measured };
    let mut cheap = summary([1_200_340, 37_000, 12]);
    let of_cost = CostSummary {
        budget: None,
        part: 0.0163,
        most: 0.0171,
        windows_over: 0,
        moves: 0,
        visited: 0,
        detached: 0,
        at_start: cost(true),
        at_end: cost(true),
    };
    cheap.cost = Some(of_cost);
    let mut held = summary([120_340, 37_000, 12]);
    held.cost = Some(CostSummary { budget: Some(0.01), part: 0.0081, most: 0.0097, moves: 2, visited: 1, ..of_cost });
    held.estimated = Some(EstimatedHits { hits: 1_237_352.4, low: 1_200_000.0, high: 1_274_704.8 });
    for row in [&mut held.per_tracepoint[0], &mut held.per_group[0]] {
        row.estimated = Some(EstimatedHits { hits: 1_200_340.4, low: 1_150_000.0, high: 1_250_680.8 });
        (row.watched, row.share, row.per_second) = (0.1034, 0.9701, Some(240_068.1));
    }
    held.per_tracepoint[0].rung = Some(Rung::Visited);
    held.per_second = Some(247_470.5);
    let mut exceeded = held.clone();
    exceeded.per_second = None;
    exceeded.own.cpu_ns = 200_000_000;
    exceeded.cost =
        Some(CostSummary { budget: Some(0.001), windows_over: 3, detached: 1, at_end: cost(false), ..of_cost });
    exceeded.per_tracepoint[1].rung = Some(Rung::Detached);
    for row in [&mut exceeded.per_tracepoint[1], &mut exceeded.per_group[1]] {
        (row.watched, row.detached, row.per_second) = (0.2, 0.8, None);
    }
    exceeded.per_tracepoint[0].estimated = Some(EstimatedHits { hits: 1_200_340.4, low: 0.0, high: f64::INFINITY });
    let mut screen = String::new();
    for (name, summary, top) in [
        ("the cost is known", &cheap, 1),
        ("within a budget", &held, 10),
        ("the budget is exceeded", &exceeded, 10),
        ("five seconds", &plain, 2),
        ("a command", &command, 10),
        ("each CPU", &by_cpu, 10),
        ("all that can be odd", &odd, 10),
        ("nothing was hit", &summary([0; 3]), 10),
    ] {
        let text = printed(name, |width, out| print_count(summary, top, width, out).unwrap());
        writeln!(screen, "[{name}]\n{text}").unwrap();
    }
    let of_run = |hits, exit| CountSummary {
        command: Some(vec!["make".to_owned()]),
        command_exit: Some(exit),
        stop_reason: StopReason::Command,
        ..summary(hits)
    };
    let runs = vec![of_run([1_200, 30, 1], 0), of_run([1_230, 31, 0], 0), of_run([1_190, 29, 0], 1)];
    for (name, runs, asked) in [("three runs", runs.clone(), 3), ("one run of five", runs[..1].to_vec(), 5)] {
        let repeated = RepeatedCount::of(runs, asked);
        let text = printed(name, |width, out| print_repeated(&repeated, 2, width, out).unwrap());
        writeln!(screen, "[{name}]\n{text}").unwrap();
    }
    assert_screen("count", &screen);
}

pub fn windows() {
    let names =
        [("filemap", "mm_filemap_delete_from_page_cache"), ("kmem", "kmem_cache_alloc"), ("block", "\u{1b}[31m")];
    let table = Table::from_entries(names.map(|(group, name)| (group.to_owned(), name.to_owned(), 7)).to_vec());
    let slot = |tpid, cpu| Slot { tpid: Tpid::new(tpid), cpu: Some(Cpu::new(cpu)) };
    let slots: Vec<Slot> = (1..=3).flat_map(|tpid| [slot(tpid, 0), slot(tpid, 1)]).collect();
    let mut screen = String::new();
    let partly = [
        Partly {
            tpid: Tpid::new(2),
            rung: Rung::Visited,
            watched: 0.5,
            estimated: Some(Estimated { hits: 18_000_010.4, variance: 9.0 }),
        },
        Partly { tpid: Tpid::new(3), rung: Rung::Detached, watched: 0.0, estimated: None },
    ];
    for (name, per_cpu, has_budget) in
        [("all CPUs", false, false), ("each CPU", true, false), ("a budget", false, true)]
    {
        let text = printed(name, |width, out| {
            let lines = WindowLines::new(width, per_cpu, has_budget);
            out.extend(lines.head().into_bytes());
            for (number, hits) in [[1_234_567, 40, 9_000_000, 5, 1, 0], [0; 6]].iter().enumerate() {
                let (from, to) = (number as u64 * SECOND, (number as u64 + 1) * SECOND);
                let tick = Tick {
                    from: Ns(from),
                    to: Ns(to),
                    late_ns: 0,
                    slots: &slots,
                    hits,
                    partly: if has_budget { &partly } else { &[] },
                    cost: Some(0.00934),
                };
                let ended = std::time::Duration::from_nanos(to);
                out.extend(lines.window(&tick, ended, &table).into_bytes());
            }
        });
        writeln!(screen, "[{name}]\n{text}").unwrap();
    }
    assert_screen("count_windows", &screen);
}
