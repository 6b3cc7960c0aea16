//! Feeds text that a terminal or a spreadsheet would obey to every command, in every place that such text can come
//! from, and scans all bytes that come out.

use crate::common::library::{IDLE, session};
use crate::common::report::path;
use crate::common::screen::on_terminal;
use crate::common::{Test, ending, facts, perf_file_of, tests};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use tp_perf::recording::{Ending, Facts, LeftOut};
use tp_perf::tracefs::{Exclusion, Status, Tpid};

pub const TESTS: &[Test] = tests![no_byte_of_any_output_is_obeyed, no_cell_is_a_formula, names_survive_a_log];

/// C0, DEL, C1, directions of text, a line of its own, and a colour that tp-perf does not use.
const OBEYED: &str =
    "x\u{1b}[35;7m\u{1b}]0;t\u{7}\u{7f}\u{9b}31m\u{202e}\u{2066}\u{200f}\u{61c}\r\nINJECTED\t\u{85}\u{2028}y";
const COLOUR: &str = "\u{1b}[35;7m";

/// Beginnings of formulas.
const FORMULAS: [&str; 6] = ["=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1"];

/// Whether a terminal may obey the character, by Unicode's tables.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A folder whose name is hostile, with sources that are hostile.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Stage { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(stage.path("")).unwrap();
        let names: Vec<(String, String)> = FORMULAS
            .iter()
            .map(|formula| (format!("{formula}g"), format!("{formula}n")))
            .chain([(OBEYED.to_owned(), OBEYED.to_owned()), ("zz".to_owned(), "usual".to_owned())])
            .collect();
        let names: Vec<(&str, &str)> = names.iter().map(|(group, name)| (&group[..], &name[..])).collect();
        // Windows of a second, for nine seconds.
        let samples: Vec<_> = (0..9_000).map(|n| (n * 1_000_000, n as u32 % 8 + 1, n as u32 % 4)).collect();
        let [hostile, formula] = [&OBEYED.replace('t', "u"), FORMULAS[0]].map(str::to_owned);
        let left_out = [
            Status::Refused { reason: OBEYED.to_owned() },
            Status::Excluded(Exclusion::Pattern { pattern: OBEYED.to_owned() }),
            Status::Excluded(Exclusion::Noted { words: FORMULAS[0].to_owned() }),
        ];
        let left_out = (6..).zip(left_out).map(|(tpid, status)| LeftOut { status, tpids: vec![Tpid::new(tpid)] });
        let facts = Facts {
            kernel: hostile.clone(),
            hostname: hostile.clone(),
            command: Some(vec![hostile.clone(), formula.clone()]),
            arguments: vec![hostile.clone()],
            started: hostile.clone(),
            left_out: left_out.collect(),
            ..facts()
        };
        let ending = Ending { started: hostile.clone(), problem: Some(hostile), ..ending() };
        let rounds: [&[_]; 2] = [&samples[..4_000], &samples[4_000..]];
        let file = perf_file_of(&facts, &ending, &names, &rounds, Some((77, 4_100_000_000)));
        fs::copy(file.path(), stage.path("one.perf")).unwrap();
        fs::copy(file.path(), stage.path(&format!("{}.perf", FORMULAS[0]))).unwrap();
        let whole = Ending { problem: None, ..ending };
        let whole = perf_file_of(&facts, &whole, &names, &rounds, None);
        fs::copy(whole.path(), stage.path("two.perf")).unwrap();
        let torn = fs::read(file.path()).unwrap();
        fs::write(stage.path("torn.perf"), &torn[..torn.len() / 2]).unwrap();

        let log = stage.path("log");
        fs::create_dir(&log).unwrap();
        let mut rows = csv::Writer::from_path(log.join("log.csv")).unwrap();
        let mut tracepoints = csv::Writer::from_path(log.join("tracepoints.csv")).unwrap();
        rows.write_record(["timestamp", "tpid", "gid", "tracepoint name"]).unwrap();
        tracepoints.write_record(["tpid", "gid", "tracepoint name", "group name"]).unwrap();
        // A log of version 0.2.0 has its names as they are, but no line ends in them. Now these are escaped.
        let raw = names.iter().map(|(group, name)| [group, name].map(|text| text.replace(['\r', '\n'], "")));
        for (tpid, [group, name]) in (1..).zip(raw.chain([["lines".to_owned(), "a\\nINJECTED".to_owned()]])) {
            let tpid = tpid.to_string();
            rows.write_record([&tpid, &tpid, &tpid, &name]).unwrap();
            tracepoints.write_record([&tpid, &tpid, &name, &group]).unwrap();
        }
        drop((rows, tracepoints));
        let mut processes = csv::Writer::from_path(stage.path("processes.csv")).unwrap();
        let columns = ["timestamp", "tpid", "gid", "tracepoint name", "cpu", "pid", "tid", "comm", "cgroup"];
        processes.write_record(columns).unwrap();
        let texts = FORMULAS.iter().copied().chain([OBEYED]).map(|text| text.replace(['\r', '\n'], ""));
        for (time, text) in (1..).zip(texts) {
            let (time, path) = (time.to_string(), format!("/{text}"));
            processes.write_record([&time, "1", "1", "usual", "0", &time, &time, &text, &path]).unwrap();
        }
        drop(processes);
        fs::write(stage.path("bad.csv"), format!("timestamp,tpid,gid,tracepoint name\n{OBEYED}\n")).unwrap();
        fs::write(stage.path("unknown"), OBEYED).unwrap();

        for (state, number) in [("idle", 1), ("idle", 2), ("+idle", 3), ("@idle", 4)] {
            let mut session = session(&[(30, IDLE)], number);
            for field in ["kernel", "hostname", "clock", "started"] {
                session["origin"][field] = OBEYED.into();
            }
            session["tool"]["name"] = OBEYED.into();
            let counts = session["counts"].as_object_mut().unwrap();
            let fault = counts.remove("exceptions:fault").unwrap();
            counts.insert(format!("{OBEYED}:{OBEYED}"), fault);
            session["not_hit"][OBEYED] = vec![OBEYED].into();
            session["left_out"][OBEYED] = vec![format!("{OBEYED}:n")].into();
            fs::create_dir_all(stage.path("library").join(state)).unwrap();
            fs::write(stage.path("library").join(state).join(format!("{number}.json")), session.to_string()).unwrap();
            fs::write(stage.path(&format!("{number}.json")), session.to_string()).unwrap();
        }
        fs::create_dir_all(stage.path("damaged/idle")).unwrap();
        fs::write(stage.path("damaged/idle/1.json"), format!("{{\"{}\": 1}}", OBEYED.replace('\n', ""))).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("={OBEYED}")).join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        // A word that begins with `:` is a file in the folder.
        for word in words {
            match word.strip_prefix(':') {
                Some(name) => command.arg(self.path(name)),
                None => command.arg(word),
            };
        }
        command.current_dir(self.path("")).stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "TP_PERF_STATES", "XDG_DATA_HOME"] {
            command.env_remove(name);
        }
        command.env("HOME", self.path("home"));
        command
    }
}

