//! tp-perf shows what the Linux kernel is doing. It records and counts tracepoints on all CPUs, using only
//! tracefs and perf_event_open(2). This crate is the library on which the program `tp-perf` is built.
//!
//! Capturing moves bytes; everything else is replay. Counting makes ticks; everything else consumes them.
//!
//! ```text
//!            ┌ sampling: rounds of chunks ─> recording ─> source ─> events in time order ─┐
//!   engine ──┤                                                                            ├─> sinks
//!            └ counting: ticks ───────────────────────────────────────────────────────────┘
//! ```
//!
//! | to | use |
//! |---|---|
//! | list the kernel's tracepoints and select some of them | [`tracefs`] |
//! | attach to tracepoints, for samples or for counts, or to a simulated kernel in a test | [`engine`] |
//! | work with events, losses and ticks; read events in time order | [`events`] |
//! | open a recording, a file from `perf record`, or a `log.csv` | [`source`] |
//! | send the events of a source to sinks, and get its accounting and summary | [`drain`] |
//! | read and write the files of a recording | [`recording`] |
//! | summarize sources, and compare them | [`report`] |
//!
//! # Examples
//!
//! `examples/` has three programs: `count` counts hits for a second, `events` prints the events of a source,
//! and `compare` compares two sources. The following code reads the built-in recording:
//!
//! ```
//! use tp_perf::source::{self, Place};
//!
//! let mut stream = source::open(&Place::Example, None)?.stream;
//! let mut timers = 0;
//! while let Some((events, table)) = stream.next_with_table()? {
//!     timers += events.iter().filter(|event| table.get(event.tpid()).group == "timer").count();
//! }
//! println!("{timers} timer events");
//! # assert!(timers > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod drain;
pub mod engine;
pub mod events;
pub mod recording;
pub mod report;
pub mod source;
pub mod tracefs;

// The modules below are not part of the library's API and may change with every version. They are public only
// because the program, the integration tests, the benches and the fuzz targets are separate crates.
#[doc(hidden)]
pub mod activity;
#[cfg(feature = "monitor")]
#[doc(hidden)]
pub mod alarms;
#[doc(hidden)]
pub mod capture;
#[doc(hidden)]
#[allow(rustdoc::invalid_html_tags)] // The doc comments in `cli` are the text of `--help`.
pub mod cli;
#[doc(hidden)]
pub mod command;
#[doc(hidden)]
pub mod control;
#[doc(hidden)]
pub mod counting;
#[doc(hidden)]
pub mod doctor;
#[doc(hidden)]
pub mod export;
#[cfg(feature = "history")]
#[doc(hidden)]
pub mod history;
#[doc(hidden)]
pub mod live;
#[doc(hidden)]
pub mod memory;
#[cfg(feature = "monitor")]
#[doc(hidden)]
pub mod metrics;
#[cfg(feature = "monitor")]
#[doc(hidden)]
pub mod monitor;
#[doc(hidden)]
pub mod os;
#[doc(hidden)]
pub mod overhead;
#[doc(hidden)]
pub mod perf;
#[doc(hidden)]
pub mod perf_data;
// Which processes caused the events.
pub mod processes;
#[doc(hidden)]
pub mod spool;
#[doc(hidden)]
pub mod state;
#[doc(hidden)]
pub mod terminal;
#[doc(hidden)]
pub mod text;

// Private modules.
mod observation;
mod page;
mod plot;
mod ranking;
mod stats;
mod units;

/// Runs the Rust code in the README as doc tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/library.md")]
    struct Library;
}
