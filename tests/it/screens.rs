//! Pins the output of tp-perf, word for word, on terminals of 60, 80, 120 and 200 columns.
//!
//! Each file in `screens/` has the output of a few commands, which run one after another in a folder that the
//! test made. `$` begins a command, and its stdout follows. If that depends on the width, it is there for each
//! width, below `[60 columns]` and so on. No line may be wider than the terminal. stderr is below `[stderr]`,
//! and an exit code other than 0 below `[exit code]`.
//!
//! `INSTA_UPDATE=always cargo test --test it screens` accepts all changes; `git diff` then shows them.

use crate::common::report::fixture;
use crate::common::screen::{assert_screen, on_terminal, visible};
use crate::common::{Test, nothing_more, perf_file};
use crate::report_files::HOSTILE;
use crate::states::{IDLE, WEB, long_recording, session};
use clap::CommandFactory;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tp_perf::cli::Cli;
use tp_perf::control::Signals;
use tp_perf::doctor::{Machine, Needs, diagnose};
use tp_perf::drain::replay::{self, replay};
use tp_perf::events::Filter;
use tp_perf::os::cpus::{Cpu, CpuList};
use tp_perf::os::limits::{Capabilities, DescriptorLimit};
use tp_perf::overhead::{CapturedEvents, MeasuredRun, Overhead, write_json, write_markdown};
use tp_perf::recording::{FILES, StopReason, Tool};
use tp_perf::source::Place;
use tp_perf::terminal::{SummaryOf, print_diagnoses, print_overhead, print_summary};
use tp_perf::tracefs::Origin;
use unicode_width::UnicodeWidthStr;

pub const TESTS: &[Test] = &[
    ("help_of_every_command", nothing_more, help),
    ("completions_and_man", nothing_more, completions_and_man),
    ("wrong_usage", nothing_more, wrong_usage),
    ("replay_of_captures", nothing_more, replays),
    ("replay_of_other_sources", nothing_more, replays_of_other_sources),
    ("replay_of_a_part", nothing_more, replays_of_a_part),
    ("replay_that_fails", nothing_more, failing_replays),
    ("capture_summary", nothing_more, capture_summary),
    ("report_of_one_source", nothing_more, report),
    ("report_of_several_sources", nothing_more, report_of_several),
    ("report_for_programs", nothing_more, report_for_programs),
    ("report_of_odd_sources", nothing_more, odd_reports),
    ("report_that_fails", nothing_more, failing_reports),
    ("states_are_learned_and_listed", nothing_more, learn_and_list),
    ("states_of_recordings", nothing_more, states_of_recordings),
    ("identify", nothing_more, identify),
    ("check", nothing_more, check),
    ("overhead_figures", nothing_more, overhead),
    ("list_of_a_small_kernel", mounts, list),
    ("doctor_of_some_machines", nothing_more, doctor),
    ("piped_output_is_that_of_80_columns", nothing_more, piped),
];

const COLUMNS: [u16; 4] = [60, 80, 120, 200];

