//! Runs `report` and checks its files and its end: plots, the page, hostile names, targets that cannot be
//! written, and other failures.

use crate::common::report::{failure, fixture, json, path, report, well};
use crate::common::screen::assert_screen;
use crate::common::{Test, perf_file, tests};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::FileTypeExt;
use std::process::{Command, Output, Stdio};

pub const TESTS: &[Test] = tests![
    no_report_replaces_what_it_is_made_of,
    a_stopped_report_says_so_and_leaves_no_files,
    plots_are_pictures_of_every_source,
    a_hundred_thousand_events_are_points_and_more_are_dense,
    hostile_names_are_shown_and_not_obeyed,
    what_cannot_be_read_or_written_fails_and_leaves_nothing,
    a_torn_source_is_reported_as_far_as_it_goes,
    a_closed_pipe_is_no_failure,
    what_is_for_programs_reaches_them_whole_whatever_is_in_it,
    what_stands_in_a_file_is_shown_however_long_it_is,
    reports_at_the_same_time_are_whole_and_replace_nothing_unasked,
    the_page_may_be_in_the_folder_of_the_plots_and_not_one_of_them,
];

pub const HOSTILE: [(&str, &str); 7] = [
    ("alert", "<script>alert(1)</script>"),
    ("csv", "a,\"b\",=1+1"),
    ("escape", "\u{1b}[31mred\u{1b}]0;title\u{7}"),
    ("markdown", "|`x`|[y](javascript:z)"),
    ("override", "\u{202e}drowssap\u{2066}"),
    ("svg", "]]></style></svg>&amp;'"),
    ("xml", "a\u{1}\u{fffe}\u{2028}b"),
];

fn no_report_replaces_what_it_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("events.perf");
    fs::copy(fixture("perf-file.data"), &source).unwrap();
    let before = fs::read(&source).unwrap();
    let link = folder.path().join("link.html");
    std::os::unix::fs::symlink(&source, &link).unwrap();
    let tables = folder.path().join("tracepoints.csv");
    fs::write(&tables, "tpid,gid,tracepoint name,group name\n").unwrap();
    fs::write(folder.path().join("log.csv"), "timestamp,tpid,gid,tracepoint name\n").unwrap();
    for of in [folder.path(), &folder.path().join("log.csv")] {
        failure(&[path(of), "--html", path(&tables), "--force"]);
    }
    let output = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
        .args(["report", "-", "--html", path(&source), "--force"])
        .stdin(fs::File::open(&source).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    for target in [&source, &link] {
        failure(&[path(&source), "--html", path(target), "--force"]);
        failure(&[path(folder.path()), "--html", path(target), "--force"]);
    }
    assert_eq!(fs::read(&source).unwrap(), before);
    assert_eq!(fs::read_to_string(&tables).unwrap(), "tpid,gid,tracepoint name,group name\n");
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
    failure(&[path(&source), "--html", path(&fifo), "--force"]);
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
    let device = folder.path().join("device.html");
    std::os::unix::fs::symlink("/dev/null", &device).unwrap();
    failure(&[path(&source), "--html", path(&device), "--force"]);
    assert!(fs::symlink_metadata(&device).unwrap().is_symlink());
    let page = well(&[path(&source), "--html", "-"]);
    assert!(page.starts_with("<!DOCTYPE html>") && page.trim_end().ends_with("</html>"));
}

