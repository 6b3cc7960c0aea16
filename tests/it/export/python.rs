//! Tables in DuckDB, pandas, and pyarrow. `TP_PERF_PYTHON` is a Python that has them.

use super::{Sources, path, totals, well};
use std::path::Path;
use std::process::Command;

fn python() -> Command {
    Command::new(std::env::var_os("TP_PERF_PYTHON").unwrap_or("python3".into()))
}

pub fn has_them() -> Result<(), String> {
    let imported = python().args(["-c", "import duckdb, pandas, pyarrow"]).output();
    match imported.is_ok_and(|output| output.status.success()) {
        true => Ok(()),
        false => Err("Python with duckdb, pandas and pyarrow (TP_PERF_PYTHON names one)".to_owned()),
    }
}

/// Prints the sums by tracepoint: of hits, or of rows.
const SUMS: &str = r#"
import duckdb, pandas, pyarrow.parquet, sys
parquet, lines, csv = sys.argv[1:4]
columns = duckdb.sql(f"DESCRIBE SELECT * FROM '{parquet}'").fetchall()
kinds = {name: kind for name, kind, *_ in columns}
assert kinds["timestamp_ns"] == "BIGINT" and kinds["tracepoint"] == "VARCHAR", kinds
assert all(kinds.get(name, "INTEGER") == "INTEGER" for name in ("cpu", "pid", "tid")), kinds
weight = "sum(hits)" if "hits" in kinds else "count(*)"
def of_duckdb(table):
    sql = f"SELECT tracepoint_group || ':' || tracepoint AS name, {weight}::BIGINT FROM {table} GROUP BY name ORDER BY name"
    return duckdb.sql(sql).fetchall()
def of_pandas(rows):
    rows["name"] = rows.tracepoint_group.astype(str) + ":" + rows.tracepoint.astype(str)
    rows["weight"] = rows.hits if "hits" in rows else 1
    return [(name, int(its.weight.sum())) for name, its in rows.groupby("name", sort=True)]
sums = of_duckdb(f"'{parquet}'")
everything = [sums, of_duckdb(f"read_json('{lines}', format = 'newline_delimited')"), of_duckdb(f"read_csv('{csv}')"),
    of_pandas(pandas.read_parquet(parquet)), of_pandas(pandas.read_json(lines, lines=True, convert_dates=False)), of_pandas(pandas.read_csv(csv))]
assert all(other == sums for other in everything), everything
table = pyarrow.parquet.read_table(parquet)
assert table.column_names == list(kinds) and table.num_rows == duckdb.sql(f"SELECT count(*) FROM '{parquet}'").fetchall()[0][0]
# All readers have the same rows in the same order.
rows = table.to_pylist()
for other in pandas.read_json(lines, lines=True, convert_dates=False), pandas.read_csv(csv):
    assert list(other.timestamp_ns) == [row["timestamp_ns"] for row in rows]
    for name in "comm", "pid", "cpu":
        if name in kinds:
            read = [None if pandas.isna(value) else str(value).removesuffix(".0") for value in other[name]]
            assert read == [None if row[name] is None else str(row[name]) for row in rows], name
for name, sum in sums: print(name, sum)
"#;

fn sums(parquet: &Path, lines: &Path, csv: &Path) -> String {
    let output = python().args(["-c", SUMS]).args([parquet, lines, csv]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn tables() {
    let sources = Sources::new();
    let files = ["out.parquet", "out.jsonl", "out.csv"].map(|name| sources.file(name));
    let hits_of_thinned: u64 =
        super::log(&sources.all[3], "cpu").iter().map(|row| row["hits"].parse::<u64>().unwrap()).sum();
    for (place, source) in sources.all.iter().enumerate() {
        for windows in [&[][..], &["--windows", "50ms"]] {
            for file in &files {
                well(&[&[path(source), path(file), "--force"], windows].concat());
            }
            let read = sums(&files[0], &files[1], &files[2]);
            if place < 3 {
                let expected: String =
                    totals(path(source)).iter().map(|(name, sum)| format!("{name} {sum}\n")).collect();
                assert_eq!(read, expected, "{} {windows:?}", source.display());
            } else {
                let all: u64 = read.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
                assert_eq!(all, hits_of_thinned);
            }
        }
    }
}
