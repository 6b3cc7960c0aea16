//! A part of the time: the tables have its numbers, and the command prints the same.

use super::browser::Page;
use super::{Made, NAMES, SPAN, known, place, shown, tip};
use crate::common::perf_file;
use crate::common::report::fixture;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// What the command that the page shows for a source prints as JSON, in a shell that finds this tp-perf.
fn printed(page: &Page, number: usize) -> Value {
    let command = page.text(&format!("document.querySelector('#source-{number} .command code').innerText"));
    assert!(command.starts_with("tp-perf report "), "{command}");
    let folder = Path::new(env!("CARGO_BIN_EXE_tp-perf")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("bash").args(["-c", &format!("{command} --format json")]).env("PATH", path).output().unwrap();
    assert!(output.status.code() < Some(2), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{command}: {error}"));
    report["sources"][0].clone()
}

/// The rows of a table that can be seen: by name the events, the share, and the rate, and what is shown of the events.
fn table(page: &Page, number: usize, table: &str) -> BTreeMap<String, (u64, f64, f64, String)> {
    let text = page.text(&format!(
        "(table => {{ const columns = ['events', 'share', 'rate'].map(kind => [...table.tHead.rows[0].cells].findIndex(head => head.dataset.column === kind)); \
         return JSON.stringify([...table.tBodies[0].rows].filter(row => row.checkVisibility()).map(row => \
           [row.cells[0].textContent.trim(), ...columns.map(column => Number(row.cells[column]?.dataset.value ?? row.cells[column]?.textContent.replace(/[,~]/g, '') ?? 0)), row.cells[columns[0]].textContent])); }}) \
         (document.querySelector('#source-{number} table.{table}'))"
    ));
    let rows: Vec<(String, f64, f64, f64, String)> = serde_json::from_str(&text).unwrap();
    rows.into_iter().map(|(name, events, share, rate, shown)| (name, (events as u64, share, rate, shown))).collect()
}

/// Compares the tables of tracepoints and groups with what the command prints.
fn compare(page: &Page, number: usize) {
    let printed = printed(page, number);
    for kind in ["tracepoints", "groups"] {
        let rows = table(page, number, kind);
        let truth = printed[kind].as_array().unwrap();
        assert!(!truth.is_empty());
        assert_eq!(rows.len(), truth.len(), "{kind}");
        for row in truth {
            let name = row["name"].as_str().unwrap();
            let (events, share, rate, shown) = &rows[name];
            assert_eq!(Some(*events), row["events"].as_u64(), "{name}");
            assert_eq!(shown.replace(',', "").parse(), Ok(*events), "{name}");
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1e-9);
            assert!(near(*share, row["share"].as_f64().unwrap()), "{name}: {share}");
            assert!(near(*rate, row["rate"].as_f64().unwrap_or(0.0)), "{name}: {rate}, {}", row["rate"]);
        }
    }
    let part = page.text(&format!("document.querySelector('#source-{number} .part').innerText"));
    let events: u64 = part.split(" · ").nth(1).unwrap().split(' ').next().unwrap().replace(',', "").parse().unwrap();
    assert_eq!(Some(events), printed["events"].as_u64(), "{part}");
    // The cells of CPUs are wider where there are many CPUs: then the events of a CPU are estimates.
    let cpus = table(page, number, "cpus");
    let (of_cpus, width) = (cpus.values().map(|(events, ..)| *events).sum::<u64>(), cpus.len() as u64);
    match cpus.values().any(|(.., shown)| shown.starts_with('~')) {
        true => assert!(of_cpus.abs_diff(events) <= events / 20 + width * 50, "{of_cpus} and {events}"),
        false => assert_eq!(of_cpus, events, "the CPUs have the same events"),
    }
}

/// Shows a part of the time, and waits for the tables.
fn show(page: &Page, number: usize, from: f64, to: f64) {
    page.text(&format!("(view => {{ view.set({from} * view.span, {to} * view.span); return ''; }})(views[{number}])"));
    page.scroll_to(&format!("#source-{number} .tools"));
}

pub fn numbers() {
    // A recording whose cells are single nanoseconds, and one with more events than a page has cells.
    let samples: Vec<_> = (0..400_000u64)
        .map(|n| (1_000 + n * 1_000, 1 + u32::from(n % 7 == 0) + u32::from(n % 91 == 0), (n / 1_000 % 4) as u32))
        .collect();
    let dense = perf_file(&NAMES, &[&samples], None);
    for (file, is_dense) in [(fixture("example.perf.zst"), false), (dense.path().to_owned(), true)] {
        let page = Made::of(&[&file]).open();
        assert_eq!(page.numbers("[views[0].cells.width]")[0] > 1.0, is_dense);
        let whole = table(&page, 0, "tracepoints");
        page.drag(place(&page, "cpus", 1, 0, 0.61), place(&page, "cpus", 1, 0, 0.83), false);
        let [from, to] = shown(&page);
        assert!((from - 0.61).abs() < 0.01 && (to - 0.83).abs() < 0.01, "{from} to {to}");
        compare(&page, 0);
        for (from, to) in [(0.0, 0.3), (0.123_456, 0.5), (0.5, 1.0), (0.999_9, 1.0), (0.7, 0.7)] {
            show(&page, 0, from, to);
            let [from, to, width, span] =
                page.numbers("[views[0].from, views[0].to, views[0].cells.width, views[0].span]")[..]
            else {
                panic!("there are four")
            };
            assert!(from % width == 0.0 && (to % width == 0.0 || to == span), "{from} to {to} of {width}");
            if page.numbers("[...selection.graphs[0].cells.sums(views[0].from, views[0].to, selection.graphs[0].map, selection.graphs[0].rows.length, views[0].span)]").iter().sum::<f64>() > 0.0 {
                compare(&page, 0);
            }
        }
        // The bars are those of the part, and then of all again.
        show(&page, 0, 0.9, 1.0);
        let bars = "document.querySelector('table.tracepoints tbody td.bars').textContent";
        let of_part = page.text(bars);
        page.click_on("[data-zoom=all]");
        assert!(is_dense || page.text(bars) != of_part);
        assert_eq!(table(&page, 0, "tracepoints"), whole);
        assert_eq!(page.complaints(), Vec::<String>::new());
    }
}

pub fn commands() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("it's a $(file)\u{202e}.perf.zst");
    std::fs::copy(fixture("example.perf.zst"), &named).unwrap();
    let (fixture, named) = (fixture("make.perf.zst"), named.to_str().unwrap().to_owned());
    let fixture = fixture.to_str().unwrap();
    for words in [
        &["--example"][..],
        &[&named, "-t", "irq:*,kmem:{mm_*,kfree}", "-x", "softirq_raise", "--cpus", "0"],
        &[fixture, "--from", "4ms", "--to", "21ms"],
        &[fixture, "-n", "9000"],
        &[fixture, "--from", "6783833000000", "-t", "kmem"],
    ] {
        let page = Made::with(words.iter().map(OsStr::new)).open();
        // The whole page, and then parts of it.
        let printed_whole = printed(&page, 0);
        let rows = table(&page, 0, "tracepoints");
        assert_eq!(rows.len(), printed_whole["tracepoints"].as_array().unwrap().len(), "{words:?}");
        for (from, to) in [(0.2, 0.6), (0.0, 0.5), (0.5, 1.0)] {
            show(&page, 0, from, to);
            compare(&page, 0);
        }
        let command = page.text("document.querySelector('.command code').innerText");
        assert!(!command.contains('\u{202e}'), "{command}");
        page.click_on(".command button");
        page.wait("document.querySelector('.command button').textContent === 'Copied' || String(getSelection()) === document.querySelector('.command code').innerText");
        assert_eq!(page.complaints(), Vec::<String>::new());
    }
}

