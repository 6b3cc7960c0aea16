//! Prints the first ten events of a source, and the number of events per CPU.
//!
//! A source is the directory of a recording, a perf.data file or a log.csv. Without a source, this example
//! reads the built-in recording:
//!
//! ```sh
//! cargo run --example events
//! cargo run --example events perf.data
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use tp_perf::source::{self, Place};

fn main() -> ExitCode {
    let place = std::env::args_os().nth(1).map_or(Place::Example, |path| Place::Path(path.into()));
    match print(&place, &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("events: {place}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the events of the source at this place.
pub fn print(place: &Place, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut stream = source::open(place, None)?.stream;
    let mut printed = 0;
    let mut events_of_cpus = BTreeMap::new();

    // Events come in batches, in time order. The table has the names of their tracepoints.
    while let Some((events, table)) = stream.next_with_table()? {
        for event in events {
            // A log.csv does not record the CPU.
            let cpu = event.cpu().map_or("unknown CPU".to_owned(), |cpu| format!("CPU {cpu}"));
            if printed < 10 {
                printed += 1;
                writeln!(out, "{} ns  {cpu}  {}", event.time, table.get(event.tpid()).full_name())?;
            }
            *events_of_cpus.entry(cpu).or_insert(0) += 1;
        }
    }

    for (cpu, events) in events_of_cpus {
        writeln!(out, "{cpu}: {events} events")?;
    }
    Ok(())
}
