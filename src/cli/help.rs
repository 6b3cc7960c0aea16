//! Parts of the help that several commands share.

use clap::Arg;

/// The heading of the options that choose what a capture attaches to, and how. The help of `record` lists these options. The
/// help of the other commands refers to that help.
pub(super) const CAPTURE_OPTIONS: &str = "Capture options";

/// How a PATTERN is written.
pub(super) const PATTERNS: &str = "\
A PATTERN is a glob over group:name, as in 'sched:*'. Without a colon, it matches a tracepoint's name in any group. The name \
of a group means the whole group. Commas separate patterns: 'sched,block:*_issue'.";

/// Refers to the list of the capture options, in the help of the other commands that capture.
pub(super) const SEE_CAPTURE_OPTIONS: &str = "\
All capture options, such as -t, work here too: see `tp-perf record -h`.";

/// What it costs to watch this machine, in the help of the commands that compare it with states.
pub(super) const COST: &str = "\
Cost: each hit and each window costs CPU time. A hit takes about 50 ns (`tp-perf doctor` measures it here), so 100,000 hits a second \
take 0.5 % of one CPU. A window took 1 to 9 ms on idle machines. --few-tracepoints costs less, and --budget limits the \
cost.";

/// Hides a capture option from the help of a command that does more than a capture. The option still works there.
pub(super) fn listed_elsewhere(arg: Arg) -> Arg {
    match arg.get_help_heading() {
        Some(CAPTURE_OPTIONS) => arg.hide_short_help(true).hide_long_help(true),
        _ => arg,
    }
}
