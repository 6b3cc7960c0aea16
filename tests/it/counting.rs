//! Counts on a simulated kernel: machines of any size, and any window.

use crate::common::{Test, tests};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use tp_perf::capture;
use tp_perf::cli::{Cli, Command};
use tp_perf::command::{Context, count};
use tp_perf::control::Signals;
use tp_perf::engine::simulated::{Script, Simulated};
use tp_perf::engine::{self, descriptors_needed};
use tp_perf::events::SampleIds;
use tp_perf::tracefs::Table;

pub const TESTS: &[Test] = tests![
    each_window_is_a_line_and_the_sums_come_last,
    windows_as_rows_add_up_to_the_whole,
    cpus_are_separate_if_asked_for,
    means_are_over_all_runs,
    the_counts_go_to_a_file,
    what_is_not_counted_is_named,
    a_budget_visits_the_hottest_and_marks_the_estimates,
    no_hits_are_no_error,
    a_shortage_of_descriptors_is_an_error_that_leaves_no_file,
];

/// The hits of each window, in the order of the slots: two tracepoints on two CPUs.
const WINDOWS: [[u64; 4]; 4] = [[1, 2, 30, 4], [0, 0, 10, 0], [0, 0, 0, 0], [0, 5, 0, 0]];

/// Counts on a kernel with these windows, and returns the output and the exit code. Ctrl-C comes at the tick before the
/// last one. Each simulated window lasts a second.
fn counted(words: &str, windows: &'static [[u64; 4]]) -> (String, u8) {
    let names = [("irq", "softirq_entry"), ("sched", "sched_stat_wait"), ("task", "rename"), ("task", "=refused")];
    let entries = names.map(|(group, name)| (group.to_owned(), name.to_owned(), 7));
    let (signals, senders) = Signals::pair().unwrap();
    let script = move |ids: &SampleIds| {
        assert_eq!(ids.slots().len(), 4, "one tracepoint is weighted, and one is refused");
        let mut interrupt = senders.interrupt.try_clone().unwrap();
        let at_round = move |number: usize| {
            if number + 2 == windows.len() {
                interrupt.write_all(&[0]).unwrap();
            }
        };
        let windows = windows.iter().map(|hits| hits.to_vec()).collect();
        Script { windows, at_round: Some(Box::new(at_round)), ..Script::default() }
    };
    let refuses = vec![("task:=refused".to_owned(), "Invalid argument".to_owned())];
    let cpus = "0-1".parse().unwrap();
    let kernel =
        Simulated { table: Table::from_entries(entries.to_vec()), cpus, refuses, descriptors: 1 << 20, script };
    let words = format!("tp-perf count -q {words}");
    let cli = <Cli as clap::Parser>::try_parse_from(words.split_whitespace()).unwrap();
    let Some(Command::Count(args)) = cli.command else { panic!("{words}") };
    let mut context = Context::of_test(signals);
    let code = count(&kernel, *args, &mut context).unwrap();
    (String::from_utf8(context.out.kept().to_vec()).unwrap(), code)
}

