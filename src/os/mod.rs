//! The machine and this process: CPUs, clocks, files, limits, memory. Nothing here deals with tracing.

pub mod any_ready;
pub mod background;
pub mod cgroups;
pub mod clock;
pub mod cpus;
pub mod files;
pub mod hotplug;
pub mod landlock;
pub mod limits;
pub mod machine;
pub mod memory;
pub mod own_usage;
pub mod privileges;
pub mod process;
pub mod running_threads;
#[cfg(feature = "monitor")]
pub mod seccomp;
pub mod signals;
pub mod spare;
pub mod stdout;
pub mod thread;
