//! tp-perf shows what the Linux kernel is doing: it records and counts tracepoints on all CPUs, with nothing but tracefs and
//! perf_event_open(2). This is its library; the program `tp-perf` is made of it.
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
//! | list the kernel's tracepoints and choose from them | [`tracefs`] |
//! | attach to them, for samples or for counts; or to a kernel that a test makes up | [`engine`] |
//! | know what an event, a loss and a tick are; read events in time order | [`events`] |
//! | open a recording, a file of `perf record` or a `log.csv` | [`source`] |
//! | give the events of a source to sinks, and get its accounting and summary | [`drain`] |
//! | read and write what a capture leaves | [`recording`] |
//! | tell what sources hold, and what differs between them | [`report`] |
//!
//! # Examples
//!
//! `examples/` has three programs: `count` counts hits for a second, `events` prints the events of a source, and
//! `compare` compares two sources. The following code reads the built-in recording:
//!
//! ```
//! use tp_perf::source::{self, Place};
//!
//! let mut stream = source::open(&Place::Example, None)?.stream;
//! let mut timers = 0;
//! while let Some((events, table)) = stream.next_with_table()? {
//!     timers += events.iter().filter(|event| table.get(event.tpid).group == "timer").count();
//! }
//! println!("{timers} events of timers");
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

// What follows is no part of the library. It is public because the program, the integration tests, the benches and the fuzz
// targets are crates of their own; it may change with every version.
#[doc(hidden)]
pub mod activity;
#[doc(hidden)]
pub mod capture;
#[doc(hidden)]
#[allow(rustdoc::invalid_html_tags)] // The comments there are the text of `--help`.
pub mod cli;
#[doc(hidden)]
pub mod command;
#[doc(hidden)]
pub mod control;
#[doc(hidden)]
pub mod doctor;
#[doc(hidden)]
pub mod os;
#[doc(hidden)]
pub mod overhead;
#[doc(hidden)]
pub mod perf;
#[doc(hidden)]
pub mod perf_data;
#[doc(hidden)]
pub mod spool;
#[doc(hidden)]
pub mod state;
#[doc(hidden)]
pub mod terminal;

// Nothing outside needs these.
mod observation;
mod page;
mod plot;
mod ranking;
mod stats;
mod units;

/// The Rust code in the pages for readers is tested with that of the library.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/library.md")]
    struct Library;
}
