//! Runs `report` and checks its files and its end: plots, the page, hostile names, targets that cannot be
//! written, and other failures.

use crate::common::report::{failure, fixture, json, path, report, well};
use crate::common::screen::assert_screen;
use crate::common::{Test, perf_file, tests};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tp_perf::text::of_csv_cell;

pub const TESTS: &[Test] = tests![
    no_report_replaces_what_it_is_made_of,
    a_stopped_report_says_so_and_leaves_no_files,
    plots_are_pictures_of_every_source,
    figures_for_a_paper_have_all_sources_and_are_written_whole_or_not_at_all,
    a_hundred_thousand_events_are_points_and_more_are_dense,
    hostile_names_are_shown_and_not_obeyed,
    what_cannot_be_read_or_written_fails_and_leaves_nothing,
    a_torn_source_is_reported_as_far_as_it_goes,
    a_closed_pipe_is_no_failure,
    what_is_for_programs_reaches_them_whole_whatever_is_in_it,
    what_stands_in_a_file_is_shown_however_long_it_is,
    reports_at_the_same_time_are_whole_and_replace_nothing_unasked,
    the_page_may_be_in_the_folder_of_the_plots_and_not_one_of_them,
    without_a_source_the_newest_recording_is_reported,
    each_file_is_named_with_its_size_where_no_program_reads,
    the_browser_gets_the_page_and_nothing_waits_for_it,
    where_no_browser_is_the_page_is_named_and_nothing_fails,
    a_time_without_events_is_an_error_that_names_the_times_with_events,
    a_library_without_states_is_no_reason_to_report_nothing,
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
    // The amount that it had read varies. It may even know why the capture stopped.
    let said: Vec<&str> = out.lines().filter(|line| line.contains("you stopped")).collect();
    assert_screen("report_stopped", &format!("{}\n[stderr]\n{error}", said.join("\n")));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn figures_for_a_paper_have_all_sources_and_are_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let plots = folder.path().join("plots");
    let (idle, make) = (fixture("idle.perf.zst"), fixture("make.perf.zst"));
    let of = |more: &[&'static str]| -> Vec<String> {
        let words = ["-q", path(&idle), path(&make), "--plots", path(&plots)].into_iter().chain(more.iter().copied());
        words.map(str::to_owned).collect()
    };
    let words = of(&["--size", "3.5in", "--plot-format", "svg,png,pdf", "--title", "<b> & more"]);
    well(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let mut names: Vec<String> =
        fs::read_dir(&plots).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let figures = ["differences", "groups", "rates", "tracepoints"];
    let expected = figures.iter().flat_map(|figure| ["pdf", "png", "svg"].map(|format| format!("{figure}.{format}")));
    assert_eq!(names, expected.collect::<Vec<_>>());
    for figure in figures {
        let svg = fs::read_to_string(plots.join(format!("{figure}.svg"))).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
        assert_eq!(document.root_element().attribute("width"), Some("252pt"));
        assert!(texts.contains(&"<b> & more") && texts.iter().any(|text| text.contains("make")), "{figure}: {texts:?}");
        let pdf = fs::read(plots.join(format!("{figure}.pdf"))).unwrap();
        assert!(pdf.starts_with(b"%PDF-1") && pdf.len() > 10_000);
    }
    // A figure without room leaves no file of the others.
    let other = folder.path().join("other");
    let output =
        report(&["-q", path(&idle), path(&make), "--plots", path(&other), "--size", "3.5x2in", "--rows", "all"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("use `--rows top:"), "{error}");
    assert!(!other.exists() || fs::read_dir(&other).unwrap().count() == 0);
    for wrong in [&["--size", "3in"][..], &["--plots", "a", "--size", "3"], &["--plots", "a", "--rows", "5"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tp-perf")).arg("report").arg(&idle).args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
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
        assert!(rows.iter().any(|row| &row[3] == group && of_csv_cell(&row[4]) == name), "{name:?}");
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
    assert_eq!(listed.iter().map(|row| of_csv_cell(&row[4]).into_owned()).collect::<Vec<_>>(), names);
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

/// A report in a folder, with these variables and no others that choose a browser or a library.
fn report_in(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
    for name in ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SUDO_UID", "SUDO_GID"] {
        command.env_remove(name);
    }
    command.arg("report").args(words).envs(variables.iter().copied()).current_dir(folder);
    command.stdin(Stdio::null()).output().unwrap()
}

fn texts(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn without_a_source_the_newest_recording_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let output = report_in(folder.path(), &[], &[]);
    let (out, error) = texts(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(1), ""));
    assert!(error.contains("no recording is in the current directory; name one"), "{error}");
    // The capture of `idle` started before that of `make`, and its directory is the later one.
    for name in ["make", "idle"] {
        let to = folder.path().join(name);
        let mut replay = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
        replay.args(["replay", "-q", "-o"]).args([&to, &fixture(&format!("{name}.perf.zst"))]);
        assert!(replay.status().unwrap().success());
    }
    let output = report_in(folder.path(), &[], &[]);
    let (out, error) = texts(&output);
    assert!(output.status.success() && out.starts_with("make\n"), "{out}");
    assert!(error.contains("`make`, the newest of 2 recordings in the current directory"), "{error}");
    assert_eq!(texts(&report_in(folder.path(), &["-q"], &[])), (String::new(), String::new()));
}

fn each_file_is_named_with_its_size_where_no_program_reads() {
    let folder = tempfile::tempdir().unwrap();
    let idle = fixture("idle.perf.zst");
    let words = [path(&idle), "--html", "p.html", "--plots", "plots", "--force"];
    let names = |text: &str| text.lines().filter(|line| line.contains("iB)")).count();
    let (out, error) = texts(&report_in(folder.path(), &words, &[]));
    let page = fs::metadata(folder.path().join("p.html")).unwrap().len();
    let line = format!("page        p.html ({:.1} KiB)", page as f64 / 1024.0);
    assert!(out.lines().any(|shown| shown == line), "{line} in {out}");
    assert!(
        out.contains("plots       plots/idle.tpid-time.svg (") && out.contains("            plots/idle.gid-time.png (")
    );
    assert_eq!((names(&out), names(&error)), (5, 0), "{out}{error}");
    let (out, error) = texts(&report_in(folder.path(), &[&words[..], &["--format", "json"]].concat(), &[]));
    assert_eq!((names(&out), names(&error)), (0, 5), "{error}");
    assert!(serde_json::from_str::<Value>(&out).is_ok());
    let (out, error) =
        texts(&report_in(folder.path(), &[path(&idle), "--html", "-", "--plots", "plots", "--force"], &[]));
    assert!(out.starts_with("<!DOCTYPE html>") && out.trim_end().ends_with("</html>"));
    assert_eq!(names(&error), 4, "{error}");
}

fn the_browser_gets_the_page_and_nothing_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (script, gate, opened) =
        (folder.path().join("browser"), folder.path().join("gate"), folder.path().join("opened"));
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // It goes on only when the report is over, and makes noise that nobody is to see.
    let text = "#!/bin/sh\necho noise; echo noise >&2\nread -r go < \"$GATE\"\necho \"$@\" > \"$OPENED.partial\"\nmv \"$OPENED.partial\" \"$OPENED\"\n";
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let browser = format!("/no/such/browser:{} --new", path(&script));
    let variables = [("BROWSER", &browser[..]), ("GATE", path(&gate)), ("OPENED", path(&opened))];
    let idle = fixture("idle.perf.zst");
    fs::write(folder.path().join("tp-perf-report.html"), "the page of the report before").unwrap();
    let output = report_in(folder.path(), &[path(&idle), "--open"], &variables);
    let (out, error) = texts(&output);
    assert!(output.status.success() && error.is_empty() && !out.contains("noise"), "{out}{error}");
    assert!(out.contains("page        tp-perf-report.html ("), "{out}");
    assert!(!opened.exists(), "the report did not wait for the browser");
    fs::write(&gate, "go\n").unwrap();
    // A minute is more than any machine takes; what fails then fails below.
    for _ in 0..12_000 {
        if opened.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let page = folder.path().canonicalize().unwrap().join("tp-perf-report.html");
    assert_eq!(fs::read_to_string(&opened).unwrap(), format!("--new {}\n", path(&page)));
    assert!(fs::read_to_string(&page).unwrap().starts_with("<!DOCTYPE html>"));
    // A page that the user named is not replaced unasked.
    fs::write(folder.path().join("mine.html"), "precious").unwrap();
    let output = report_in(folder.path(), &[path(&idle), "--open", "--html", "mine.html"], &variables);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read(folder.path().join("mine.html")).unwrap(), b"precious");
}

fn where_no_browser_is_the_page_is_named_and_nothing_fails() {
    let folder = tempfile::tempdir().unwrap();
    let idle = fixture("idle.perf.zst");
    let page = folder.path().canonicalize().unwrap().join("tp-perf-report.html");
    let output = report_in(folder.path(), &[path(&idle), "--open"], &[]);
    let error = texts(&output).1;
    assert!(output.status.success() && page.exists());
    assert!(error.contains(&format!("no browser was found; open `{}`", path(&page))), "{error}");
    if nix::unistd::geteuid().is_root() {
        let variables = [("SUDO_UID", "0"), ("SUDO_GID", "0"), ("BROWSER", "/bin/true")];
        let output = report_in(folder.path(), &[path(&idle), "--open"], &variables);
        let error = texts(&output).1;
        assert!(output.status.success() && error.contains(&format!("`xdg-open {}`", path(&page))), "{error}");
    }
}

fn a_time_without_events_is_an_error_that_names_the_times_with_events() {
    let samples: Vec<_> = (0..=2_000u64).map(|n| (5_000_000_000 + n * 1_000_000, 1, 0)).collect();
    let file = perf_file(&[("irq", "softirq_entry")], &[&samples], None);
    let folder = tempfile::tempdir().unwrap();
    for words in [&["--from", "99s"][..], &["--to", "4000000000"], &["--from", "3s", "--to", "4s"]] {
        for (command, output) in [("report", "--html"), ("replay", "-o")] {
            let result = folder.path().join("result");
            let output = Command::new(env!("CARGO_BIN_EXE_tp-perf"))
                .args([command, path(file.path()), output, path(&result)])
                .args(words)
                .output()
                .unwrap();
            let (out, error) = texts(&output);
            assert_eq!((output.status.code(), out.as_str()), (Some(1), ""), "{command} {words:?}: {error}");
            assert!(error.contains("from 0 s to 2.00 s (timestamps 5000000000 to 7000000000)"), "{error}");
            assert!(!result.exists(), "{command} {words:?} left something");
        }
    }
    let words = [path(file.path()), "--from", "1s"];
    assert!(report(&words).status.success() && report(&words).stderr.is_empty());
}

fn a_library_without_states_is_no_reason_to_report_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let idle = fixture("idle.perf.zst");
    for library in ["nowhere", "."] {
        let output = report_in(folder.path(), &[path(&idle), "--states", "--library", library], &[]);
        let (out, error) = texts(&output);
        assert!(output.status.success() && out.contains("top tracepoints"), "{error}");
        assert!(error.contains(&format!("the library `{library}` has no states")), "{error}");
        assert!(error.contains("`tp-perf learn STATE SOURCE` adds one"), "{error}");
    }
}
