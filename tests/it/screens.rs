//! Pins the output of tp-perf, word for word, on terminals of 60, 80, 120 and 200 columns.
//!
//! Each file in `screens/` has the output of a few commands, which run one after another in a folder that the
//! test made. `$` begins a command, and its stdout follows. If that depends on the width, it is there for each
//! width, below `[60 columns]` and so on. No line may be wider than the terminal. stderr is below `[stderr]`,
//! and an exit code other than 0 below `[exit code]`.
//!
//! `INSTA_UPDATE=always cargo test --test it screens` accepts all changes; `git diff` then shows them.

mod count;
mod machine;
mod sources;
mod stage;
mod states;
mod usage;

use crate::common::{Test, nothing_more};

pub const TESTS: &[Test] = &[
    ("help_of_every_command", nothing_more, usage::help),
    ("completions_and_man", nothing_more, usage::completions_and_man),
    ("wrong_usage", nothing_more, usage::wrong_usage),
    ("replay_of_captures", nothing_more, sources::replays),
    ("replay_of_other_sources", nothing_more, sources::replays_of_other_sources),
    ("replay_of_a_part", nothing_more, sources::replays_of_a_part),
    ("replay_that_fails", nothing_more, sources::failing_replays),
    ("capture_summary", nothing_more, sources::capture_summary),
    ("report_of_one_source", nothing_more, sources::report),
    ("report_of_several_sources", nothing_more, sources::report_of_several),
    ("report_for_programs", nothing_more, sources::report_for_programs),
    ("report_of_odd_sources", nothing_more, sources::odd_reports),
    ("report_that_fails", nothing_more, sources::failing_reports),
    ("states_are_learned_and_listed", nothing_more, states::learn_and_list),
    ("states_of_recordings", nothing_more, states::states_of_recordings),
    ("identify", nothing_more, states::identify),
    ("check", nothing_more, states::check),
    ("follow", nothing_more, states::follow),
    ("counts", nothing_more, count::count),
    ("windows_of_a_count", nothing_more, count::windows),
    ("overhead_figures", nothing_more, machine::overhead),
    ("list_of_a_small_kernel", machine::mounts, machine::list),
    ("doctor_of_some_machines", nothing_more, machine::doctor),
    ("piped_output_is_that_of_80_columns", nothing_more, states::piped),
    ("whole_names_in_a_pipe", nothing_more, states::whole_names_in_a_pipe),
];