/// A folder in which commands run. It has the fixtures as `fixtures`.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(fixture(""), folder.path().join("fixtures")).unwrap();
        Stage { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Writes the first `percent` % of a compressed fixture.
    fn cut(&self, name: &str, of: &str, percent: usize) {
        let whole = zstd::decode_all(fs::File::open(fixture(of)).unwrap()).unwrap();
        self.write(name, &whole[..whole.len() * percent / 100]);
    }

    /// Writes sessions of two states, `idle` and `web`, each half a minute long, and a few other sessions.
    fn sessions(&self) {
        for (state, shares) in [("idle", IDLE), ("web", WEB)] {
            (1..=5).for_each(|number| self.session(&format!("{state}{number}"), &[(30, shares)], number + shares[0]));
        }
        self.session("evening", &[(10, IDLE), (12, WEB), (9, [10, 80, 10]), (10, IDLE)], 99);
        self.session("same", &[(40, IDLE)], 77);
        self.session("silent", &[(30, [0, 0, 0])], 7);
        let mut new = session(&[(40, IDLE)], 78);
        new["counts"]["block:rq_issue"] = (0..40).map(|_| 50u64).collect::<Vec<_>>().into();
        self.write("new.json", new.to_string());
        let mut lossy = session(&[(45, IDLE)], 79);
        lossy["lost"] = (0..45).map(|window| if window < 10 { 50_000 } else { 0u64 }).collect::<Vec<_>>().into();
        self.write("lossy.json", lossy.to_string());
    }

    fn session(&self, name: &str, stretches: &[(usize, [u64; 3])], seed: u64) {
        let mut session = session(stretches, seed);
        // A library names the session by this time.
        session["origin"]["started"] = format!("2026-01-02T03:{:02}:{:02}Z", seed / 60, seed % 60).into();
        self.write(&format!("{name}.json"), session.to_string());
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(line.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        alone(&mut command);
        command.env("HOME", self.folder.path());
        command
    }
}

/// Removes settings of the tester that would change the output.
fn alone(command: &mut Command) {
    command.env("NO_COLOR", "1");
    for name in ["CLICOLOR_FORCE", "COLUMNS", "LINES", "TP_PERF_STATES", "XDG_DATA_HOME"] {
        command.env_remove(name);
    }
}

/// The screen of these commands, run one after another. Each width has its own folder, made by `prepare`.
fn screen(prepare: impl Fn(&Stage), lines: &[&str]) -> String {
    let outputs = COLUMNS.map(|columns| {
        let stage = Stage::new();
        prepare(&stage);
        // The path of the folder is not part of the screen.
        let folder = stage.folder.path().to_str().unwrap();
        let placeless = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(folder, "[folder]").into_bytes();
        let output = |line: &&str| {
            let Output { status, stdout, stderr } = on_terminal(stage.command(line), columns);
            Output { status, stdout: placeless(stdout), stderr: placeless(stderr) }
        };
        lines.iter().map(output).collect::<Vec<_>>()
    });
    let of_line = |(number, line): (usize, &&str)| shown(line, outputs.each_ref().map(|outputs| &outputs[number]));
    lines.iter().enumerate().map(of_line).collect::<Vec<_>>().join("\n")
}

/// What one command shows at each width.
fn shown(line: &str, outputs: [&Output; COLUMNS.len()]) -> String {
    let first = outputs[0];
    let error = visible(&first.stderr);
    for output in outputs {
        assert_eq!(output.status, first.status, "{line}: {error}{}", visible(&output.stderr));
        assert_eq!(visible(&output.stderr), error, "{line}: messages have no width");
    }
    let texts = outputs.map(|output| visible(&output.stdout));
    // What is for programs has the lines that they expect.
    if !["--format", "-o -", "--help"].iter().any(|option| line.contains(option)) {
        texts.iter().zip(COLUMNS).for_each(|(text, columns)| assert_fits(line, text, columns));
    }
    let mut screen = format!("$ tp-perf {}\n{}", visible(line.as_bytes()), by_width(&texts));
    if !error.is_empty() {
        write!(screen, "[stderr]\n{error}").unwrap();
    }
    match first.status.code() {
        Some(0) => {}
        code => writeln!(screen, "[exit code] {}", code.unwrap()).unwrap(),
    }
    screen
}

/// A text at each width, once if it is the same at all.
fn by_width(texts: &[String; COLUMNS.len()]) -> String {
    if texts.iter().all(|text| *text == texts[0]) {
        return texts[0].clone();
    }
    let mut screen = String::new();
    for (number, (text, columns)) in texts.iter().zip(COLUMNS).enumerate() {
        writeln!(screen, "[{columns} columns]").unwrap();
        match texts[..number].iter().zip(COLUMNS).find(|(other, _)| *other == text) {
            Some((_, same)) => writeln!(screen, "as on {same} columns").unwrap(),
            None => screen += text,
        }
    }
    screen
}

/// That no line is longer than the terminal is wide, but for a single word.
fn assert_fits(what: &str, text: &str, columns: u16) {
    for line in text.lines() {
        let is_word = line.split_whitespace().count() < 2;
        assert!(line.width() <= usize::from(columns) || is_word, "{what}: more than {columns} columns: {line}");
    }
}

/// What this prints at each width.
fn printed(what: &str, print: impl Fn(usize, &mut Vec<u8>)) -> String {
    let texts = COLUMNS.map(|columns| {
        let mut out = Vec::new();
        print(usize::from(columns), &mut out);
        let text = plain(&out);
        assert_fits(what, &text, columns);
        text
    });
    by_width(&texts)
}

/// The first lines of what each of these prints into a pipe.
fn heads(stage: &Stage, lines: &[(&str, usize)]) -> String {
    let heads = lines.iter().map(|(line, number)| {
        let output = stage.command(line).output().unwrap();
        let text = visible(&output.stdout);
        let first: Vec<&str> = text.lines().take(*number).collect();
        let code = match output.status.code() {
            Some(0) => String::new(),
            code => format!("[exit code] {}\n", code.unwrap()),
        };
        format!("$ tp-perf {line} | head -n {number}\n{}\n{code}", first.join("\n"))
    });
    heads.collect::<Vec<_>>().join("\n")
}

/// Pins a screen of commands in a folder that has only the fixtures.
fn pinned(name: &str, lines: &[&str]) {
    assert_screen(name, &screen(|_| {}, lines));
}

fn help() {
    let mut names = vec![String::new()];
    let mut at = 0;
    // All commands and all their subcommands.
    while at < names.len() {
        let path = names[at].clone();
        let command = path.split_whitespace().fold(Cli::command(), |command, name| {
            command.find_subcommand(name).expect("it is where it was found").clone()
        });
        names.extend(
            command.get_subcommands().map(|command| format!("{path} {}", command.get_name()).trim().to_owned()),
        );
        at += 1;
    }
    assert!(names.len() > 11, "{names:?}");
    let file = |name: &str| format!("help {name}").trim().replace(' ', "_");
    for name in &names {
        assert_screen(&file(name), &screen(|_| {}, &[format!("{name} --help").trim()]));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/screens");
    let stored = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut stored: Vec<String> = stored.filter(|name| name.starts_with("help") && name.ends_with(".snap")).collect();
    let mut expected: Vec<String> = names.iter().map(|name| format!("{}.snap", file(name))).collect();
    stored.sort();
    expected.sort();
    assert_eq!(stored, expected, "there is a screen of a command that no longer exists");
}

fn completions_and_man() {
    // They come from the same definition as the help, which has its own screens.
    let lines = [("completions bash", 4), ("completions zsh", 4), ("completions fish", 4), ("man", 12)];
    assert_screen("completions_and_man", &heads(&Stage::new(), &lines));
}

fn wrong_usage() {
    pinned(
        "wrong_usage",
        &[
            "--version",
            "--events 0",
            "--events many",
            "--duration 10",
            "--ring-size lots",
            "--cpus 3-1",
            "-t a[",
            "-- /no/such/program",
            "lsit",
            "script",
            "-g",
            "-p 1",
            "record -F 99 -a",
            "--ring-size 63K",
            "list --format xml",
            "-n 5 list",
            "replay",
            "replay a b",
            "replay a --from 2s --to 1s",
            "replay a --from 2 --to 1s",
            "report a --htm b",
            "replay a --speed 0",
            "report - -",
            "report a --top 0",
            "overhead",
            "overhead --runs 0 -- true",
            "learn",
            "learn a/b fixtures/idle.perf.zst",
            "learn idle a --duration 5s",
            "learn idle --from 5s",
            "identify a --alpha 2",
            "identify a --window 5",
            "check a",
            "check --against idle a --false-alarms 0",
            "states forget idle",
            "completions powder",
            "doctor --cpus x",
        ],
    );
}

fn replays() {
    pinned(
        "replay_of_captures",
        &[
            "replay fixtures/idle.perf.zst",
            "replay fixtures/make.perf.zst",
            "replay fixtures/apache.perf.zst",
            "replay fixtures/overflow.perf.zst",
            "replay fixtures/compressed.perf",
            "replay --example",
        ],
    );
}

fn replays_of_other_sources() {
    pinned(
        "replay_of_other_sources",
        &[
            "replay fixtures/perf-file.data",
            "replay fixtures/perf-pipe.data",
            "replay fixtures/perf-z.data",
            "replay fixtures/idle.log.csv.zst",
            "replay fixtures/idle.perf.zst -o rec",
            "replay rec",
            "replay rec/log.csv -o again -q",
            "replay again",
        ],
    );
}

fn replays_of_a_part() {
    pinned(
        "replay_of_a_part",
        &[
            "replay fixtures/make.perf.zst -n 100",
            "replay fixtures/make.perf.zst -t kmem:* -x mm_page_alloc",
            "replay fixtures/make.perf.zst --cpus 0",
            "replay fixtures/make.perf.zst --from 1ms --to 2ms",
            "replay fixtures/make.perf.zst --from 1h",
            "replay fixtures/idle.perf.zst -n 3 -o -",
        ],
    );
}

fn failing_replays() {
    let prepare = |stage: &Stage| {
        stage.write("empty", "");
        stage.write("hello", "hello, world\n");
        stage.write("log.csv", "timestamp,tpid,gid,tracepoint name\n5,1,1,a\n");
        stage.write("torn.csv", "timestamp,tpid,gid,tracepoint name\n5,1,1,a\n6,1,");
        stage.write("other.csv", "timestamp,tpid,tracepoint name\n5,1,a\n");
        stage.write("names.csv", "timestamp,tpid,gid,tracepoint name\n5,1,1,a\u{1b}[31mred\u{7}\n6,1,1,b\n");
        stage.cut("torn.perf", "idle.perf.zst", 60);
        fs::create_dir(stage.path("folder")).unwrap();
        fs::create_dir(stage.path("rec")).unwrap();
        stage.write("rec/log.csv", "timestamp,tpid,gid,tracepoint name\n5,1,1,a\n");
    };
    let lines = [
        "replay missing",
        "replay empty",
        "replay hello",
        "replay folder",
        "replay torn.perf",
        "replay torn.csv",
        "replay other.csv",
        "replay names.csv",
        "replay mis\u{1b}[31msing",
        "replay log.csv --cpus 0",
        "replay log.csv -t b",
        "replay fixtures/make.perf.zst -t shced:*",
        "replay fixtures/make.perf.zst -t mm_page_aloc",
        "replay fixtures/make.perf.zst --cpus 7",
        "replay fixtures/perf-file.data -x no_such",
        "replay fixtures/idle.perf.zst -o rec",
        "replay fixtures/idle.perf.zst -o hello",
        "replay rec -o rec --force",
    ];
    assert_screen("replay_that_fails", &screen(prepare, &lines));
}

/// The summary as a capture prints it, with all files that it left.
fn capture_summary() {
    let options = replay::ReplayOptions {
        place: Place::Path(fixture("make.perf.zst")),
        output: replay::ReplayOutput::Nothing,
        force: false,
        filter: Filter::default(),
        speed: None,
    };
    let (mut signals, _senders) = Signals::pair().unwrap();
    let mut summary = replay(&options, &mut signals, &mut ()).unwrap().summary;
    let mut screen = String::new();
    for (stop_reason, command_exit) in [
        (StopReason::Events, None),
        (StopReason::Duration, None),
        (StopReason::Command, Some(2)),
        (StopReason::Interrupt, None),
        (StopReason::Terminate, None),
        (StopReason::DiskFull, None),
        (StopReason::Error, None),
    ] {
        summary.stop_reason = Some(stop_reason);
        summary.command_exit = command_exit;
        let name = serde_json::to_value(stop_reason).unwrap();
        let name = name.as_str().unwrap();
        let files = Some((Path::new("rec"), &FILES[..]));
        let text = printed(name, |width, out| print_summary(&summary, SummaryOf::Capture, files, width, out).unwrap());
        writeln!(screen, "[{name}]\n{text}").unwrap();
        // The others differ in what stopped them.
        summary.per_tracepoint.truncate(2);
    }
    assert_screen("capture_summary", &screen);
}

/// The text without colours.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    visible(anstream::adapter::strip_str(&text).to_string().as_bytes())
}

fn report() {
    pinned(
        "report_of_one_source",
        &[
            "report fixtures/idle.perf.zst",
            "report fixtures/make.perf.zst --top 12",
            "report fixtures/overflow.perf.zst",
            "report fixtures/perf-z.data",
            "report --example -n 500 --format markdown",
            "report fixtures/overflow.perf.zst --top 2 --format markdown",
            "report fixtures/make.perf.zst -t sched:* --cpus 1",
            "report fixtures/idle.perf.zst --html page.html --plots plots --top 1",
        ],
    );
}

fn report_of_several() {
    let all = "fixtures/idle.perf.zst fixtures/make.perf.zst fixtures/apache.perf.zst";
    pinned(
        "report_of_several_sources",
        &[
            "report fixtures/idle.perf.zst fixtures/make.perf.zst",
            &format!("report {all}"),
            &format!("report {all} --top 2 --format markdown"),
            "report fixtures/idle.perf.zst fixtures/idle.perf.zst --top 1",
        ],
    );
}

fn report_for_programs() {
    let lines = [
        ("report fixtures/idle.perf.zst --format csv", 10),
        ("report fixtures/idle.perf.zst fixtures/make.perf.zst --top 2 --format csv", 10),
        ("report fixtures/idle.perf.zst fixtures/make.perf.zst --top 1 --format json", 60),
    ];
    assert_screen("report_for_programs", &heads(&Stage::new(), &lines));
}

fn odd_reports() {
    let prepare = |stage: &Stage| {
        let samples: Vec<_> = (1..=7).map(|tpid| (u64::from(tpid), tpid, 0)).collect();
        fs::copy(perf_file(&HOSTILE, &[&samples], None).path(), stage.path("hostile.perf")).unwrap();
        let table = [("irq", "softirq_entry"), ("sched", "sched_switch")];
        let instant: Vec<(u64, u32, u32)> = (0..500).map(|n| (77, n % 2 + 1, n % 4)).collect();
        for (name, samples) in [("nothing", &[][..]), ("one", &[(5, 1, 0)]), ("instant", &instant)] {
            fs::copy(perf_file(&table, &[samples], None).path(), stage.path(&format!("{name}.perf"))).unwrap();
        }
        let by_name: [&[(&str, &str)]; 2] = [
            &[("irq", "entry"), ("net", "only_one"), ("sched", "both")],
            &[("aaa", "only_two"), ("irq", "entry"), ("sched", "both")],
        ];
        fs::copy(perf_file(by_name[0], &[&[(1, 1, 0), (2, 2, 0), (3, 3, 0)]], None).path(), stage.path("these.perf"))
            .unwrap();
        fs::copy(perf_file(by_name[1], &[&[(1, 1, 0), (2, 3, 0), (4, 3, 0)]], None).path(), stage.path("those.perf"))
            .unwrap();
        let wide = [("網", "封包送出"), ("crab", "🦀🦀"), ("cafe\u{301}", "ouvert"), ("long", &"長".repeat(40))];
        let samples: Vec<_> = (1..=4).map(|tpid| (u64::from(tpid), tpid, 0)).collect();
        fs::copy(perf_file(&wide, &[&samples], None).path(), stage.path("wide.perf")).unwrap();
        stage.write("bare.csv", "timestamp,tpid,gid,tracepoint name\n5,1,7,a\n6,2,8,b\n");
        stage.cut("torn.perf", "make.perf.zst", 60);
    };
    let lines = [
        "report hostile.perf --top 7",
        "report hostile.perf --top 7 --format markdown",
        "report wide.perf",
        "replay wide.perf",
        "report nothing.perf",
        "report one.perf",
        "report instant.perf",
        "report these.perf those.perf",
        "report bare.csv fixtures/idle.perf.zst --top 2",
        "report torn.perf --top 2",
    ];
    assert_screen("report_of_odd_sources", &screen(prepare, &lines));
}

fn failing_reports() {
    let prepare = |stage: &Stage| {
        stage.write("page.html", "precious");
        stage.write("events.perf", fs::read(fixture("perf-file.data")).unwrap());
        fs::create_dir(stage.path("folder")).unwrap();
        std::os::unix::fs::symlink("/dev/null", stage.path("device.html")).unwrap();
        std::os::unix::fs::symlink("events.perf", stage.path("link.html")).unwrap();
        mkfifo(&stage.path("fifo"), Mode::S_IRUSR).unwrap();
        fs::create_dir(stage.path("rec")).unwrap();
        stage.write("rec/tracepoints.csv", "tpid,gid,tracepoint name,group name\n");
        stage.write("rec/log.csv", "timestamp,tpid,gid,tracepoint name\n");
    };
    let idle = |words: &str| format!("report fixtures/idle.perf.zst {words}");
    let lines = [
        "report missing".to_owned(),
        idle("missing --html new.html"),
        idle("--html no/such/folder/page.html"),
        idle("--html page.html"),
        idle("--html folder"),
        idle("--html new/"),
        idle("--html device.html --force"),
        idle("--plots page.html"),
        idle("--plots new --html new/idle.gid-time.svg"),
        idle("-t no:such"),
        idle("-q --plots plots"),
        idle("-q --plots plots"),
        "report events.perf --html events.perf --force".to_owned(),
        "report events.perf --html link.html --force".to_owned(),
        "report events.perf --html fifo --force".to_owned(),
        "report rec --html rec/tracepoints.csv --force".to_owned(),
        "report rec/log.csv --html rec/tracepoints.csv --force".to_owned(),
    ];
    assert_screen("report_that_fails", &screen(prepare, &lines.each_ref().map(String::as_str)));
}

/// The library of these screens.
const LIBRARY: &str = "--library library";

/// Adds the library to these commands.
fn with_library<const N: usize>(lines: [&str; N]) -> [String; N] {
    lines.map(|line| format!("{line} {LIBRARY}"))
}

/// Learns both states from five sessions each.
fn learned(stage: &Stage) {
    stage.sessions();
    for state in ["idle", "web"] {
        let sessions: Vec<String> = (1..=5).map(|number| format!("{state}{number}.json")).collect();
        let line = format!("learn {state} {} {LIBRARY} -q", sessions.join(" "));
        let output = stage.command(&line).output().unwrap();
        assert!(output.status.success(), "{}", visible(&output.stderr));
    }
}

fn learn_and_list() {
    let lines = with_library([
        "states",
        "learn idle idle1.json",
        "states show idle",
        "learn idle idle2.json idle3.json",
        "learn web web1.json",
        "states",
        "states show idle",
        "states remove idle 20260102T030111Z",
        "states remove web",
        "states",
    ]);
    assert_screen("states", &screen(Stage::sessions, &lines.each_ref().map(String::as_str)));
}

fn states_of_recordings() {
    let lines = [
        "learn idle fixtures/idle.perf.zst --window 500events --library library",
        "learn build fixtures/make.perf.zst --window 500events --library library",
        "states --library library",
        "states show build --library library",
        "identify fixtures/apache.perf.zst --window 500events --library library",
        "identify fixtures/idle.perf.zst --window 500events --library library",
        "learn losing fixtures/overflow.perf.zst --window 1ms --library losing",
        "identify fixtures/idle.perf.zst --window 500events --library losing",
        "learn half long.perf --to 4s --library halves",
        "report long.perf --states --library halves",
        "report long.perf --states --library halves --format markdown",
        "report fixtures/make.perf.zst --states --top 1 --library halves",
    ];
    let prepare = |stage: &Stage| {
        fs::copy(long_recording().path(), stage.path("long.perf")).unwrap();
    };
    assert_screen("states_of_recordings", &screen(prepare, &lines));
}

fn identify() {
    let lines = with_library([
        "identify evening.json",
        "identify same.json",
        "identify silent.json",
        "identify new.json --alpha 0.2",
        "identify evening.json --window 5s",
    ]);
    assert_screen("identify", &screen(learned, &lines.each_ref().map(String::as_str)));
    let stage = Stage::new();
    learned(&stage);
    let [json, csv] = with_library(["identify evening.json --format json", "identify evening.json --format csv"]);
    assert_screen("identify_for_programs", &heads(&stage, &[(&json, 90), (&csv, 12)]));
}

fn check() {
    let lines = with_library([
        "check --against idle same.json",
        "check --against idle,web same.json",
        "check --against idle new.json",
        "check --against web same.json",
        "check --against idle lossy.json",
        "check --against idle same.json -q",
        "check --against web same.json -q",
    ]);
    assert_screen("check", &screen(learned, &lines.each_ref().map(String::as_str)));
    let stage = Stage::new();
    learned(&stage);
    let [passed, failed, lossy, json] = with_library([
        "check --against idle same.json --format junit",
        "check --against idle new.json --format junit",
        "check --against idle lossy.json --format junit",
        "check --against idle new.json --format json",
    ]);
    assert_screen("check_for_programs", &heads(&stage, &[(&passed, 40), (&failed, 40), (&lossy, 40), (&json, 60)]));
}

/// A measurement of these pairs, in milliseconds without and with capturing.
fn measured(pairs: &[(u64, u64)]) -> Overhead {
    let run = |pair: usize, captured: bool, wall: u64| MeasuredRun {
        pair: pair + 1,
        captured,
        wall: Duration::from_millis(wall),
        cpu: Duration::from_millis(2 * wall),
        system: Duration::from_millis(wall / 2),
        machine: Some(Duration::from_millis(3 * wall)),
        exit: 0,
        events: captured.then_some(CapturedEvents {
            events: 1_000_000,
            lost: Some(10),
            own_cpu: Duration::from_millis(90),
        }),
    };
    let runs = pairs.iter().enumerate();
    Overhead {
        schema: 1,
        tool: Tool { name: "tp-perf".to_owned(), version: "0".to_owned() },
        kernel: "6.18.0".to_owned(),
        hostname: "here".to_owned(),
        command: ["make", "-j8", "a|b"].map(str::to_owned).to_vec(),
        prepare: Some("make clean".to_owned()),
        cpus: vec![Cpu::new(0), Cpu::new(1)],
        tracepoints: 1_568,
        refused: 0,
        ring_size: 8 << 20,
        clock: "monotonic".to_owned(),
        self_excluded: true,
        compress: false,
        started: "2026-11-25T00:00:00Z".to_owned(),
        pid: 1,
        pairs_asked: pairs.len(),
        warmup: 1,
        attach: Duration::from_millis(300),
        detach_expected: Duration::from_secs(57),
        detach: None,
        runs: runs.flat_map(|(pair, (off, on))| [run(pair, true, *on), run(pair, false, *off)]).collect(),
    }
}

fn overhead() {
    let clear = measured(&[(2_000, 3_000), (4_000, 6_010), (3_000, 4_480), (1_000, 1_500), (2_500, 3_750)]);
    let even: Vec<_> = (0..10).map(|n| (10_000 + n * 7 % 5, 10_000 + n * 3 % 5)).collect();
    let noisy =
        measured(&[(1_000, 1_200), (3_000, 2_100), (2_000, 2_300), (1_500, 1_450), (4_000, 4_700), (900, 1_400)]);
    let few = measured(&[(1_000, 1_100), (1_020, 1_130)]);
    let mut odd = measured(&[(30, 40), (31, 42), (29, 39), (30, 41), (32, 44)]);
    odd.refused = 3;
    odd.compress = true;
    odd.prepare = None;
    odd.detach = Some(Duration::from_secs(61));
    odd.pairs_asked = 8;
    odd.self_excluded = false;
    odd.runs[0].exit = 7;
    for run in &mut odd.runs {
        run.events.iter_mut().for_each(|events| events.lost = None);
    }
    let mut screen = String::new();
    for (name, measured) in [
        ("a clear cost", &clear),
        ("no cost", &measured(&even)),
        ("noise", &noisy),
        ("two pairs", &few),
        ("short runs", &odd),
    ] {
        let text = printed(name, |width, out| print_overhead(measured, width, out).unwrap());
        writeln!(screen, "[{name}]\n{text}").unwrap();
    }
    assert_screen("overhead", &screen);
    let (mut markdown, mut json) = (Vec::new(), Vec::new());
    write_markdown(&clear, &mut markdown).unwrap();
    write_json(&few, &mut json).unwrap();
    assert_screen("overhead_for_programs", &format!("[markdown]\n{}\n[json]\n{}", plain(&markdown), plain(&json)));
}

/// Mounts a folder in place of tracefs, for one command.
fn in_small_kernel(tracing: &Path, line: &str) -> Command {
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    let script = "mount --bind \"$1\" /sys/kernel/tracing && shift && exec \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(tracing).arg(env!("CARGO_BIN_EXE_tp-perf"));
    command.args(line.split_whitespace());
    alone(&mut command);
    command
}

fn mounts() -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = in_small_kernel(folder.path(), "--version");
    let there = command.output().is_ok_and(|output| output.status.success());
    if there { Ok(()) } else { Err("unshare(1) with mount namespaces, and /sys/kernel/tracing".to_owned()) }
}

