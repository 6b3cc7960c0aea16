//! All families of metrics. docs/metrics.md explains them, and a test compares that page with this list.

use super::exposition::Family;

pub(super) const BUILD: Family = Family::info("tpperf_build", "The version of tp-perf.");

pub(super) const HITS: Family = Family::counter(
    "tpperf_hits",
    "Hits of a tracepoint on all CPUs, estimated while it is visited. Those of tracepoints without a series of their own are \
     in the tracepoint (other) of their group.",
);
pub(super) const GROUP_HITS: Family =
    Family::counter("tpperf_group_hits", "Hits of all watched tracepoints of a group on all CPUs.");
pub(super) const ESTIMATED_HITS: Family = Family::counter(
    "tpperf_estimated_hits",
    "The hits in tpperf_hits_total that were not counted but estimated, of all tracepoints.",
);
pub(super) const WATCHED: Family = Family::gauge(
    "tpperf_tracepoint_watched_ratio",
    "The part of the last window in which a tracepoint was watched: 1 if counted, less if visited, 0 if detached. Only \
     tracepoints that were once not counted have it.",
)
.in_unit("ratio");

pub(super) const TRACEPOINTS: Family =
    Family::gauge("tpperf_tracepoints", "The number of watched tracepoints on a rung in the last window.");
pub(super) const EXCLUDED: Family = Family::gauge(
    "tpperf_tracepoints_excluded",
    "The number of tracepoints that are not selected or cannot be counted.",
);
pub(super) const OPEN_FAILED: Family =
    Family::gauge("tpperf_tracepoints_open_failed", "The number of tracepoints that could not be opened.");
pub(super) const WITHOUT_SERIES: Family = Family::gauge(
    "tpperf_tracepoints_without_series",
    "The number of tracepoints with hits that have no series of their own, because there would be too many.",
);
pub(super) const OPEN_FAILURE: Family = Family::gauge(
    "tpperf_tracepoint_open_failed",
    "1 for a tracepoint that could not be opened. Only the first ones have a series.",
);
pub(super) const TRACEPOINTS_UNWATCHED: Family = Family::counter(
    "tpperf_tracepoints_unwatched_seconds",
    "The time in which a tracepoint was not watched, because it was visited or detached, as a sum over tracepoints.",
)
.in_unit("seconds");

pub(super) const PROCESS_HITS: Family = Family::counter(
    "tpperf_process_hits",
    "Hits by the name of the process that caused them, and by group of tracepoints. Hits of thinned tracepoints are \
     estimated. Hits of detached tracepoints are missing.",
);
pub(super) const PROCESS_VARIANCE: Family = Family::counter(
    "tpperf_process_hits_variance",
    "The summed variance of the estimated hits of a process. The square root of its increase is the standard error of the increase \
     of the hits.",
);
pub(super) const CGROUP_HITS: Family = Family::counter(
    "tpperf_cgroup_hits",
    "Hits by the cgroup of the process that caused them, and by group of tracepoints. Hits of thinned tracepoints are \
     estimated. Hits of detached tracepoints are missing.",
);
pub(super) const CGROUP_VARIANCE: Family = Family::counter(
    "tpperf_cgroup_hits_variance",
    "The summed variance of the estimated hits of a cgroup. The square root of its increase is the standard error of the increase \
     of the hits.",
);

pub(super) const WINDOWS: Family = Family::counter("tpperf_windows", "Windows that have ended.");
pub(super) const WINDOWS_SKIPPED: Family = Family::counter(
    "tpperf_windows_skipped",
    "Windows that were too late to be kept apart. Their hits are in the windows after them.",
);
pub(super) const WINDOW_LENGTH: Family =
    Family::gauge("tpperf_window_length_seconds", "The length of a window, as chosen.").in_unit("seconds");
pub(super) const LATENESS: Family =
    Family::gauge("tpperf_window_lateness_seconds", "How late the last window ended.").in_unit("seconds");
pub(super) const MOST_LATENESS: Family =
    Family::gauge("tpperf_window_lateness_max_seconds", "How late the latest of all windows ended.").in_unit("seconds");
pub(super) const LAST_END: Family =
    Family::gauge("tpperf_last_window_timestamp_seconds", "When the last window ended, in Unix time.")
        .in_unit("seconds");

