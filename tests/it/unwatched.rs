//! A CPU that tp-perf did not watch for a part of the time: the texts and the graphs show which one, and when.

use crate::common::report::{path, report};
use crate::common::{Test, ending, facts, perf_file_of, tests};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::{NamedTempFile, TempDir};
use tp_perf::events::{Cpu, Ns};
use tp_perf::recording::{Ending, Unwatched};

pub const TESTS: &[Test] = tests![
    the_plots_have_a_band_at_the_time,
    a_part_of_the_time_has_a_part_of_the_band,
    texts_and_the_exit_code_report_missing_hits,
];

const BEGIN: u64 = 5_000_000_000;

/// A second of events on CPUs 0 and 1. CPU 2 was not watched from a quarter of it to three quarters.
pub fn recording(was_online: bool) -> NamedTempFile {
    let [from, to] = [BEGIN + 250_000_000, BEGIN + 750_000_000].map(Ns);
    let unwatched = vec![Unwatched { cpu: Cpu::new(2), from, to, was_online }];
    let samples: Vec<_> = (0..=1_000).map(|n| (BEGIN + n * 1_000_000, n as u32 % 2 + 1, n as u32 % 2)).collect();
    perf_file_of(&facts(), &Ending { unwatched, ..ending() }, &[("irq", "a"), ("irq", "b")], &[&samples], None)
}

/// The SVG files of a report with these options.
fn plots(file: &NamedTempFile, words: &[&str]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let plots = folder.path().join("plots");
    let output = report(&[&[path(file.path()), "-q", "--plots", path(&plots)], words].concat());
    assert!(output.status.code() == Some(1), "hits are missing: {}", String::from_utf8_lossy(&output.stderr));
    let files = fs::read_dir(&plots).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|file| file.extension().is_some_and(|extension| extension == "svg")).collect();
    assert_eq!(files.len(), 2);
    (folder, files)
}

/// The begin and the end of each band, as parts of the width of the rows.
fn bands(svg: &str) -> Vec<(f64, f64)> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let rects = |class: &'static str| {
        let of_class = document.descendants().filter(move |node| node.attribute("class") == Some(class));
        let number = |node: &roxmltree::Node<'_, '_>, name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
        let rects = of_class.filter(|node| node.has_tag_name("rect"));
        rects.map(move |node| ["x", "width", "height"].map(|name| number(&node, name))).collect::<Vec<_>>()
    };
    let [left, width, height] = rects("frame")[0];
    let bands = rects("unwatched").into_iter().filter(|band| band[2] == height);
    bands.map(|[x, length, _]| ((x - left) / width, (x + length - left) / width)).collect()
}

fn assert_bands(svg: &str, expected: (f64, f64)) {
    let [(from, to)] = bands(svg)[..] else { panic!("{:?}", bands(svg)) };
    assert!((from - expected.0).abs() < 0.002 && (to - expected.1).abs() < 0.002, "{from} to {to}");
    assert!(svg.contains("CPU 2 not watched"), "the legend explains the band");
}

fn the_plots_have_a_band_at_the_time() {
    let (_folder, files) = plots(&recording(true), &[]);
    files.iter().for_each(|file| assert_bands(&fs::read_to_string(file).unwrap(), (0.25, 0.75)));
}

fn a_part_of_the_time_has_a_part_of_the_band() {
    let file = recording(true);
    let (_folder, files) = plots(&file, &["--from", "500ms"]);
    files.iter().for_each(|file| assert_bands(&fs::read_to_string(file).unwrap(), (0.0, 0.5)));
    // Where CPU 2 was watched, and on the other CPUs, nothing is missing.
    for words in [&["--from", "800ms"][..], &["--cpus", "0-1"]] {
        let output = report(&[&[path(file.path())], words].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !text.contains("watch"), "{words:?}: {text}");
    }
}

fn texts_and_the_exit_code_report_missing_hits() {
    for (was_online, code) in [(true, 1), (false, 0)] {
        let file = recording(was_online);
        let folder = tempfile::tempdir().unwrap();
        let rec = folder.path().join("rec");
        for words in [&["replay", "-o", path(&rec)][..], &["report"], &["report", "--format", "markdown"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tp-perf"));
            let output = command.args(words).arg(file.path()).stdin(Stdio::null()).output().unwrap();
            let [out, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
            let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
            assert!(out.contains("CPU 2 from 250 ms to 750 ms"), "{words:?}: {out}");
            let says = "tp-perf watched CPU 2 for a part of the time only";
            assert_eq!(error.contains(says), was_online, "{words:?}: {error}");
        }
        let summary: Value = serde_json::from_slice(&fs::read(rec.join("summary.json")).unwrap()).unwrap();
        let expected = serde_json::json!([{
            "cpu": 2, "from_ns": 250_000_000, "to_ns": 750_000_000, "was_online": was_online
        }]);
        assert_eq!(summary["unwatched"], expected);
    }
}
