//! A report as CSV: one row for each source and tracepoint.

use crate::report::Report;
use crate::text::{CsvCell, of_csv_error};
use crate::tracefs::Tpid;
use std::collections::HashMap;
use std::io::{self, Write};

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

/// Writes the rows, most events first, and at most `top` rows for each source.
pub fn write_csv(report: &Report, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(FIELDS).map_err(of_csv_error)?;
    for source in &report.sources {
        let accounts: HashMap<Tpid, _> =
            source.summary.per_tracepoint.iter().map(|account| (account.tpid, account)).collect();
        for ranked in source.ranking.tracepoints.iter().take(top) {
            let tracepoint = source.table.get(ranked.number);
            let account = accounts.get(&ranked.number);
            let number = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
            let unaccounted = account.and_then(|account| account.unaccounted);
            writer
                .write_record([
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
                ])
                .map_err(of_csv_error)?;
        }
    }
    writer.flush()
}
