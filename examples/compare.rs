//! Compares two sources, and prints the ten tracepoints whose share of all events differs most.
//!
//! ```sh
//! cargo run --example compare fixtures/idle.perf.zst fixtures/make.perf.zst
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use tp_perf::report::{self, Presence};
use tp_perf::source::Place;

fn main() -> ExitCode {
    let places: Vec<Place> = std::env::args_os().skip(1).map(|path| Place::Path(path.into())).collect();
    match compare(&places, &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Compares the sources, and prints how the first two differ.
pub fn compare(places: &[Place], out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let Some(differences) = report::compare(places)?.differences else {
        return Err("name two sources: recordings, perf.data files or log.csv files".into());
    };

    // Remarks name limits of the comparison, for example kernels with different tracepoints.
    for remark in &differences.remarks {
        writeln!(out, "{remark}")?;
    }
    writeln!(out, "{:>14}{:>14}", differences.sources[0], differences.sources[1])?;
    // The largest differences come first.
    for tracepoint in differences.tracepoints.iter().take(10) {
        let [first, second] = [0, 1].map(|source| share(tracepoint.sources[source]));
        writeln!(out, "{first:>14}{second:>14}  {}", tracepoint.name)?;
    }
    Ok(())
}

/// A tracepoint's share of all events, or why it has none.
fn share(presence: Presence) -> String {
    match presence {
        Presence::Hit { share, .. } => format!("{:.2} %", share * 100.0),
        other => other.word().to_owned(),
    }
}
