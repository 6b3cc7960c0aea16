//! The columns of exported tables, and which of them a source has.

use clap::ValueEnum;

/// A column. Its name in a file is the one that users type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Column {
    /// The time of an event, or the begin of a window
    TimestampNs,
    /// The length of a window
    LengthNs,
    /// The group
    TracepointGroup,
    /// The name in the group
    Tracepoint,
    /// tp-perf's number of the tracepoint
    Tpid,
    /// tp-perf's number of the group
    Gid,
    /// The CPU
    Cpu,
    /// The process
    Pid,
    /// The thread
    Tid,
    /// The name of the thread at that time
    Comm,
    /// The path of the cgroup
    Cgroup,
    /// The hits of a window, or those that an event stands for
    Hits,
    /// Whether the hits are estimated
    IsEstimate,
    /// The part of the window in which the tracepoint was watched
    Watched,
    /// The standard error of estimated hits
    StandardError,
}

/// What the rows are, and what the source has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowsOf {
    Events { cpus: bool, threads: bool, cgroups: bool, hits: bool },
    Windows { hits: bool },
    History,
}

impl Column {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Column::TimestampNs => "timestamp_ns",
            Column::LengthNs => "length_ns",
            Column::TracepointGroup => "tracepoint_group",
            Column::Tracepoint => "tracepoint",
            Column::Tpid => "tpid",
            Column::Gid => "gid",
            Column::Cpu => "cpu",
            Column::Pid => "pid",
            Column::Tid => "tid",
            Column::Comm => "comm",
            Column::Cgroup => "cgroup",
            Column::Hits => "hits",
            Column::IsEstimate => "is_estimate",
            Column::Watched => "watched",
            Column::StandardError => "standard_error",
        }
    }

    /// Whether it needs what is known of threads.
    pub(super) fn is_of_thread(self) -> bool {
        matches!(self, Column::Pid | Column::Comm | Column::Cgroup)
    }
}

impl RowsOf {
    /// The columns that are there.
    pub(super) fn columns(self) -> Vec<Column> {
        let is_there = |column: &Column| match (self, column) {
            (_, Column::TimestampNs | Column::TracepointGroup | Column::Tracepoint | Column::Hits) => true,
            // The numbers of a history mean nothing outside of it.
            (_, Column::Tpid | Column::Gid) => self != RowsOf::History,
            (RowsOf::Events { cpus, .. }, Column::Cpu) => cpus,
            (RowsOf::Events { threads, .. }, Column::Pid | Column::Tid | Column::Comm) => threads,
            (RowsOf::Events { cgroups, .. }, Column::Cgroup) => cgroups,
            (RowsOf::Windows { .. } | RowsOf::History, Column::LengthNs | Column::IsEstimate) => true,
            (RowsOf::History, Column::Watched | Column::StandardError) => true,
            _ => false,
        };
        Column::value_variants().iter().copied().filter(is_there).collect()
    }

    /// The columns that a table has if the user chose none.
    pub(super) fn usual(self) -> Vec<Column> {
        let is_usual = |column: &Column| match (self, column) {
            (_, Column::Tpid | Column::Gid) => false,
            (RowsOf::Events { hits, .. }, Column::Hits) => hits,
            (RowsOf::Windows { hits }, Column::IsEstimate) => hits,
            _ => true,
        };
        self.columns().into_iter().filter(is_usual).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_the_name_that_users_type() {
        for column in Column::value_variants() {
            assert_eq!(column.to_possible_value().unwrap().get_name(), column.name());
        }
    }

    #[test]
    fn a_table_has_what_the_source_has() {
        let names = |columns: Vec<Column>| columns.into_iter().map(Column::name).collect::<Vec<_>>().join(",");
        let events = RowsOf::Events { cpus: true, threads: false, cgroups: false, hits: false };
        assert_eq!(names(events.usual()), "timestamp_ns,tracepoint_group,tracepoint,cpu");
        assert_eq!(names(events.columns()), "timestamp_ns,tracepoint_group,tracepoint,tpid,gid,cpu,hits");
        let all = RowsOf::Events { cpus: true, threads: true, cgroups: true, hits: true };
        assert_eq!(names(all.usual()), "timestamp_ns,tracepoint_group,tracepoint,cpu,pid,tid,comm,cgroup,hits");
        let windows = RowsOf::Windows { hits: true };
        assert_eq!(names(windows.usual()), "timestamp_ns,length_ns,tracepoint_group,tracepoint,hits,is_estimate");
        let history = "timestamp_ns,length_ns,tracepoint_group,tracepoint,hits,is_estimate,watched,standard_error";
        assert_eq!(names(RowsOf::History.columns()), history);
    }
}
