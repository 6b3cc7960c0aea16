//! Histories in DuckDB and pandas. `TP_PERF_PYTHON` is a Python that has them.

use super::damage::three_hours;
use super::host::{Host, S, name};
use std::fs;
use std::path::Path;
use std::process::Command;
use tp_perf::events::{Estimated, Partly, Rung, Tpid};
use tp_perf::history::{History, HistoryChoice, HistoryLevel};

fn python() -> Command {
    Command::new(std::env::var_os("TP_PERF_PYTHON").unwrap_or("python3".into()))
}

pub fn has_duckdb_and_pandas() -> Result<(), String> {
    let imported = python().args(["-c", "import duckdb, pandas, pyarrow"]).output();
    match imported.is_ok_and(|output| output.status.success()) {
        true => Ok(()),
        false => Err("Python with duckdb, pandas and pyarrow (TP_PERF_PYTHON names one)".to_owned()),
    }
}

/// Runs a program, and returns its output.
fn run(program: &str, argument: &Path) -> String {
    let output = python().args(["-c", program]).arg(argument).output().unwrap();
    assert!(output.status.success(), "{program}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const DUCKDB: &str = r#"
import duckdb, sys
for level in "windows", "minutes":
    sums = duckdb.sql(f"""
        SELECT tracepoint_group || ':' || tracepoint AS name, sum(hits)::BIGINT, count(*), count(hits), count(standard_error),
               min(epoch_us(window_start)), sum(length_ns)::BIGINT, any_value(host), any_value(date)
        FROM read_parquet('{sys.argv[1]}/{level}/**/*.parquet', hive_partitioning = true) GROUP BY name ORDER BY name
    """).fetchall()
    for row in sums: print(level, *row)
"#;

const PANDAS: &str = r#"
import pandas, sys
for level in "windows", "minutes":
    rows = pandas.read_parquet(f"{sys.argv[1]}/{level}")
    assert str(rows.window_start.dtype).endswith("UTC]"), rows.window_start.dtype
    rows["name"] = rows.tracepoint_group.astype(str) + ":" + rows.tracepoint.astype(str)
    for name, its in rows.groupby("name", sort=True):
        start = its.window_start.min().value // 1000
        host, date = its.host.astype(str).iloc[0], its.date.astype(str).iloc[0]
        print(level, name, int(its.hits.fillna(0).sum()), len(its), its.hits.count(), its.standard_error.count(), start, its.length_ns.sum(), host, date)
"#;

pub fn sums() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::start(folder.path(), 0, 60);
    let mut random = fastrand::Rng::with_seed(3);
    let mut truth = vec![0; 60];
    for n in 0..5_000_u64 {
        let mut hits: Vec<u64> =
            (0..60).map(|place| if random.u64(..60) < place { 0 } else { random.u64(..1 << place.min(40)) }).collect();
        hits[59] = 0;
        truth.iter_mut().zip(&hits).for_each(|(sum, hits)| *sum += hits);
        let estimated = (n % 3 > 0).then(|| Estimated { hits: random.f64() * 1e6, variance: random.f64() * 1e4 });
        let rung = if estimated.is_some() { Rung::Visited } else { Rung::Detached };
        let watched = if estimated.is_some() { 0.1 } else { 0.0 };
        host.window(S + n, &hits, &[Partly { tpid: Tpid::new(60), rung, watched, estimated }]);
        host.work();
    }
    // The last hour is a journal, which other programs do not see.
    let with_journal = run(DUCKDB, folder.path());
    assert_eq!(run(PANDAS, folder.path()), with_journal);
    host.writer.finish();
    let expected = expected(folder.path());
    assert_eq!(run(DUCKDB, folder.path()), expected);
    assert_eq!(run(PANDAS, folder.path()), expected);
    assert_ne!(with_journal, expected);
    assert_eq!(expected.lines().count(), 2 * 59);
    for (level, place) in [("windows", 9), ("minutes", 40), ("windows", 58)] {
        let (group, tracepoint) = name(place);
        let line = format!("{level} {group}:{tracepoint} {} ", truth[place as usize]);
        assert!(expected.contains(&line), "{line}");
    }
}

/// The lines that the programs print, from tp-perf's own reader.
fn expected(root: &Path) -> String {
    let mut lines = Vec::new();
    for level in [HistoryLevel::Windows, HistoryLevel::Minutes] {
        let history = History::open(root, HistoryChoice { level, ..HistoryChoice::default() }).unwrap();
        let windows: Vec<_> = history.windows().map(|window| window.unwrap().0).collect();
        for tracepoint in history.table().tracepoints() {
            let rows = windows.iter().flat_map(|window| window.hits.iter().map(move |hits| (window, hits)));
            let rows: Vec<_> = rows.filter(|(_, hits)| hits.tpid == tracepoint.tpid).collect();
            let known = rows.iter().filter(|(_, hits)| hits.hits.is_some()).count();
            let errors = rows.iter().filter(|(_, hits)| hits.standard_error.is_some()).count();
            let sum: u64 = rows.iter().filter_map(|(_, hits)| hits.hits).sum();
            let length: u64 = rows.iter().map(|(window, _)| window.length_ns).sum();
            // The first tracepoint is never hit, so it has no rows.
            let Some(start) = rows.iter().map(|(window, _)| window.start.0 / 1_000).min() else { continue };
            let name = tracepoint.full_name();
            let number = rows.len();
            lines.push(format!(
                "{} {name} {sum} {number} {known} {errors} {start} {length} here 2026-11-30",
                level.folder()
            ));
        }
    }
    lines.join("\n")
}

/// The folder of the history in the page.
const FOLDER: &str = "/var/lib/tp-perf/history";

pub fn page() {
    let folder = tempfile::tempdir().unwrap();
    three_hours(folder.path());
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/history.md")).unwrap();
    let (group, tracepoint) = name(7);
    let page = page.replace(FOLDER, folder.path().to_str().unwrap());
    let page =
        page.replace("'sched_process_exec'", &format!("'{tracepoint}'")).replace("'block'", &format!("'{group}'"));
    let blocks = |language: &str| {
        let begin = format!("```{language}\n");
        page.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (sql, python) = (blocks("sql"), blocks("python"));
    assert!(sql.len() >= 5 && !python.is_empty(), "{} {}", sql.len(), python.len());
    let query = "import duckdb, sys\nfor text in open(sys.argv[1]).read().split(';'):\n    if text.strip(): print(len(duckdb.sql(text).fetchall()))";
    for text in sql {
        let file = folder.path().join("query.sql");
        fs::write(&file, &text).unwrap();
        let rows = run(query, &file);
        assert!(rows.lines().all(|rows| rows != "0"), "{text}");
    }
    for program in python {
        assert!(!run(&program, folder.path()).is_empty(), "{program}");
    }
}
