//! Runs `report` on recordings of a real kernel, whose figures are known from their stored logs, and on files
//! made for the tests.

use crate::common::report::{fixture, json, path, report as call, well};
use crate::common::screen::assert_screen;
use crate::common::{Test, perf_file, tests};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

pub const TESTS: &[Test] = tests![
    of_the_events_of_a_log_all_are_counted_and_in_their_places,
    of_a_whole_capture_the_kernels_counts_are_told,
    a_loss_is_between_the_samples_around_it,
    a_range_lasts_no_longer_than_what_was_captured,
    of_a_part_nothing_is_said_about_when_nothing_was_recorded,
    sources_are_compared_by_name_and_never_by_number,
    a_planted_change_comes_first_and_equal_repeats_show_none,
    the_changes_are_the_same_in_every_format,
    every_format_of_every_fixture_is_sound,
    next_to_nothing_gives_a_right_report,
    a_bare_log_has_no_names_of_groups_and_one_that_steps_back_is_told,
    the_ends_of_time_and_sums_beyond_numbers_are_no_panic,
    two_tracepoints_of_one_name_are_both_counted,
];

/// The time and the tracepoint's name in each row of a stored log.
fn stored(name: &str) -> Vec<(u64, String)> {
    let log = zstd::decode_all(fs::File::open(fixture(&format!("{name}.log.csv.zst"))).unwrap()).unwrap();
    let rows = csv::Reader::from_reader(&*log).into_deserialize::<(u64, u32, u32, String)>();
    rows.map(Result::unwrap).map(|(time, _, _, name)| (time, name)).collect()
}

fn of_the_events_of_a_log_all_are_counted_and_in_their_places() {
    for (name, logged) in [("idle", "10000"), ("make", "20000"), ("apache", "20000")] {
        let rows = stored(name);
        let (first, last) = (rows[0].0, rows[rows.len() - 1].0);
        let mut expected = BTreeMap::<&str, (u64, Vec<f64>)>::new();
        for (time, name) in &rows {
            let (events, columns) = expected.entry(name).or_insert_with(|| (0, vec![0.0; 60]));
            *events += 1;
            columns[((time - first) as f64 * 60.0 / ((last - first) as f64 + 1.0)) as usize] += 1.0;
        }
        let report = json(&[path(&fixture(&format!("{name}.perf.zst"))), "-n", logged]);
        let source = &report["sources"][0];
        assert_eq!((source["source"].as_str(), source["is_range"].as_bool()), (Some(name), Some(true)));
        assert_eq!((source["start"].as_u64(), source["span_ns"].as_u64()), (Some(first), Some(last - first)), "{name}");
        let found = source["tracepoints"].as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for row in found {
            let short = row["name"].as_str().unwrap().split_once(':').unwrap().1;
            let (events, columns) = &expected[short];
            assert_eq!(row["events"].as_u64(), Some(*events), "{short}");
            let active: Vec<f64> = row["activity"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect();
            // If bins are wider than a nanosecond, an event at the edge of a column may be in the neighbour.
            let off: f64 = active.iter().zip(columns).map(|(found, expected)| (found - expected).abs()).sum();
            assert!(off <= 2.0 + 0.02 * *events as f64, "{name} {short}: {active:?} and not {columns:?}");
        }
        let groups: u64 = source["groups"].as_array().unwrap().iter().map(|row| row["events"].as_u64().unwrap()).sum();
        assert_eq!(groups.to_string(), logged);
    }
}

fn of_a_whole_capture_the_kernels_counts_are_told() {
    for name in ["overflow", "compressed"] {
        let file = if name == "compressed" { "compressed.perf".to_owned() } else { format!("{name}.perf.zst") };
        let summary: Value =
            serde_json::from_str(&fs::read_to_string(fixture(&format!("{name}.summary.json"))).unwrap()).unwrap();
        let report = json(&[path(&fixture(&file))]);
        let source = &report["sources"][0];
        assert_eq!(source["events"], summary["events"]["counted"]);
        let counted: HashMap<&str, &Value> = summary["per_tracepoint"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (row["name"].as_str().unwrap(), &row["counted"]))
            .collect();
        let rows = source["tracepoints"].as_array().unwrap();
        assert!(rows.iter().all(|row| row["events"] == *counted[row["name"].as_str().unwrap()]), "{name}");
        assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row["events"].as_u64().unwrap())));
        let share: f64 = rows.iter().map(|row| row["share"].as_f64().unwrap()).sum();
        assert!((share - 1.0).abs() < 1e-9, "{name}: {share}");
        // LOST records report at most the losses of the counters. Here they report most of them.
        let told: u64 = source["losses"].as_array().unwrap().iter().map(|loss| loss["lost"].as_u64().unwrap()).sum();
        let lost = summary["events"]["lost"].as_u64().unwrap();
        assert!(told <= lost && told * 10 >= lost * 9, "{name}: {told} of {lost}");
    }
}

