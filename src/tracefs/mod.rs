//! tracefs: its place, its list of tracepoints, and the selection for a capture.
//!
//! ```
//! use tp_perf::tracefs::{Pattern, Selection, SelectionRequest, Table};
//!
//! // This table is an example. `Live` and `choose` read the table of the running kernel.
//! let names = [("irq", "softirq_entry"), ("sched", "sched_waking")];
//! let table = Table::from_entries(names.map(|(group, name)| (group.to_owned(), name.to_owned(), 1)).to_vec());
//!
//! let request = SelectionRequest { only: vec![Pattern::new("irq:*")?], ..Default::default() };
//! let selection = Selection::choose(&table, &request)?;
//! assert_eq!(selection.tracepoints(&table)[0].full_name(), "irq:softirq_entry");
//! # Ok::<(), tp_perf::tracefs::Error>(())
//! ```

mod mount;
mod numbers;
mod pattern;
mod selection;
mod status;
mod table;

pub use mount::{Origin, Tracefs};
pub use numbers::{Gid, Tpid};
pub use pattern::{Pattern, check_matches};
pub use selection::{Selection, SelectionRequest};
pub use status::{Exclusion, Status};
pub use table::{Table, Tracepoint};

use nix::errno::Errno;
use std::{io, path::PathBuf};

/// Reads the table of the running kernel. tracefs is not needed after that, so this releases it.
pub fn table() -> Result<Table, Error> {
    Table::read(Tracefs::open()?.root())
}

/// Reads the table of the running kernel, and chooses from it.
pub fn choose(request: &SelectionRequest) -> Result<(Table, Selection), Error> {
    let table = table()?;
    let selection = Selection::choose(&table, request)?;
    Ok((table, selection))
}

/// Why the tracepoints could not be listed or chosen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of tracefs could not be read.
    #[error("failed to read `{path}`: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// tracefs is not mounted, and could not be mounted for this process.
    #[error("tracefs is not mounted, and mounting it for this process alone failed ({step}: {cause}){}", why(cause))]
    Mount {
        /// The system call that failed.
        step: &'static str,
        /// The cause.
        cause: io::Error,
    },
    /// tracefs is not mounted, and there is no way to one that is mounted for this process.
    #[error("neither tracefs nor /proc is mounted, and tp-perf reaches a tracefs of its own only through /proc")]
    NoProc,
    /// tracefs is there but lists nothing.
    #[error("`{0}` lists no tracepoints: this kernel is built without them (CONFIG_TRACEPOINTS, CONFIG_FTRACE)")]
    NoTracepoints(PathBuf),
    /// A glob that cannot be read.
    #[error("`{pattern}` is not a pattern: {reason}; write a glob over group:name, as in `sched:*` or `*_enter`")]
    BadPattern {
        /// The pattern, as typed.
        pattern: String,
        /// The mistake in it.
        reason: String,
    },
    /// A pattern that no tracepoint matches.
    #[error("no tracepoint matches `{pattern}`{}", near(nearest))]
    NoMatch {
        /// The pattern, as typed.
        pattern: String,
        /// The nearest existing names.
        nearest: Vec<String>,
    },
    /// All tracepoints are excluded.
    #[error("nothing is left to capture: every tracepoint is excluded")]
    NothingSelected,
}

/// The meaning of an error number here, beyond its usual text.
fn why(cause: &io::Error) -> &'static str {
    match cause.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENODEV) => "; this kernel has no tracefs (CONFIG_FTRACE is off)",
        _ => "",
    }
}

fn near(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!("; the nearest are {}", names.join(", ")),
    }
}
