//! tp-perf records every tracepoint that fires in the Linux kernel, on every CPU, with nothing but tracefs and
//! perf_event_open(2).
//!
//! Capturing moves bytes; everything else is replay:
//!
//! ```text
//!  tracefs ──> table (tpid, gid, names) ──> selection
//!                                              │
//!  perf events on every CPU ──> rings ──> rounds of chunks ──> spool (memory, then events.perf)
//!                                                              │
//!       a recording, a file of perf record, a log.csv ──> source
//!                                                              ▼
//!                             decode (24-byte records) ──> merge in time order ──> event stream
//!                                                                                      │
//!                                                                     log.csv · accounting · summary · report
//! ```
//!
//! | idea | module |
//! |---|---|
//! | the table, patterns, selection | [`tracefs`] |
//! | system calls, rings, records, attach and detach | [`perf`] |
//! | perf.data, as tp-perf and perf write it | [`perf::data`] |
//! | chunks kept until the events are off, and their file | [`spool`] |
//! | where a replay's bytes come from, and their decoders | [`source`], [`blocks`] |
//! | time order, lateness | [`merge`] |
//! | bytes to events, the one road | [`stream`] |
//! | counted = recorded + lost | [`accounting`] |
//! | from a source to log, accounting and summary | [`results`] |
//! | the files that a capture leaves | [`recording`] |
//! | the capture itself: when it stops, what it does then | [`capture`] |
//! | what capturing costs a command, by runs with and without it | [`overhead`] |
//! | a source again | [`replay`] |
//! | when what was active, in a set amount of memory | [`activity`] |
//! | what a source holds, for people: tables, a page; what differs between several | [`report`], [`ranking`] |
//! | known states, and which one a source is in | [`state`] |
//! | tracepoints and groups over time, as pictures | [`plot`] |
//! | what this machine allows | [`doctor`] |

pub mod activity;
pub mod capture;
pub mod cli;
pub mod command;
pub mod control;
pub mod doctor;
pub mod drain;
pub mod engine;
pub mod events;
pub mod observation;
pub mod os;
pub mod overhead;
pub mod page;
pub mod perf;
pub mod perf_data;
pub mod plot;
pub mod ranking;
pub mod recording;
pub mod report;
pub mod source;
pub mod spool;
pub mod state;
pub mod stats;
pub mod terminal;
pub mod tracefs;
pub mod units;
