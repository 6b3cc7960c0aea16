//! Messages on stderr: the one place that prints errors and notes.
//!
//! A message has one or more sentences for people on one line, after the program's name. Text from outside in it, such as a path
//! or a COMMAND's name, may contain any characters. Those that the terminal would obey are escaped, line ends included, so no text
//! looks like another message. A long error prints several messages.

use super::fixes::{advice, fix, lacks_rights};
use super::root::command_as_root;
use super::stdout::print_on_stderr;
use crate::os::signals::writing_to_others;
use crate::state::LibraryError;
use crate::text::OneLine;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// Prints an error or a note as one message.
pub fn say(message: impl Display) {
    // If stderr cannot be written, nobody can read an error either.
    let _ = print_on_stderr(line(message).as_bytes());
}

/// Prints a message if that needs no waiting for its reader.
pub fn say_unless_full(message: impl Display) {
    let stderr = io::stderr();
    let mut polled = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
        say(message);
    }
}

fn line(message: impl Display) -> String {
    format!("tp-perf: {}\n", OneLine(message))
}

/// Prints a whole message about wrong usage, with its colours. Its author has escaped the text from outside.
pub fn say_usage(text: &str) {
    // If stderr cannot be written, nobody can read an error either.
    let _ = print_on_stderr(text.as_bytes());
}

/// Passes on the output of a COMMAND, unchanged.
pub fn pass_on(output: &[u8]) {
    // If stderr cannot be written, nobody can read an error either.
    let _ = writing_to_others(|| io::stderr().write_all(output));
}

/// An error of the library and its fix, in one sentence.
pub fn sentence(error: &(dyn Error + 'static)) -> String {
    format!("{error}{}", fix(error).unwrap_or_default())
}

/// Prints an error of the library, with its fix.
pub fn say_error(error: &(dyn Error + 'static)) {
    say(sentence(error));
}

/// Prints which sessions of a library were left out, and why.
pub fn say_left_out(sessions: &[LibraryError]) {
    sessions.iter().for_each(|session| say(format!("a session is left out: {}", sentence(session))));
}

/// An error with the chain of its causes.
pub fn causes<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> String {
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Prints why tp-perf failed: the error's chain of causes and its fix. A second message has advice for newcomers, if there is any.
pub fn say_failure<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)> + Clone) {
    let causes = causes(chain.clone());
    let as_root = chain.clone().any(lacks_rights).then(command_as_root).flatten();
    match as_root {
        Some(command) => {
            say(format!("needs root: {command}"));
            // If stderr cannot be written, nobody can read an error either.
            let _ = print_on_stderr(format!("  {}\n", OneLine(causes)).as_bytes());
        }
        None => say(format!("{causes}{}", chain.clone().find_map(fix).unwrap_or_default())),
    }
    if let Some(advice) = chain.clone().find_map(advice) {
        say(advice);
    }
}

/// Whether the reader closed the pipe. Such a reader has all that it wanted, so this is not a failure.
pub fn is_closed_pipe<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> bool {
    let mut causes = chain.filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_in_a_message() {
        assert_eq!(
            line("failed to start `a\x1b[31mb\r\ntp-perf: done`"),
            "tp-perf: failed to start `a\\u{1b}[31mb\\r\\ntp-perf: done`\n"
        );
    }

    #[test]
    fn a_closed_pipe_is_found_below_its_context() {
        let closed = || anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe));
        let in_context = closed().context("failed to print the report");
        assert!(is_closed_pipe(closed().chain()) && is_closed_pipe(in_context.chain()));
        assert!(!is_closed_pipe(anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull)).chain()));
    }
}
