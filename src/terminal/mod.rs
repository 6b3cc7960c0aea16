//! What a capture, a replay and a report show on the terminal: progress on stderr, results when they are there.

mod overhead;
mod progress;
mod report;
mod states;
mod summary;

pub use overhead::print_overhead;
pub use progress::TerminalProgress;
pub use report::print_report;
pub use states::{print_check, print_identification, print_state, print_states};
pub use summary::print_summary;