fn a_loss_is_between_the_samples_around_it() {
    // CPU 0 loses 7 samples between 1,500 and 9,000, while CPU 1 records.
    let table = [("irq", "softirq_entry")];
    let mut samples: Vec<_> = (1..=15).map(|n| (n * 100, 1, 0)).collect();
    samples.extend((1..=100).map(|n| (n * 100 + 1, 1, 1)));
    let file = perf_file(&table, &[&samples, &[(9_000, 1, 0)]], Some((7, 9_000)));
    let report = json(&[path(file.path())]);
    let loss = &report["sources"][0]["losses"][0];
    let numbers = |loss: &Value| ["cpu", "lost", "from_ns", "to_ns"].map(|field| loss[field].as_u64().unwrap());
    assert_eq!(numbers(loss), [0, 7, 1_400, 8_900]);
    // A filter does not move a loss. Here the loss still begins at the event that the filter removes.
    let late = perf_file(
        &[("a", "early"), ("b", "late")],
        &[&[(100, 2, 0), (1_500, 1, 0)], &[(9_000, 2, 0)]],
        Some((7, 8_000)),
    );
    let loss = &json(&[path(late.path()), "-t", "b:late"])["sources"][0]["losses"][0];
    assert_eq!(numbers(loss), [0, 7, 1_400, 7_900]);
}

fn a_range_lasts_no_longer_than_what_was_captured() {
    let samples: Vec<_> = (0..=1_000u64).map(|n| (5_000_000_000 + n * 1_000_000, 1, 0)).collect();
    let file = perf_file(&[("irq", "softirq_entry")], &[&samples], None);
    for (from, to, events, seconds) in
        [("0s", "100s", 1_001, 1.0), ("500ms", "750ms", 250, 0.25), ("5000000", "5500000000", 500, 0.5)]
    {
        let report = json(&[path(file.path()), "--from", from, "--to", to]);
        let source = &report["sources"][0];
        let duration = source["duration_ns"].as_u64().unwrap() as f64 * 1e-9;
        assert_eq!(source["events"], events, "{from} to {to}");
        assert!((duration - seconds).abs() < 1e-6, "{from} to {to}: {duration}");
    }
}

fn of_a_part_nothing_is_said_about_when_nothing_was_recorded() {
    // CPU 1 pauses, but CPU 0 does not.
    let mut samples: Vec<_> = (0..2_000u64).map(|n| (n * 1_000, 1, 0)).collect();
    samples.extend((0..2_000u64).filter(|n| !(500..1_500).contains(n)).map(|n| (n * 1_000, 2, 1)));
    let table = [("irq", "steady"), ("sched", "pausing")];
    let gaps = |file: &Path, words: &[&str]| {
        json(&[&[path(file)], words].concat())["sources"][0]["gaps"].as_array().unwrap().len()
    };
    let file = perf_file(&table, &[&samples], None);
    assert_eq!(
        [&[][..], &["--cpus", "1"], &["-t", "sched:*"], &["-x", "irq:*"]].map(|words| gaps(file.path(), words)),
        [0; 4]
    );
    let pausing: Vec<_> = samples.into_iter().filter(|sample| sample.1 == 2).collect();
    assert_eq!(gaps(perf_file(&table, &[&pausing], None).path(), &[]), 1);
}