fn lines(json: &str) -> Vec<Value> {
    json.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn each_window_is_a_line_and_the_sums_come_last() {
    let (json, code) = counted("--every 1ms --format json", &WINDOWS);
    let lines = lines(&json);
    let [windows @ .., summary] = &lines[..] else { panic!("{json}") };
    let hits: Vec<_> = windows.iter().map(|window| window["hits"].as_u64().unwrap()).collect();
    assert_eq!((code, hits), (0, vec![37, 10, 0, 5]));
    assert!(windows.iter().all(|window| window["window_ns"] == 1_000_000_000));
    assert_eq!(windows[1]["timestamp_ns"], 1_000_000_000);
    let first = serde_json::json!([
        { "tracepoint_group": "irq", "tracepoint": "softirq_entry", "hits": 3 },
        { "tracepoint_group": "task", "tracepoint": "rename", "hits": 34 },
    ]);
    assert_eq!(windows[0]["per_tracepoint"], first);
    assert_eq!(
        (&summary["hits"], &summary["windows"], &summary["stop_reason"]),
        (&52.into(), &4.into(), &"interrupt".into())
    );
    let row = |row: &Value| {
        let number = |field: &str| row[field].as_u64();
        (row["tracepoint"].as_str().unwrap().to_owned(), number("hits"), number("first_ns"), number("last_ns"))
    };
    let rows: Vec<_> = summary["per_tracepoint"].as_array().unwrap().iter().map(row).collect();
    let second = 1_000_000_000;
    let expected = [
        ("rename".to_owned(), Some(44), Some(0), Some(second)),
        ("softirq_entry".to_owned(), Some(8), Some(0), Some(3 * second)),
    ];
    assert_eq!(rows, expected);
    assert_eq!(summary["per_cpu"], serde_json::json!([{ "cpu": 0, "hits": 41 }, { "cpu": 1, "hits": 11 }]));
}

fn windows_as_rows_add_up_to_the_whole() {
    let (rows, _) = counted("--every 1ms --format csv", &WINDOWS);
    let expected = "timestamp_ns,window_ns,tracepoint_group,tracepoint,hits,rung,watched,estimate,low,high\n\
                    0,1000000000,irq,softirq_entry,3,counted,1.000000,,,\n\
                    0,1000000000,task,rename,34,counted,1.000000,,,\n\
                    1000000000,1000000000,task,rename,10,counted,1.000000,,,\n\
                    3000000000,1000000000,irq,softirq_entry,5,counted,1.000000,,,\n";
    assert_eq!(rows, expected);
    let (whole, _) = counted("--format csv", &WINDOWS[1..3]);
    let hits: Vec<_> = whole.lines().map(|line| line.split(',').take(3).collect::<Vec<_>>()).collect();
    assert_eq!(
        hits,
        [["tracepoint_group", "tracepoint", "hits"], ["task", "rename", "10"], ["irq", "softirq_entry", "0"]]
    );
}

fn cpus_are_separate_if_asked_for() {
    let (rows, _) = counted("--every 1ms --per-cpu --format csv", &WINDOWS[..2]);
    let expected = "timestamp_ns,window_ns,tracepoint_group,tracepoint,cpu,hits,rung,watched,estimate,low,high\n\
                    0,1000000000,irq,softirq_entry,0,1,counted,1.000000,,,\n\
                    0,1000000000,irq,softirq_entry,1,2,counted,1.000000,,,\n\
                    0,1000000000,task,rename,0,30,counted,1.000000,,,\n\
                    0,1000000000,task,rename,1,4,counted,1.000000,,,\n\
                    1000000000,1000000000,task,rename,0,10,counted,1.000000,,,\n";
    assert_eq!(rows, expected);
    let (text, _) = counted("--every 1ms --per-cpu", &WINDOWS[..2]);
    let of_cpu = |cpu: &str| text.lines().filter(|line| line.trim_start().starts_with(&format!("1.00 s{cpu}"))).count();
    assert_eq!((of_cpu("    0"), of_cpu("    1")), (1, 1), "{text}");
}

fn means_are_over_all_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.json");
    // With COMMAND, stdout belongs to COMMAND. Usually, each run has one window: the tick at the end of COMMAND.
    let words = format!("--repeat 3 --format json -o {} -- true", shown(&path));
    let (printed, code) = counted(&words, &[[1, 2, 30, 4]; 100]);
    let repeated: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((printed.as_str(), code, &repeated["runs_asked"]), ("", 0, &3.into()));
    let runs =
        |it: &Value| it["runs"].as_array().unwrap().iter().map(|hits| hits.as_u64().unwrap()).collect::<Vec<_>>();
    let hits = runs(&repeated["run_hits"]);
    assert!(hits.len() == 3 && hits.iter().all(|hits| *hits > 0 && hits % 37 == 0), "{hits:?}");
    let mean = hits.iter().sum::<u64>() as f64 / 3.0;
    assert!((repeated["run_hits"]["mean"].as_f64().unwrap() - mean).abs() < 1e-9);
    let rename = &repeated["mean_per_tracepoint"][0];
    assert_eq!(rename["tracepoint"], "rename");
    assert_eq!(runs(&rename["hits"]), hits.iter().map(|hits| hits / 37 * 34).collect::<Vec<_>>());
}

fn the_counts_go_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counts.csv");
    let (printed, _) = counted(&format!("--every 1ms --format csv -o {}", shown(&path)), &WINDOWS);
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!((printed.as_str(), written.lines().count()), ("", 5), "{written}");
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn what_is_not_counted_is_named() {
    let (json, _) = counted("--format json", &WINDOWS[..2]);
    let summary: Value = serde_json::from_str(&json).unwrap();
    let not_counted = summary["not_counted"].as_array().unwrap();
    let names: Vec<_> = not_counted.iter().map(|it| it["tracepoint"].as_str().unwrap()).collect();
    assert_eq!(names, ["sched_stat_wait", "=refused"]);
    assert!(not_counted[0]["reason"].as_str().unwrap().contains("adds up nanoseconds"));
    assert_eq!((&summary["counted"], &summary["listed"]), (&2.into(), &4.into()));
    let (text, _) = counted("", &WINDOWS[..2]);
    assert!(text.contains("not counted: sched:sched_stat_wait") && text.contains("and 1 more"), "{text}");
}

