//! The fixes for errors: the one place that words them for the command line.
//!
//! An error of the library states the operation, its object, the cause and the facts. The fix names the option or the command to
//! type. It continues the error's sentence, so it begins with a punctuation mark.
//!
//! `kernel` has the fixes for events that the kernel does not open, and `rights` those for rights that tp-perf gave up.

use super::{kernel, rights};
use crate::drain::{Problem, replay};
use crate::memory::TooMuch;
use crate::os::privileges::{self, file_rights};
use crate::os::spare::FewDescriptors;
use crate::state::{self, LibraryError, TooMany, What};
use crate::{capture, control, doctor, engine, export, os, overhead, page, perf_data, recording, source, tracefs};
use nix::errno::Errno;
use std::error::Error;
use std::io;

/// Advice for newcomers on a machine that cannot be traced.
const WITHOUT_TRACING: &str = "`tp-perf doctor` checks the needs of a capture; \
                               `tp-perf report --example` shows a built-in recording";

/// The sources that can be replayed.
const SOURCES: &str = "; name a recording's directory, a file that `perf record` wrote, or a log.csv";

/// An error of the library that has a fix.
enum Fixable<'a> {
    Capture(&'a capture::Error),
    Overhead(&'a overhead::Error),
    Recording(&'a recording::Error),
    Replay(&'a replay::Error),
    Source(&'a source::Error),
    PerfData(&'a perf_data::Error),
    State(&'a state::Error),
    Library(&'a LibraryError),
    Page(&'a page::Error),
    Export(&'a export::Error),
    Tracefs(&'a tracefs::Error),
    Rights(&'a privileges::Error),
    /// The list of CPUs cannot be read.
    Cpus(&'a io::Error),
    /// The hard limit of descriptors is too low for tp-perf itself.
    Descriptors,
    /// A refusal for its memory, and the text between the error and the last part of the fix.
    Memory(&'a TooMuch, &'static str),
}

impl<'a> Fixable<'a> {
    /// Finds the error with the fix. Many errors of commands only pass on another error, or end with its sentence.
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
                error => match error {
                    page::Error::Page(cause) => TooMuch::within(cause).map(|refused| Fixable::Memory(refused, ": ")),
                    _ => None,
                }
                .unwrap_or(Fixable::Page(error)),
            })
        } else if let Some(error) = error.downcast_ref() {
            Some(match error {
                export::Error::Output(error) => Fixable::Recording(error),
                export::Error::Source(error) => Fixable::of_replay(error),
                error => Fixable::Export(error),
            })
        } else if let Some(error) = error.downcast_ref() {
            Some(Fixable::of_state(error))
        } else if let Some(error) = error.downcast_ref() {
            Some(Fixable::of_library(error))
        } else if let Some(problem) = error.downcast_ref() {
            Fixable::of_problem(problem)
        } else if let Some(error) = error.downcast_ref() {
            Some(match error {
                doctor::Error::Tracefs(error) => Fixable::Tracefs(error),
                doctor::Error::Cpus(error) => Fixable::Cpus(error),
            })
        } else if error.is::<FewDescriptors>() {
            Some(Fixable::Descriptors)
        } else if let Some(error) = error.downcast_ref() {
            Some(Fixable::of_source(error))
        } else if let Some(error) = error.downcast_ref() {
            Some(Fixable::PerfData(error))
        } else if let Some(error) = error.downcast_ref() {
            Some(Fixable::Recording(error))
        } else if let Some(error) = error.downcast_ref() {
            Some(Fixable::Rights(error))
        } else if let Some(error) = error.downcast_ref() {
            TooMuch::within(error).map(|refused| Fixable::Memory(refused, ": "))
        } else {
            error.downcast_ref().map(Fixable::Tracefs)
        }
    }

    fn of_capture(error: &'a capture::Error) -> Self {
        match error {
            capture::Error::Tracefs(error) => Fixable::Tracefs(error),
            capture::Error::Recording(error) => Fixable::Recording(error),
            capture::Error::Source(error) => Fixable::of_source(error),
            capture::Error::Cpus(error) => Fixable::Cpus(error),
            error => Fixable::Capture(error),
        }
    }

    fn of_replay(error: &'a replay::Error) -> Self {
        match error {
            replay::Error::Source { cause, .. } => Fixable::of_source(cause),
            replay::Error::Recording(error) => Fixable::Recording(error),
            replay::Error::TooMuch(refused) => Fixable::Memory(refused, ": read fewer sources, or "),
            error => Fixable::Replay(error),
        }
    }

    fn of_source(error: &'a source::Error) -> Self {
        if let Some(refused) = error.too_much() {
            return Fixable::Memory(refused, ": ");
        }
        match error {
            source::Error::PerfData(error) => Fixable::PerfData(error),
            error => Fixable::Source(error),
        }
    }

    fn of_state(error: &'a state::Error) -> Self {
        match error {
            state::Error::Replay(error) => Fixable::of_replay(error),
            state::Error::Library(error) => Fixable::of_library(error),
            state::Error::Of { cause, .. } => Fixable::of_state(cause),
            state::Error::TooMuch(refused) => Fixable::Memory(refused, ": "),
            state::Error::TooMany { cause: TooMany::Memory(refused), .. } => {
                Fixable::Memory(refused, ": choose longer windows (--window), or a shorter part, or ")
            }
            state::Error::Damaged { cause, .. } => Fixable::of_problem(cause).unwrap_or(Fixable::State(error)),
            error => Fixable::State(error),
        }
    }

    fn of_library(error: &'a LibraryError) -> Self {
        match error {
            LibraryError::Write(error) => Fixable::Recording(error),
            LibraryError::TooMuch { cause, .. } => Fixable::Memory(cause, ": "),
            error => Fixable::Library(error),
        }
    }

    fn of_problem(problem: &'a Problem) -> Option<Self> {
        match problem {
            Problem::LogCut { cause: recording::Error::Io { cause, .. }, .. } if TooMuch::within(cause).is_some() => {
                TooMuch::within(cause).map(|refused| Fixable::Memory(refused, "; "))
            }
            Problem::LogCut { cause, .. } => Some(Fixable::Recording(cause)),
            Problem::FileCutToo(problem) => Fixable::of_problem(problem),
            Problem::Damaged { cause, .. } => TooMuch::within(cause).map(|refused| Fixable::Memory(refused, "; ")),
            _ => None,
        }
    }

    /// The error of opening or changing a file of the user.
    fn of_file(&self) -> Option<&io::Error> {
        match self {
            Fixable::Recording(recording::Error::Io { cause, .. })
            | Fixable::Source(source::Error::Read(cause))
            | Fixable::Library(LibraryError::Read { cause, .. } | LibraryError::Remove { cause, .. })
            | Fixable::Capture(capture::Error::Scratch { cause, .. })
            | Fixable::Overhead(overhead::Error::Scratch { cause, .. }) => Some(cause),
            _ => None,
        }
    }

    /// The end of the error's sentence.
    fn fix(&self) -> Option<String> {
        if self.of_file().is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied)
            && let Some(fix) = rights::of_file(file_rights())
        {
            return Some(fix);
        }
        let fix = match self {
            Fixable::Rights(error) => return rights::of_error(error),
            Fixable::Capture(error) => return of_capture(error),
            Fixable::Memory(refused, lead) => {
                return Some(format!("{lead}allow more with `--max-memory {}`", refused.enough()));
            }
            Fixable::State(error) => return of_state(error),
            Fixable::Library(error) => return of_library(error),
            Fixable::Descriptors => ": root can allow more (`ulimit -n 1024`)",
            Fixable::Cpus(error) if error.kind() == io::ErrorKind::NotFound => {
                "; /sys must be mounted: `mount -t sysfs sysfs /sys`"
            }
            Fixable::Recording(error) => of_recording(error)?,
            Fixable::Source(error) => of_source(error)?,
            Fixable::PerfData(error) => of_perf_data(error)?,
            Fixable::Tracefs(error) => of_tracefs(error)?,
            Fixable::Overhead(overhead::Error::Scratch { .. }) => "; set TMPDIR to a folder that you can write to",
            Fixable::Overhead(overhead::Error::Keeping { .. }) => {
                "; run tp-perf in a folder on a disk with more space, or select fewer tracepoints (-t, -x)"
            }
            Fixable::Overhead(overhead::Error::Failed { is_command: true, .. }) => {
                "; to measure it anyway, use --ignore-failure"
            }
            Fixable::Replay(replay::Error::Pattern { .. }) => {
                "; `tp-perf report --format csv` lists the tracepoints of a source"
            }
            Fixable::Replay(replay::Error::OwnLog(_)) => ": choose another directory with -o",
            Fixable::Replay(replay::Error::NoEvent { .. }) => "; choose times in this range with --from and --to",
            Fixable::Replay(replay::Error::NoProcesses { .. }) => {
                ", so nothing can be selected by process; record them with `tp-perf record --with pid,comm`, or with `cgroup` too"
            }
            Fixable::Replay(replay::Error::NoCgroups { .. }) => {
                ", so --cgroup, --unit, and --container cannot select any; record them with `tp-perf record --with cgroup`"
            }
            Fixable::Replay(replay::Error::NoCpus { by_perf: true, .. }) => {
                ", so --cpus cannot select any; record them with `perf record --sample-cpu`"
            }
            Fixable::Replay(replay::Error::NoCpus { by_perf: false, .. }) => {
                ", so --cpus cannot select any; replay the recording's directory or its events.perf"
            }
            Fixable::Page(page::Error::NoFile(_)) => ": name the page with --html FILE, in UTF-8",
            Fixable::Page(page::Error::TooManyRows(_)) => ": select some of them with -t",
            Fixable::Page(page::Error::OwnPlot(_)) => ": choose another name for the page",
            Fixable::Page(page::Error::OwnSource(_)) => ": choose another name",
            Fixable::Export(error) => return of_export(error).map(str::to_owned),
            _ => return None,
        };
        Some(fix.to_owned())
    }

    /// Whether root would have the rights that this user lacks.
    fn lacks_rights(&self) -> bool {
        let is_denied = |cause: &io::Error| cause.kind() == io::ErrorKind::PermissionDenied;
        match self {
            Fixable::Tracefs(tracefs::Error::Read { cause, .. } | tracefs::Error::Mount { cause, .. }) => {
                is_denied(cause)
            }
            Fixable::Capture(capture::Error::Perf(engine::Error::Ring { cause, .. })) => is_denied(cause),
            Fixable::Capture(capture::Error::Perf(error)) => matches!(error, engine::Error::NotPermitted),
            _ => false,
        }
    }

    /// Whether a capture failed because this machine, or this user's rights, do not allow it.
    fn cannot_trace(&self) -> bool {
        matches!(
            self,
            Fixable::Tracefs(
                tracefs::Error::Read { .. }
                    | tracefs::Error::Mount { .. }
                    | tracefs::Error::NoProc
                    | tracefs::Error::NoTracepoints(_)
            ) | Fixable::Capture(capture::Error::Perf(
                engine::Error::NotPermitted | engine::Error::AllRefused { .. } | engine::Error::Leader { .. }
            ))
        )
    }
}

fn of_capture(error: &capture::Error) -> Option<String> {
    let fix = match error {
        capture::Error::Perf(error) => return kernel::of_engine(error),
        capture::Error::Offline { .. } => return Some(format!(" (`cat {}`)", os::cpus::ONLINE)),
        capture::Error::Command(control::Error::Start { .. }) => {
            "; if it is a script, its first line must name an interpreter that exists"
        }
        capture::Error::Scratch { .. } => "; run tp-perf in a folder that it can write to",
        capture::Error::LittleMemory { .. } => {
            "; allow more (`ulimit -v unlimited`, or a higher limit of the control group)"
        }
        capture::Error::Memory(_) => "; allow more (`ulimit -v unlimited`), or make the rings smaller (--ring-size)",
        _ => return None,
    };
    Some(fix.to_owned())
}

fn of_recording(error: &recording::Error) -> Option<&'static str> {
    use recording::Error;
    Some(match error {
        Error::Exists { .. } => ": choose another directory with -o, or replace this one with --force",
        Error::NotADirectory(_) => ": choose another name",
        Error::NotEmpty(_) => ": name a new directory with -o",
        Error::DirectoryInTheWay(_) => ": move it away, or choose another name",
        Error::FileExists(_) => ": choose another name, or replace it with --force",
        Error::NotAFile(_) => ": choose another name, or `-` for standard output",
        Error::InUse(_) => ": choose another directory with -o",
        Error::OtherOwner { .. } => ": choose another directory, or let its owner run tp-perf with sudo",
        Error::SymbolicLink(_) => ": name what it leads to",
        Error::Io { cause, .. } => match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "; free some space, or choose a directory on another filesystem"
            }
            io::ErrorKind::FileTooLarge => "; allow larger files (`ulimit -f unlimited`), or choose another filesystem",
            io::ErrorKind::NotFound => "; the directory above it must exist",
            io::ErrorKind::NotConnected => "; start its reader first",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "; choose a directory that you can write to"
            }
            _ if cause.raw_os_error() == Some(Errno::EMFILE as i32) => "; allow more open files (`ulimit -n 1024`)",
            _ => return None,
        },
    })
}

fn of_source(error: &source::Error) -> Option<&'static str> {
    use source::{Error, Packer};
    Some(match error {
        Error::Read(cause) => match cause.kind() {
            io::ErrorKind::NotFound => SOURCES,
            io::ErrorKind::PermissionDenied => "; choose a source that you can read, or run tp-perf with sudo",
            _ => return None,
        },
        Error::NoRecording | Error::Unknown { .. } => SOURCES,
        Error::NoneHere => "; name one, record one (`sudo tp-perf -d 10s`), or look at the built-in one (--example)",
        Error::NeedsFile => ": name the file itself, or record with `perf record -o -`",
        Error::PackedFile | Error::PackedTwice => ": decompress it first (`zstd -d`)",
        Error::Packed(Packer::Gzip) => ": decompress it first (`gzip -dk`)",
        Error::Packed(Packer::Xz) => ": decompress it first (`xz -dk`)",
        Error::Packed(Packer::Bzip2) => ": decompress it first (`bzip2 -dk`)",
        Error::OldPerf => "; record again with a newer perf, or read the file with `perf script`",
        Error::TraceCmd => "; record with tp-perf or `perf record` instead, or read the file with `trace-cmd report`",
        _ => return None,
    })
}

fn of_perf_data(error: &perf_data::Error) -> Option<&'static str> {
    use perf_data::Error;
    Some(match error {
        Error::OtherByteOrder => "; replay it on a machine with that byte order",
        Error::Threads => "; record without --threads",
        Error::NoTracepoints => "; record some with `perf record -a -e 'sched:*'`",
        Error::NoTime(_) => "; record them with `perf record --timestamp`",
        Error::NoId(_) => "; record them with `perf record --sample-identifier`",
        _ => return None,
    })
}

fn of_tracefs(error: &tracefs::Error) -> Option<&'static str> {
    use tracefs::Error;
    Some(match error {
        Error::Read { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied => {
            "; reading tracefs needs root: run with sudo, or let root open it to readers: \
             `sudo mount -o remount,mode=755 /sys/kernel/tracing` (a kernel in lockdown=confidentiality refuses even root)"
        }
        Error::Mount { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied => {
            "; this needs CAP_SYS_ADMIN: run with sudo, or let root mount it: `sudo mount -t tracefs nodev /sys/kernel/tracing` \
             (a kernel in lockdown=confidentiality hides tracefs even from root)"
        }
        Error::NoProc => {
            "; mount one of them: `mount -t proc proc /proc`, or `mount -t tracefs nodev /sys/kernel/tracing`"
        }
        Error::NoMatch { .. } => "; `tp-perf list` shows them all",
        Error::NothingSelected => "; `tp-perf list` shows the reason for each",
        _ => return None,
    })
}

fn of_state(error: &state::Error) -> Option<String> {
    use state::Error;
    let fix = match error {
        Error::TooMany { .. } => ": choose longer windows (--window), or a shorter part",
        Error::Short { .. } => ": choose shorter windows (--window), or record for longer",
        Error::Counted { .. } => ": leave out --window, --from and --to, or name the recording",
        Error::Length { .. } => ": choose another length (--window)",
        Error::Coverage { what: What::Session { state, name }, .. } => {
            return Some(format!(": `tp-perf states remove {state} {name}`"));
        }
        Error::Coverage { what: What::Source, .. } | Error::Narrow { .. } => {
            "; capture with the same selection (-t, -x) as the learned sessions, or learn on this kernel"
        }
        Error::NoWindows { .. } => ": choose shorter windows (--window), or learn a longer session",
        Error::TooLossy { .. } => {
            "; record with larger rings (--ring-size, or `perf record -m`), or fewer tracepoints (-t, -x)"
        }
        Error::TooLittle { usable, windows, .. } if usable < windows => {
            "; watch this machine with `tp-perf learn`, which counts and loses nothing, or record with larger rings (--ring-size)"
        }
        Error::TooLittle { .. } => "; learn a longer session, or choose shorter windows (--window)",
        Error::TooFewSessions { state, .. } => {
            return Some(format!(": learn more sessions, and longer ones (`tp-perf learn {state}`)"));
        }
        _ => return None,
    };
    Some(fix.to_owned())
}

fn of_library(error: &LibraryError) -> Option<String> {
    Some(match error {
        LibraryError::Session { .. } => "; remove the file, or learn the session again".to_owned(),
        LibraryError::Empty(_) => {
            ": learn a state first (`tp-perf learn STATE SOURCE`), or name another library (--library)".to_owned()
        }
        LibraryError::NoSession { state, .. } => format!("; `tp-perf states show {state}` lists them"),
        LibraryError::OnlyDamaged(state) => {
            format!(": name the sessions to remove (`tp-perf states remove {state} SESSION…`)")
        }
        _ => return None,
    })
}

/// The fix for an error. It continues the error's sentence.
pub fn fix(error: &(dyn Error + 'static)) -> Option<String> {
    Fixable::of(error)?.fix()
}

/// Whether the user lacks rights that root has.
pub(super) fn lacks_rights(error: &(dyn Error + 'static)) -> bool {
    Fixable::of(error).is_some_and(|error| error.lacks_rights())
}

/// Advice for newcomers, if a capture failed because this machine cannot be traced.
pub(super) fn advice(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let is_of_capture = error.is::<capture::Error>() || error.is::<overhead::Error>();
    (is_of_capture && Fixable::of(error)?.cannot_trace()).then_some(WITHOUT_TRACING)
}

/// The fix for an export.
fn of_export(error: &export::Error) -> Option<&'static str> {
    use export::Error;
    Some(match error {
        Error::NoFile(_) => ": name a file in UTF-8",
        Error::OwnSource(_) => ": choose another name",
        Error::NotEmpty(_) => ": name a new folder",
        Error::OnlyWindows { .. } => ": export to Parquet, CSV, JSON lines, or Perfetto, or name a recording",
        Error::OwnWindows(_) => ": leave out --windows",
        Error::IsHistory(_) => ": copy its folder, or export to another format",
        Error::NoTracefsIds(_) => ": name the recording's folder or its events.perf instead",
        Error::NoWallClock(_) => ": give the time of its first event, as in `--began '2026-11-30 14:00:05'` (UTC)",
        Error::TooManyWindows { .. } => ": choose longer ones, as in `--windows 1m`",
        Error::NoColumn { .. } | Error::Source(_) | Error::Output(_) | Error::History(_) | Error::Stopped(_) => {
            return None;
        }
    })
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
                "`page.html` already exists: choose another name, or replace it with --force"
            );
            assert_eq!(advice(failure), None);
        }
        let full = || recording::Error::Io {
            verb: "write to",
            path: "rec/log.csv".into(),
            cause: io::ErrorKind::StorageFull.into(),
        };
        let cut = Problem::LogCut { logged: 7, cause: full() };
        let failures: [&(dyn Error + 'static); 4] = [
            &full(),
            &state::Error::Library(LibraryError::Write(full())),
            &state::Error::Of { place: "rec".to_owned(), cause: Box::new(full().into()) },
            &Problem::FileCutToo(Box::new(cut)),
        ];
        for failure in failures {
            let fix = fix(failure).unwrap();
            assert_eq!(fix, "; free some space, or choose a directory on another filesystem", "{failure}");
        }
        let missing = || source::Error::Read(io::ErrorKind::NotFound.into());
        let failures: [&(dyn Error + 'static); 3] = [
            &missing(),
            &replay::Error::Source { place: Place::Path("rec".into()), cause: missing() },
            &capture::Error::Source(missing()),
        ];
        for failure in failures {
            assert_eq!(fix(failure).as_deref(), Some(SOURCES), "{failure}");
        }
        let cause = tracefs::Error::NoMatch { pattern: "a:b".to_owned(), nearest: Vec::new() };
        let pattern = replay::Error::Pattern { place: Place::Path("rec".into()), cause };
        assert_eq!(
            format!("{pattern}{}", fix(&pattern).unwrap()),
            "`rec`: no tracepoint matches `a:b`; `tp-perf report --format csv` lists the tracepoints of a source"
        );
    }

    #[test]
    fn too_few_descriptors_are_cured_by_taking_less_or_allowing_more() {
        let error = engine::raise_descriptor_limit(1 << 20, 1 << 10).unwrap_err();
        let fix = fix(&capture::Error::Perf(error)).unwrap();
        assert!(
            fix.starts_with(". Select fewer CPUs (`--cpus 0`)") && fix.contains("sudo sysctl fs.nr_open="),
            "{fix}"
        );
    }

    #[test]
    fn a_machine_that_hides_tracefs_is_opened_by_root() {
        let whole = |error: tracefs::Error| format!("{error}{}", fix(&error).unwrap_or_default());
        let mount = |errno: Errno| whole(tracefs::Error::Mount { step: "fsmount", cause: errno.into() });
        for errno in [Errno::EPERM, Errno::EACCES] {
            assert!(mount(errno).contains("`sudo mount -t tracefs nodev /sys/kernel/tracing`"), "{}", mount(errno));
        }
        assert!(mount(Errno::ENODEV).ends_with("; this kernel has no tracefs (CONFIG_FTRACE is off)"));
        let read = |errno: Errno| whole(tracefs::Error::Read { path: "events".into(), cause: errno.into() });
        assert!(read(Errno::EACCES).contains("; reading tracefs needs root: run with sudo"), "{}", read(Errno::EACCES));
        assert!(read(Errno::EIO).ends_with(')'), "{}", read(Errno::EIO));
    }

    #[test]
    fn what_cannot_be_mended_has_no_fix() {
        assert_eq!(fix(&capture::Error::Perf(engine::Error::Interrupted)), None);
        assert_eq!(fix(&io::Error::other("anything")), None);
        assert_eq!(advice(&capture::Error::Perf(engine::Error::Interrupted)), None);
    }
}
