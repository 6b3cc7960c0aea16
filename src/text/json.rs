//! Text in JSON.
//!
//! JSON itself requires escapes only for the first 32 characters. So a terminal would obey others that a file contains, such as
//! C1 characters and those that change the direction of text. Here they are escaped too. A reader gets the same text.

use super::is_obeyed;
use serde::Serialize;
use std::fmt::{self, Display};
use std::io::{self, Write};

/// The value as JSON on one line, without a line end.
///
/// # Panics
/// If the value has a map whose keys are not text.
pub fn json_line(value: &impl Serialize) -> String {
    in_memory(|out| serde_json::to_writer(JsonEscaping::of(out), value))
}

/// The value as JSON on several lines, with a line end.
///
/// # Panics
/// If the value has a map whose keys are not text.
pub fn json_pretty(value: &impl Serialize) -> String {
    in_memory(|out| serde_json::to_writer_pretty(JsonEscaping::of(out), value)) + "\n"
}

fn in_memory(write: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).expect("numbers and text become JSON");
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// Writes the value as JSON on several lines, with a line end. The text is never in memory as a whole: escapes can make it
/// several times as long as the value.
///
/// # Errors
/// If it cannot be written, or if the value has a map whose keys are not text.
pub fn write_json_pretty(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(JsonEscaping::of(&mut *out), value)?;
    out.write_all(b"\n")
}

/// A value as JSON in the element of a page. It does not contain the end of that element.
#[derive(Debug, Clone, Copy)]
pub struct JsonInPage<T>(pub T);

impl<T: Serialize> Display for JsonInPage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let out = JsonEscaping { out: Formatting(f), is_raw: |c| is_raw(c) || c == '<' };
        serde_json::to_writer(out, &self.0).map_err(|_| fmt::Error)
    }
}

/// Writes JSON, with escapes in place of the characters that a terminal may obey. Outside of texts, JSON has only line ends
/// and blanks. Each write must have whole characters; serde_json writes nothing else.
pub struct JsonEscaping<W> {
    out: W,
    is_raw: fn(char) -> bool,
}

impl<W> JsonEscaping<W> {
    /// Writes to `out`.
    pub fn of(out: W) -> Self {
        JsonEscaping { out, is_raw }
    }
}

/// Whether the byte is a whole character that is never escaped.
fn is_plain(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n') && *byte != b'<'
}

fn is_raw(c: char) -> bool {
    is_obeyed(c) && c != '\n'
}

impl<W: Write> Write for JsonEscaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Nearly all text is this, and a count that writes each window should cost little.
        if bytes.iter().all(is_plain) {
            self.out.write_all(bytes)?;
            return Ok(bytes.len());
        }
        let text = std::str::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut rest = text;
        while let Some(place) = rest.find(self.is_raw) {
            self.out.write_all(&rest.as_bytes()[..place])?;
            let mut behind = rest[place..].chars();
            let mut units = [0; 2];
            for unit in behind.next().expect("a character was found here").encode_utf16(&mut units) {
                write!(self.out, "\\u{unit:04x}")?;
            }
            rest = behind.as_str();
        }
        self.out.write_all(rest.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Passes bytes on to a formatter.
struct Formatting<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Formatting<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        self.0.write_str(text).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_raw_character_that_a_terminal_obeys_and_the_same_text() {
        let text = "a\n\u{1b}\u{7f}\u{9b}31m\u{202e}\u{fffe}\u{2028}é\"\\";
        for json in [json_line(&[text]), json_pretty(&[text])] {
            assert!(!json.contains(|c| is_obeyed(c) && c != '\n'), "{json}");
            assert_eq!(serde_json::from_str::<[String; 1]>(&json).unwrap(), [text]);
        }
        assert_eq!(json_line(&["\u{9b}"]), "[\"\\u009b\"]");
        assert_eq!(json_line(&["\u{7f}"]), "[\"\\u007f\"]");
        assert_eq!(json_line(&["a <b>"]), "[\"a <b>\"]");
        assert_eq!(JsonInPage(["</x>\u{7f}"]).to_string(), "[\"\\u003c/x>\\u007f\"]");
        let mut written = Vec::new();
        write_json_pretty(&[text], &mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), json_pretty(&[text]));
    }
}
