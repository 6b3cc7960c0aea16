//! What tp-perf says on stderr beside its results: the one place that prints errors and notices.
//!
//! A message is a sentence or more for people, and stands behind the program's name. Text from elsewhere in it, such as a
//! path or a COMMAND's name, may hold control characters; the terminal shows and does not obey them. An error that has more to
//! say than fits one message prints several.

use super::fixes::{advice, fix, lacks_rights};
use super::root::command_as_root;
use crate::units::Visible;
use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};

/// Says something, errors and notices alike, in a message of its own.
pub fn say(message: impl Display) {
    // Where stderr cannot be written there is nobody left to tell.
    let _ = anstream::stderr().write_all(line(message).as_bytes());
}

fn line(message: impl Display) -> String {
    format!("tp-perf: {}\n", Visible(message))
}

/// Passes on, as it is, what a COMMAND has said.
pub fn pass_on(output: &[u8]) {
    // Where stderr cannot be written there is nobody left to tell.
    let _ = io::stderr().write_all(output);
}

/// An error of the library and its fix, in one sentence.
pub fn sentence(error: &(dyn Error + 'static)) -> String {
    format!("{error}{}", fix(error).unwrap_or_default())
}

/// Says an error of the library, with its fix.
pub fn say_error(error: &(dyn Error + 'static)) {
    say(sentence(error));
}

/// Says why tp-perf failed: the error's chain of causes and its fix, and in a message of its own what a newcomer can do.
pub fn say_failure<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)> + Clone) {
    let causes = chain.clone().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let as_root = chain.clone().any(lacks_rights).then(command_as_root).flatten();
    match as_root {
        Some(command) => say(format!("needs root: {command}\n  {causes}")),
        None => say(format!("{causes}{}", chain.clone().find_map(fix).unwrap_or_default())),
    }
    if let Some(advice) = chain.clone().find_map(advice) {
        say(advice);
    }
}

/// Whether somebody reads no further: who has closed a pipe has what was wanted, and that is no failure.
pub fn is_closed_pipe<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> bool {
    let mut causes = chain.filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_in_a_message() {
        assert_eq!(line("failed to start `a\x1b[31mb\r`"), "tp-perf: failed to start `a\\u{1b}[31mb\\r`\n");
    }

    #[test]
    fn a_closed_pipe_is_found_below_its_context() {
        let closed = || anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe));
        let in_context = closed().context("failed to print the report");
        assert!(is_closed_pipe(closed().chain()) && is_closed_pipe(in_context.chain()));
        assert!(!is_closed_pipe(anyhow::Error::new(io::Error::from(io::ErrorKind::StorageFull)).chain()));
    }
}