fn sources_are_compared_by_name_and_never_by_number() {
    // The same names have other numbers in the second source.
    let one = perf_file(
        &[("irq", "entry"), ("net", "only_one"), ("sched", "both")],
        &[&[(1, 1, 0), (2, 2, 0), (3, 3, 0)]],
        None,
    );
    let two = perf_file(
        &[("aaa", "only_two"), ("irq", "entry"), ("sched", "both")],
        &[&[(1, 1, 0), (2, 3, 0), (4, 3, 0)]],
        None,
    );
    let report = json(&[path(one.path()), path(two.path())]);
    let statuses: BTreeMap<&str, Vec<(&str, u64)>> = report["differences"]["tracepoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let sources = row["sources"].as_array().unwrap().iter();
            let status = |source: &'_ Value| source["events"].as_u64().unwrap_or(0);
            let statuses = sources.map(|source| (source["status"].as_str().unwrap(), status(source)));
            (row["name"].as_str().unwrap(), statuses.collect())
        })
        .collect();
    assert_eq!(
        statuses,
        BTreeMap::from([
            ("aaa:only_two", vec![("not_there", 0), ("hit", 1)]),
            ("irq:entry", vec![("hit", 1), ("not_hit", 0)]),
            ("net:only_one", vec![("hit", 1), ("not_there", 0)]),
            ("sched:both", vec![("hit", 1), ("hit", 2)]),
        ])
    );
}

/// Recordings of 30 tracepoints that are hit about 400 times in a second, and each time by a few per cent more or less.
fn repeats(random: &mut fastrand::Rng, number: usize, planted: f64) -> Vec<tempfile::NamedTempFile> {
    let names: Vec<String> = (0..30).map(|number| format!("point{number:02}")).collect();
    let table: Vec<(&str, &str)> = names.iter().map(|name| ("group", name.as_str())).collect();
    let recording = |_| {
        let mut events = Vec::new();
        for tpid in 1..=30u32 {
            let times = if tpid == 7 { planted } else { 1.0 };
            let hits = (times * 400.0 * (0.97 + 0.06 * random.f64())) as usize;
            events.extend((0..hits).map(|_| (random.u64(0..1_000_000_000), tpid, 0)));
        }
        // The first and the last event are at the same times in each.
        events.extend([(0, 1, 0), (1_000_000_000, 1, 0)]);
        events.sort_unstable();
        perf_file(&table, &[&events], None)
    };
    (0..number).map(recording).collect()
}

