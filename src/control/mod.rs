//! Everything that steers a run from outside, or watches it: signals, COMMAND, progress.

mod command;
mod manner;
mod progress;
mod signals;
mod stoppable;

pub use command::{CommandLine, Error, Launch, Running, Streams};
pub use manner::Manner;
pub use progress::{NoticesOnly, Progress};
pub(crate) use signals::wait_for_any;
pub use signals::{OwnSignal, Senders, Signals};
pub use stoppable::unless_stopped;
