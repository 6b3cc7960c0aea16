//! Errors about wrong usage.

use crate::os::stdout::stdout;
use crate::terminal::messages;
use crate::text::{Coloured, OneLine};
use clap::builder::StyledStr;
use clap::error::{ContextValue, ErrorKind};
use std::error::Error;
use std::io;
use std::process;

/// An error that ends tp-perf with code 2 and this message, for wrong usage that clap does not detect by itself.
pub(super) fn usage(message: String) -> clap::Error {
    usage_with_tips(message, [])
}

/// The same, with tips below the message.
pub(super) fn usage_with_tips(message: String, tips: impl IntoIterator<Item = String>) -> clap::Error {
    let tips: String = tips.into_iter().map(|tip| format!("\n\n  tip: {}", OneLine(tip))).collect();
    clap::Error::raw(ErrorKind::ValueValidation, format!("{}{tips}", OneLine(message)))
}

/// Prints an error about wrong usage, the help, or the version, and ends the process.
pub(super) fn exit(error: clap::Error) -> ! {
    let code = error.exit_code();
    if error.use_stderr() {
        messages::say_usage(&shown(error));
    } else if let Err(cause) = stdout().and_then(|_| error.print())
        && cause.kind() != io::ErrorKind::BrokenPipe
    {
        messages::say(format_args!("failed to write to standard output: {cause}"));
        process::exit(1);
    }
    process::exit(code)
}

/// The text of an error, with escapes for the characters of arguments that the terminal would obey.
fn shown(mut error: clap::Error) -> String {
    let one_line = |text: String| OneLine(text).to_string();
    // Clap colours its tips, and none of them has a second line.
    let tip = |tip: StyledStr| StyledStr::from(Coloured(tip.ansi()).to_string().replace('\n', "\\n"));
    let context: Vec<_> = error.context().map(|(kind, value)| (kind, value.clone())).collect();
    for (kind, value) in context {
        let value = match value {
            ContextValue::String(text) => ContextValue::String(one_line(text)),
            ContextValue::Strings(texts) => ContextValue::Strings(texts.into_iter().map(one_line).collect()),
            ContextValue::StyledStrs(tips) => ContextValue::StyledStrs(tips.into_iter().map(tip).collect()),
            // The usage of a command has several lines.
            other => other,
        };
        error.insert(kind, value);
    }
    // The end of the message: why a value is wrong.
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let text = error.render().ansi().to_string();
    Coloured(text.replace(&cause, &one_line(cause.clone()))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_is_obeyed() {
        let hostile = "x\u{1b}]0;t\u{7}\u{9b}31m\u{202e}\nerror: y";
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("`{text}` is no number"));
        let command = clap::Command::new("tp-perf")
            .arg(clap::Arg::new("number").long("number").value_parser(number))
            .subcommand(clap::Command::new("known"));
        let words = [
            vec![format!("--number={hostile}")],
            vec!["--number".to_owned(), hostile.to_owned()],
            vec![hostile.to_owned()],
            vec![format!("--{hostile}")],
            vec![format!("-{hostile}")],
            vec!["known".to_owned(), hostile.to_owned()],
        ];
        for words in words {
            let words = ["tp-perf".to_owned()].into_iter().chain(words);
            let text = shown(command.clone().try_get_matches_from(words).unwrap_err());
            let plain = anstream::adapter::strip_str(&text).to_string();
            assert!(!plain.contains(|c: char| crate::text::is_obeyed(c) && c != '\n'), "{plain:?}");
            assert!(!plain.contains("\nerror: y") && plain.starts_with("error: "), "{plain:?}");
        }
    }
}
