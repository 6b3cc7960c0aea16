//! A word of a command line that a person copies into a shell.

use super::is_obeyed;
use std::fmt::{self, Write};

/// A word as a shell reads it: quoted if necessary. A character that a terminal may obey becomes an escape within `$'…'`, which
/// bash, zsh, and ksh turn back into the character.
#[derive(Debug, Clone, Copy)]
pub struct ShellWord<'a>(pub &'a str);

impl fmt::Display for ShellWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
        if !self.0.is_empty() && self.0.chars().all(is_plain) {
            return f.write_str(self.0);
        }
        if !self.0.contains(is_obeyed) {
            return write!(f, "'{}'", self.0.replace('\'', r"'\''"));
        }
        f.write_str("$'")?;
        self.0.chars().try_for_each(|c| match c {
            '\\' | '\'' => write!(f, "\\{c}"),
            c if is_obeyed(c) => write!(f, "\\U{:08x}", u32::from(c)),
            c => f.write_char(c),
        })?;
        f.write_char('\'')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn a_word_is_quoted_only_if_necessary() {
        for (word, shown) in [
            ("sched", "sched"),
            ("", "''"),
            ("a b", "'a b'"),
            ("sched:*", "'sched:*'"),
            ("it's", r"'it'\''s'"),
            ("a\n'\\", r"$'a\U0000000a\'\\'"),
            ("\u{202e}x", r"$'\U0000202ex'"),
        ] {
            assert_eq!(ShellWord(word).to_string(), shown);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        #[cfg_attr(miri, ignore = "starts a program")]
        fn a_shell_reads_the_word_back(word in "([a-z$`\"'\\\\ !*{}\n\t\u{202e}]|\\PC){0,8}") {
            let shown = ShellWord(&word).to_string();
            prop_assert!(!shown.contains(is_obeyed), "{shown:?}");
            let Ok(read) = Command::new("bash").args(["-c", &format!("printf %s {shown}")]).env("LC_ALL", "C.UTF-8").output() else {
                return Ok(());
            };
            prop_assert_eq!(String::from_utf8_lossy(&read.stdout), word);
        }
    }
}
