//! Text in a cell of a CSV file.
//!
//! A spreadsheet computes a cell that begins like a formula, and a terminal obeys control characters. So a cell with text from
//! outside is written like this, and [`of_csv_cell`] reads it back:
//!
//! - A text that begins with `=`, `+`, `-`, `@`, or `'` has an apostrophe before it.
//! - Escapes replace the characters that a terminal may obey: `\n`, `\r`, `\t`, and `\u{1b}`. A backslash is doubled.
//!
//! Numbers are not text: a negative number begins with `-`.

use super::is_obeyed;
use std::borrow::Cow;
use std::fmt::{self, Write};
use std::io;

/// The characters with which a formula begins, also in their full width, and the apostrophe itself.
const MARKED: [char; 9] = ['=', '+', '-', '@', '\'', '＝', '＋', '－', '＠'];

/// A text in a cell of a CSV file. Its `Display` does not add the quotes that CSV requires.
#[derive(Debug, Clone, Copy)]
pub struct CsvCell<'a>(pub &'a str);

impl fmt::Display for CsvCell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.starts_with(MARKED) {
            f.write_char('\'')?;
        }
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            c if is_obeyed(c) => write!(f, "{}", c.escape_default()),
            c => f.write_char(c),
        })
    }
}

/// Appends a text as a cell, with quotes if it needs some.
pub fn push_csv_cell(out: &mut Vec<u8>, text: &str) {
    // Most names need no escapes.
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return out.extend_from_slice(text.as_bytes());
    }
    let cell = CsvCell(text).to_string();
    match cell.contains([',', '"']) {
        true => {
            out.push(b'"');
            out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        }
        false => out.extend_from_slice(cell.as_bytes()),
    }
}

/// The error of the file within an error of writing CSV, so that its kind is known.
pub fn of_csv_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// The text that a cell of a CSV file stands for. Unknown escapes stand for themselves.
pub fn of_csv_cell(cell: &str) -> Cow<'_, str> {
    let text = cell.strip_prefix('\'').unwrap_or(cell);
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        whole.push_str(&rest[..place]);
        rest = &rest[place..];
        let (c, length) = escaped(rest).unwrap_or(('\\', 1));
        whole.push(c);
        rest = &rest[length..];
    }
    whole.push_str(rest);
    Cow::Owned(whole)
}

/// The character that the escape at the start of a text stands for, and the length of the escape in bytes.
fn escaped(text: &str) -> Option<(char, usize)> {
    let simple = |c| Some((c, 2));
    match text.as_bytes().get(1)? {
        b'\\' => simple('\\'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'u' => {
            let digits = text.get(2..)?.strip_prefix('{')?.split_once('}')?.0;
            let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?;
            Some((c, "\\u{}".len() + digits.len()))
        }
        _ => None,
    }
}

/// The number of a cell of digits only; `None` if it is not one, or too large.
pub fn number_of_cell(cell: &[u8]) -> Option<u64> {
    if cell.is_empty() || !cell.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(cell).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_cell_begins_like_a_formula() {
        for (text, cell) in [
            ("sched_switch", "sched_switch"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("'=1", "''=1"),
            ("\t=1", "\\t=1"),
            ("\r=1", "\\r=1"),
            ("＝1", "'＝1"),
            ("a\\b\u{1b}\n", "a\\\\b\\u{1b}\\n"),
        ] {
            assert_eq!(CsvCell(text).to_string(), cell);
            assert_eq!(of_csv_cell(cell), text);
        }
    }

    #[test]
    fn an_unknown_escape_stands_for_itself() {
        for cell in ["a\\qb", "\\", "\\u", "\\u{", "\\u{d800}", "\\u{110000}", "\\u{}", "\\ué{1b}"] {
            assert_eq!(of_csv_cell(cell), cell);
        }
    }

    proptest! {
        #[test]
        fn every_text_is_read_back(text in "[=+@'＝\\\\nu{}0-9\u{1b}\u{7f}\u{9b}\u{202e}\n\r\t\u{fffe}a-]{0,12}|\\PC*") {
            let cell = CsvCell(&text).to_string();
            prop_assert_eq!(of_csv_cell(&cell), text.as_str());
            prop_assert!(!cell.contains(is_obeyed));
            prop_assert!(!cell.starts_with(['=', '+', '-', '@']));
        }
    }
}