fn a_stopped_report_says_so_and_leaves_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
        .args(["report", "-", "--html", path(&page)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Write all but the last bytes, and leave the pipe open.
    let whole = zstd::decode_all(fs::File::open(fixture("make.perf.zst")).unwrap()).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&whole[..whole.len() - 100]).unwrap();
    // The pipe holds fewer bytes than that. So when all are written, tp-perf has read from it.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(130), "{error}");
    // The amount that it had read varies.
    let said: Vec<&str> = out.lines().filter(|line| line.contains("stopped")).collect();
    assert_screen("report_stopped", &format!("{}\n[stderr]\n{error}", said.join("\n")));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn plots_are_pictures_of_every_source() {
    let folder = tempfile::tempdir().unwrap();
    let plots = folder.path().join("plots");
    let (idle, overflow) = (fixture("idle.perf.zst"), fixture("overflow.perf.zst"));
    well(&["-q", path(&idle), path(&overflow), "--plots", path(&plots)]);
    for source in ["idle", "overflow"] {
        for figure in ["tpid-time", "gid-time"] {
            let svg = fs::read_to_string(plots.join(format!("{source}.{figure}.svg"))).unwrap();
            roxmltree::Document::parse(&svg).unwrap();
            assert_eq!(svg.contains("class=\"lost\""), source == "overflow");
            let png = fs::read(plots.join(format!("{source}.{figure}.png"))).unwrap();
            let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let info = reader.next_frame(&mut pixels).unwrap();
            assert_eq!(info.width, 1_800);
            // The whole picture is painted, on a white background, and not all of it is white.
            assert_eq!((&pixels[..3], &pixels[pixels.len() - 3..]), (&[255; 3][..], &[255; 3][..]));
            assert!(
                pixels.chunks(3).filter(|pixel| pixel[2].saturating_sub(pixel[0]) > 40).count() > 1_000,
                "{source}: events are blue"
            );
        }
    }
    failure(&["-q", path(&idle), "--plots", path(&plots)]);
    well(&["-q", path(&idle), "--plots", path(&plots), "--force"]);
}

fn a_hundred_thousand_events_are_points_and_more_are_dense() {
    let folder = tempfile::tempdir().unwrap();
    let table = [("irq", "often"), ("irq", "rare")];
    for (name, events, dense) in [("points", 100_000u64, false), ("dense", 100_001, true)] {
        let mut samples: Vec<_> = (1..events).map(|n| (n * 1_000, 1, 0)).collect();
        samples.insert(50_000, (50_000 * 1_000 + 1, 2, 0));
        let file = perf_file(&table, &[&samples], None);
        let plots = folder.path().join(name);
        well(&["-q", path(file.path()), "--plots", path(&plots)]);
        let svg = fs::read_dir(&plots).unwrap().map(|entry| entry.unwrap().path());
        let svg = svg
            .filter(|path| path.to_string_lossy().ends_with("tpid-time.svg"))
            .map(|path| fs::read_to_string(path).unwrap());
        let svg = svg.collect::<Vec<_>>().concat();
        assert_eq!((svg.contains("<image"), svg.contains("class=\"point\"")), (dense, !dense), "{name}");
        assert!(svg.contains("irq:rare") && svg.len() < 300_000, "{name}: {}", svg.len());
    }
}

fn hostile_names_are_shown_and_not_obeyed() {
    let samples: Vec<_> = (1..=7).map(|tpid| (u64::from(tpid), tpid, 0)).collect();
    let file = perf_file(&HOSTILE, &[&samples], None);
    let folder = tempfile::tempdir().unwrap();
    let (page, plots) = (folder.path().join("page.html"), folder.path().join("plots"));
    let words = [path(file.path()), path(file.path()), "--top", "50"];
    let text = well(&[&words[..], &["--html", path(&page), "--plots", path(&plots)]].concat());
    for text in [text, well(&[&words[..], &["--format", "markdown"]].concat())] {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n') && !text.contains('\u{202e}'), "{text:?}");
    }
    let markdown = well(&[&words[..], &["--format", "markdown"]].concat());
    assert!(!markdown.contains("<script>") && !markdown.contains("[y]("), "{markdown}");
    // JSON has the names unchanged, except for control characters, which no source passes on.
    let csv = well(&[&words[..], &["--format", "csv"]].concat());
    let rows: Vec<csv::StringRecord> = csv::Reader::from_reader(csv.as_bytes()).records().map(Result::unwrap).collect();
    let names = json(&words);
    let names = names["sources"][0]["tracepoints"].as_array().unwrap();
    assert_eq!((rows.len(), names.len()), (14, 7));
    for (group, name) in HOSTILE.into_iter().filter(|(_, name)| !name.contains(char::is_control)) {
        assert!(rows.iter().any(|row| &row[3] == group && &row[4] == name), "{name:?}");
        assert!(names.iter().any(|row| row["name"] == format!("{group}:{name}")), "{name:?}");
    }
    let page = fs::read_to_string(page).unwrap();
    assert!(!page.contains("<script>alert") && page.contains("&#60;script&#62;alert"), "the page shows it as text");
    assert_eq!(page.matches("</script>").count(), 3, "no name ends a script");
    for entry in fs::read_dir(plots).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            roxmltree::Document::parse(&fs::read_to_string(path).unwrap()).unwrap();
        }
    }
}

