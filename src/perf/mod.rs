//! perf_event_open(2): the system calls, the rings, the records, and the engine that captures with them.

mod attach;
pub mod data;
mod detach;
mod engine;
mod error;
mod ids;
mod limits;
pub mod record;
mod ring;
pub mod sys;

pub use attach::{AttachRequest, Attachment, Refusal, attach};
pub use detach::{Detaching, expected_detach};
pub use engine::{Counted, Engine};
pub use error::Error;
pub use ids::{SampleIds, Slot};
pub use limits::{
    Capabilities, DescriptorLimit, RESERVED_DESCRIPTORS, descriptors_needed, raise_descriptor_limit, sysctl,
};
pub use ring::{Ring, Room};
pub use sys::{Clock, Count};