fn list() {
    let folder = tempfile::tempdir().unwrap();
    let tracepoints = [
        "irq/irq_handler_entry",
        "irq/softirq_entry",
        "raw_syscalls/sys_enter",
        "sched/sched_process_exec",
        "sched/sched_switch",
        "sched/sched_wakeup",
        "syscalls/sys_enter_read",
        "task/task_rename",
        "timer/hrtimer_start",
    ];
    for (id, name) in (101..).zip(tracepoints) {
        let path = folder.path().join("events").join(name);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("id"), format!("{id}\n")).unwrap();
    }
    let lines = [
        "list",
        "list sched:*",
        "list -t sched:* -x sched_wakeup",
        "list --all",
        "list --also sched_switch",
        "list sched:* --format csv",
        "list task:* --format json",
        "list shced:*",
        "list sched_swich",
        "list -t shced:*",
    ];
    let of = |line: &str| {
        let outputs = COLUMNS.map(|columns| on_terminal(in_small_kernel(folder.path(), line), columns));
        shown(line, outputs.each_ref())
    };
    assert_screen("list", &lines.map(of).join("\n"));
}

/// The findings and fixes of doctor for several machines.
fn doctor() {
    let good = Machine {
        kernel: "6.18.0".to_owned(),
        tracefs: Ok((Origin::Found, 2307)),
        paranoid: Some(2),
        capabilities: Capabilities::in_status("CapEff: 000001ffffffffff"),
        trial: Ok(()),
        descriptors: DescriptorLimit { soft: 1024, hard: 524_288, nr_open: 1 << 20 },
        perf_mlock: Some(516 << 10),
        memlock: 8 << 20,
        online: "0-1".parse().unwrap(),
        memory: Some(64 << 30),
    };
    let old = Machine {
        kernel: "5.15.0-58-generic".to_owned(),
        tracefs: Ok((Origin::Detached, 1998)),
        paranoid: Some(-1),
        capabilities: Capabilities::in_status(""),
        memory: Some(64 << 20),
        descriptors: DescriptorLimit { soft: 1024, hard: 4096, nr_open: 1 << 20 },
        ..good.clone()
    };
    let user = Machine {
        kernel: "3.10.0".to_owned(),
        tracefs: Err("tracefs is not mounted".to_owned()),
        paranoid: None,
        trial: Err("Permission denied".to_owned()),
        capabilities: Capabilities::in_status(""),
        ..good.clone()
    };
    let poor =
        Machine { capabilities: Capabilities::in_status(""), tracefs: Ok((Origin::Plain, 2307)), ..good.clone() };
    let two: CpuList = "0-1".parse().unwrap();
    let needs = Needs { tracepoints: 1568, cpus: two, ring_size: 8 << 20 };
    let many = Needs { cpus: "0-1023".parse().unwrap(), ..needs.clone() };
    let mut screen = String::new();
    for (name, machine, needs) in [
        ("all is well", &good, &needs),
        ("an old kernel, and little memory", &old, &needs),
        ("a user without rights", &user, &needs),
        ("a user without much memory for rings", &poor, &needs),
        ("more CPUs than there are", &good, &many),
    ] {
        let diagnoses = diagnose(machine, needs);
        let text = printed(name, |width, out| print_diagnoses(&diagnoses, width, out).unwrap());
        writeln!(screen, "[{name}]\n{text}").unwrap();
    }
    assert_screen("doctor", &screen);
}

/// Without a terminal, the output is laid out for 80 columns.
fn piped() {
    let stage = Stage::new();
    learned(&stage);
    for line in [
        "replay fixtures/idle.perf.zst",
        "report fixtures/idle.perf.zst fixtures/make.perf.zst",
        "identify evening.json --library library",
        "check --against idle new.json --library library",
        "states --library library",
    ] {
        let piped = stage.command(line).output().unwrap();
        let shown = on_terminal(stage.command(line), 80);
        assert_eq!(visible(&piped.stdout), visible(&shown.stdout), "{line}");
        assert_eq!((piped.status, &piped.stderr), (shown.status, &shown.stderr), "{line}");
    }
}