fn what_cannot_be_read_or_written_fails_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let idle = fixture("idle.perf.zst");
    let page = folder.path().join("page.html");
    fs::write(&page, "precious").unwrap();
    let missing = folder.path().join("no/such/folder/page.html");
    failure(&[path(&idle), "--html", path(&missing)]);
    failure(&[path(&idle), "--html", path(&page)]);
    failure(&[path(&idle), "--html", path(folder.path())]);
    failure(&[path(&idle), "--plots", path(&page)]);
    failure(&[path(&idle), path(&folder.path().join("nowhere")), "--html", path(&page), "--force"]);
    failure(&[path(&idle), "-t", "no:such"]);
    assert_eq!(fs::read(&page).unwrap(), b"precious", "a report that fails replaces nothing");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

fn a_torn_source_is_reported_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let torn = folder.path().join("torn.perf");
    let whole = zstd::decode_all(fs::File::open(fixture("make.perf.zst")).unwrap()).unwrap();
    fs::write(&torn, &whole[..whole.len() - 200_001]).unwrap();
    let page = folder.path().join("page.html");
    let output = report(&[path(&torn), "--html", path(&page), "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["sources"][0]["events"].as_u64() > Some(0), "{report:#}");
    let problem = report["sources"][0]["problem"].as_str().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains(problem), "{problem}");
    assert!(fs::read_to_string(page).unwrap().contains(problem), "{problem}");
}

fn a_closed_pipe_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
        .args(["report", path(&fixture("idle.perf.zst")), "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

fn what_is_for_programs_reaches_them_whole_whatever_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    let names = ["a", "b\u{1b}]0;", "c\u{7f}\u{9b}31m", "d\u{1b}P", "e"];
    let rows: String = (1..).zip(names).map(|(n, name)| format!("{n},{n},1,{name}\n")).collect();
    fs::write(&log, format!("timestamp,tpid,gid,tracepoint name\n{rows}")).unwrap();
    let csv = well(&[path(&log), "--format", "csv"]);
    let listed: Vec<csv::StringRecord> =
        csv::Reader::from_reader(csv.as_bytes()).records().map(Result::unwrap).collect();
    assert_eq!(listed.iter().map(|row| row[4].to_owned()).collect::<Vec<_>>(), names);
    let report = json(&[path(&log)]);
    let listed: Vec<&str> = report["sources"][0]["tracepoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(listed, names.map(|name| format!("gid1:{name}")));
}

fn what_stands_in_a_file_is_shown_however_long_it_is() {
    let long = "k".repeat(40_000);
    let file = perf_file(&[("irq", &long[..]), ("sched", "switch")], &[&[(1, 1, 0), (5, 2, 0), (9, 2, 0)]], None);
    let folder = tempfile::tempdir().unwrap();
    let plots = folder.path().join("plots");
    well(&[path(file.path()), "--plots", path(&plots)]);
    let svg = fs::read_dir(&plots)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with("tpid-time.svg"));
    assert!(fs::metadata(svg.unwrap()).unwrap().len() < 20_000);
}

fn reports_at_the_same_time_are_whole_and_replace_nothing_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let idle = fixture("idle.perf.zst");
    let start = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        command.args(["report", "-q", path(&idle), "--html", path(&page)]).args(words);
        command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for words in [&[][..], &["--force"]] {
        let running: Vec<_> = (0..6).map(|_| start(words)).collect();
        let outputs: Vec<Output> = running.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let well = outputs.iter().filter(|output| output.status.success()).count();
        assert_eq!(well, if words.is_empty() { 1 } else { 6 }, "{outputs:?}");
        assert!(fs::read_to_string(&page).unwrap().trim_end().ends_with("</html>"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }
}

fn the_page_may_be_in_the_folder_of_the_plots_and_not_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (idle, plots) = (fixture("idle.perf.zst"), folder.path().join("new"));
    well(&["-q", path(&idle), "--plots", path(&plots), "--html", path(&plots.join("page.html"))]);
    assert_eq!(fs::read_dir(&plots).unwrap().count(), 5);
    let other = folder.path().join("other");
    failure(&["-q", path(&idle), "--plots", path(&other), "--html", path(&other.join("idle.gid-time.svg"))]);
    assert!(!other.exists(), "a folder that was made in vain is removed");
    failure(&["-q", path(&idle), "--html", &format!("{}/", path(&plots))]);
    assert_eq!(fs::read_dir(&plots).unwrap().count(), 5);
}
