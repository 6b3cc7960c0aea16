//! Text from outside, in the forms in which tp-perf writes it.
//!
//! Names of tracepoints, hosts, and states, paths, commands, and notes may come from a file, a kernel, or another user, and may
//! contain any characters. This module is the only place that decides which characters appear as they are. A message and a table
//! escape the others, and a format for programs writes them so that its reader gets them back.

mod cell;
mod glob;
mod json;
mod shell;

pub use cell::{CsvCell, number_of_cell, of_csv_cell, of_csv_error, push_csv_cell};
pub(crate) use glob::{Glob, globs};
pub use json::{JsonEscaping, JsonInPage, json_line, json_pretty, write_json_pretty};
pub use shell::ShellWord;

use std::fmt::{self, Write};

/// Whether a terminal or an editor may obey the character instead of showing it: control characters (C0, DEL, and C1), line
/// ends, characters that change the direction of text, invisible ones, and those that XML cannot contain.
pub fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

/// Text on one line, such as a name, a path, or a whole message. Escapes replace the characters that a terminal may obey.
#[derive(Debug, Clone, Copy)]
pub struct OneLine<T>(pub T);

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, keeps: |_| false }, "{}", self.0)
    }
}

/// Text on any number of lines. Escapes replace the characters that a terminal may obey, except line ends.
#[derive(Debug, Clone, Copy)]
pub struct Visible<T>(pub T);

impl<T: fmt::Display> fmt::Display for Visible<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, keeps: |c| c == '\n' }, "{}", self.0)
    }
}

/// Text of tp-perf itself on any number of lines, with the colours of tp-perf. Escapes replace all other characters that a
/// terminal may obey. So if such a character was forgotten in a part of the text, the terminal still does not obey it.
#[derive(Debug, Clone, Copy)]
pub struct Coloured<T>(pub T);

impl<T: fmt::Display> fmt::Display for Coloured<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let mut rest = text.as_str();
        while let Some((before, colour, behind)) = next_colour(rest) {
            write!(f, "{}{colour}", Visible(before))?;
            rest = behind;
        }
        write!(f, "{}", Visible(rest))
    }
}

/// The text before the first sequence that only sets a colour or a style, the sequence, and the text behind it.
fn next_colour(text: &str) -> Option<(&str, &str, &str)> {
    for (start, begin) in text.match_indices("\u{1b}[") {
        let behind = &text[start + begin.len()..];
        let end = behind.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(behind.len());
        if behind[end..].starts_with('m') {
            let end = start + begin.len() + end + 1;
            return Some((&text[..start], &text[start..end], &text[end..]));
        }
    }
    None
}

/// Writes escapes in place of the characters that a terminal may obey.
struct Escaping<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    keeps: fn(char) -> bool,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(place) = rest.find(|c| is_obeyed(c) && !(self.keeps)(c)) {
            let mut behind = rest[place..].chars();
            let obeyed = behind.next().expect("a character was found here");
            write!(self.out, "{}{}", &rest[..place], obeyed.escape_default())?;
            rest = behind.as_str();
        }
        self.out.write_str(rest)
    }
}

/// The text, or its beginning if it has more than `most` characters.
pub fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        assert_eq!(OneLine("a\n\x1b[2Jb\x7f\u{9b}31m").to_string(), "a\\n\\u{1b}[2Jb\\u{7f}\\u{9b}31m");
        assert_eq!(OneLine("a\u{202e}b\u{2066}\u{fffe}é").to_string(), "a\\u{202e}b\\u{2066}\\u{fffe}é");
        assert_eq!(Visible("a\x1b]0;b\x07\nc").to_string(), "a\\u{1b}]0;b\\u{7}\nc");
        assert_eq!(OneLine(std::path::Path::new("x\ry").display()).to_string(), "x\\ry");
    }

    #[test]
    fn only_colours_pass_with_the_text_of_tp_perf() {
        for text in ["\x1b[1mbold\x1b[0m", "\x1b[38;5;3mx\x1b[m\ny"] {
            assert_eq!(Coloured(text).to_string(), text);
        }
        assert_eq!(
            Coloured("\x1b[1ma\x1b]0;t\x07\x1b[2J\x1b[").to_string(),
            "\x1b[1ma\\u{1b}]0;t\\u{7}\\u{1b}[2J\\u{1b}["
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!((shortened("abcd", 4), shortened("abcde", 4)), ("abcd".to_owned(), "abc…".to_owned()));
    }
}
