//! Histories: the hits of each window, kept for weeks.
//!
//! ```text
//!   ticks ──> HistoryWriter ──> journal of the hour ──(the hour ends)──> windows/…/14.parquet
//!                                                                  └──> minutes/…/14.parquet
//!   History <── any of these files, or a folder of them
//! ```
//!
//! `docs/history.md` describes the files for users.

mod backlog;
mod closing;
mod columns;
mod crc;
mod error;
mod facts;
mod files;
mod footer;
mod frame;
mod journal;
mod journal_reader;
mod keep;
mod layout;
mod lock;
mod notes;
mod pages;
mod part;
mod reader;
mod reports;
mod rollup;
mod row_groups;
mod rows;
mod sources;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod thrift;
mod wall;
mod window;
mod window_stream;
mod writer;

pub(crate) use columns::{optional_column, required_column, signed};
pub use error::Error;
pub use facts::{HistoryFacts, LeftOutNames};
pub use frame::HistoryEvent;
pub use keep::{Keep, RemovedBecause, RemovedFile};
pub use layout::HistoryLevel;
pub use part::{is_history, wall_words};
pub use reader::History;
pub use reports::{HistoryFigures, HistoryReport};
pub use sources::HistoryChoice;
pub use wall::{ClockReading, HistoryClock, MachineClock};
pub use window::{HistoryHits, HistoryWindow};
pub use window_stream::HistoryWindows;
pub use writer::HistoryWriter;