fn a_budget_visits_the_hottest_and_marks_the_estimates() {
    // A million hits cost more than a fiftieth of two CPUs; a few do not.
    const HOT: [[u64; 4]; 5] = [[7, 2, 900_000, 100_000]; 5];
    let (json, _) = counted("--every 100ms --format json --budget 2%", &HOT);
    let lines = lines(&json);
    let rename = |line: &Value| line["per_tracepoint"].as_array().unwrap()[1].clone();
    let first = rename(&lines[0]);
    assert_eq!((&first["hits"], &first["rung"]), (&1_000_000.into(), &Value::Null));
    let second = rename(&lines[1]);
    assert_eq!(
        (&second["hits"], &second["rung"], &second["watched"]),
        (&100_000.into(), &"visited".into(), &0.1.into())
    );
    assert_eq!(second["estimated"]["hits"], 1_000_000.0);
    // The other tracepoint stays exact.
    assert_eq!(
        lines[1]["per_tracepoint"][0],
        serde_json::json!({ "tracepoint_group": "irq", "tracepoint": "softirq_entry", "hits": 9 })
    );
    let summary = lines.last().unwrap();
    let row = &summary["per_tracepoint"][0];
    assert_eq!((&row["hits"], &row["estimated"]["hits"]), (&1_400_000.into(), &5_000_000.0.into()));
    assert!(row["estimated"]["low"].as_f64() < Some(5e6) && row["estimated"]["high"].as_f64() > Some(5e6), "{row}");
    assert_eq!(
        (&row["rung"], &summary["cost"]["budget"], &summary["cost"]["visited"]),
        (&"visited".into(), &0.02.into(), &1.into())
    );
    assert_eq!(summary["estimated"]["hits"], 5_000_045.0);
    let (text, _) = counted("--budget 2%", &HOT);
    assert!(text.starts_with("~5,000,045 hits") && text.contains("~5,000,000"), "{text}");
    let (rows, _) = counted("--every 100ms --budget 2% --format csv", &HOT);
    assert!(rows.contains("task,rename,100000,visited,0.100000,1000000.0,"), "{rows}");
}

fn no_hits_are_no_error() {
    let (text, code) = counted("", &[[0; 4], [0; 4]]);
    assert!(code == 0 && text.starts_with("0 hits in "), "{text}");
}

fn a_shortage_of_descriptors_is_an_error_that_leaves_no_file() {
    let entries = (0..1568).map(|number| ("group".to_owned(), format!("t{number}"), number));
    let (table, folder) = (Table::from_entries(entries.collect()), tempfile::tempdir().unwrap());
    let needed = descriptors_needed(1568, 128);
    let file = folder.path().join("counts");
    // A shortage of a hundred thousand, of a few, and none.
    for (descriptors, is_enough) in [(needed - 100_000, false), (needed - 1, false), (needed, true)] {
        for budget in ["", "--budget 1%"] {
            let (cpus, script) = ("0-127".parse().unwrap(), |_: &SampleIds| Script::default());
            let kernel = Simulated { table: table.clone(), cpus, refuses: Vec::new(), descriptors, script };
            let words = format!("tp-perf count -q -d 1ms --format json -o {} {budget}", shown(&file));
            let cli = <Cli as clap::Parser>::try_parse_from(words.split_whitespace()).unwrap();
            let Some(Command::Count(args)) = cli.command else { panic!("{words}") };
            let result = count(&kernel, *args, &mut Context::of_test(Signals::pair().unwrap().0));
            let Err(error) = result else {
                assert!(is_enough && file.exists(), "{words}");
                std::fs::remove_file(&file).unwrap();
                continue;
            };
            let Some(capture::Error::Perf(engine::Error::TooFewDescriptors { needed: said, allowed, .. })) =
                error.downcast_ref()
            else {
                panic!("{error}")
            };
            assert_eq!((*said, *allowed, is_enough), (needed, descriptors, false));
            assert!(!file.exists(), "{words}");
        }
    }
}
