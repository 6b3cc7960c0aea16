//! What the user can do about an error: the one place that words the fixes on the command line.
//!
//! An error of the library states the operation, its object, the cause and the facts. What is to be typed stands here. A
//! fix goes on where the error's sentence ends, so it begins with a mark.

use crate::os::limits::sysctl;
use crate::{capture, doctor, drain::replay, engine, os, overhead, page, recording, state, tracefs};
use nix::errno::Errno;
use std::error::Error;
use std::io;

/// What a newcomer can do where nothing can be traced.
const WITHOUT_TRACING: &str = "`tp-perf doctor` shows all that a capture needs; without a capture, \
                               `tp-perf replay --example` shows the results of a built-in recording";

/// An error of the library that has a fix.
enum Fixable<'a> {
    Capture(&'a capture::Error),
    Overhead(&'a overhead::Error),
    Recording(&'a recording::Error),
    Replay(&'a replay::Error),
    Page(&'a page::Error),
    Tracefs(&'a tracefs::Error),
}

impl<'a> Fixable<'a> {
    /// An error as the commands get it. Many only pass on another one.
    fn of(error: &'a (dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref() {
            Some(Fixable::of_capture(error))
        } else if let Some(error) = error.downcast_ref() {
            Some(match error {
                overhead::Error::Capture(error) => Fixable::of_capture(error),
                error => Fixable::Overhead(error),
            })
        } else if let Some(error) = error.downcast_ref() {
            Some(Fixable::of_replay(error))
        } else if let Some(error) = error.downcast_ref() {
            Some(match error {
                page::Error::Output(error) => Fixable::Recording(error),
                error => Fixable::Page(error),
            })
        } else if let Some(error) = error.downcast_ref() {
            match error {
                state::Error::Replay(error) => Some(Fixable::of_replay(error)),
                state::Error::Library(state::LibraryError::Write(error)) => Some(Fixable::Recording(error)),
                _ => None,
            }
        } else if let Some(state::LibraryError::Write(error)) = error.downcast_ref() {
            Some(Fixable::Recording(error))
        } else if let Some(doctor::Error::Tracefs(error)) = error.downcast_ref() {
            Some(Fixable::Tracefs(error))
        } else if let Some(error) = error.downcast_ref() {
            Some(Fixable::Recording(error))
        } else {
            error.downcast_ref().map(Fixable::Tracefs)
        }
    }

    fn of_capture(error: &'a capture::Error) -> Self {
        match error {
            capture::Error::Tracefs(error) => Fixable::Tracefs(error),
            capture::Error::Recording(error) => Fixable::Recording(error),
            error => Fixable::Capture(error),
        }
    }

    fn of_replay(error: &'a replay::Error) -> Self {
        match error {
            replay::Error::Pattern { cause, .. } => Fixable::Tracefs(cause),
            replay::Error::Recording(error) => Fixable::Recording(error),
            error => Fixable::Replay(error),
        }
    }

    /// What ends its sentence.
    fn fix(&self) -> Option<String> {
        let fix = match self {
            Fixable::Capture(capture::Error::Perf(error)) => return of_engine(error),
            Fixable::Capture(capture::Error::Scratch { .. }) => "; run tp-perf in a folder that it can write to",
            Fixable::Capture(capture::Error::Memory(_)) => {
                "; allow more (`ulimit -v unlimited`), or make the rings smaller (--ring-size)"
            }
            Fixable::Overhead(overhead::Error::Keeping { .. }) => {
                "; run tp-perf in a folder on a disk with more room, or take less (-t, -x)"
            }
            Fixable::Overhead(overhead::Error::Failed { is_command: true, .. }) => {
                "; --ignore-failure measures it all the same"
            }
            Fixable::Recording(recording::Error::Exists { .. }) => {
                ": choose another with -o, or replace it with --force"
            }
            Fixable::Recording(recording::Error::FileExists(_)) => ": choose another name, or replace it with --force",
            Fixable::Recording(recording::Error::InUse(_)) => ": choose another directory with -o",
            Fixable::Replay(replay::Error::OwnLog(_)) => ": choose another directory with -o",
            Fixable::Page(page::Error::NoFile(_)) => ": name the page with --html FILE, in UTF-8",
            Fixable::Page(page::Error::TooManyRows(_)) => ": choose some with -t",
            Fixable::Tracefs(tracefs::Error::NoMatch { .. }) => "; `tp-perf list` shows them all",
            Fixable::Tracefs(tracefs::Error::NothingSelected) => "; `tp-perf list` says why for each",
            _ => return None,
        };
        Some(fix.to_owned())
    }

    /// Whether a capture failed because this machine, or this user's rights on it, allow none.
    fn cannot_trace(&self) -> bool {
        matches!(
            self,
            Fixable::Tracefs(
                tracefs::Error::Read { .. } | tracefs::Error::Mount { .. } | tracefs::Error::NoTracepoints(_)
            ) | Fixable::Capture(capture::Error::Perf(
                engine::Error::NotPermitted | engine::Error::AllRefused { .. } | engine::Error::Leader { .. }
            ))
        )
    }
}

fn of_engine(error: &engine::Error) -> Option<String> {
    Some(match error {
        engine::Error::NotPermitted => {
            "; run with sudo, or `sudo setcap cap_perfmon,cap_sys_resource,cap_ipc_lock+ep <path of tp-perf>` (tracefs must \
             be readable too)"
                .to_owned()
        }
        engine::Error::TooFewDescriptors { needed, .. } => {
            let first = match sysctl("fs/nr_open").and_then(|value| value.parse::<u64>().ok()) {
                Some(most) if most < *needed => format!(", after `sudo sysctl fs.nr_open={needed}` (now {most})"),
                _ => String::new(),
            };
            format!(
                ". Take fewer CPUs (`--cpus 0`), fewer tracepoints (`-t`, `-x`), or allow more: `ulimit -n {needed}` as \
                 root{first}"
            )
        }
        engine::Error::SystemOutOfDescriptors { needed } => format!(": `sudo sysctl fs.file-max={needed}` or more"),
        engine::Error::NoMemory { .. } => {
            ": take fewer tracepoints (`-t`, `-x`) or fewer CPUs (`--cpus`)".to_owned()
        }
        engine::Error::Ring { cause, .. } => return of_ring(cause),
        engine::Error::NoCpu { .. } => format!("; `cat {}` lists those that are", os::cpus::ONLINE),
        _ => return None,
    })
}

fn of_ring(cause: &io::Error) -> Option<String> {
    match cause.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM) => Some(format!(
            "; rings count against kernel.perf_event_mlock_kb (now {}) and `ulimit -l`; run with sudo, or \
             `sudo sysctl kernel.perf_event_mlock_kb=65536`",
            sysctl("kernel/perf_event_mlock_kb").unwrap_or_else(|| "unknown".to_owned())
        )),
        Some(Errno::ENOMEM) => Some("; there is no memory for it: take fewer CPUs (`--cpus`)".to_owned()),
        _ => None,
    }
}

/// What the user can do about it; it goes on where the error's sentence ends.
pub fn fix(error: &(dyn Error + 'static)) -> Option<String> {
    Fixable::of(error)?.fix()
}

/// What a newcomer can do where nothing can be traced, if that is why a capture failed.
pub(super) fn advice(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let is_of_capture = error.is::<capture::Error>() || error.is::<overhead::Error>();
    (is_of_capture && Fixable::of(error)?.cannot_trace()).then_some(WITHOUT_TRACING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Place;

    #[test]
    fn a_fix_ends_the_sentence_of_an_error_however_it_is_passed_on() {
        let refused = || capture::Error::Perf(engine::Error::NotPermitted);
        let failures: [&(dyn Error + 'static); 2] = [&refused(), &overhead::Error::Capture(refused())];
        for failure in failures {
            assert!(fix(failure).unwrap().starts_with("; run with sudo, or `sudo setcap "), "{failure}");
            assert_eq!(advice(failure), Some(WITHOUT_TRACING), "{failure}");
        }
        let exists = || recording::Error::FileExists("page.html".into());
        let failures: [&(dyn Error + 'static); 3] =
            [&exists(), &page::Error::Output(exists()), &capture::Error::Recording(exists())];
        for failure in failures {
            assert_eq!(
                format!("{failure}{}", fix(failure).unwrap()),
                "`page.html` is there already: choose another name, or replace it with --force"
            );
            assert_eq!(advice(failure), None);
        }
        let cause = tracefs::Error::NoMatch { pattern: "a:b".to_owned(), nearest: Vec::new() };
        let pattern = replay::Error::Pattern { place: Place::Path("rec".into()), cause };
        assert_eq!(
            format!("{pattern}{}", fix(&pattern).unwrap()),
            "`rec`: no tracepoint matches `a:b`; `tp-perf list` shows them all"
        );
    }

    #[test]
    fn too_few_descriptors_are_cured_by_taking_less_or_allowing_more() {
        let error = engine::raise_descriptor_limit(1 << 20, 1 << 10).unwrap_err();
        let fix = fix(&capture::Error::Perf(error)).unwrap();
        assert!(fix.starts_with(". Take fewer CPUs (`--cpus 0`)") && fix.contains("sudo sysctl fs.nr_open="), "{fix}");
    }

    #[test]
    fn what_cannot_be_mended_has_no_fix() {
        assert_eq!(fix(&capture::Error::Perf(engine::Error::Interrupted)), None);
        assert_eq!(fix(&io::Error::other("anything")), None);
        assert_eq!(advice(&capture::Error::Perf(engine::Error::Interrupted)), None);
    }
}
