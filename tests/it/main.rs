//! All integration tests in one program, so that the library is linked once.
//!
//! The program has its own `main`, and uses libtest-mimic instead of Rust's harness, for three reasons. Tests
//! of the kernel and of the page run one at a time, after all others. A test that cannot run here reports
//! `skipped: needs …` and counts as ignored. And the program is also the load that the kernel tests capture
//! (`it storm N [CPU]`), the monitor that the tests of histories kill (`it history …`), and writes the seeds of the fuzz
//! targets (`it seeds FOLDER`).
//!
//! Each module lists its tests in `TESTS`. A test that is missing there is dead code, and the compiler warns
//! about it.

mod accounts;
mod cli;
mod common;
mod counting;
mod export;
mod floors;
mod following;
mod fuzz;
#[cfg(feature = "monitor")]
mod history;
mod hostile;
mod incomplete;
mod kernel;
mod library;
mod log_csv;
mod matrix;
mod memory;
mod memory_perf_data;
#[cfg(feature = "monitor")]
mod metrics;
mod names;
mod other_tools;
mod package;
mod page;
mod perf_data;
mod perf_data_packed;
mod privacy;
mod privileges;
mod processes;
mod progress;
mod readme;
mod replay;
mod replay_signals;
mod report;
mod report_files;
mod restricted;
mod screens;
mod simpleperf;
mod simulated;
mod states;
mod thinned;
mod unwatched;

use common::{Needs, Test, nothing_more};
use kernel::rig::{can_trace, can_trace_as_root};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::process::ExitCode;

/// A module: its name, the needs of all its tests, and the tests.
type Module = (&'static str, Needs, &'static [Test]);

/// Tests that do not disturb each other.
const SIDE_BY_SIDE: &[Module] = &[
    ("accounts", nothing_more, accounts::TESTS),
    ("cli", nothing_more, cli::TESTS),
    ("counting", nothing_more, counting::TESTS),
    ("export", nothing_more, export::TESTS),
    ("floors", nothing_more, floors::TESTS),
    ("following", nothing_more, following::TESTS),
    ("fuzz", nothing_more, fuzz::TESTS),
    #[cfg(feature = "monitor")]
    ("history", nothing_more, history::TESTS),
    ("hostile", nothing_more, hostile::TESTS),
    ("incomplete", nothing_more, incomplete::TESTS),
    ("library", nothing_more, library::TESTS),
    ("log_csv", nothing_more, log_csv::TESTS),
    ("matrix", nothing_more, matrix::TESTS),
    ("memory", nothing_more, memory::TESTS),
    ("memory_perf_data", nothing_more, memory_perf_data::TESTS),
    #[cfg(feature = "monitor")]
    ("metrics", nothing_more, metrics::TESTS),
    ("names", nothing_more, names::TESTS),
    ("other_tools", nothing_more, other_tools::TESTS),
    ("package", nothing_more, package::TESTS),
    ("perf_data", nothing_more, perf_data::TESTS),
    ("perf_data_packed", nothing_more, perf_data_packed::TESTS),
    ("privacy", nothing_more, privacy::TESTS),
    ("privileges", common::sudo::is_root, privileges::TESTS),
    ("processes", nothing_more, processes::TESTS),
    ("progress", nothing_more, progress::TESTS),
    ("readme", nothing_more, readme::TESTS),
    ("replay", nothing_more, replay::TESTS),
    ("replay_signals", nothing_more, replay_signals::TESTS),
    ("report", nothing_more, report::TESTS),
    ("report_files", nothing_more, report_files::TESTS),
    ("restricted", nothing_more, restricted::TESTS),
    ("screens", nothing_more, screens::TESTS),
    ("simpleperf", nothing_more, simpleperf::TESTS),
    ("simulated", nothing_more, simulated::TESTS),
    ("states", nothing_more, states::TESTS),
    ("thinned", nothing_more, thinned::TESTS),
    ("unwatched", nothing_more, unwatched::TESTS),
];

/// Tests that run one at a time, after all others. They share one kernel, and two browsers at a time need
/// more memory than some machines have.
const ONE_BY_ONE: &[Module] = &[
    ("kernel::accounting", can_trace, kernel::accounting::TESTS),
    ("kernel::capture", can_trace, kernel::capture::TESTS),
    ("kernel::count", can_trace, kernel::count::TESTS),
    ("kernel::destination", can_trace, kernel::destination::TESTS),
    ("kernel::endurance", can_trace, kernel::endurance::TESTS),
    ("kernel::ends", can_trace, kernel::ends::TESTS),
    ("kernel::flight", can_trace, kernel::flight::TESTS),
    ("kernel::hotplug", can_trace, kernel::hotplug::TESTS),
    ("kernel::machine", can_trace, kernel::machine::TESTS),
    #[cfg(feature = "monitor")]
    ("kernel::monitor", can_trace, kernel::monitor::TESTS),
    ("kernel::overhead", can_trace, kernel::overhead::TESTS),
    ("kernel::privileges", can_trace_as_root, kernel::privileges::TESTS),
    ("kernel::processes", can_trace, kernel::processes::TESTS),
    ("kernel::replay", can_trace, kernel::replay::TESTS),
    ("kernel::rungs", can_trace, kernel::rungs::TESTS),
    ("kernel::thinning", can_trace, kernel::thinning::TESTS),
    ("kernel::states", can_trace, kernel::states::TESTS),
    #[cfg(feature = "top")]
    ("kernel::top", can_trace, kernel::top::TESTS),
    ("page", page::has_browser, page::TESTS),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "storm") {
        kernel::rig::storm(&words[1..]);
        return ExitCode::SUCCESS;
    }
    if words == ["steady"] {
        kernel::rig::steady();
    }
    if words == ["family"] {
        kernel::rig::FAMILY.run();
        return ExitCode::SUCCESS;
    }
    #[cfg(feature = "monitor")]
    if let [word, rest @ ..] = &words[..]
        && word == "history"
    {
        history::child(rest);
        return ExitCode::SUCCESS;
    }
    if let [word, folder] = &words[..]
        && word == "seeds"
    {
        fuzz::write_seeds(std::path::Path::new(folder));
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let one_at_a_time = Arguments { test_threads: Some(1), ..arguments.clone() };
    let runs = [(arguments, trials(SIDE_BY_SIDE)), (one_at_a_time, trials(ONE_BY_ONE))];
    let mut failed = false;
    for (arguments, trials) in runs {
        failed |= libtest_mimic::run(&arguments, trials).has_failed();
    }
    if failed { ExitCode::from(101) } else { ExitCode::SUCCESS }
}

fn trials(modules: &'static [Module]) -> Vec<Trial> {
    modules.iter().flat_map(|(module, needs, tests)| tests.iter().map(|test| trial(module, *needs, *test))).collect()
}

fn trial(module: &str, all_need: Needs, (name, needs, test): Test) -> Trial {
    let run = move || -> Result<Completion, Failed> {
        // Check the needs of a test only when it is about to run.
        if let Err(missing) = all_need().and_then(|()| needs()) {
            return Ok(Completion::ignored_with(format!("skipped: needs {missing}")));
        }
        test();
        Ok(Completion::Completed)
    };
    Trial::ignorable_test(format!("{module}::{name}"), run)
}
