//! The machine and this process: CPUs, clocks, limits, memory. Nothing here deals with tracing.

pub mod clock;
pub mod cpus;
pub mod landlock;
pub mod limits;
pub mod machine;
pub mod privileges;
pub mod process;
pub mod thread;
