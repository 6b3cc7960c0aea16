//! Tests of the running kernel. They run one after another, each with few tracepoints.

pub mod accounting;
pub mod capture;
pub mod count;
pub mod destination;
pub mod ends;
pub mod endurance;
pub mod flight;
pub mod hotplug;
pub mod machine;
#[cfg(feature = "monitor")]
pub mod monitor;
pub mod overhead;
pub mod privileges;
pub mod processes;
pub mod replay;
pub mod rig;
pub mod rungs;
pub mod thinning;
#[cfg(feature = "top")]
pub mod top;

pub mod states;
