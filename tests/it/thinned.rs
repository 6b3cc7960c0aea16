//! Recordings with a budget in `report`, `replay`, `learn`, `identify`, and `check`: stretches in which a tracepoint was thinned
//! or detached are shown as such, estimates are marked, and a log is read as its recording is.

use crate::common::budget::{BEGIN, BUDGETED, FileEnd, HOT, SPAN, budget_facts, budgeted, steps, stretches_of};
use crate::common::report::{json, path, report, well};
use crate::common::screen::assert_screen;
use crate::common::{Test, perf_file, perf_file_with, tests};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use tp_perf::perf_data::document;

pub const TESTS: &[Test] = tests![
    plots_hatch_what_was_thinned_and_shade_what_was_detached,
    the_rung_of_each_tracepoint_is_shown_only_with_a_budget,
    what_a_range_does_not_have_it_does_not_show,
    estimates_are_marked_everywhere,
    a_log_is_read_and_replayed_with_its_hits,
    bad_hits_in_a_log_are_named_with_their_line,
    states_refuse_thinned_recordings_in_every_form,
    a_damaged_note_of_steps_gives_its_reason,
];

fn tp_perf(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tp-perf")).args(words).stdin(Stdio::null()).output().unwrap()
}

fn out(words: &[&str]) -> String {
    let output = tp_perf(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn errors(words: &[&str]) -> String {
    let output = tp_perf(words);
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A text without line breaks and columns.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The recording with a budget, and one without, in a folder.
fn recordings() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (with, without) = (folder.path().join("with.perf"), folder.path().join("without.perf"));
    fs::copy(budgeted(FileEnd::Whole).path(), &with).unwrap();
    let samples: Vec<_> = (0..=100).map(|n| (BEGIN + n * SPAN / 100, 1 + n as u32 % 3, 0)).collect();
    fs::copy(perf_file(&BUDGETED, &[&samples], None).path(), &without).unwrap();
    (folder, with, without)
}

/// The areas of a plot: (x, y, width, height).
fn areas(svg: &roxmltree::Document<'_>, is_wanted: impl Fn(roxmltree::Node<'_, '_>) -> bool) -> Vec<[f64; 4]> {
    let number = |node: roxmltree::Node<'_, '_>, name| node.attribute(name).unwrap().parse().unwrap();
    let rects = svg.descendants().filter(|node| node.has_tag_name("rect") && is_wanted(*node));
    rects.map(|node| ["x", "y", "width", "height"].map(|name| number(node, name))).collect()
}

fn plots_hatch_what_was_thinned_and_shade_what_was_detached() {
    let (folder, with, without) = recordings();
    let plots = folder.path().join("plots");
    well(&["-q", path(&with), path(&without), "--plots", path(&plots)]);
    // The rows of the figures from the bottom: irq:hot, irq:rare, sched:gone; and irq, sched.
    for (figure, rows, gone) in [("tpid-time", 3.0, 2.0), ("gid-time", 2.0, 1.0)] {
        let svg = |name: &str| fs::read_to_string(plots.join(format!("{name}.{figure}.svg"))).unwrap();
        let (text, other) = (svg("with"), svg("without"));
        assert!(!other.contains("stripes") && !other.contains("class=\"detached\""), "{figure}");
        let svg = roxmltree::Document::parse(&text).unwrap();
        let [frame] = areas(&svg, |node| node.attribute("class") == Some("frame"))[..] else { panic!("{figure}") };
        let place = |area: &[f64; 4]| {
            let [from, to] = [area[0], area[0] + area[2]].map(|x| ((x - frame[0]) / frame[2] * 1_000.0).round());
            let row = ((frame[1] + frame[3] - area[1]) / frame[3] * rows).round() - 1.0;
            (from, to, row)
        };
        let striped = |node: roxmltree::Node<'_, '_>| {
            node.parent().is_some_and(|parent| parent.attribute("class") == Some("thinned-areas"))
        };
        // The last of each is in the legend.
        let thinned = areas(&svg, striped);
        assert_eq!(thinned.iter().rev().skip(1).map(place).collect::<Vec<_>>(), [(300.0, 900.0, 0.0)], "{figure}");
        let detached = areas(&svg, |node| node.attribute("class") == Some("detached"));
        assert_eq!(detached.iter().rev().skip(1).map(place).collect::<Vec<_>>(), [(500.0, 1_000.0, gone)], "{figure}");
        assert!(text.contains("one in 17 to 257 hits") && text.contains(">detached: hits"), "{figure}");
        // The picture has stripes over the row of the events.
        let png = fs::read(plots.join(format!("with.{figure}.png"))).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let stripes = |part: f64, row: f64| {
            let x = 1.5 * (frame[0] + part * frame[2]);
            let y = 1.5 * (frame[1] + frame[3] * (1.0 - (row + 0.5) / rows));
            let at = |dx: usize| (y as usize * info.width as usize + x as usize + dx) * 3;
            (0..27).filter(|dx| pixels[at(*dx)..at(*dx) + 3] == [0x4a, 0x55, 0x63]).count()
        };
        assert_eq!([(0.1, 0.0), (0.95, 0.0), (0.4, gone)].map(|(part, row)| stripes(part, row)), [0; 3], "{figure}");
        assert_eq!([0.4, 0.8].map(|part| stripes(part, 0.0)), [6; 2], "{figure}");
    }
}

fn the_rung_of_each_tracepoint_is_shown_only_with_a_budget() {
    let (folder, with, without) = recordings();
    let text = flat(&well(&[path(&with)]));
    for expected in [
        "≥1,071 hits in 1.00 s (≥1,071 per second)",
        "thinned 60 %",
        "detached 50 %",
        "recorded",
        "≥50",
        "≥50 4.7 % ≥50 sched ",
        "balance: 1,071 counted = 498 recorded + 573 thinned + 0 lost",
        "the recording took about 3.10 %",
        "1 tracepoint, from 300 ms on: one in 17 to one in 257 hits was recorded",
        "sched:gone, from 500 ms on",
        "its bars are too low",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains('~') && !text.contains("events share"), "the kernel counted the hits\n{text}");
    let (page, plain) = (folder.path().join("page.html"), folder.path().join("plain.html"));
    well(&["-q", path(&with), path(&without), "--html", path(&page)]);
    well(&["-q", path(&without), "--html", path(&plain)]);
    let [page, plain] = [page, plain].map(|path| fs::read_to_string(path).unwrap());
    let body = |page: &str| page.split("<main>").nth(1).unwrap().split("<script").next().unwrap().to_owned();
    let (page, plain) = (body(&page), body(&plain));
    assert_eq!(page.matches(">rung</th>").count(), 1, "the other source had no budget");
    assert!(page.contains(">thinned 60 %</td>") && page.contains(">≥50</td>") && page.contains(">hits</th>"));
    assert_eq!(page.matches("thinned: one hit in N was recorded").count(), 1);
    for text in [plain, well(&[path(&without)]), well(&[path(&without), "--format", "markdown"])] {
        assert!(!text.contains("rung") && !text.contains("hits") && !text.contains("thinned"), "{text}");
    }
    let markdown = well(&[path(&with), "--format", "markdown"]);
    assert!(markdown.contains("| tracepoint | hits | share | per second | rung |"), "{markdown}");
    assert!(markdown.contains("| thinned 60 % |"), "{markdown}");
    let csv = well(&[path(&with), path(&without), "--format", "csv"]);
    assert!(csv.contains(",unaccounted,estimated,recorded part,thinned part,detached part\n"), "{csv}");
    assert!(csv.contains(",0,false,0.4000,0.6000,0.0000\n") && csv.contains(",false,,,\n"), "{csv}");
    assert!(!well(&[path(&without), "--format", "csv"]).contains("part"));
    let report = json(&[path(&with), path(&without)]);
    let thinned = report["sources"][0]["tracepoints"][0]["rungs"]["thinned"].as_f64().unwrap();
    assert!((thinned - 0.6).abs() < 1e-9, "{thinned}");
    assert!(report["sources"][1]["tracepoints"][0].get("rungs").is_none());
}

fn what_a_range_does_not_have_it_does_not_show() {
    let (folder, with, _) = recordings();
    let count = |words: &[&str]| {
        let report = json(&[&[path(&with)], words].concat());
        stretches_of(&report["sources"][0]["summary"]).into_iter().map(|(_, one_in)| one_in).collect::<Vec<_>>()
    };
    assert_eq!(count(&[]), [17, 257, 0]);
    assert_eq!(count(&["--to", "200ms"]), [0; 0]);
    assert_eq!(count(&["--from", "320ms", "--to", "480ms"]), [17]);
    assert_eq!(count(&["--from", "650ms"]), [17, 257, 0]);
    assert_eq!(count(&["--from", "910ms"]), [0]);
    assert_eq!(count(&["-t", "sched"]), [0]);
    let text = flat(&well(&[path(&with), "--to", "200ms"]));
    assert!(text.contains("200 hits in ") || text.contains("224 hits in "), "{text}");
    assert!(!text.contains("thinned ") || text.contains("573 thinned"), "{text}");
    assert!(
        !text.contains("detached") && !text.contains('~') && text.contains("recorded events in the range"),
        "{text}"
    );
    // The drawn part of a stretch counts from the begin of the range.
    let page = folder.path().join("page.html");
    well(&["-q", path(&with), "--from", "200ms", "--to", "600ms", "--html", path(&page)]);
    let page = fs::read_to_string(page).unwrap();
    let bands = page.split("\"thinned\":").nth(1).unwrap().split("]]").next().unwrap();
    // irq:hot from 300 ms to the last event of the range, and sched:gone from 500 ms.
    assert_eq!(bands, "[[0,100000000,390000000,17,17],[2,300000000,390000000,0,0");
}

fn estimates_are_marked_everywhere() {
    let (_folder, with, without) = recordings();
    // In the range, 9 events that are one hit each, and 10 that stand for 17 hits.
    let range = ["--from", "293ms", "--to", "480ms"];
    let text = flat(&well(&[&[path(&with)], &range[..]].concat()));
    let hot = 9 + 10 * 17;
    assert!(text.contains(&format!("~{} hits in ", hot + 4 + 19)), "{text}");
    assert!(text.contains(&format!("~{hot} ~")) && text.contains("thinned 96 %"), "{text}");
    let markdown = well(&[&[path(&with), path(&without)], &range[..], &["--format", "markdown"]].concat());
    assert!(markdown.contains(&format!("| irq:hot | \\~{hot} | \\~")), "{markdown}");
    let of_range = json(&[&[path(&with)], &range[..]].concat());
    let source = &of_range["sources"][0];
    assert_eq!((&source["is_estimate"], &source["tracepoints"][0]["is_estimate"]), (&true.into(), &true.into()));
    assert_eq!(source["tracepoints"][0]["events"], hot);
    assert!(source["tracepoints"][1].get("is_estimate").is_none(), "each of its events is a hit");
    let csv = well(&[&[path(&with)], &range[..], &["--format", "csv"]].concat());
    assert!(csv.contains(",true,0.0") && csv.contains(",false,1.0000,0.0000,0.0000"), "{csv}");

    // Without the end of the recording, there is no count of the kernel.
    let cut = budgeted(FileEnd::Cut);
    // The counters at the steps show which hits have no sample, and the rest of the recording has each hit.
    let hot = 1_000;
    let all = hot + 71;
    for command in ["report", "replay"] {
        let output = tp_perf(&[command, path(cut.path())]);
        let text = flat(&String::from_utf8(output.stdout).unwrap());
        let all = format!("{},{:03}", all / 1_000, all % 1_000);
        assert!(text.contains(&format!("~{all} hits")), "{command}: {text}");
        assert!(text.contains("498 recorded + ~573 thinned + 0 lost (the source has no kernel counts"), "{text}");
        assert!(text.contains("lacks the end of the recording"), "{text}");
        let error = flat(&String::from_utf8(output.stderr).unwrap()) + &text;
        assert!(error.contains("the file was cut, or the capture was killed"), "{error}");
    }
    let report = report(&[path(cut.path()), "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    let summary = &report["sources"][0]["summary"];
    assert_eq!(summary["events"]["estimated"], all);
    assert_eq!(summary["per_tracepoint"][0]["estimated"], all - 71);
    assert!(summary["per_tracepoint"][1].get("estimated").is_none(), "{summary}");
}

/// Replays the recording into a folder, and returns the folder and its log.
fn replayed(recording: &Path) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let rec = folder.path().join("rec");
    out(&["replay", path(recording), "-o", path(&rec), "-q"]);
    let log = folder.path().join("log.csv");
    fs::rename(rec.join("log.csv"), &log).unwrap();
    (folder, log)
}

fn a_log_is_read_and_replayed_with_its_hits() {
    let (_folder, with, _) = recordings();
    let (folder, log) = replayed(&with);
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.starts_with("timestamp,tpid,gid,tracepoint name,hits\n") && text.contains(",hot,17\n"), "{text}");
    assert_eq!(out(&["replay", path(&log), "-o", "-"]), text, "a log replays to itself");
    let again = folder.path().join("again");
    out(&["replay", path(&log), "-o", path(&again), "-q"]);
    assert_eq!(fs::read_to_string(again.join("log.csv")).unwrap(), text);
    let summary = fs::read_to_string(again.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert!(summary["budget"]["budget"].is_null() && summary["budget"]["cost"].is_null(), "{summary}");
    // The rows stand for all hits.
    let all = HOT + 71;
    assert_eq!((&summary["events"]["recorded"], &summary["events"]["estimated"]), (&498.into(), &all.into()));
    for command in ["report", "replay"] {
        let text = flat(&out(&[command, path(&log)]));
        assert!(text.contains("~1,071 hits in 1.00 s (~1,071 per second)"), "{text}");
        assert!(text.contains("498 recorded + ~573 thinned + 0 lost (the source has no kernel counts"), "{text}");
    }
    let text = flat(&out(&["report", path(&log)]));
    assert!(
        text.contains("a log does not show which tracepoints were detached") && !text.contains("gone recorded"),
        "{text}"
    );
    assert!(text.contains("~1,000") && text.contains("thinned 58 %"), "{text}");
    // A log without the column has events.
    let plain: String = text_without_hits(&fs::read_to_string(&log).unwrap());
    fs::write(&log, plain).unwrap();
    let text = out(&["report", path(&log)]);
    assert!(text.contains("498 events in 1.00 s") && !text.contains('~') && !text.contains("rung"), "{text}");
    assert_eq!(HOT * 1_000_000, SPAN);
}

fn text_without_hits(log: &str) -> String {
    log.lines().map(|row| format!("{}\n", row.rsplit_once(',').unwrap().0)).collect()
}

fn bad_hits_in_a_log_are_named_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.csv");
    let header = "timestamp,tpid,gid,tracepoint name,hits\n";
    let mut screen = String::new();
    for text in [
        "timestamp,tpid,gid,tracepoint name,hits,hits\n5,1,1,a,17,17\n".to_owned(),
        "timestamp,tpid,gid,tracepoint name,weight\n5,1,1,a,17\n".to_owned(),
        "timestamp,tpid,gid,hits,tracepoint name\n5,1,1,17,a\n".to_owned(),
        format!("{header}5,1,1,a,1\n6,1,1,a,0\n"),
        format!("{header}5,1,1,a,\n"),
        format!("{header}5,1,1,a,-17\n"),
        format!("{header}5,1,1,a,1.5\n"),
        format!("{header}5,1,1,a,9999999999999999999999\n"),
        format!("{header}5,1,1,a,4294967296\n"),
        format!("{header}5,1,1,a\n"),
        format!("{header}5,1,1,a,1\n9,1,1,a,17\n7,1,1,a,17\n"),
    ] {
        fs::write(&log, &text).unwrap();
        let error = errors(&["replay", path(&log), "-o", "-"]).replace(path(folder.path()), "");
        // The summary comes before the error.
        let error = &error[error.find("tp-perf:").unwrap()..];
        writeln!(screen, "{text:?}\n    {}", error.trim_end()).unwrap();
    }
    assert_screen("log_csv_hits", &screen);
    // Two tracepoints have numbers of their own, and events of one time may stand for different numbers.
    fs::write(&log, format!("{header}5,1,1,a,17\n5,1,1,a,1\n5,2,1,b,1\n6,2,1,b,257\n")).unwrap();
    assert!(out(&["replay", path(&log), "-o", "-"]).ends_with("5,1,1,a,17\n5,1,1,a,1\n5,2,1,b,1\n6,2,1,b,257\n"));
}

fn states_refuse_thinned_recordings_in_every_form() {
    let (_folder, with, _) = recordings();
    let (folder, log) = replayed(&with);
    for (source, thinned) in [(&with, "2 tracepoints were"), (&log, "1 tracepoint was")] {
        let library = folder.path().join(source.file_name().unwrap()).with_extension("library");
        let library = ["--window", "10ms", "--library", path(&library)];
        // A part in which each hit was recorded is as good as any other.
        for part in [["--from", "0", "--to", "150ms"], ["--from", "150ms", "--to", "290ms"]] {
            out(&[&["learn", "calm", path(source)][..], &part, &library].concat());
        }
        for command in [&["learn", "idle"][..], &["identify"], &["check", "--against", "calm"]] {
            let error = errors(&[command, &[path(source)], &library].concat());
            let expected = format!("{thinned} thinned or detached to keep the budget");
            assert!(error.contains(&expected), "{command:?}: {error}");
        }
    }
}

fn a_damaged_note_of_steps_gives_its_reason() {
    let good = serde_json::to_string(&tp_perf::events::thinning::Steps { steps: steps() }).unwrap();
    let mut screen = String::new();
    for note in [
        good.replacen("\"one_in\":17", "\"one_in\":-17", 1),
        good.replacen("\"tpid\":3", "\"tpid\":9", 1),
        good.replacen("[0,", "[70,", 1),
        // More hits than a counter can have.
        good.replacen(",300,300]", &format!(",300,{}]", 1u64 << 60), 1),
        "{\"steps\":[".to_owned(),
    ] {
        let file = perf_file_with(&budget_facts(), &BUDGETED, &document(&note), &[&[(5, 1, 0)]], None, |_| Vec::new());
        let error = errors(&["replay", path(file.path())]);
        let place = error.find("the record at byte").unwrap_or_else(|| panic!("{error}"));
        writeln!(screen, "{}", error[place..].trim_end()).unwrap();
    }
    assert_screen("damaged_steps", &screen);
}
