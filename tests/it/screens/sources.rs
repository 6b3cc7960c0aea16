//! The screens of `replay`, `report`, and a capture's summary.

use super::stage::{Stage, heads, pinned, printed, screen};
use crate::common::perf_file;
use crate::common::report::fixture;
use crate::common::screen::assert_screen;
use crate::report_files::HOSTILE;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tp_perf::control::Signals;
use tp_perf::drain::replay::{self, replay};
use tp_perf::events::Filter;
use tp_perf::recording::{FILES, StopReason};
use tp_perf::source::Place;
use tp_perf::terminal::{SummaryOf, print_summary};

pub fn replays() {
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

pub fn replays_of_other_sources() {
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

pub fn replays_of_a_part() {
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

pub fn failing_replays() {
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
pub fn capture_summary() {
    let options = replay::ReplayOptions {
        place: Place::Path(fixture("make.perf.zst")),
        output: replay::ReplayOutput::Nothing,
        force: false,
        filter: Filter::default(),
        speed: None,
        log_columns: Vec::new(),
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

pub fn report() {
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

pub fn report_of_several() {
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

pub fn report_for_programs() {
    let lines = [
        ("report fixtures/idle.perf.zst --format csv", 10),
        ("report fixtures/idle.perf.zst fixtures/make.perf.zst --top 2 --format csv", 10),
        ("report fixtures/idle.perf.zst fixtures/make.perf.zst --top 1 --format json", 60),
    ];
    assert_screen("report_for_programs", &heads(&Stage::new(), &lines));
}

pub fn odd_reports() {
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

pub fn failing_reports() {
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
