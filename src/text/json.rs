//! Text in JSON.
//!
//! JSON itself requires escapes only for the first 32 characters. So a terminal would obey others that a file contains, such as
//! C1 characters and those that change the direction of text. Here they are escaped too. A reader gets the same text.

use super::is_obeyed;
use serde::Serialize;
use std::fmt::Write;

/// The value as JSON on one line, without a line end.
///
/// # Panics
/// If the value has a map whose keys are not text.
pub fn json_line(value: &impl Serialize) -> String {
    without_obeyed(serde_json::to_string(value).expect("numbers and text become JSON"))
}

/// The value as JSON on several lines, with a line end.
///
/// # Panics
/// If the value has a map whose keys are not text.
pub fn json_pretty(value: &impl Serialize) -> String {
    without_obeyed(serde_json::to_string_pretty(value).expect("numbers and text become JSON")) + "\n"
}

/// The same JSON, with escapes in place of the characters that a terminal may obey. Outside of texts, JSON has only line ends
/// and blanks.
pub fn without_obeyed(json: String) -> String {
    let is_raw = |c: char| is_obeyed(c) && c != '\n';
    if !json.contains(is_raw) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        match is_raw(c) {
            true => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    write!(escaped, "\\u{unit:04x}").expect("text is written into memory");
                }
            }
            false => escaped.push(c),
        }
    }
    escaped
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
    }
}