pub fn closest() {
    let samples: Vec<_> = (0..400_000u64).map(|n| (1_000 + n * 1_000, 1, 0)).collect();
    let file = perf_file(&NAMES, &[&samples], None);
    let page = Made::of(&[file.path()]).open();
    let limit = || page.text("(limit => limit.hidden ? '' : limit.innerText)(document.querySelector('.limit'))");
    assert_eq!(limit(), "");
    page.click_on("[data-graph=tracepoints]");
    (0..40).for_each(|_| page.press("w"));
    let [length, width] = page.numbers("[views[0].to - views[0].from, views[0].cells.width]")[..] else { panic!() };
    assert_eq!(length, width);
    assert_eq!(
        limit(),
        "This is the closest zoom: the page has one count per 4.1 µs. For finer counts, run the command with --open."
    );
    compare(&page, 0);
    page.press("s");
    assert_eq!(limit(), "");
    // Slow movements add up.
    page.press("0");
    (0..10).for_each(|_| page.press("w"));
    let from = page.numbers("[views[0].from]")[0];
    page.text("(() => { for (let n = 0; n < 100; n++) views[0].move(0.001); return ''; })()");
    let moved = page.numbers("[(views[0].from - 0) / (views[0].to - views[0].from)]")[0];
    assert!((moved - from / page.numbers("[views[0].to - views[0].from]")[0] - 0.1).abs() < 0.02, "{moved}");
}

