//! Runs `learn`, `states`, `identify` and `check` on recordings of a real kernel, and on sessions made for
//! the tests.

use crate::common::library::{IDLE, LibraryRig as Rig, WEB, session};
use crate::common::report::{fixture, path};
use crate::common::screen::assert_screen;
use crate::common::{Test, perf_file, tests};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

pub const TESTS: &[Test] = tests![
    a_library_of_version_0_1_0_is_read_and_grows,
    what_was_learned_is_told_again_and_what_was_not_is_unknown,
    recordings_of_a_real_kernel_are_told_apart,
    a_session_holds_every_event_of_its_windows,
    a_check_ends_with_0_or_3_and_says_what_for,
    several_sources_are_compared_one_after_another,
    what_cannot_be_said_is_not_said,
    a_report_has_the_states_over_its_graphs,
    one_damaged_session_disables_nothing_else,
];

fn states(found: &Value) -> Vec<(u64, u64, Option<&str>)> {
    let of = |stretch: &'_ Value| (stretch["from"].as_u64().unwrap(), stretch["to"].as_u64().unwrap());
    let all = found["stretches"].as_array().unwrap();
    all.iter().map(|stretch| (of(stretch).0, of(stretch).1, stretch["state"].as_str())).collect()
}

fn what_was_learned_is_told_again_and_what_was_not_is_unknown() {
    let rig = Rig::new();
    rig.learn("idle", IDLE, 4);
    rig.learn("web", WEB, 4);
    assert_eq!((rig.sessions("idle"), rig.sessions("web")), (4, 4));
    let source = rig.session("source", &session(&[(10, IDLE), (12, WEB), (9, [10, 80, 10]), (10, IDLE)], 99));
    let found = rig.json(&["identify", path(&source)]);
    assert_eq!(
        states(&found),
        [(0, 10, Some("idle")), (10, 22, Some("web")), (22, 31, None), (31, 41, Some("idle"))],
        "{found:#}"
    );
    let names = |stretch: usize, way: &str| -> Vec<String> {
        let reasons = found["stretches"][stretch][way].as_array().unwrap();
        reasons.iter().take(2).map(|reason| reason["tracepoint"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names(2, "against").contains(&"exceptions:fault".to_owned()), "{:?}", names(2, "against"));
    assert!(names(1, "for").contains(&"net:queue".to_owned()), "{:?}", names(1, "for"));
    assert_eq!(found["windows"].as_array().unwrap().len(), 41);
    let csv = rig.well(&["identify", path(&source), "--format", "csv"]);
    assert_eq!(csv.lines().count(), 1 + 41 * 2, "a row for each window and state");
    // Each two windows are joined to one.
    let found = rig.json(&["identify", path(&source), "--window", "2s"]);
    assert_eq!(found["windows"].as_array().unwrap().len(), 20);
    let events = found["windows"][0]["events"].as_u64().unwrap();
    assert!((200_000..=212_000).contains(&events), "{events}");
}

fn recordings_of_a_real_kernel_are_told_apart() {
    let rig = Rig::new();
    for (state, fixture_name) in [("idle", "idle.perf.zst"), ("build", "make.perf.zst"), ("apache", "apache.perf.zst")]
    {
        rig.well(&["learn", state, path(&fixture(fixture_name)), "--window", "500events"]);
        assert_eq!(rig.sessions(state), 1);
    }
    for (state, fixture_name) in [("idle", "idle.perf.zst"), ("build", "make.perf.zst"), ("apache", "apache.perf.zst")]
    {
        let found = rig.json(&["identify", path(&fixture(fixture_name)), "--window", "500events"]);
        let windows = found["windows"].as_array().unwrap();
        assert!(windows.len() >= 10 && windows.iter().all(|window| window["events"] == 500), "{found:#}");
        let nearest = |window: &Value| {
            let opinions = window["opinions"].as_array().unwrap();
            let distance = |opinion: &&Value| opinion["distance"].as_f64().unwrap();
            opinions.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap()["state"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let own = windows.iter().filter(|window| nearest(window) == state).count();
        assert!(own * 10 >= windows.len() * 8, "{state}: {own} of {}", windows.len());
        // One session does not show how sessions differ.
        assert!(found["stretches"].as_array().unwrap().iter().all(|stretch| stretch["state"].is_null()));
        assert_eq!(found["not_excluded"].as_array().unwrap().len(), 3);
    }
}

fn a_session_holds_every_event_of_its_windows() {
    let rig = Rig::new();
    rig.well(&["learn", "it", path(&fixture("make.perf.zst")), "--window", "1ms"]);
    let file = fs::read_dir(rig.path("library/it")).unwrap().next().unwrap().unwrap().path();
    let session: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let (begin, windows) = (session["origin"]["begin_ns"].as_u64().unwrap(), session["windows"].as_u64().unwrap());
    let log = zstd::decode_all(fs::File::open(fixture("make.log.csv.zst")).unwrap()).unwrap();
    let mut counted = std::collections::BTreeMap::<String, Vec<u64>>::new();
    let end = begin + windows * 1_000_000;
    // The log has only the first 20,000 events.
    let rows: Vec<(u64, u32, u32, String)> =
        csv::Reader::from_reader(&*log).into_deserialize().map(Result::unwrap).collect();
    assert_eq!(rows[0].0, begin);
    let known = (rows[rows.len() - 1].0 - begin) / 1_000_000;
    for (time, _, _, name) in rows.iter().filter(|row| row.0 < end) {
        counted.entry(name.clone()).or_insert_with(|| vec![0; windows as usize])
            [((time - begin) / 1_000_000) as usize] += 1;
    }
    let mut compared = 0;
    for (name, row) in session["counts"].as_object().unwrap() {
        let short = name.split_once(':').unwrap().1;
        let of_log = counted.get(short);
        for (window, count) in row.as_array().unwrap().iter().enumerate().take(known as usize) {
            assert_eq!(count.as_u64().unwrap(), of_log.map_or(0, |row| row[window]), "{name} in window {window}");
            compared += count.as_u64().unwrap();
        }
    }
    assert!(compared > 1_000, "{compared}");
}

fn a_check_ends_with_0_or_3_and_says_what_for() {
    let rig = Rig::new();
    rig.learn("idle", IDLE, 5);
    rig.learn("web", WEB, 5);
    let same = rig.session("same", &session(&[(40, IDLE)], 77));
    for against in ["idle", "idle,web"] {
        let found = rig.json(&["check", "--against", against, path(&same)]);
        assert_eq!((&found["check"]["alarm"], &found["check"]["findings"]), (&false.into(), &json!([])), "{against}");
    }
    assert_eq!(
        tests_and_failures(&rig.well(&["check", "--against", "idle", path(&same), "--format", "junit"])),
        (5, 0)
    );

    let mut new = session(&[(40, IDLE)], 78);
    new["counts"]["block:rq_issue"] = (0..40).map(|_| 50u64).collect::<Vec<_>>().into();
    let new = rig.session("new", &new);
    let output = rig.call(&["check", "--against", "idle", path(&new), "--format", "json"]);
    assert_eq!(output.status.code(), Some(3));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = found["check"]["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["kind"] == "new").unwrap();
    assert_eq!(found["check"]["alarm"], true);
    assert_eq!((finding["tracepoint"].as_str(), finding["here"].as_f64()), (Some("block:rq_issue"), Some(50.0)));
    let output = rig.call(&["check", "--against", "idle", path(&new), "--format", "junit"]);
    let junit = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(3) && tests_and_failures(&junit).1 > 0, "{junit}");

    // The output reports what was not checked: blocks that lost too much, and windows after the last block.
    let mut lossy = session(&[(45, IDLE)], 79);
    lossy["lost"] = (0..45).map(|window| if window < 10 { 50_000 } else { 0u64 }).collect::<Vec<_>>().into();
    let lossy = rig.session("lossy", &lossy);
    let junit = rig.well(&["check", "--against", "idle", path(&lossy), "--format", "junit"]);
    assert_eq!(tests_and_failures(&junit), (5, 0));
    let said = roxmltree::Document::parse(&junit).unwrap();
    let said = said.descendants().find(|node| node.has_tag_name("system-out")).and_then(|node| node.text()).unwrap();
    assert_eq!(said.lines().count(), 2, "{said}");

    let output = rig.call(&["check", "--against", "web", path(&same), "-q"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0));
}

/// Each source has its result. One that cannot be read does not stop the others, and its exit code is the worst.
fn several_sources_are_compared_one_after_another() {
    let rig = Rig::new();
    rig.learn("idle", IDLE, 5);
    rig.learn("web", WEB, 5);
    let same = rig.session("same", &session(&[(40, IDLE)], 77));
    let other = rig.session("other", &session(&[(14, IDLE), (26, WEB)], 78));
    let nothing = rig.path("nothing.json");
    let [same, other, nothing] = [&same, &other, &nothing].map(|file| path(file));
    let check = |sources: &[&str], format: &str| {
        let output = rig.call(&[&["check", "--against", "idle", "--format", format], sources].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), output.stderr.len())
    };
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (code, one, _) = check(&[other], "json");
    assert_eq!((code, value(&one)["source"].as_str()), (3, Some(other)), "one source is an object");
    let (code, two, said) = check(&[same, other], "json");
    assert_eq!((code, said), (3, 0));
    let alarms: Vec<_> = value(&two).as_array().unwrap().iter().map(|of| of["check"]["alarm"].clone()).collect();
    assert_eq!(alarms, [json!(false), json!(true)]);
    assert_eq!(value(&two)[1], value(&one), "the same as alone");
    let (code, three, said) = check(&[other, nothing, same], "json");
    assert!(code == 1 && said > 0 && value(&three).as_array().unwrap().len() == 3, "{three}");
    assert!(value(&three)[1]["error"].as_str().unwrap().contains("nothing.json"), "{three}");

    let episode = &value(&one)["check"]["episodes"][0];
    assert_eq!((&episode["from"], &episode["looks_like"][0]), (&json!(14), &json!("web")), "{episode:#}");
    assert_eq!(value(&one)["check"]["headline"], "looks like web since 14.0 s");
    let (code, junit, _) = check(&[other, nothing, same], "junit");
    let file = roxmltree::Document::parse(&junit).unwrap();
    let suites: Vec<_> = file.descendants().filter(|node| node.has_tag_name("testsuite")).collect();
    let names: Vec<_> = suites.iter().map(|suite| suite.attribute("name").unwrap()).collect();
    assert_eq!((code, names), (1, vec![other, nothing, same]));
    let messages = file.descendants().filter(|node| node.has_tag_name("failure"));
    assert!(
        messages.clone().count() > 0
            && messages.clone().all(|node| node.attribute("message") == Some("looks like web since 14.0 s"))
    );
    // A full disk is an error of all of them, and is reported once.
    let mut full = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    full.args(["check", "--against", "idle", same, other, "--library"]).arg(rig.path("library"));
    let output = full.stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.matches("failed to print").count()), (Some(1), 1), "{said}");
    let (_, text, _) = check(&[same, other], "text");
    assert!(
        text.starts_with(&format!("{same}: as learned")) && text.contains(&format!("\n\n{other}: not as")),
        "{text}"
    );

    let csv = rig.well(&["identify", same, other, "--format", "csv"]);
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(rows.headers().unwrap().iter().next_back(), Some("source"));
    let sources: Vec<String> = rows.records().map(|row| row.unwrap().iter().next_back().unwrap().to_owned()).collect();
    assert_eq!((sources.len(), sources[0].as_str(), sources[2 * 80 - 1].as_str()), (2 * 80, same, other));
    let silent = rig.session("silent", &session(&[(30, [0, 0, 0])], 7));
    for (sources, code) in
        [([same, other], 0), ([path(&silent), same], 3), ([same, path(&silent)], 3), ([path(&silent), nothing], 1)]
    {
        let output = rig.call(&[&["identify", "--fail-unknown", "--format", "json"], &sources[..]].concat());
        assert_eq!(output.status.code(), Some(code), "{sources:?}");
        assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap().as_array().unwrap().len(), 2);
    }
}

