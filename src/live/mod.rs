//! What `tp-perf top` shows: the last windows, the rows of the table and the graph, and who causes the hits of a row.
//!
//! ```text
//!   ticks ──> LiveWindows ──> rows (sorted, filtered, in groups) ──> a screen
//!   keys  ──> View ──────────────┘
//! ```
//!
//! Nothing here draws, and nothing here reads a terminal.

mod csv;
mod keys;
mod recorded;
mod rows;
mod shares;
#[cfg(test)]
mod testing;
mod view;
mod who;
mod windows;

pub use csv::csv;
pub use keys::{Key, KeyRequest};
pub use recorded::{RecordedWindows, USUAL_WINDOWS};
pub use rows::{LiveRow, RowName, SortBy};
pub use shares::{WhoAnswer, WhoRow};
pub use view::{LivePage, View, WhoBy};
pub use who::{Who, WhoTarget};
pub use windows::{LiveWindow, LiveWindows};
