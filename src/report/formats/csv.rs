//! A report as CSV: one row for each source and tracepoint.

use crate::processes::RankedProcess;
use crate::report::{Report, RungParts};
use crate::text::{CsvCell, of_csv_error};
use crate::tracefs::Tpid;
use std::collections::HashMap;
use std::io::{self, Write};

/// The columns behind the others, if a source had a budget.
const OF_BUDGET: [&str; 4] = ["estimated", "recorded part", "thinned part", "detached part"];

const FIELDS: [&str; 12] = [
    "source",
    "tpid",
    "gid",
    "group name",
    "tracepoint name",
    "events",
    "share",
    "rate",
    "recorded",
    "lost",
    "counted",
    "unaccounted",
];

/// The columns of a report by process.
const BY_PROCESS: [&str; 10] =
    ["source", "process", "kind", "pid", "group name", "tracepoint name", "events", "share", "estimated", "cgroup"];

/// Writes a row for each process and tracepoint: at most `top` processes for each source, and `top` tracepoints for each process.
pub fn write_process_csv(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(BY_PROCESS).map_err(of_csv_error)?;
    for source in &report.sources {
        let Some(all) = &source.processes else { continue };
        for RankedProcess { process, tracepoints, .. } in all.processes.iter().take(top) {
            for (tpid, events) in tracepoints.iter().take(top) {
                let tracepoint = source.table.get(*tpid);
                let row = [
                    CsvCell(&source.label).to_string(),
                    process.name.as_deref().map(|name| CsvCell(name).to_string()).unwrap_or_default(),
                    process.kind.word().to_owned(),
                    process.pid.map(|pid| pid.to_string()).unwrap_or_default(),
                    CsvCell(&tracepoint.group).to_string(),
                    CsvCell(&tracepoint.name).to_string(),
                    events.to_string(),
                    format!("{:.6}", all.share(*events)),
                    all.is_estimate.to_string(),
                    process.cgroup.as_deref().map(|path| CsvCell(path).to_string()).unwrap_or_default(),
                ];
                writer.write_record(&row).map_err(of_csv_error)?;
            }
        }
    }
    writer.flush()
}

/// Writes the rows, most events first, and at most `top` rows for each source.
pub fn write_csv(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    let has_budget = report.sources.iter().any(|source| source.summary.budget.is_some());
    let more = if has_budget { &OF_BUDGET[..] } else { &[] };
    writer.write_record(FIELDS.iter().chain(more)).map_err(of_csv_error)?;
    for source in &report.sources {
        let rungs = source.rungs();
        let accounts: HashMap<Tpid, _> =
            source.summary.per_tracepoint.iter().map(|account| (account.tpid, account)).collect();
        for ranked in source.ranking.tracepoints.iter().take(top) {
            let tracepoint = source.table.get(ranked.number);
            let account = accounts.get(&ranked.number);
            let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
            let unaccounted = account.and_then(|account| account.unaccounted);
            let mut row = vec![
                CsvCell(&source.label).to_string(),
                tracepoint.tpid.to_string(),
                tracepoint.gid.to_string(),
                CsvCell(&tracepoint.group).to_string(),
                CsvCell(&tracepoint.name).to_string(),
                ranked.events.to_string(),
                format!("{:.6}", ranked.share),
                ranked.rate.map(|rate| format!("{rate:.3}")).unwrap_or_default(),
                number(account.map(|account| account.recorded)),
                number(account.and_then(|account| account.lost)),
                number(account.and_then(|account| account.counted)),
                unaccounted.map(|unaccounted| unaccounted.to_string()).unwrap_or_default(),
            ];
            if has_budget {
                row.push(ranked.is_estimate.to_string());
                let parts = rungs.as_ref().and_then(|rungs| rungs.of(ranked.number));
                let parts = parts.map(|RungParts { recorded, thinned, detached }| [recorded, thinned, detached]);
                row.extend(parts.map_or_else(Default::default, |parts| parts.map(|part| format!("{part:.4}"))));
            }
            writer.write_record(&row).map_err(of_csv_error)?;
        }
    }
    writer.flush()
}