/// The number of tests in a JUnit file, and the number of failures.
fn tests_and_failures(junit: &str) -> (usize, usize) {
    let file = roxmltree::Document::parse(junit).unwrap();
    let number = |name| file.root_element().attribute(name).unwrap().parse::<usize>().unwrap();
    (number("tests"), number("failures"))
}

fn what_cannot_be_said_is_not_said() {
    let rig = Rig::new();
    let source = rig.session("source", &session(&[(30, IDLE)], 5));
    let source = path(&source);
    rig.failure(&["identify", source]);
    rig.failure(&["states"]);
    rig.failure(&["check", "--against", "idle", source]);
    assert!(!rig.path("library").exists(), "a query creates no library");
    rig.learn("idle", IDLE, 1);
    rig.failure(&["check", "--against", "idle", source]);
    rig.failure(&["identify", source, "--window", "1500ms"]);
    rig.failure(&["identify", source, "--window", "31s"]);
    let short = rig.session("short", &session(&[(3, IDLE)], 8));
    rig.failure(&["identify", path(&short), "--window", "5s"]);
    // A session that is too short, or lost too much, shows no state.
    rig.failure(&["learn", "new", path(&short)]);
    let mut lossy = session(&[(30, IDLE)], 10);
    lossy["lost"] = (0..30).map(|window| if window < 18 { 50_000 } else { 0u64 }).collect::<Vec<_>>().into();
    rig.failure(&["learn", "new", path(&rig.session("lossy", &lossy))]);
    rig.failure(&["identify", source, "--window", "5events"]);
    // The same session again, another selection, a recording of other tracepoints, and a session without
    // events.
    let made = rig.session("made", &session(&[(30, IDLE)], IDLE[0]));
    rig.failure(&["learn", "idle", path(&made)]);
    let narrow = json!({"sched:wakeup": vec![70_000u64; 30]});
    let mut other = session(&[(30, IDLE)], 6);
    other["counts"] = narrow;
    let other = rig.session("other", &other);
    rig.failure(&["identify", path(&other)]);
    rig.failure(&["identify", path(&fixture("idle.perf.zst"))]);
    let zero = session(&[(30, [0, 0, 0])], 7);
    let zero = rig.session("zero", &zero);
    rig.well(&["identify", path(&zero)]);
    rig.learn("web", WEB, 4);
    rig.well(&["states", "remove", "idle"]);
    let found = rig.json(&["identify", path(&zero)]);
    assert!(found["stretches"][0]["state"].is_null(), "silence is not a learned state: {found:#}");
    rig.well(&["states", "remove", "web"]);
    rig.learn("idle", IDLE, 1);
    // Either all sessions are added or none, and a session keeps its windows.
    let two = [rig.session("two", &session(&[(30, IDLE)], 9)), rig.session("again", &session(&[(30, IDLE)], IDLE[0]))];
    rig.failure(&["learn", "idle", path(&two[0]), path(&two[1])]);
    assert_eq!(rig.sessions("idle"), 1, "either all sessions are added or none");
    for words in [["learn", "idle"], ["identify", "--alpha=0.05"]] {
        rig.failure(&[words[0], words[1], path(&two[0]), "--from", "5s"]);
    }
    rig.failure(&["learn", "idle", path(&two[0]), "--window", "2s"]);
    rig.failure(&["learn", "new", path(&two[0]), path(&two[0])]);
    assert!(!rig.path("library/new").exists());
    // Files that are not sessions.
    for (name, text) in [("empty.json", ""), ("bad.json", "{}"), ("newer.json", "{\"schema\": 7}")] {
        fs::write(rig.path(name), text).unwrap();
        rig.failure(&["learn", "idle", path(&rig.path(name))]);
    }
    rig.failure(&["learn", "idle", path(&rig.path("nothing"))]);
    rig.failure(&["learn", "idle", path(&fixture("idle.perf.zst")), "--window", "1h"]);
    assert_eq!(rig.call(&["learn", "a/b", source]).status.code(), Some(2));
    rig.failure(&["states", "remove", "nothing"]);
    rig.failure(&["states", "show", "nothing"]);
    rig.well(&["states", "remove", "idle"]);
    rig.failure(&["states"]);
    assert_screen("states_that_fail", &rig.said.borrow());
}

