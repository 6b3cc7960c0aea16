//! perf_event_open(2): the system calls and the rings. Nothing here deals with the names of tracepoints.

mod reading;
mod ring;
mod spec;
pub mod sys;

pub use reading::{Reading, SampleId};
pub use ring::{Ring, Room};
pub use spec::{EventKind, EventSpec, Output, ProcessFields, ReadFormat, Scope};