/// The lines of a command with hostile text, by command.
fn lines() -> Vec<Vec<String>> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut lines: Vec<Vec<String>> = [
        "report :one.perf --top 50",
        "report :one.perf :log --top 50",
        "report :=1+1.perf --top 50 --states --library :library",
        "report :torn.perf",
        "report --html :page.html --plots :plots :one.perf :log --states --library :library",
        "report --html :page.html :one.perf",
        "report --html - :one.perf --states --library :library",
        "report --html :no/page.html :one.perf",
        "report :one.perf --format csv",
        "report :log --format csv",
        "report :one.perf :log --format json",
        "report :log --format markdown",
        "report :one.perf :log --format markdown",
        "report :processes.csv --by process --top 50",
        "report :processes.csv --by process --format csv",
        "report :processes.csv --by process --format json",
        "report :processes.csv --by process --format markdown",
        "report :processes.csv :one.perf --by process",
        "report :processes.csv --by process --html :processes.html",
        "report :processes.csv --by process --comm HOSTILE",
        "report :processes.csv --by process --cgroup HOSTILE",
        "report :processes.csv --by process --unit HOSTILE",
        "replay :processes.csv -o - --log-columns comm,cgroup",
        "replay :processes.csv -o :rec7 --log-columns comm,cgroup",
        "report :none :unknown",
        "report :unknown",
        "report :bad.csv",
        "report :one.perf -t none:HOSTILE",
        "report :one.perf --states --library :none",
        "replay :one.perf -o :rec",
        "replay :one.perf -o :rec",
        "replay :rec -o :rec2 -n 10",
        "replay :log -o :rec3",
        "replay :log -o -",
        "replay :torn.perf -o :rec4",
        "replay :rec -o -",
        "replay :unknown -o :rec5",
        "replay :one.perf -o :unknown",
        "replay :one.perf -o :none/rec",
        "replay :one.perf -x HOSTILE -t HOSTILE -o :rec6",
        "replay --cpus HOSTILE :one.perf",
        "replay --speed HOSTILE :one.perf",
        "learn made :two.perf --window 1s --library :library",
        "learn made :two.perf --window 1s --library :library",
        "learn made :log --window 1s --library :library",
        "learn idle :4.json --library :library",
        "learn idle :1.json --library :library",
        "learn idle :1.json --library :unknown",
        "learn HOSTILE :1.json",
        "learn idle :unknown --library :library",
        "states --library :library",
        "states show idle --library :library",
        "states show made --library :library",
        "states show HOSTILE --library :library",
        "states show none --library :library",
        "states remove idle HOSTILE --library :library",
        "states remove @idle --library :library",
        "states --library :damaged",
        "states remove idle --library :damaged",
        "states",
        "identify :two.perf --library :library",
        "identify :4.json --library :library",
        "identify :4.json --library :library --format json",
        "identify :4.json --library :library --format csv",
        "identify :two.perf --library :damaged",
        "check :two.perf --against idle --library :library",
        "check :4.json --against idle --library :library",
        "check :4.json --against idle --library :library --format json",
        "check :4.json --against idle --library :library --format junit",
        "check :4.json --against none --library :library",
        "check :none --against idle --library :library",
        "check :4.json --against idle --library :damaged",
        "list HOSTILE",
        "man HOSTILE",
        "man --dir :none",
        "man --dir :",
        "completions HOSTILE",
        "doctor HOSTILE",
        "overhead -- HOSTILE",
        "overhead -- :unknown",
        "record --cpus HOSTILE",
        "record --ring-size HOSTILE -d 1s",
        "record -t HOSTILE -d 1s",
        "record -d HOSTILE",
        "record -n HOSTILE",
        "record -o :unknown -n 1",
        "record -o :none/rec -n 1",
        "record -- HOSTILE",
        "record -- :unknown",
        "record --HOSTILE",
        "record --clock=HOSTILE",
        "HOSTILE",
        "-HOSTILE",
        "report --format HOSTILE",
    ]
    .iter()
    .map(|line| words(line))
    .collect();
    for word in lines.iter_mut().flatten() {
        *word = word.replace("HOSTILE", OBEYED);
    }
    lines
}