fn a_report_has_the_states_over_its_graphs() {
    let rig = Rig::new();
    // A report uses windows of a second. It says that a recording is too short for states, and reports the
    // rest.
    rig.learn("idle", IDLE, 2);
    let output = rig.call(&["report", path(&fixture("make.perf.zst")), "--states"]);
    assert!(output.status.success());
    assert!(!output.stderr.is_empty(), "a message says that the recording is too short; `screens` checks its text");
    let file = long_recording();
    rig.well(&["states", "remove", "idle"]);
    rig.well(&["learn", "half", path(file.path()), "--to", "6s"]);
    let page = rig.path("page.html");
    let report = rig.json(&[
        "report",
        path(file.path()),
        "--states",
        "--html",
        path(&page),
        "--plots",
        path(&rig.path("plots")),
    ]);
    let states = report["sources"][0]["states"].as_array().unwrap();
    assert!(!states.is_empty(), "{report:#}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("States over time") && page.contains("class=\"state-"), "the strip");
    let svg = fs::read_dir(rig.path("plots"))
        .unwrap()
        .flatten()
        .map(|file| file.path())
        .find(|path| path.extension().is_some_and(|e| e == "svg"));
    assert!(fs::read_to_string(svg.unwrap()).unwrap().contains("<rect class=\"state-"));
}

