//! Events, losses and ticks, independent of where they come from.

pub mod accounting;
mod cgroup_pattern;
mod counted;
mod event;
mod event_hits;
mod filter;
mod ids;
pub mod merge;
mod more_hits;
mod process_filter;
mod row_runs;
mod rung;
mod sample_ids;
mod sink;
pub mod stream;
mod tap;
pub mod thinning;
pub(crate) mod threads;
mod tick;

pub use crate::perf::Reading;
pub use cgroup_pattern::CgroupPattern;
pub use counted::Counted;
pub use event::{Event, Tid};
pub use event_hits::EventHits;
pub use filter::Filter;
pub use ids::{Cpu, Gid, Ns, SampleId, Tpid};
pub use more_hits::MoreHits;
pub use process_filter::{NamePattern, ProcessFilter};
pub use row_runs::{RowRun, RowRuns};
pub use rung::{Estimated, Partly, Rung, Visits};
pub use sample_ids::{SampleIds, Slot};
pub use sink::Sink;
pub use tap::EventTap;
pub use thinning::{EarlierHits, RungStep, StepOnCpu};
pub use threads::{
    CgroupId, ChosenThreads, GoneCgroups, KnownThread, KnownThreads, LONGEST_NAME, LONGEST_PATH, ThreadChange,
    ThreadFact,
};
pub use tick::{Tick, WindowHits};
