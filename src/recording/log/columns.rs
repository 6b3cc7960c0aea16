//! More columns of a log: the CPU of each event, and its process, thread, name, and cgroup.

use crate::events::{Event, KnownThreads, Ns, ThreadChange, Tid};
use crate::memory::TooMuch;
use crate::perf::ProcessFields;
use crate::text::push_csv_cell;
use clap::ValueEnum;

/// A column behind the usual ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogColumn {
    /// The number of the process
    Pid,
    /// The number of the thread
    Tid,
    /// The name of the thread at that time
    Comm,
    /// The CPU
    Cpu,
    /// The path of the cgroup
    Cgroup,
}

impl LogColumn {
    /// Its name in the header.
    pub fn name(self) -> &'static str {
        match self {
            LogColumn::Pid => "pid",
            LogColumn::Tid => "tid",
            LogColumn::Comm => "comm",
            LogColumn::Cpu => "cpu",
            LogColumn::Cgroup => "cgroup",
        }
    }

    /// The same columns without repetitions.
    pub fn each_once(columns: Vec<LogColumn>) -> Vec<LogColumn> {
        let mut once = Vec::new();
        columns.into_iter().for_each(|column| {
            if !once.contains(&column) {
                once.push(column)
            }
        });
        once
    }

    /// Whether it needs the thread of an event.
    pub fn is_of_thread(self) -> bool {
        self.fields().has_thread()
    }

    /// The fields of an event that it needs.
    pub fn fields(self) -> ProcessFields {
        match self {
            LogColumn::Cpu => ProcessFields::None,
            LogColumn::Pid | LogColumn::Tid | LogColumn::Comm => ProcessFields::Thread,
            LogColumn::Cgroup => ProcessFields::Cgroup,
        }
    }
}

/// The columns of a log, and what they need.
#[derive(Default)]
pub(super) struct MoreColumns {
    pub columns: Vec<LogColumn>,
    threads: KnownThreads,
}

impl MoreColumns {
    pub fn of(columns: &[LogColumn]) -> Self {
        MoreColumns { columns: columns.to_vec(), threads: KnownThreads::default() }
    }

    /// Takes what happened to threads.
    ///
    /// # Errors
    /// If that takes too much memory.
    pub fn take_threads(&mut self, changes: &[ThreadChange]) -> Result<(), TooMuch> {
        match self.columns.iter().any(|column| column.is_of_thread()) {
            true => self.threads.add(changes),
            false => Ok(()),
        }
    }

    /// All events up to this time have passed.
    pub fn passed(&mut self, time: Ns) {
        self.threads.until(time);
    }

    /// Appends the cells of an event, each after a comma. A cell is empty if the source does not have its value.
    pub fn push(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.threads.until(event.time);
        let tid = event.tid();
        let thread = tid.and_then(|tid| self.threads.of(tid));
        for column in &self.columns {
            out.push(b',');
            match column {
                LogColumn::Pid => push(out, thread.and_then(|thread| thread.process).or(tid).map(Tid::get)),
                LogColumn::Tid => push(out, tid.map(Tid::get)),
                LogColumn::Cpu => push(out, event.cpu().map(|cpu| cpu.get())),
                LogColumn::Cgroup => {
                    if let Some(path) = tid.and_then(|tid| self.threads.cgroup_of(tid)) {
                        push_csv_cell(out, path);
                    }
                }
                LogColumn::Comm => {
                    if let Some(name) = thread.and_then(|thread| thread.name.as_deref()) {
                        push_csv_cell(out, name);
                    }
                }
            }
        }
    }
}

fn push(out: &mut Vec<u8>, number: Option<u32>) {
    if let Some(number) = number {
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
}