fn a_planted_change_comes_first_and_equal_repeats_show_none() {
    let mut random = fastrand::Rng::with_seed(6);
    let (before, after, more) =
        (repeats(&mut random, 5, 1.0), repeats(&mut random, 5, 1.0), repeats(&mut random, 5, 1.2));
    let compared = |a: &[tempfile::NamedTempFile], b: &[tempfile::NamedTempFile]| {
        let sides = [a, b].map(|side| side.iter().map(|file| path(file.path())).collect::<Vec<_>>());
        let words = [&["--format", "json"], &sides[0][..], &["--"], &sides[1]].concat();
        serde_json::from_str::<Value>(&well(&words)).unwrap()
    };
    let sure = |report: &Value| -> Vec<String> {
        let rows = report["differences"]["tracepoints"].as_array().unwrap().iter();
        let sure = rows.filter(|row| row["change"]["is_sure"] == true);
        sure.map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(sure(&compared(&before, &after)), [""; 0]);
    let planted = compared(&before, &more);
    assert_eq!(sure(&planted), ["group:point06"]);
    let row = &planted["differences"]["tracepoints"][0];
    let number = |value: &Value| value.as_f64().unwrap();
    let (times, [low, high]) =
        (number(&row["change"]["times"]), [0, 1].map(|end| number(&row["change"]["interval"][end])));
    assert!(1.0 < low && low < times && times < high && (times - 1.2).abs() < 0.05, "{row}");
    let rates = [0, 1].map(|side| number(&row["sides"][side]["rate"]));
    assert!((rates[1] - rates[0] - number(&row["change"]["difference"])).abs() < 1e-6);
    let events: u64 = (0..5).map(|source| row["sources"][source]["events"].as_u64().unwrap()).sum();
    assert_eq!(row["sides"][0]["events"], events);
    assert_eq!(planted["differences"]["basis"]["samples"], "recordings");
    // Single recordings differ by a tenth anyway, so they cannot show it.
    let single = json(&[path(before[0].path()), path(more[0].path())]);
    assert_eq!(sure(&single), [""; 0]);
    assert_eq!(single["differences"]["basis"]["samples"], "windows");
}

fn the_changes_are_the_same_in_every_format() {
    let (idle, make) = (fixture("idle.perf.zst"), fixture("make.perf.zst"));
    let words = [path(&idle), path(&make), "--top", "1000"];
    let rows = json(&words)["differences"]["tracepoints"].as_array().unwrap().clone();
    let sure: Vec<&Value> = rows.iter().filter(|row| row["change"]["is_sure"] == true).collect();
    assert!(sure.len() > 20 && sure.len() < rows.len());
    let surprise = |row: &Value| {
        let change = &row["change"];
        let [low, high] = [0, 1].map(|end| change["interval"][end].as_f64().unwrap());
        let at_least = if low > 1.0 { low } else { high };
        let times = change["times"].as_f64();
        times.map_or(at_least, |times| if low > 1.0 { at_least.min(times) } else { at_least.max(times) }).ln().abs()
    };
    assert!(sure.is_sorted_by(|a, b| surprise(a) >= surprise(b)), "the most surprising one comes first");
    let names: Vec<&str> = sure.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let text = well(&words);
    let table = text.lines().skip_while(|line| !line.ends_with("tracepoints") || !line.contains('×')).skip(1);
    let shown: Vec<&str> =
        table.take_while(|line| !line.is_empty()).filter_map(|line| line.split(' ').next_back()).collect();
    assert_eq!(shown, names);
    let markdown = well(&[&words[..], &["--format", "markdown"]].concat());
    let rows = markdown.lines().skip_while(|line| !line.contains("| × |")).skip(2);
    let shown: Vec<String> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').nth(1).unwrap().trim().replace('\\', ""))
        .collect();
    assert_eq!(shown, names);
    let latex = well(&[&words[..], &["--format", "latex"]].concat());
    let shown: Vec<String> = latex
        .lines()
        .skip_while(|line| !line.contains("midrule"))
        .take_while(|line| !line.contains("bottomrule"))
        .filter_map(|line| Some(line.split_once("texttt{")?.1.split_once('}')?.0.replace('\\', "")))
        .collect();
    assert_eq!(shown, names);
    let page = well(&["-q", path(&idle), path(&make), "--html", "-"]);
    let begin = page.find("id=\"title-differences\"").unwrap();
    let shown: Vec<&str> = page[begin..]
        .split("<tr data-name=\"")
        .skip(1)
        .map(|row| row.split('"').next().unwrap())
        .take(names.len().min(20))
        .collect();
    assert_eq!(shown, names[..shown.len()]);
}

fn every_format_of_every_fixture_is_sound() {
    let names = [
        "idle.perf.zst",
        "make.perf.zst",
        "apache.perf.zst",
        "overflow.perf.zst",
        "compressed.perf",
        "perf-file.data",
        "perf-pipe.data",
        "perf-z.data",
    ];
    let paths: Vec<PathBuf> = names.iter().map(|name| fixture(name)).collect();
    let words: Vec<&str> = paths.iter().map(|file| path(file)).collect();
    let text = well(&words);
    assert!(text.lines().count() > 10 * names.len(), "{text}");
    assert!(!text.contains('\u{1b}'), "there are no colours without a terminal");
    let csv = well(&[&words[..], &["--format", "csv"]].concat());
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(csv.as_bytes()).records().map(Result::unwrap).collect();
    assert!(rows.len() > 100 && rows.iter().all(|row| row[5].parse::<u64>().is_ok()));
    let markdown = well(&[&words[..], &["--format", "markdown", "--top", "3"]].concat());
    let sections = markdown.lines().filter(|line| line.starts_with("## "));
    assert_eq!(
        sections.count(),
        names.len() + 1,
        "one section for each source, and one for the differences: {markdown}"
    );
    assert_eq!(json(&words)["sources"].as_array().unwrap().len(), names.len());
}

fn next_to_nothing_gives_a_right_report() {
    let table = [("irq", "softirq_entry"), ("sched", "sched_switch")];
    let instant: Vec<(u64, u32, u32)> = (0..500).map(|n| (77, n % 2 + 1, n % 4)).collect();
    for (what, samples, events) in
        [("nothing", &[][..], 0), ("one", &[(5, 1, 0)][..], 1), ("an instant", &instant, 500)]
    {
        let file = perf_file(&table, &[samples], None);
        let folder = tempfile::tempdir().unwrap();
        let (page, plots) = (folder.path().join("page.html"), folder.path().join("plots"));
        // `screens` checks the text.
        well(&["-q", path(file.path()), "--html", path(&page), "--plots", path(&plots)]);
        let report = json(&[path(file.path())]);
        let source = &report["sources"][0];
        assert_eq!(source["events"], events, "{what}");
        let sum =
            |rows: &Value| rows.as_array().unwrap().iter().map(|row| row["events"].as_u64().unwrap()).sum::<u64>();
        assert_eq!((sum(&source["tracepoints"]), sum(&source["groups"])), (events, events), "{what}");
        assert_eq!(fs::read_dir(plots).unwrap().count(), 4, "{what}");
        assert!(fs::read_to_string(page).unwrap().trim_end().ends_with("</html>"), "{what}");
        for format in ["csv", "markdown"] {
            well(&[path(file.path()), "--format", format]);
        }
    }
}

fn a_bare_log_has_no_names_of_groups_and_one_that_steps_back_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("bare.csv");
    fs::write(&log, "timestamp,tpid,gid,tracepoint name\n5,1,7,a\n6,2,8,b\n").unwrap();
    let report = json(&[path(&log), path(&fixture("idle.perf.zst"))]);
    let names: Vec<_> = report["sources"][0]["tracepoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["gid7:a", "gid8:b"]);
    let page = folder.path().join("page.html");
    // The merge accepts rows that are a moment out of order, but not by a second.
    let long: String = (0..40_000).map(|n| format!("{},1,7,a\n", 10_000_000_000u64 + n * 100_000)).collect();
    fs::write(&log, format!("timestamp,tpid,gid,tracepoint name\n{long}5,1,7,a\n")).unwrap();
    let output = call(&[path(&log), "--html", path(&page), "--format", "json"]);
    let error = String::from_utf8_lossy(&output.stderr).replace(path(folder.path()), "[folder]");
    assert_eq!(output.status.code(), Some(1));
    assert_screen("report_steps_back", &error);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let problem = report["sources"][0]["problem"].as_str().unwrap();
    assert!(fs::read_to_string(&page).unwrap().contains(problem), "the page has the problem too");
}

fn the_ends_of_time_and_sums_beyond_numbers_are_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("ends.csv");
    fs::write(&log, "timestamp,tpid,gid,tracepoint name\n0,1,1,a\n18446744073709551615,2,1,b\n").unwrap();
    let mut lost = vec![(1, 1, 0)];
    lost.extend((0..3).map(|n| (u64::MAX - n, 1, 1)));
    let beyond = perf_file(&[("irq", "softirq_entry")], &[&lost, &[(2, 1, 0)], &[(3, 1, 0)]], Some((u64::MAX, 5)));
    for file in [log.as_path(), beyond.path()] {
        let (page, plots) = (folder.path().join("page.html"), folder.path().join("plots"));
        well(&[path(file), "--html", path(&page), "--plots", path(&plots), "--force"]);
        for format in ["text", "json", "csv", "markdown"] {
            well(&[path(file), "--format", format]);
        }
    }
}

fn two_tracepoints_of_one_name_are_both_counted() {
    let one =
        perf_file(&[("irq", "same"), ("irq", "same"), ("sched", "other")], &[&[(1, 1, 0), (5, 2, 0), (9, 2, 0)]], None);
    let report = json(&[path(one.path()), path(one.path())]);
    let rows = report["sources"][0]["tracepoints"].as_array().unwrap();
    let active = |row: &Value| row["activity"].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).sum::<f64>();
    assert_eq!(rows.iter().map(active).map(f64::round).collect::<Vec<_>>(), [2.0, 1.0]);
    assert_eq!(report["differences"]["tracepoints"][0]["sources"][0]["events"], 3);
}
