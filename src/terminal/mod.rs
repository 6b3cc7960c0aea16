//! What a capture, a replay and a report show on the terminal: progress on stderr, results when they are there.

mod overhead;
mod progress;
mod report;
mod summary;

pub use overhead::print_overhead;
pub use progress::TerminalProgress;
pub use report::print_report;
pub(crate) use report::sparkline;
pub use summary::print_summary;
pub(crate) use summary::{equation, own_share, stopped_by};