/// Checks that no character of a text is obeyed, except for the colours of tp-perf on a terminal.
fn assert_shown(what: &str, bytes: &[u8], is_terminal: bool) {
    let mut text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| panic!("{what}: not UTF-8"));
    assert!(!text.contains(COLOUR), "{what}: a colour of the source: {text:?}");
    if is_terminal {
        while let Some(start) = text.find("\u{1b}[") {
            let end = text[start..].find('m').unwrap_or_else(|| panic!("{what}: {text:?}"));
            text.replace_range(start..=start + end, "");
        }
    }
    if let Some(place) = text.find(|c| is_obeyed(c) && c != '\n') {
        let start = (0..=place.saturating_sub(60)).rev().find(|start| text.is_char_boundary(*start)).unwrap_or(0);
        panic!("{what}: {:?} is obeyed: {:?}", text[place..].chars().next(), &text[start..place + 4]);
    }
    assert!(!text.lines().any(|line| line.trim_start().starts_with("INJECTED")), "{what}: a line of its own: {text:?}");
}

/// Checks the text files in a folder and below it. Sources are binary or have been made by the test.
fn assert_files_shown(folder: &Path) -> usize {
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            checked += assert_files_shown(&path);
        } else if ["csv", "html", "json", "svg"].iter().any(|ending| path.extension().is_some_and(|its| its == *ending))
        {
            assert_shown(&format!("{:?}", path.file_name().unwrap()), &fs::read(&path).unwrap(), false);
            checked += 1;
        }
    }
    checked
}