pub fn linked() {
    let page = Made::of(&[&fixture("make.perf.zst"), &fixture("idle.perf.zst")]).open();
    let times = || page.numbers("views.flatMap(view => [view.from, view.to])");
    let all = times();
    page.text("(views[0].set(5e6, 9e6), '')");
    assert_eq!(times(), [5e6, 9e6, 5e6, 9e6]);
    compare(&page, 1);
    page.press("0");
    assert_eq!(times(), all);
    page.click_on("#link");
    page.text("(views[1].set(1e6, 2e6), '')");
    assert_eq!(times(), [all[0], all[1], 1e6, 2e6]);
    // The sources are linked again, with the time of the one that is looked at.
    page.scroll_to("#source-1 .tools");
    page.press("l");
    assert_eq!(times(), [1e6, 2e6, 1e6, 2e6]);
    // A source that has ended by then stays where it is.
    let last = all[3] - 1e6;
    page.text(&format!("(views[1].set({last}, {}), '')", all[3]));
    assert_eq!(times(), [1e6, 2e6, last, all[3]]);
    assert_eq!(page.complaints(), Vec::<String>::new());
}

pub fn overview() {
    let page = known().open();
    page.scroll_to(".overview");
    let frame = page.numbers(
        "(({left, top, width, height}) => [left, top, width, height])(document.querySelector('.overview').getBoundingClientRect())",
    );
    let at = |part: f64| (frame[0] + part * frame[2], frame[1] + frame[3] / 2.0);
    page.drag(at(0.2), at(0.4), false);
    let near = |expected: [f64; 2]| {
        let [from, to] = shown(&page);
        assert!(
            (from - expected[0]).abs() < 0.01 && (to - expected[1]).abs() < 0.01,
            "{from} to {to}, and not {expected:?}"
        );
    };
    near([0.2, 0.4]);
    page.drag(at(0.3), at(0.5), false);
    near([0.4, 0.6]);
    page.drag(at(0.5), at(0.98), false);
    near([0.8, 1.0]);
    page.drag(at(0.3), at(0.1), false);
    near([0.1, 0.3]);
    assert_eq!(page.complaints(), Vec::<String>::new());
}

pub fn silence() {
    let page = known().open();
    // `irq:entry` is every 10 µs. Between two of them, no CPU recorded anything.
    page.hover(place(&page, "tracepoints", 3, 2, 333_000.0 / SPAN));
    assert_eq!(
        tip(&page, "tracepoints").lines().collect::<Vec<_>>(),
        [
            "sched:wakeup",
            "no events from 0.0000000 to 0.0007500 s (750 µs)",
            "no CPU recorded anything from 0.000330001 to 0.000340000 s (10 µs)"
        ]
    );
    let page = Made::with(["--example"].iter().map(OsStr::new)).open();
    page.hover(place(&page, "cpus", 2, 0, 0.22));
    let text = tip(&page, "cpus");
    assert!(text.contains("no CPU recorded anything from 1.23"), "{text}");
    assert!(text.trim_end().ends_with("this is far longer than usual in this recording"), "{text}");
    let page = Made::with(["--example", "-t", "irq:*"].iter().map(OsStr::new)).open();
    page.hover(place(&page, "cpus", 2, 0, 0.22));
    let text = tip(&page, "cpus");
    assert!(text.contains("no selected event was recorded from 1.23"), "{text}");
}

/// A history has windows, which the cells of the page divide: so its numbers are estimates.
#[cfg(feature = "monitor")]
pub fn history() {
    let folder = tempfile::tempdir().unwrap();
    crate::history::damage::three_hours(folder.path());
    let page = Made::of(&[folder.path()]).open();
    show(&page, 0, 0.25, 0.75);
    let command = page.text("document.querySelector('.command code').innerText");
    assert!(command.contains(" --from 2026-1") && command.contains(" --to 2026-1"), "{command}");
    let truth = printed(&page, 0)["events"].as_u64().unwrap();
    let rows = table(&page, 0, "tracepoints");
    let sum: u64 = rows.values().map(|(events, ..)| *events).sum();
    assert!(sum.abs_diff(truth) < truth / 20, "{sum} and {truth}");
    assert!(rows.values().all(|(.., shown)| shown.starts_with('~')));
    assert!(page.text("document.querySelector('.part').innerText").contains(" hits · ~"));
    assert_eq!(page.complaints(), Vec::<String>::new());
}
