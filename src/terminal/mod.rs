//! What a capture shows on the terminal: progress on stderr, the summary when it is done.

mod progress;
mod summary;

pub use progress::TerminalProgress;
pub use summary::print_summary;
