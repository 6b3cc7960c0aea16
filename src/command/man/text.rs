//! The parts of the manual pages that are not in the help.

/// A term and its explanation.
pub type Explained = (&'static str, &'static str);

/// The date of this version's release. A test compares it with the date in CHANGELOG.md.
pub const DATE: &str = "2026-11-28";

const DONE: Explained = ("0", "tp-perf succeeded.");
const FAILED: Explained = ("1", "tp-perf failed. A message on standard error names the cause and the fix.");
const WRONG_USAGE: Explained = ("2", "The command line is wrong. tp-perf did nothing.");
const STOPPED: Explained = (
    "130, 143",
    "Ctrl-C or SIGTERM stopped tp-perf. If such a signal ends a capture, tp-perf keeps the results and ends with 0.",
);
const OWN: &str =
    "With COMMAND, tp-perf ends with the exit code of COMMAND, or with 128 + N if signal N ended COMMAND.";

/// The exit codes of a subcommand (`None` is the program), and a paragraph below them.
pub fn exit_status(subcommand: Option<&str>) -> (Vec<Explained>, Option<&'static str>) {
    let check = ("3", "`tp-perf check` found something.");
    match subcommand {
        None => (vec![DONE, FAILED, WRONG_USAGE, check, STOPPED], Some(OWN)),
        Some("record") => (vec![DONE, FAILED, WRONG_USAGE], Some(OWN)),
        Some("check") => {
            let done = ("0", "The source is as it was learned.");
            let found = ("3", "The source is not as it was learned.");
            (vec![done, FAILED, WRONG_USAGE, found, STOPPED], None)
        }
        Some("overhead") => {
            let done = ("0", "The overhead was measured.");
            (vec![done, FAILED, WRONG_USAGE, STOPPED], Some("If COMMAND fails, tp-perf ends with its exit code."))
        }
        Some("replay" | "report" | "learn" | "identify") => (vec![DONE, FAILED, WRONG_USAGE, STOPPED], None),
        Some(_) => (vec![DONE, FAILED, WRONG_USAGE], None),
    }
}

/// The files that a capture leaves.
const RECORDING: &[Explained] = &[
    (
        "tp-perf-TIME/",
        "The recording: a directory in the current directory, named after the time in UTC. -o names another directory.",
    ),
    ("tp-perf-TIME/log.csv", "Each event in time order: timestamp, tpid, gid, tracepoint name."),
    (
        "tp-perf-TIME/tracepoints.csv, groups.csv",
        "All tracepoints and groups of this kernel, with their numbers in log.csv.",
    ),
    (
        "tp-perf-TIME/summary.json",
        "The accounting: hits that were counted, recorded, lost, and unaccounted, per tracepoint and CPU.",
    ),
    ("tp-perf-TIME/events.perf", "The events as the kernel wrote them. perf-script(1) reads this file."),
];

const TRACEFS: Explained = (
    "/sys/kernel/tracing",
    "tracefs, which lists the tracepoints. If tracefs is not mounted, tp-perf mounts it for itself alone.",
);
const LIBRARY: Explained =
    ("~/.local/share/tp-perf/states/", "The library of states. --library names another library.");

/// The files that a subcommand reads and writes (`None` is the program).
pub fn files(subcommand: Option<&str>) -> Vec<Explained> {
    match subcommand {
        None => RECORDING.iter().copied().chain([TRACEFS, LIBRARY]).collect(),
        Some("record") => RECORDING.iter().copied().chain([TRACEFS]).collect(),
        Some("list" | "doctor" | "overhead") => vec![TRACEFS],
        Some("learn" | "identify" | "check") => vec![LIBRARY, TRACEFS],
        Some("report" | "states") => vec![LIBRARY],
        Some(_) => Vec::new(),
    }
}

const SUDO: Explained =
    ("SUDO_UID, SUDO_GID", "The user who called sudo(8). tp-perf opens all files and runs COMMAND as this user.");
const DATA_HOME: Explained =
    ("XDG_DATA_HOME", "The library of states is in tp-perf/states in this directory. The default is ~/.local/share.");
const BROWSER: Explained = ("BROWSER", "The browser that --open starts. Without BROWSER, --open starts xdg-open(1).");
const TMPDIR: Explained = ("TMPDIR", "The directory for temporary files. The default is /tmp.");
const NO_COLOR: Explained =
    ("NO_COLOR", "If set, messages have no colours. Output that does not go to a terminal never has colours.");

/// The environment variables that a subcommand reads (`None` is the program).
pub fn environment(subcommand: Option<&str>) -> Vec<Explained> {
    match subcommand {
        None => vec![SUDO, DATA_HOME, BROWSER, TMPDIR, NO_COLOR],
        Some("record" | "replay") => vec![SUDO],
        Some("report") => vec![BROWSER, DATA_HOME, SUDO],
        Some("overhead") => vec![TMPDIR, SUDO],
        Some("learn" | "states" | "identify" | "check") => vec![DATA_HOME, SUDO],
        Some(_) => Vec::new(),
    }
}

/// The pages of other programs that the page of the program refers to.
pub const OTHERS: &[&str] = &["perf-record(1)", "perf-script(1)", "trace-cmd(1)", "perf_event_open(2)"];

/// The subcommands whose pages a subcommand's page refers to. The page of the program refers to all.
pub fn related(subcommand: &str) -> &'static [&'static str] {
    match subcommand {
        "record" => &["replay", "report", "list", "doctor"],
        "replay" => &["report"],
        "report" => &["replay", "states"],
        "list" | "overhead" => &["doctor"],
        "doctor" => &["list"],
        "learn" => &["states", "identify", "check"],
        "states" => &["learn", "identify", "check"],
        "identify" => &["learn", "states", "check"],
        "check" => &["learn", "states", "identify"],
        "completions" => &["man"],
        "man" => &["completions"],
        _ => &[],
    }
}
