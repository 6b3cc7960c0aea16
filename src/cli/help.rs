//! Parts of the help that several commands share.

use clap::Arg;

/// The heading of the options that say what a capture attaches to and how. The help of a capture lists them; that of the
/// other commands refers to it.
pub(super) const CAPTURE_OPTIONS: &str = "Capture options";

/// How a PATTERN is written.
pub(super) const PATTERNS: &str = "\
A PATTERN is a glob over group:name, as in 'sched:*'. Without a colon it matches a tracepoint's name in any group; the name \
of a group stands for the whole group. Commas separate patterns: 'sched,block:*_issue'.";

/// Where the capture options are listed, for the help of the other commands that capture.
pub(super) const SEE_CAPTURE_OPTIONS: &str = "\
All capture options work here too, such as -t: see `tp-perf record -h`.";

/// Leaves a capture option out of the help of a command that does more than a capture. It still works there.
pub(super) fn listed_elsewhere(arg: Arg) -> Arg {
    match arg.get_help_heading() {
        Some(CAPTURE_OPTIONS) => arg.hide_short_help(true).hide_long_help(true),
        _ => arg,
    }
}