pub(super) const COST: Family = Family::gauge(
    "tpperf_cost_ratio",
    "The estimated cost of watching in the last window, as a part of the time of all CPUs.",
)
.in_unit("ratio");
pub(super) const BUDGET: Family =
    Family::gauge("tpperf_budget_ratio", "The part of the time of all CPUs that watching may cost.").in_unit("ratio");
pub(super) const COST_TIME: Family = Family::counter(
    "tpperf_cost_seconds",
    "The sum of tpperf_cost_ratio times the length of each window. Its rate is the mean cost as a part of the time of all CPUs.",
)
.in_unit("seconds");
pub(super) const CPUS_UNWATCHED: Family = Family::counter(
    "tpperf_cpus_unwatched_seconds",
    "The time in which a CPU was not watched, because it went offline, as a sum over CPUs.",
)
.in_unit("seconds");

pub(super) const STATE: Family = Family::info("tpperf_state", "The state that tp-perf has identified.");
pub(super) const ALARMS: Family = Family::counter("tpperf_alarms", "Alarms that a rule has raised.");
pub(super) const ALARMS_ACTIVE: Family =
    Family::gauge("tpperf_alarms_active", "Alarms of a rule that have not ended yet.");

pub(super) const HISTORY_WINDOWS: Family =
    Family::counter("tpperf_history_windows", "Windows that were written to the history.");
pub(super) const HISTORY_WAITING: Family = Family::gauge(
    "tpperf_history_windows_waiting",
    "Windows that wait in memory, because writing to the history fails.",
);
pub(super) const HISTORY_LOST: Family = Family::counter(
    "tpperf_history_windows_lost",
    "Windows that are lost, because writing to the history failed for long.",
);
pub(super) const HISTORY_SIZE: Family =
    Family::gauge("tpperf_history_size_bytes", "The size of all files of the history.").in_unit("bytes");
pub(super) const HISTORY_FILES: Family = Family::gauge("tpperf_history_files", "The number of files of the history.");

pub(super) const LOST: Family =
    Family::counter("tpperf_lost_events", "Events that the kernel dropped, because a ring was full.");
pub(super) const FLIGHT_EVENTS: Family =
    Family::gauge("tpperf_flight_events", "Events that the flight recorder holds in memory.");
pub(super) const FLIGHT_SIZE: Family =
    Family::gauge("tpperf_flight_size_bytes", "The memory of these events.").in_unit("bytes");
pub(super) const FLIGHT_SPAN: Family =
    Family::gauge("tpperf_flight_span_seconds", "The time that these events cover.").in_unit("seconds");
pub(super) const FLIGHT_TRACEPOINTS: Family =
    Family::gauge("tpperf_flight_tracepoints", "The number of tracepoints on a rung of the flight recorder.");
pub(super) const FLIGHT_DUMPS: Family =
    Family::counter("tpperf_flight_dumps", "Recordings that the flight recorder has written.");
pub(super) const FLIGHT_FAILURES: Family =
    Family::counter("tpperf_flight_dump_failures", "Recordings that the flight recorder failed to write.");
pub(super) const FLIGHT_MERGED: Family = Family::counter(
    "tpperf_flight_triggers_merged",
    "Triggers that came while a recording was being written, and became part of it.",
);

pub(super) const HTTP_REQUESTS: Family =
    Family::counter("tpperf_http_requests", "HTTP requests that were answered, whatever the answer was.");
pub(super) const HTTP_REFUSED: Family = Family::counter(
    "tpperf_http_connections_refused",
    "HTTP connections that were closed at once, because too many were open.",
);
pub(super) const HTTP_OVERDUE: Family = Family::counter(
    "tpperf_http_connections_overdue",
    "HTTP connections that were closed, because the client took too long.",
);

pub(super) const PROCESS_CPU: Family =
    Family::counter("process_cpu_seconds", "The CPU time of tp-perf, user and system.").in_unit("seconds");
pub(super) const PROCESS_MEMORY: Family =
    Family::gauge("process_resident_memory_bytes", "The resident memory of tp-perf.").in_unit("bytes");
pub(super) const PROCESS_DESCRIPTORS: Family =
    Family::gauge("process_open_fds", "The number of file descriptors that tp-perf has open.");
pub(super) const PROCESS_MOST_DESCRIPTORS: Family =
    Family::gauge("process_max_fds", "The number of file descriptors that tp-perf may have open.");
pub(super) const PROCESS_START: Family =
    Family::gauge("process_start_time_seconds", "When tp-perf started, in Unix time.").in_unit("seconds");
