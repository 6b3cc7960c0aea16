//! Counts the tracepoints that fire within a second, on all CPUs, and prints the ten that fired most.
//!
//! It needs root:
//!
//! ```sh
//! cargo build --example count && sudo ./target/debug/examples/count
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;
use tp_perf::engine::{CountRequest, Counting, Engine, Kernel, Live, unwatched};
use tp_perf::tracefs::{Selection, Tracepoint};

fn main() -> ExitCode {
    match count(&Live, Duration::from_secs(1), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("count: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Counts for so long. `Live` is the kernel that runs here; a test can pass one that it makes up.
pub fn count(kernel: &impl Kernel, duration: Duration, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    // The table has every tracepoint of this kernel. The selection leaves out those that fire too often.
    let table = kernel.table()?;
    let selection = Selection::by_default(&table)?;
    let mut tracepoints: Vec<&Tracepoint> = selection.tracepoints(&table);
    // A few counters of the scheduler add up nanoseconds, and would win.
    tracepoints.retain(|tracepoint| !tracepoint.is_weighted());

    // Everything is opened first, and then switched on at once.
    let request = CountRequest { tracepoints, cpus: kernel.online()?, exclude_thread: None };
    let mut engine = kernel.count(&request, &mut unwatched)?;
    engine.enable()?;
    sleep(duration);
    let tick = engine.tick()?;

    let seconds = tick.to.since(tick.from) as f64 / 1e9;
    writeln!(out, "{} hits of {} tracepoints in {seconds:.2} s", tick.total(), request.tracepoints.len())?;
    for (tpid, hits) in tick.by_tracepoint().into_iter().take(10) {
        writeln!(out, "{hits:12}  {}", table.get(tpid).full_name())?;
    }

    // The kernel needs up to a minute to close everything. A child process waits for that, and this program does not.
    engine.detach();
    Ok(())
}
