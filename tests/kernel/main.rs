//! Tests against the running kernel, one after another, each with few tracepoints.
//!
//! Where the kernel cannot be traced each says `skipped: needs …` and counts as ignored. This program is also the load:
//! `kernel storm N [CPU]` fires `task:task_rename` exactly N times.

mod books;
mod capture;
mod ends;
mod machine;
mod overhead;
mod replay;
mod rig;
mod states;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

/// What a test needs beyond a kernel that can be traced.
type Needs = fn() -> Result<(), String>;
type Test = (&'static str, Needs, fn());

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "storm") {
        rig::storm(&words[1..]);
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let tests =
        [books::TESTS, capture::TESTS, ends::TESTS, machine::TESTS, overhead::TESTS, replay::TESTS, states::TESTS]
            .concat();
    libtest_mimic::run(&arguments, tests.into_iter().map(trial).collect()).exit_code()
}

fn trial((name, needs, test): Test) -> Trial {
    match rig::can_trace().and_then(|()| needs()) {
        Ok(()) => Trial::test(name, move || -> Result<(), Failed> {
            test();
            Ok(())
        }),
        Err(reason) => {
            println!("{name} skipped: needs {reason}");
            Trial::test(name, || Ok(())).with_ignored_flag(true)
        }
    }
}
