//! Counts tracepoint hits on all CPUs for a second, and prints the ten tracepoints with the most hits.
//!
//! This example needs root:
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

/// Counts for `duration`. `kernel` is the running kernel ([`Live`]), or a simulated one in a test.
pub fn count(kernel: &impl Kernel, duration: Duration, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    // The table has every tracepoint of this kernel. The selection leaves out those that fire too often.
    let table = kernel.table()?;
    let selection = Selection::by_default(&table)?;
    let tracepoints: Vec<&Tracepoint> = selection.tracepoints(&table);

    // Open all events first, then switch all of them on.
    let request = CountRequest { tracepoints, cpus: kernel.online()?, exclude_thread: None, may_move: false };
    let mut engine = kernel.count(&request, &mut unwatched)?;
    engine.enable()?;
    sleep(duration);
    let tick = engine.tick()?;

    let seconds = tick.to.since(tick.from) as f64 / 1e9;
    writeln!(out, "{} hits in {seconds:.2} s", tick.total())?;
    for (tpid, hits) in tick.by_tracepoint().into_iter().take(10) {
        writeln!(out, "{hits:12}  {}", table.get(tpid).full_name())?;
    }

    // Detaching takes the kernel up to a minute. A child process waits for it, so this program can end.
    engine.detach();
    Ok(())
}