fn no_byte_of_any_output_is_obeyed() {
    for is_terminal in [false, true] {
        let stage = Stage::new();
        for line in lines() {
            let words: Vec<&str> = line.iter().map(String::as_str).collect();
            let Output { status, stdout, stderr } = match is_terminal {
                true => on_terminal(stage.command(&words), 80),
                false => stage.command(&words).output().unwrap(),
            };
            let what = format!("{words:?}");
            assert!(status.code().is_some(), "{what}: {status}");
            assert!(!stdout.is_empty() || !stderr.is_empty() || status.success(), "{what}: no message");
            assert_shown(&format!("{what} stdout"), &stdout, is_terminal);
            assert_shown(&format!("{what} stderr"), &stderr, false);
        }
        let mut checked = ["rec", "rec2", "rec3", "plots"].map(|made| assert_files_shown(&stage.path(made))).to_vec();
        checked.push(assert_files_shown(&stage.path("library/made")));
        assert!(checked.iter().all(|files| *files > 0), "{checked:?}");
        assert_shown("the page", &fs::read(stage.path("page.html")).unwrap(), false);
    }
}

fn no_cell_is_a_formula() {
    let stage = Stage::new();
    let mut texts = Vec::new();
    for line in [
        "replay :one.perf -q -o :rec",
        "replay :log -q -o :rec2",
        "report :one.perf --format csv",
        "report :=1+1.perf :log --format csv",
        "identify :4.json --library :library --format csv",
        "replay :log -o -",
    ] {
        let output = stage.command(&line.split_whitespace().collect::<Vec<_>>()).output().unwrap();
        texts.push((line.to_owned(), output.stdout));
    }
    for recording in ["rec", "rec2"] {
        for name in ["log.csv", "tracepoints.csv", "groups.csv"] {
            texts.push((name.to_owned(), fs::read(stage.path(recording).join(name)).unwrap()));
        }
    }
    let mut marked = 0;
    for (what, text) in texts.iter().filter(|(_, text)| !text.is_empty()) {
        for row in csv::ReaderBuilder::new().has_headers(false).from_reader(&text[..]).records() {
            for cell in &row.unwrap() {
                let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
                assert!(!is_formula || cell.parse::<f64>().is_ok(), "{what}: {cell:?}");
                marked += usize::from(cell.starts_with('\''));
            }
        }
    }
    assert!(marked > 20, "{marked} cells had a formula");
}

/// The CSV files of a recording are read as they were written.
fn names_survive_a_log() {
    let stage = Stage::new();
    let names = |source: &str| {
        let output = stage.command(&["report", source, "--format", "json", "--top", "50"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = report["sources"][0]["tracepoints"].as_array().unwrap().clone();
        let mut names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let output = stage.command(&["replay", ":log", "-q", "-o", ":rec"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let before = names(":log");
    assert!(before.contains(&"lines:a\nINJECTED".to_owned()) && before.iter().any(|name| name.contains(FORMULAS[0])));
    assert_eq!(names(":rec"), before);
    let log = path(&stage.path("rec/log.csv")).to_owned();
    let of_log = stage.command(&["report", &log, "--format", "csv"]).output().unwrap();
    assert!(of_log.status.success(), "{}", String::from_utf8_lossy(&of_log.stderr));
}