fn one_damaged_session_disables_nothing_else() {
    let rig = Rig::new();
    rig.learn("idle", IDLE, 4);
    rig.learn("web", WEB, 4);
    let idle = rig.path("library/idle");
    let mut files: Vec<_> = fs::read_dir(&idle).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let whole = fs::read(&files[1]).unwrap();
    let torn = &whole[..whole.len() / 2];
    fs::write(&files[1], torn).unwrap();
    let source = rig.session("source", &session(&[(30, IDLE)], 99));
    let source = path(&source);
    let report = path(&fixture("idle.perf.zst")).to_owned();
    let commands: [(&[&str], i32); 8] = [
        (&["identify", source], 0),
        (&["identify", source, "--format", "json"], 0),
        (&["report", &report, "--states"], 0),
        (&["states"], 1),
        (&["states", "show", "idle"], 1),
        (&["states", "show", "web"], 0),
        (&["check", source, "--against", "web"], 3),
        (&["learn", "idle", source], 0),
    ];
    for (words, code) in commands {
        let output = rig.call(words);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
        let is_of_idle = !words.contains(&"web");
        assert_eq!(error.contains("left out: `"), is_of_idle, "{words:?}: {error}");
        assert_eq!(error.contains(path(&files[1])), is_of_idle, "{words:?}: {error}");
    }
    // A state that is asked for needs all its sessions.
    let output = rig.call(&["check", source, "--against", "idle"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(path(&files[1])));
    // The new session has replaced none.
    assert_eq!((rig.sessions("idle"), fs::read(&files[1]).unwrap()), (5, torn.to_vec()));
}

/// A recording of two tracepoints for eight seconds.
pub fn long_recording() -> NamedTempFile {
    let rounds: Vec<Vec<(u64, u32, u32)>> = (0..8u64)
        .map(|second| {
            (0..200)
                .map(|event| (second * 1_000_000_000 + event * 5_000_000, 1 + u32::from(event % 3 == 0), 0))
                .collect()
        })
        .collect();
    let rounds: Vec<&[(u64, u32, u32)]> = rounds.iter().map(Vec::as_slice).collect();
    perf_file(&[("a", "x"), ("a", "y")], &rounds, None)
}

/// Reads a library that version 0.1.0 wrote, from the fixtures.
fn a_library_of_version_0_1_0_is_read_and_grows() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("make");
    std::fs::create_dir(&state).unwrap();
    let old = fixture("library-0.1.0").join("make/20261123T230408Z.json");
    std::fs::copy(old, state.join("20261123T230408Z.json")).unwrap();
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
            .args(words)
            .args(["--library", path(folder.path())])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["states", "show", "make"]);
    run(&["learn", "make", path(&fixture("compressed.perf")), "--window", "1ms"]);
    assert_eq!(std::fs::read_dir(&state).unwrap().count(), 2);
    // The recordings of these sessions last a thirtieth of a second. That is too short to name a state.
    let found: Value = serde_json::from_str(&run(&[
        "identify",
        path(&fixture("make.perf.zst")),
        "--window",
        "10ms",
        "--format",
        "json",
    ]))
    .unwrap();
    assert_eq!(found["window"], serde_json::json!({"ns": 10_000_000}));
    assert_eq!(found["stretches"][0]["said"], "not judged");
    assert_eq!(found["not_excluded"], json!([{"state": "make", "why": "no usable session of 2"}]));
    assert!(found["coverage"].as_f64().unwrap() > 0.99, "{}", found["coverage"]);
}
