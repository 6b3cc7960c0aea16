//! Columns of a terminal. A letter of Chinese, Japanese or Korean takes two of them.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// A text with blanks behind it, up to this many columns.
pub(super) fn left(text: &str, wide: usize) -> String {
    format!("{text}{}", " ".repeat(wide.saturating_sub(columns(text))))
}

/// A text with blanks before it, up to this many columns.
pub(super) fn right(text: &str, wide: usize) -> String {
    format!("{}{text}", " ".repeat(wide.saturating_sub(columns(text))))
}

/// The beginning of a text, if it takes more columns than this.
pub(super) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |letter: &char| {
        taken += letter.width().unwrap_or(0);
        taken < most
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_two_columns_are_padded_and_cut_by_columns() {
        let idle = "待機中";
        assert_eq!((columns(idle), columns("idle")), (6, 4));
        assert_eq!((left(idle, 8), right(idle, 8)), ("待機中  ".to_owned(), "  待機中".to_owned()));
        assert_eq!((left(idle, 3), cut(idle, 6)), (idle.to_owned(), idle.to_owned()));
        assert_eq!((cut(idle, 5), cut(idle, 4)), ("待機…".to_owned(), "待…".to_owned()));
        assert_eq!((cut("abcde", 4), cut("abcd", 4)), ("abc…".to_owned(), "abcd".to_owned()));
    }
}
